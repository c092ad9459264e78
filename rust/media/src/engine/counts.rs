//! What is alive in an engine, so that a test can see that nothing is left.

use super::{Engine, Mode, lock};

/// What is alive in an engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub sessions: usize,
    pub sockets: usize,
    pub playbacks: usize,
    pub recordings: usize,
    pub ports: usize,
    pub bridges: usize,
    pub rooms: usize,
    pub members: usize,
    pub frames_dropped: u64,
    pub events_waiting: usize,
    pub events_lost: u64,
    pub datagrams_unrouted: u64,
}

impl Engine {
    /// What is alive.
    pub fn counts(&self) -> Counts {
        let slots: Vec<_> = lock(&self.sessions).values().cloned().collect();
        let mut counts = Counts {
            sessions: slots.len(),
            recordings: self.recordings.active(),
            bridges: lock(&self.bridges).len(),
            ..Counts::default()
        };
        (counts.sockets, counts.datagrams_unrouted) = match &self.mode {
            Mode::Live(live) => (live.sockets(), live.unrouted()),
            Mode::Driven(driven) => lock(driven).counts(),
        };
        for slot in slots {
            let (playbacks, ports, _) = slot
                .command(|session| Ok(session.counts()))
                .unwrap_or_default();
            counts.playbacks += playbacks;
            counts.ports += ports;
        }
        (counts.rooms, counts.members, counts.frames_dropped) = self.room_counts();
        (counts.events_waiting, counts.events_lost) = self.ring.counts();
        counts
    }
}
