//! What a video line's receiver tells of itself.

use std::time::Duration;

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
