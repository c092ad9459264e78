//! A member's place in a room: what its session and the room leave for each other.
//!
//! They may run on different threads. Each locks the seat for the copy of a frame only, neither
//! waits for the other's turn, and both queues are bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fan::Encoding;
use crate::lane::Heard;

/// Frames of 20 ms that may wait each way; the delay grows no further than this.
const MOST_FRAMES: usize = 4;

/// What a member is to hear in 20 ms.
#[derive(Debug, Clone)]
pub(crate) struct Mixed {
    pub(crate) rate_hz: u32,
    pub(crate) samples: Arc<[i16]>,
    /// The same, encoded for all who hear it.
    pub(crate) payload: Option<(Encoding, Arc<[u8]>)>,
}

/// How a member's session sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    /// The rate of its codec, and of what it receives; whichever is higher.
    pub(crate) rate_hz: u32,
    /// How it could send the mix just as it is.
    pub(crate) encoding: Option<Encoding>,
}

#[derive(Debug, Default)]
struct State {
    incoming: VecDeque<Heard>,
    outgoing: VecDeque<Mixed>,
    wants: Wants,
    dropped: u64,
    is_closed: bool,
}

/// The exchange between one session and its room.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    state: Mutex<State>,
}

impl Seat {
    fn state(&self) -> MutexGuard<'_, State> {
        // A side that panicked left it whole: nothing is half done in here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session leaves 20 ms that were received.
    pub(crate) fn give(&self, rate_hz: u32, samples: &[i16]) {
        let mut state = self.state();
        if state.is_closed {
            return;
        }
        if state.incoming.len() >= MOST_FRAMES {
            state.incoming.pop_front();
            state.dropped += 1;
        }
        let samples = samples.to_vec();
        state.incoming.push_back(Heard { rate_hz, samples });
    }

    /// The room takes 20 ms of the member, and what the session wants.
    pub(crate) fn take(&self) -> (Option<Heard>, Wants) {
        let mut state = self.state();
        (state.incoming.pop_front(), state.wants)
    }

    /// The room leaves 20 ms to be heard.
    pub(crate) fn put(&self, mixed: Mixed) {
        let mut state = self.state();
        if state.is_closed {
            return;
        }
        if state.outgoing.len() >= MOST_FRAMES {
            state.outgoing.pop_front();
            state.dropped += 1;
        }
        state.outgoing.push_back(mixed);
    }

    /// The session takes 20 ms to be heard, and says how it sends.
    pub(crate) fn fetch(&self, wants: Wants) -> Option<Mixed> {
        let mut state = self.state();
        state.wants = wants;
        state.outgoing.pop_front()
    }

    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.incoming.clear();
        state.outgoing.clear();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Frames that found no place, both ways.
    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_are_bounded_and_what_is_lost_is_counted() {
        let seat = Seat::default();
        for level in 0..6 {
            seat.give(8000, &[level; 160]);
            seat.put(Mixed {
                rate_hz: 8000,
                samples: vec![level; 160].into(),
                payload: None,
            });
        }
        assert_eq!(seat.dropped(), 4);
        assert_eq!(seat.take().0.map(|heard| heard.samples[0]), Some(2));
        let heard = seat.fetch(Wants::default());
        assert_eq!(heard.map(|mixed| mixed.samples[0]), Some(2));
    }

    #[test]
    fn nothing_is_left_on_a_seat_that_is_empty() {
        let seat = Seat::default();
        seat.give(8000, &[1; 160]);
        seat.close();
        seat.give(8000, &[1; 160]);
        assert!(seat.take().0.is_none() && seat.is_closed());
    }
}
