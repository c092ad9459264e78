//! Ogg files with Opus in them (RFC 3533, RFC 7845): headers, a streaming reader and a writer.

mod encoder;
mod octets;
mod reader;
mod seek;
mod writer;

pub(crate) use encoder::VoiceEncoder;
pub(crate) use octets::OggOctets;
pub use reader::OggOpusReader;
pub use writer::OggOpusWriter;

use std::io;

/// Opus counts in an Ogg file at 48 kHz, whatever was recorded (RFC 7845 §4).
pub const RATE_HZ: u32 = 48_000;

/// Why an Ogg file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum OggError {
    /// The system refused.
    #[error("{0}")]
    System(#[from] io::Error),
    /// It ends within a page, or what follows is none.
    #[error("the Ogg file is cut off or damaged: no whole page follows")]
    Cut,
    /// Damaged pages, or none at all.
    #[error("the Ogg file is damaged: {0}")]
    Damaged(String),
    /// An Ogg file with something else in it.
    #[error("the Ogg file has no Opus of one or two channels: convert it")]
    NotOpus,
    /// The codec library refused.
    #[error("the codec failed: {0}")]
    Codec(&'static str),
}

impl From<ogg::OggReadError> for OggError {
    fn from(error: ogg::OggReadError) -> Self {
        match error {
            // The ration of the file is used up.
            ogg::OggReadError::ReadError(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Damaged(error.to_string())
            }
            ogg::OggReadError::ReadError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Cut
            }
            ogg::OggReadError::ReadError(error) => Self::System(error),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// The identification header (RFC 7845 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    channels: u8,
    /// Samples at 48 kHz that are decoded and not heard.
    pre_skip: u16,
    input_rate_hz: u32,
    /// 1/256 dB.
    gain: i16,
}

impl Head {
    /// Reads a header; None for what is none, or of a layout we do not read.
    fn parse_untrusted(packet: &[u8]) -> Option<Self> {
        if packet.len() < 19 || &packet[..8] != b"OpusHead" || packet[8] & 0xf0 != 0 {
            return None;
        }
        let (channels, family) = (packet[9], packet[18]);
        if !(1..=2).contains(&channels) || family != 0 {
            return None;
        }
        Some(Self {
            channels,
            pre_skip: u16::from_le_bytes([packet[10], packet[11]]),
            input_rate_hz: u32::from_le_bytes([packet[12], packet[13], packet[14], packet[15]]),
            gain: i16::from_le_bytes([packet[16], packet[17]]),
        })
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut packet = b"OpusHead".to_vec();
        packet.extend([1, self.channels]);
        packet.extend(self.pre_skip.to_le_bytes());
        packet.extend(self.input_rate_hz.to_le_bytes());
        packet.extend(self.gain.to_le_bytes());
        packet.push(0);
        packet
    }
}

/// The comment header: who wrote it, and no comments (RFC 7845 §5.2).
fn tags() -> Vec<u8> {
    let vendor = concat!("trivox ", env!("CARGO_PKG_VERSION")).as_bytes();
    let mut packet = b"OpusTags".to_vec();
    packet.extend((vendor.len() as u32).to_le_bytes());
    packet.extend(vendor);
    packet.extend(0_u32.to_le_bytes());
    packet
}

#[cfg(test)]
mod tests;
