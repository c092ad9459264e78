//! Bridges: two sessions that hear each other.

use std::sync::Arc;

use super::{Engine, lock};
use crate::MediaError;
use crate::lane::{Lane, LaneFigures};
use crate::session::joined::BridgeEnd;

/// Two sessions, and the lanes from the one to the other and back.
pub(super) struct Bridge {
    sessions: [u64; 2],
    lanes: [Arc<Lane>; 2],
}

impl Engine {
    /// Lets two sessions hear each other until `end_bridge`, or until one ends; returns the
    /// bridge's number. A session bridged with itself hears itself.
    ///
    /// # Errors
    /// `MediaError::State` when one of them is in a bridge or a room, `MediaError::Unknown` when
    /// one has ended.
    pub fn bridge(&self, one: u64, other: u64) -> Result<u64, MediaError> {
        let there = Arc::new(Lane::default());
        let back = if one == other {
            Arc::clone(&there)
        } else {
            Arc::new(Lane::default())
        };
        self.slot(other)?;
        let end = BridgeEnd::new(other, Arc::clone(&there), Arc::clone(&back));
        self.command(one, |session, _| session.join_bridge(end))?;
        if one != other {
            let end = BridgeEnd::new(one, Arc::clone(&back), Arc::clone(&there));
            let joined = self.command(other, |session, _| session.join_bridge(end));
            if let Err(error) = joined {
                self.leave(one);
                return Err(error);
            }
        }
        let number = self.number();
        let (sessions, lanes) = ([one, other], [there, back]);
        lock(&self.bridges).insert(number, Bridge { sessions, lanes });
        Ok(number)
    }

    /// Parts two sessions again; a bridge that has ended is ignored.
    pub fn end_bridge(&self, bridge: u64) {
        let Some(ended) = lock(&self.bridges).remove(&bridge) else {
            return;
        };
        // One whose lanes are closed may be in another bridge by now.
        if ended.lanes.iter().any(|lane| !lane.is_closed()) {
            for session in ended.sessions {
                self.leave(session);
            }
        }
    }

    /// What a bridge has carried from the first session to the second, and back.
    ///
    /// # Errors
    /// `MediaError::Unknown` when it has ended.
    pub fn bridge_figures(&self, bridge: u64) -> Result<[LaneFigures; 2], MediaError> {
        let bridges = lock(&self.bridges);
        let found = bridges.get(&bridge).ok_or(MediaError::Unknown {
            kind: "bridge",
            number: bridge,
        })?;
        Ok([found.lanes[0].figures(), found.lanes[1].figures()])
    }

    /// Lets the others of a session's bridges go, whether it could say goodbye or not.
    pub(super) fn close_bridges_of(&self, session: u64) {
        let bridges = lock(&self.bridges);
        let its = bridges
            .values()
            .filter(|bridge| bridge.sessions.contains(&session));
        for lane in its.flat_map(|bridge| &bridge.lanes) {
            lane.close();
        }
    }

    pub(super) fn leave(&self, session: u64) {
        // One that has ended has left.
        let _ = self.command(session, |session, _| {
            session.leave();
            Ok(())
        });
    }
}
