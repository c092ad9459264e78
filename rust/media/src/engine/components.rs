//! Sockets for RTCP that does not go with RTP.

use super::{Engine, Mode, lock};
use crate::MediaError;
use crate::session::TransportKind;

impl Engine {
    /// Leaves it to far ends whether RTCP goes with RTP, in a first offer by ICE.
    ///
    /// # Errors
    /// `MediaError::State` once the session has sockets.
    pub fn negotiate_rtcp_mux(&self, session: u64) -> Result<(), MediaError> {
        self.command(session, |open, _| open.negotiate_rtcp_mux())
    }

    /// Binds sockets for RTCP where our next description says it is reached by itself; whether
    /// there was a path that needs some.
    pub(super) fn bind_rtcp(&self, session: u64) -> Result<bool, MediaError> {
        let (slot, now) = (self.slot(session)?, self.now());
        let paths = slot.command(|open| open.rtcp_without_sockets(now))?;
        let is_by_relays = slot.command(|open| Ok(open.is_by_relays()))?;
        for line in &paths {
            let locals = match &self.mode {
                _ if is_by_relays => Vec::new(),
                // Nobody shares them: far ends that need them are few.
                Mode::Live(live) => live.bind(&slot, TransportKind::Ice, true)?,
                Mode::Driven(driven) => lock(driven).bind(&slot, TransportKind::Ice),
            };
            slot.command(|open| open.attach_rtcp(now, *line, &locals))?;
        }
        Ok(!paths.is_empty())
    }
}
