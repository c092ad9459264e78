//! Rooms: many sessions that hear each other.

use std::path::Path;
use std::sync::Arc;

use super::audio::format_of;
use super::{Engine, Mode, lock};
use crate::MediaError;
use crate::recorder::{Recorder, Side};
pub use crate::room::MemberSettings;
use crate::room::RoomSlot;
use crate::room::seat::Seat;
use crate::session::joined::RoomEnd;

/// Rooms of an engine.
const MOST_ROOMS: usize = 10_000;

impl Engine {
    /// Opens a room; its events carry the number that is returned where others have a session's.
    ///
    /// # Errors
    /// `MediaError::Full` when there are too many.
    pub fn open_room(&self) -> Result<u64, MediaError> {
        let mut rooms = lock(&self.rooms);
        if rooms.len() >= MOST_ROOMS {
            return Err(MediaError::Full(
                "10000 rooms are open: close some first".to_owned(),
            ));
        }
        let slot = Arc::new(RoomSlot::new(self.number()));
        let id = slot.id;
        rooms.insert(id, Arc::clone(&slot));
        match &self.mode {
            Mode::Live(live) => live.add_room(slot),
            Mode::Driven(driven) => lock(driven).add_room(slot),
        }
        Ok(id)
    }

    /// Closes a room: its members are alone again. A closed one is ignored.
    pub fn close_room(&self, room: u64) {
        let Some(slot) = lock(&self.rooms).remove(&room) else {
            return;
        };
        let recorders = slot.command(|room| Ok(room.close()));
        let now = self.now();
        for recorder in recorders.unwrap_or_default() {
            recorder.stop(now);
        }
        match &self.mode {
            Mode::Live(live) => live.remove_room(room),
            Mode::Driven(driven) => lock(driven).remove_room(room),
        }
        self.recordings.poll(&self.ring);
    }

    /// Gives a session a seat in a room.
    ///
    /// # Errors
    /// `MediaError::State` when it is in a bridge or a room, `MediaError::Full` when the room is,
    /// `MediaError::Unknown` when one of them has ended.
    pub fn add_member(
        &self,
        room: u64,
        session: u64,
        settings: MemberSettings,
    ) -> Result<(), MediaError> {
        let slot = self.room(room)?;
        let seat = Arc::new(Seat::default());
        let end = RoomEnd::new(Arc::clone(&seat));
        self.command(session, |session, _| session.join_room(end))?;
        let now = self.now();
        let taken = Arc::clone(&seat);
        let added = slot.command(|room| room.add(now, session, taken, settings));
        if added.is_err() {
            self.leave(session);
            return added;
        }
        // Beside the session: one that has panicked cannot say that it leaves.
        lock(&self.seats).insert(session, seat);
        match &self.mode {
            Mode::Live(live) => live.schedule(room, now),
            Mode::Driven(driven) => lock(driven).schedule(room),
        }
        Ok(())
    }

    /// Changes how a member is heard and what it hears.
    ///
    /// # Errors
    /// `MediaError::Unknown` when it is no member, `MediaError::Argument` for a gain out of range.
    pub fn set_member(
        &self,
        room: u64,
        session: u64,
        settings: MemberSettings,
    ) -> Result<(), MediaError> {
        self.room(room)?.command(|room| room.set(session, settings))
    }

    /// Takes a session out of a room; one that is not there is ignored.
    pub fn remove_member(&self, room: u64, session: u64) {
        let Ok(slot) = self.room(room) else { return };
        let removed = slot.command(|room| {
            room.remove(session);
            Ok(())
        });
        if removed.is_ok() {
            // It notices by the seat that is closed.
            let _ = self.command(session, |session, _| {
                session.notice_leaving();
                Ok(())
            });
        }
    }

    /// Starts a recording of all that is heard in a room, mono, and returns its number.
    ///
    /// # Errors
    /// `MediaError::File` when it cannot be created, `MediaError::Argument` for an unknown format.
    pub fn record_room(&self, room: u64, path: &Path, format: &str) -> Result<u64, MediaError> {
        let slot = self.room(room)?;
        let format = format_of(format)?;
        let recorder = self.recordings.start(room, |writer| {
            Recorder::start(path, Side::Received, format, self.now(), writer).map_err(|error| {
                MediaError::File(format!("cannot record to {}: {error}", path.display()))
            })
        })?;
        let number = recorder.number();
        slot.command(|room| {
            room.add_recording(recorder);
            Ok(number)
        })
    }

    /// Ends a recording of a room; returns its seconds.
    ///
    /// # Errors
    /// `MediaError::Unknown` when it has ended.
    pub fn stop_room_recording(&self, room: u64, recording: u64) -> Result<f64, MediaError> {
        let slot = self.room(room)?;
        let recorder = slot.command(|room| room.take_recording(recording))?;
        let seconds = recorder.stop(self.now());
        self.recordings.poll(&self.ring);
        Ok(seconds)
    }

    /// (rooms, members, frames dropped between members and rooms).
    pub(super) fn room_counts(&self) -> (usize, usize, u64) {
        let rooms: Vec<_> = lock(&self.rooms).values().cloned().collect();
        let counts = rooms
            .iter()
            .map(|slot| slot.command(|room| Ok(room.counts())).unwrap_or_default());
        let (members, dropped) = counts.fold((0, 0), |sum, room| (sum.0 + room.0, sum.1 + room.1));
        (rooms.len(), members, dropped)
    }

    /// Panics inside a room, to prove that its members live on.
    ///
    /// # Errors
    /// `MediaError::Fault`, always.
    pub fn fault_room(&self, room: u64) -> Result<(), MediaError> {
        self.room(room)?
            .command(|_| panic!("a fault was asked for"))
    }

    fn room(&self, room: u64) -> Result<Arc<RoomSlot>, MediaError> {
        let slot = lock(&self.rooms).get(&room).cloned();
        slot.ok_or(MediaError::Unknown {
            kind: "room",
            number: room,
        })
    }
}
