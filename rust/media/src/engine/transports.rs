//! Another transport for a session whose offer was refused.

use std::net::SocketAddr;

use super::{Engine, Mode, lock};
use crate::MediaError;
use crate::session::TransportKind;
use crate::slot::Slot;

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
        })?;
        self.release_idle(session)
    }

    /// Closes sockets of lines that share a transport now, or will have another.
    pub(super) fn release_idle(&self, session: u64) -> Result<(), MediaError> {
        let slot = self.slot(session)?;
        let idle = slot.command(|open| Ok(open.take_idle_sockets()))?;
        if !idle.is_empty() {
            self.release_sockets(&slot, &idle);
        }
        Ok(())
    }

    /// Closes sockets of a session that goes on.
    pub(super) fn release_sockets(&self, slot: &Slot, addresses: &[SocketAddr]) {
        match &self.mode {
            Mode::Live(live) => {
                // What is said from there for the last time leaves first.
                live.serve(slot, &self.ring);
                live.release_sockets(slot, addresses);
            }
            Mode::Driven(driven) => lock(driven).release_sockets(addresses),
        }
    }
}
