//! Requests of ours to reset streams, repeated until they are answered (RFC 6525 §5.1.1).
//!
//! The association starts no timer for those it makes in answer to a far end's own: lost once, the
//! far end's channel would never be closed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::guard::{Reset, resets};
use super::packet::{Packet, RE_CONFIG};

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(3);
/// Requests that are repeated at a time; a channel has two at most.
const MOST: usize = 128;

#[derive(Debug)]
struct Repeat {
    packet: Packet,
    due: Instant,
    delay: Duration,
}

/// Our requests that are not answered.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    waiting: BTreeMap<u32, Repeat>,
}

impl Repeats {
    /// Learns from what we send.
    pub(super) fn note_sent(&mut self, now: Instant, packet: &Packet) {
        for chunk in &packet.chunks {
            if chunk.kind() != RE_CONFIG {
                continue;
            }
            for reset in resets(chunk) {
                if let Reset::Asked(number) = reset
                    && self.waiting.len() < MOST
                {
                    let request = Packet::new(packet.tag, vec![chunk.clone()]);
                    self.waiting.entry(number).or_insert(Repeat {
                        packet: request,
                        due: now + FIRST_DELAY,
                        delay: FIRST_DELAY,
                    });
                }
            }
        }
    }

    /// Learns from what the far end sends.
    pub(super) fn note_received(&mut self, packet: &Packet) {
        for chunk in &packet.chunks {
            if chunk.kind() == RE_CONFIG {
                for reset in resets(chunk) {
                    if let Reset::Answered(number) = reset {
                        self.waiting.remove(&number);
                    }
                }
            }
        }
    }

    /// When the next one is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.values().map(|repeat| repeat.due).min()
    }

    /// Those that are due.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Packet> {
        let due = self.waiting.values_mut().filter(|repeat| repeat.due <= now);
        due.map(|repeat| {
            repeat.delay = (repeat.delay * 2).min(LONGEST_DELAY);
            repeat.due = now + repeat.delay;
            repeat.packet.clone()
        })
        .collect()
    }
}
