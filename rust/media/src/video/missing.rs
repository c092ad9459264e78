//! Packets that were not received, and when to ask for them again (RFC 4585 §6.2.1).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Packets that may be missing at once; beyond, a new picture is cheaper.
const MOST_MISSING: usize = 256;
/// A packet may come this much out of order before it is asked for.
const REORDERING: Duration = Duration::from_millis(5);
/// Between two requests for one packet, at least.
const AGAIN: Duration = Duration::from_millis(60);
/// Requests for one packet.
const MOST_REQUESTS: u8 = 8;

#[derive(Debug, Clone, Copy)]
struct Request {
    due: Instant,
    count: u8,
}

/// What one source owes us.
#[derive(Debug, Default)]
pub(super) struct Missing {
    packets: BTreeMap<u64, Request>,
}

impl Missing {
    /// Notes a gap; false when it is too large to be mended.
    pub(super) fn add(&mut self, now: Instant, numbers: std::ops::Range<u64>) -> bool {
        let count = numbers.end.saturating_sub(numbers.start);
        if count as usize + self.packets.len() > MOST_MISSING {
            self.packets.clear();
            return false;
        }
        let due = now + REORDERING;
        self.packets
            .extend(numbers.map(|number| (number, Request { due, count: 0 })));
        true
    }

    /// Notes that a packet has come after all.
    pub(super) fn remove(&mut self, number: u64) {
        if !self.packets.is_empty() {
            self.packets.remove(&number);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.packets.values().map(|request| request.due).min()
    }

    /// The packets to ask for now, and whether one was given up.
    pub(super) fn take_due(&mut self, now: Instant, round_trip: Duration) -> (Vec<u16>, bool) {
        if self.next_deadline().is_none_or(|due| due > now) {
            return (Vec::new(), false);
        }
        let before = self.packets.len();
        self.packets
            .retain(|_, request| request.due > now || request.count < MOST_REQUESTS);
        let has_given_up = self.packets.len() < before;
        let due = self
            .packets
            .iter_mut()
            .filter(|(_, request)| request.due <= now);
        let numbers = due.map(|(number, request)| {
            request.count += 1;
            request.due = now + round_trip.max(AGAIN);
            *number as u16
        });
        (numbers.collect(), has_given_up)
    }
}
