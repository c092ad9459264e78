//! Encoded frames for the program, handed over in batches.

use std::collections::VecDeque;
use std::time::Instant;

use crate::video::reader::Reader;
use crate::video::receiver::VideoReceiver;
use crate::video::{EncodedFrame, VideoCodec, VideoPacket};

/// Frames a tap holds for a program that does not take them; the oldest give way, and the next one
/// handed over says so by being a key frame.
const MOST_FRAMES: usize = 64;
/// Their bytes.
const MOST_BYTES: usize = 8 << 20;

/// A frame as the program gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct TappedFrame {
    /// The codec.
    pub codec: VideoCodec,
    /// Seconds since the first frame.
    pub pts: f64,
    /// It can be decoded alone.
    pub is_key: bool,
    /// Degrees by which it is to be turned clockwise.
    pub rotation: u16,
    /// The frame.
    pub data: Vec<u8>,
}

/// The frame before.
#[derive(Debug, Clone, Copy)]
struct Shown {
    source: u64,
    timestamp: u32,
    came: Instant,
    pts: f64,
}

/// One subscription to a line's frames.
pub(in crate::session) struct Tap {
    pub(super) number: u64,
    pub(super) reader: Reader,
    frames: VecDeque<TappedFrame>,
    bytes: usize,
    clock: Option<Shown>,
    needs_key: bool,
    pub(super) lost: u64,
}

impl Tap {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            reader: Reader::default(),
            frames: VecDeque::new(),
            bytes: 0,
            clock: None,
            needs_key: true,
            lost: 0,
        }
    }

    /// Takes a packet of the line; its own number when the program is to be told that there are some.
    pub(super) fn push_packet(
        &mut self,
        now: Instant,
        packet: &VideoPacket,
        receiver: &mut VideoReceiver,
    ) -> Option<u64> {
        let before = self.lost;
        let frames = self.reader.push(now, packet, receiver);
        // Frames are whole with a packet of their own source.
        let told = frames
            .iter()
            .filter_map(|frame| self.push(now, packet.source, frame));
        let told = told.fold(None, |told, number| told.or(Some(number)));
        receiver.count_dropped(self.lost - before);
        told
    }

    /// Takes a frame; its own number when the program is to be told that there are some.
    fn push(&mut self, now: Instant, source: u64, frame: &EncodedFrame) -> Option<u64> {
        let pts = self.time(now, source, frame.timestamp);
        if self.needs_key && !frame.is_key {
            self.lost += 1;
            return None;
        }
        self.needs_key = false;
        if self.frames.len() == MOST_FRAMES || self.bytes + frame.data.len() > MOST_BYTES {
            self.lost += self.frames.len() as u64 + u64::from(!frame.is_key);
            self.frames.clear();
            self.bytes = 0;
            if !frame.is_key {
                self.needs_key = true;
                return None;
            }
        }
        let was_empty = self.frames.is_empty();
        self.bytes += frame.data.len();
        self.frames.push_back(TappedFrame {
            codec: frame.codec,
            pts,
            is_key: frame.is_key,
            rotation: frame.orientation.degrees(),
            data: frame.data.clone(),
        });
        was_empty.then_some(self.number)
    }

    /// Each source counts from a number of its own: over a change, time is that of arrival.
    fn time(&mut self, now: Instant, source: u64, timestamp: u32) -> f64 {
        let pts = self.clock.map_or(0.0, |before| {
            let ticks = timestamp.wrapping_sub(before.timestamp).cast_signed();
            let passed = now.saturating_duration_since(before.came).as_secs_f64();
            before.pts
                + if source == before.source {
                    f64::from(ticks) / 90_000.0
                } else {
                    passed
                }
        });
        self.clock = Some(Shown {
            source,
            timestamp,
            came: now,
            pts,
        });
        pts
    }

    pub(super) fn take(&mut self, limit: usize) -> Vec<TappedFrame> {
        let count = limit.min(self.frames.len());
        let taken: Vec<TappedFrame> = self.frames.drain(..count).collect();
        self.bytes -= taken.iter().map(|frame| frame.data.len()).sum::<usize>();
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::video::Orientation;

    #[test]
    fn time_goes_on_over_a_change_of_the_source() {
        let (begin, mut tap) = (crate::shard::now(), Tap::new(1));
        for (came_ms, source, timestamp) in [
            (0, 11, 0xffff_f000_u32),
            (90, 11, 0xffff_f000_u32.wrapping_add(9_000)),
            (190, 12, 77),
            (310, 12, 77 + 9_000),
        ] {
            let frame = EncodedFrame {
                codec: VideoCodec::Vp8,
                timestamp,
                is_key: true,
                orientation: Orientation::default(),
                data: vec![0x10],
            };
            tap.push(begin + Duration::from_millis(came_ms), source, &frame);
        }

        let pts: Vec<u64> = tap
            .take(9)
            .iter()
            .map(|one| (one.pts * 1000.0).round() as u64)
            .collect();
        assert_eq!(pts, [0, 100, 200, 300]);
    }
}
