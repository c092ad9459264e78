//! What a video line's receiver tells of itself.

use std::time::{Duration, Instant};

use super::{VideoReceived, VideoReceiver};
use crate::video::VideoCodec;

impl VideoReceiver {
    /// What was received, of all sources there were.
    pub(crate) fn figures(&self) -> VideoReceived {
        let present: u64 = self
            .sources
            .values()
            .map(|source| source.stream.lost())
            .sum();
        VideoReceived {
            lost: self.earlier_lost + present,
            ..self.figures
        }
    }

    /// Counts requests for key frames that are being sent, by what was agreed for them.
    pub(crate) fn count_requests(&mut self, count: usize, is_full_intra: bool) {
        if is_full_intra {
            self.figures.firs += count as u64;
        } else {
            self.figures.plis += count as u64;
        }
    }

    /// Counts frames that a reader was not given.
    pub(crate) fn count_dropped(&mut self, count: u64) {
        self.figures.frames_dropped += count;
    }

    /// Ends the seconds that are over.
    pub(crate) fn settle(&mut self, now: Instant) {
        for source in self.sources.values_mut() {
            source.rate.settle(now);
        }
    }

    /// Frames a second and the size of the source that sent last.
    pub(crate) fn pace(&self) -> (Option<f64>, Option<(u32, u32)>) {
        let source = self.latest.and_then(|latest| self.sources.get(&latest));
        let rate = source.map(|source| source.rate.frames_per_second());
        (rate, source.and_then(|source| source.size))
    }

    /// The codec most wanted of those agreed on.
    pub(crate) fn codec(&self) -> Option<VideoCodec> {
        self.formats.first().map(|format| format.codec)
    }

    /// Interarrival jitter of the source that sent last (RFC 3550 §6.4.1).
    pub(crate) fn jitter(&self) -> Option<Duration> {
        let source = self.sources.get(&self.latest?)?;
        Some(source.stream.jitter())
    }
}
