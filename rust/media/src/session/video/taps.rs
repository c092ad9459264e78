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
    /// The frame.
    pub data: Vec<u8>,
}

/// One subscription to a line's frames.
pub(in crate::session) struct Tap {
    pub(super) number: u64,
    pub(super) reader: Reader,
    frames: VecDeque<TappedFrame>,
    bytes: usize,
    /// The timestamp of the frame before, and the seconds up to it.
    clock: Option<(u32, f64)>,
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
        let told = frames.iter().filter_map(|frame| self.push(frame));
        let told = told.fold(None, |told, number| told.or(Some(number)));
        receiver.count_dropped(self.lost - before);
        told
    }

    /// Takes a frame; its own number when the program is to be told that there are some.
    fn push(&mut self, frame: &EncodedFrame) -> Option<u64> {
        let pts = self.clock.map_or(0.0, |(before, seconds)| {
            let ticks = frame.timestamp.wrapping_sub(before).cast_signed();
            seconds + f64::from(ticks) / 90_000.0
        });
        self.clock = Some((frame.timestamp, pts));
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
            data: frame.data.clone(),
        });
        was_empty.then_some(self.number)
    }

    pub(super) fn take(&mut self, limit: usize) -> Vec<TappedFrame> {
        let count = limit.min(self.frames.len());
        let taken: Vec<TappedFrame> = self.frames.drain(..count).collect();
        self.bytes -= taken.iter().map(|frame| frame.data.len()).sum::<usize>();
        taken
    }
}
