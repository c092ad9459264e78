//! A room behind its lock, with a wall that keeps a panic in it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::Room;
use crate::MediaError;
use crate::event::{Event, EventKind};

/// What a room wants done after it has run.
#[derive(Debug, Default)]
pub(crate) struct RoomOutcome {
    pub(crate) events: Vec<Event>,
    pub(crate) deadline: Option<Instant>,
}

/// One room; None once it has panicked.
pub(crate) struct RoomSlot {
    pub(crate) id: u64,
    room: Mutex<Option<Room>>,
}

impl RoomSlot {
    pub(crate) fn new(id: u64) -> Self {
        let room = Mutex::new(Some(Room::new(id)));
        Self { id, room }
    }

    /// Runs a command. A panic in it ends this room alone; its members' calls go on.
    pub(crate) fn command<R>(
        &self,
        run: impl FnOnce(&mut Room) -> Result<R, MediaError>,
    ) -> Result<R, MediaError> {
        let mut guarded = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(room) = guarded.as_mut() else {
            return Err(MediaError::Fault("the room has failed".to_owned()));
        };
        match catch_unwind(AssertUnwindSafe(|| run(room))) {
            Ok(result) => result,
            Err(_) => {
                if let Some(mut room) = guarded.take() {
                    // Seats are left, so that the sessions are free again.
                    room.close();
                }
                Err(MediaError::Fault("the room has panicked".to_owned()))
            }
        }
    }

    /// Lets time pass in it.
    pub(crate) fn tick(&self, now: Instant) -> RoomOutcome {
        let outcome = self.command(|room| {
            room.tick(now);
            Ok(RoomOutcome {
                events: room.take_events(),
                deadline: room.next_deadline(),
            })
        });
        outcome.unwrap_or_else(|error| RoomOutcome {
            events: vec![Event {
                session: self.id,
                kind: EventKind::Failed,
                number: 0.0,
                text: error.to_string(),
            }],
            deadline: None,
        })
    }
}
