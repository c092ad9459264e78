//! Candidates that come and go after the descriptions (RFC 8840).

use super::Engine;
use crate::MediaError;
use crate::transport::Trickled;

impl Engine {
    /// Notes that the peer takes candidates by fragments; with `is_gathering`, descriptions from
    /// now on do not end the candidates before the next `Gathered`.
    ///
    /// # Errors
    /// `MediaError::State` for a session that is closed.
    pub fn trickle(&self, session: u64, is_gathering: bool) -> Result<(), MediaError> {
        self.command(session, |session, _| {
            session.trickle(is_gathering);
            Ok(())
        })
    }

    /// The fragment that tells all candidates so far; empty when their end was told.
    ///
    /// # Errors
    /// `MediaError::State` for a session that is closed.
    pub fn fragment(&self, session: u64) -> Result<String, MediaError> {
        self.command(session, |session, _| Ok(session.fragment()))
    }

    /// Takes a fragment of the peer's.
    ///
    /// # Errors
    /// `MediaError::Negotiation` for what is no fragment.
    pub fn take_fragment_untrusted(
        &self,
        session: u64,
        text: &str,
    ) -> Result<Trickled, MediaError> {
        self.command(session, |session, now| {
            session.take_fragment_untrusted(now, text)
        })
    }
}
