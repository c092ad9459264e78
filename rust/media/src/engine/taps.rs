//! Subscriptions to received packets: numbered by the engine, owned by sessions.

use super::{Engine, lock};
use crate::MediaError;
use crate::session::rtp_tap::TappedPacket;

impl Engine {
    /// Subscribes to received packets of audio and returns the tap's number.
    ///
    /// # Errors
    /// See `Session::open_rtp_tap`.
    pub fn open_rtp_tap(&self, session: u64, batch: usize) -> Result<u64, MediaError> {
        let number = self.number();
        self.command(session, |open, now| open.open_rtp_tap(now, number, batch))?;
        lock(&self.ports).insert(number, session);
        Ok(number)
    }

    /// Takes packets, and how many were dropped so far; none of a closed tap.
    pub fn take_rtp(&self, tap: u64, limit: usize) -> (Vec<TappedPacket>, u64) {
        self.on_port(tap, |session| Ok(session.take_rtp(tap, limit)))
            .unwrap_or_default()
    }

    /// Ends a subscription; a closed one is ignored.
    pub fn close_rtp_tap(&self, tap: u64) {
        let Some(session) = lock(&self.ports).remove(&tap) else {
            return;
        };
        // A session that has ended has let go of it.
        let _ = self.command(session, |open, _| {
            open.close_rtp_tap(tap);
            Ok(())
        });
    }
}
