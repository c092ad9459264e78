//! A turn of a shard: sessions that have something to do get to do it.

use std::collections::VecDeque;
use std::time::Instant;

use super::{Worker, not_before, now};
use crate::bound::Outgoing;
use crate::event::Event;
use crate::slot::Slot;

/// What a turn makes.
#[derive(Default)]
struct Turn {
    outgoing: Outgoing,
    events: Vec<Event>,
    /// Sessions others have left something for.
    woken: VecDeque<u64>,
}

impl Worker {
    /// Gives every session that has input, a command or a deadline behind it its turn.
    pub(super) fn serve(&mut self) {
        let now = now();
        while let Some(due) = self.timers.pop(now) {
            self.touched.push(due);
        }
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        let mut turn = Turn::default();
        for id in touched.drain(..) {
            self.serve_one(now, id, &mut turn);
        }
        // What is passed on leaves in the turn it came in. Nobody wakes another for what it was
        // woken for, so this ends.
        while let Some(id) = turn.woken.pop_front() {
            self.serve_one(now, id, &mut turn);
        }
        turn.outgoing.flush();
        self.touched = touched;
        if !turn.events.is_empty() {
            self.ring.push(turn.events);
        }
    }

    fn serve_one(&mut self, now: Instant, id: u64, turn: &mut Turn) {
        if let Some(room) = self.rooms.get(&id) {
            let outcome = room.tick(now);
            turn.events.extend(outcome.events);
            self.timers.set(id, not_before(outcome.deadline, now));
            return;
        }
        let Some(slot) = self.sessions.get(&id) else {
            return;
        };
        slot.run(|session| session.tick(now));
        let outcome = Slot::collect(slot);
        turn.outgoing.add(slot, outcome.transmits);
        turn.events.extend(outcome.events);
        self.timers.set(id, not_before(outcome.deadline, now));
        for woken in outcome.wakes {
            if self.sessions.contains_key(&woken) {
                turn.woken.push_back(woken);
            } else {
                self.neighbours.wake(woken);
            }
        }
    }
}
