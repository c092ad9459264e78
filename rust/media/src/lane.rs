//! One direction of a bridge: what one session leaves for another, on whatever shard it is.
//!
//! The session that takes says what it can send on undecoded; the one that gives looks there packet
//! by packet, and decodes where the other cannot. All queues are bounded; what finds no place takes
//! the place of the oldest and is counted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::codec::CodecKind;

/// Packets that may wait: more than a second, since the taking session is woken for the first.
const MOST_PACKETS: usize = 64;
/// Frames of 20 ms that may wait; a delay grows no further than this.
const MOST_FRAMES: usize = 5;
/// Digits that may wait for a session that is slow to send them.
const MOST_DIGITS: usize = 32;

/// A packet as it came, to be numbered anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passed {
    /// None: a telephone-event.
    pub(crate) codec: Option<CodecKind>,
    pub(crate) marker: bool,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) payload: Vec<u8>,
}

/// What a session sends on undecoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Takes {
    pub(crate) codec: CodecKind,
    /// Whether telephone-events of the codec's own clock are agreed with its far end.
    pub(crate) has_events: bool,
}

/// Decoded audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) rate_hz: u32,
    pub(crate) samples: Vec<i16>,
}

/// What one direction of a bridge has carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneFigures {
    /// Packets passed on undecoded.
    pub packets_passed: u64,
    /// Frames of 20 ms that were decoded and encoded anew.
    pub frames_transcoded: u64,
    /// Packets and frames that found no place.
    pub dropped: u64,
}

#[derive(Debug, Default)]
struct State {
    takes: Option<Takes>,
    packets: VecDeque<Passed>,
    frames: VecDeque<Heard>,
    digits: VecDeque<(char, f64)>,
    figures: LaneFigures,
    is_closed: bool,
}

/// One direction of a bridge.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    state: Mutex<State>,
}

/// Adds to a bounded queue; true when the oldest had to go for it.
fn put<T>(queue: &mut VecDeque<T>, most: usize, item: T) -> bool {
    let is_full = queue.len() >= most;
    if is_full {
        queue.pop_front();
    }
    queue.push_back(item);
    is_full
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, State> {
        // A session that panicked left it whole: nothing is half done in here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what the taking session sends on undecoded from now on.
    pub(crate) fn set_takes(&self, takes: Option<Takes>) {
        self.state().takes = takes;
    }

    pub(crate) fn takes(&self) -> Option<Takes> {
        self.state().takes
    }

    /// Leaves a packet; true when the taking session is to be woken for it.
    pub(crate) fn put_packet(&self, packet: Passed) -> bool {
        let mut state = self.state();
        if state.is_closed {
            return false;
        }
        let is_first = state.packets.is_empty();
        let is_dropped = put(&mut state.packets, MOST_PACKETS, packet);
        state.figures.dropped += u64::from(is_dropped);
        state.figures.packets_passed += u64::from(!is_dropped);
        is_first
    }

    /// Leaves 20 ms of decoded audio.
    pub(crate) fn put_frame(&self, rate_hz: u32, samples: &[i16]) {
        let mut state = self.state();
        if state.is_closed {
            return;
        }
        let samples = samples.to_vec();
        let is_dropped = put(&mut state.frames, MOST_FRAMES, Heard { rate_hz, samples });
        state.figures.dropped += u64::from(is_dropped);
    }

    /// Leaves a digit that ended, and its seconds.
    pub(crate) fn put_digit(&self, digit: char, duration: f64) {
        let mut state = self.state();
        if !state.is_closed {
            put(&mut state.digits, MOST_DIGITS, (digit, duration));
        }
    }

    pub(crate) fn take_packets(&self) -> VecDeque<Passed> {
        std::mem::take(&mut self.state().packets)
    }

    pub(crate) fn take_frame(&self) -> Option<Heard> {
        let mut state = self.state();
        let frame = state.frames.pop_front()?;
        state.figures.frames_transcoded += 1;
        Some(frame)
    }

    pub(crate) fn take_digit(&self) -> Option<(char, f64)> {
        self.state().digits.pop_front()
    }

    /// Takes nothing in any more.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.takes = None;
        state.packets.clear();
        state.frames.clear();
        state.digits.clear();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    pub(crate) fn figures(&self) -> LaneFigures {
        self.state().figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16) -> Passed {
        Passed {
            codec: Some(CodecKind::Pcmu),
            marker: false,
            ssrc: 1,
            sequence,
            timestamp: u32::from(sequence) * 160,
            payload: vec![0xff; 160],
        }
    }

    #[test]
    fn the_taker_is_woken_for_the_first_packet_only() {
        let lane = Lane::default();
        let woken: Vec<bool> = (0..3).map(|n| lane.put_packet(packet(n))).collect();
        assert_eq!(woken, [true, false, false]);
        assert_eq!(lane.take_packets().len(), 3);
        assert!(lane.put_packet(packet(3)));
    }

    #[test]
    fn a_taker_that_sleeps_loses_the_oldest_and_it_is_counted() {
        let lane = Lane::default();
        for sequence in 0..70 {
            lane.put_packet(packet(sequence));
        }
        for _ in 0..7 {
            lane.put_frame(8000, &[0; 160]);
        }
        assert_eq!(lane.take_packets().front().map(|p| p.sequence), Some(6));
        assert_eq!(lane.figures().dropped, 6 + 2);
        assert_eq!(lane.figures().packets_passed, 64);
    }

    #[test]
    fn a_closed_lane_takes_nothing() {
        let lane = Lane::default();
        lane.put_packet(packet(1));
        lane.close();
        assert!(!lane.put_packet(packet(2)));
        lane.put_frame(8000, &[0; 160]);
        lane.put_digit('5', 0.1);
        assert!(lane.take_packets().is_empty());
        assert_eq!((lane.take_frame(), lane.take_digit()), (None, None));
    }
}
