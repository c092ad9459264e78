//! Another transport for a session whose offer was refused.

use super::Engine;
use crate::MediaError;
use crate::session::TransportKind;

impl Engine {
    /// Has a session offer another transport, as the far end refused the one of its offer; what
    /// plays, records and listens stays.
    ///
    /// # Errors
    /// `MediaError::State` once the far end has described itself.
    pub fn change_transport(
        &self,
        session: u64,
        kind: TransportKind,
        accepts: Vec<TransportKind>,
    ) -> Result<(), MediaError> {
        self.command(session, |session, now| {
            session.change_transport(now, kind, accepts)
        })
    }
}
