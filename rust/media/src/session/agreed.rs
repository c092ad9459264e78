//! Which codecs a session has agreed on.

use super::Session;
use super::lines::LineKind;
use crate::codec::CodecKind;
use crate::video::VideoCodec;

/// RTP clock of all video (RFC 3551 §5).
const VIDEO_CLOCK_HZ: u32 = 90_000;

/// A codec that is agreed on for one m-line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgreedCodec {
    /// "audio", "video" or "screen".
    pub kind: &'static str,
    /// RTP encoding name.
    pub name: &'static str,
    /// Clock of its timestamps.
    pub clock_rate_hz: u32,
    /// Channels by its `a=rtpmap`; 0 for video.
    pub channels: u8,
}

impl AgreedCodec {
    fn audio(codec: CodecKind) -> Self {
        Self {
            kind: "audio",
            name: codec.name(),
            clock_rate_hz: codec.rtp_clock_hz(),
            channels: if codec == CodecKind::Opus { 2 } else { 1 },
        }
    }

    fn video(kind: LineKind, codec: VideoCodec) -> Self {
        Self {
            kind: kind.name(),
            name: codec.name(),
            clock_rate_hz: VIDEO_CLOCK_HZ,
            channels: 0,
        }
    }
}

impl Session {
    /// The codecs agreed on: that of the audio first, then the one of each further line.
    pub fn agreed_codecs(&self) -> Vec<AgreedCodec> {
        let audio = self.offer_answer.negotiated();
        let audio = audio.map(|agreed| AgreedCodec::audio(agreed.codec));
        let lines = self.offer_answer.lines().iter();
        let videos = lines.filter_map(|line| {
            let agreed = line.agreed.as_ref()?;
            let format = agreed.send.first().or(agreed.receive.first())?;
            Some(AgreedCodec::video(line.kind, format.codec))
        });
        audio.into_iter().chain(videos).collect()
    }
}
