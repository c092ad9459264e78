//! One packet of video on its way through.

use super::VideoCodec;

/// How a camera was held: the octet of urn:3gpp:video-orientation (3GPP TS 26.114 §7.4.5). Its pixels
/// lie as they were taken; who shows them turns them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Orientation(u8);

impl Orientation {
    /// Reads the octet: back camera, mirrored, and two bits of rotation. What is reserved is 0.
    #[must_use]
    pub fn from_octet(octet: u8) -> Self {
        Self(octet & 0x0f)
    }

    /// One that is turned by 0, 90, 180 or 270 degrees; None for others.
    #[must_use]
    pub fn from_degrees(degrees: u16) -> Option<Self> {
        let is_right = degrees.is_multiple_of(90) && degrees < 360;
        is_right.then_some(Self((degrees / 90) as u8))
    }

    /// The octet.
    #[must_use]
    pub fn octet(self) -> u8 {
        self.0
    }

    /// Degrees by which a picture is to be turned clockwise to be upright.
    #[must_use]
    pub fn degrees(self) -> u16 {
        90 * u16::from(self.0 & 3)
    }
}

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
    /// How its picture is to be turned, where it says; the last packet of a key frame does.
    pub orientation: Option<Orientation>,
    /// The payload.
    pub payload: Vec<u8>,
}
