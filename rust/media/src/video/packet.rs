//! One packet of video on its way through.

use super::VideoCodec;

/// A packet of a video source, taken out of its transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoPacket {
    /// Tells sources apart; a change of it is a change of the picture's numbers.
    pub source: u64,
    /// The sequence number without wraps.
    pub sequence: u64,
    /// The timestamp at 90 kHz.
    pub timestamp: u32,
    /// The last packet of a frame.
    pub marker: bool,
    /// The codec.
    pub codec: VideoCodec,
    /// A key frame begins with it.
    pub begins_key_frame: bool,
    /// The payload.
    pub payload: Vec<u8>,
}
