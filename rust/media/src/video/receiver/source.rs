//! One source of a line: its numbers, what it lacks, and what its pictures are.

use std::time::{Duration, Instant};

use super::{CLOCK_HZ, KEY_FRAME_INTERVAL};
use crate::session::statistics::ReceivedStream;
use crate::video::av1::Joiner;
use crate::video::header::key_frame_size;
use crate::video::missing::Missing;
use crate::video::payload::append_untrusted;
use crate::video::rate::Rate;
use crate::video::window::Window;
use crate::video::{LayerFacts, VideoCodec};

/// A newer timestamp is less than half of their range ahead.
const HALF: u32 = 0x8000_0000;

pub(super) struct Source {
    pub(super) stream: ReceivedStream,
    pub(super) window: Window,
    pub(super) missing: Missing,
    pub(super) layer: Option<String>,
    pub(super) wants_key_frame: bool,
    pub(super) last_asked: Option<Instant>,
    pub(super) rate: Rate,
    pub(super) size: Option<(u32, u32)>,
    heard: Instant,
    /// Timestamps of the newest frame and of the last key frame.
    newest: Option<u32>,
    last_key: Option<u32>,
}

impl Source {
    pub(super) fn new(now: Instant, ssrc: u32, sequence: u16) -> Self {
        Self {
            stream: ReceivedStream::new(ssrc, sequence, CLOCK_HZ),
            window: Window::new(sequence),
            missing: Missing::default(),
            layer: None,
            wants_key_frame: false,
            last_asked: None,
            rate: Rate::new(now),
            size: None,
            heard: now,
            newest: None,
            last_key: None,
        }
    }

    pub(super) fn may_ask_at(&self) -> Option<Instant> {
        self.last_asked.map(|asked| asked + KEY_FRAME_INTERVAL)
    }

    /// Counts a packet; whether a frame begins with it.
    pub(super) fn count_frame(&mut self, now: Instant, timestamp: u32, bytes: usize) -> bool {
        self.heard = now;
        let is_new = self
            .newest
            .is_none_or(|newest| (1..HALF).contains(&timestamp.wrapping_sub(newest)));
        if is_new {
            self.newest = Some(timestamp);
        }
        self.rate.add(now, bytes, is_new);
        is_new
    }

    /// Notes that a key frame begins; false when it has begun before.
    pub(super) fn count_key(&mut self, timestamp: u32, codec: VideoCodec, payload: &[u8]) -> bool {
        self.size = size_untrusted(codec, payload).or(self.size);
        self.last_key.replace(timestamp) != Some(timestamp)
    }

    /// What is known of the layer it sends; None where it names none.
    pub(super) fn facts(&self) -> Option<LayerFacts> {
        Some(LayerFacts {
            name: self.layer.clone()?,
            ssrc: self.stream.ssrc,
            size: self.size,
            bits_per_second: self.rate.bits_per_second(),
            heard: self.heard,
        })
    }
}

/// The size that the first packet of a key frame tells.
fn size_untrusted(codec: VideoCodec, payload: &[u8]) -> Option<(u32, u32)> {
    let mut begin = Vec::new();
    match codec {
        VideoCodec::Av1 => Joiner::default().append_untrusted(payload, &mut begin),
        _ => append_untrusted(codec, payload, &mut begin),
    };
    key_frame_size(codec, &begin)
}

/// Since when a source has been silent is of use to nobody but who chooses a layer.
pub(super) const FACTS_FOR: Duration = Duration::from_millis(100);
