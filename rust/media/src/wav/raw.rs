//! Samples without a header, as telephone switches and models keep them.

use super::{MOST_CHANNELS, RATES_HZ, SampleFormat, WavError, WavReader};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// How the samples of a file lie that does not say so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawFormat {
    format: SampleFormat,
    rate_hz: u32,
    channels: u16,
}

impl RawFormat {
    /// Makes one of an encoding's name: "u8", "s16", "s24", "s32" and "f32" are little-endian,
    /// "alaw" and "ulaw" as in G.711. Channels are interleaved.
    ///
    /// # Errors
    /// `WavError::Raw` for another name, rate or number of channels.
    pub fn new(encoding: &str, rate_hz: u32, channels: u16) -> Result<Self, WavError> {
        let format = match encoding {
            "u8" => SampleFormat::Unsigned8,
            "s16" => SampleFormat::Signed16,
            "s24" => SampleFormat::Signed24,
            "s32" => SampleFormat::Signed32,
            "f32" => SampleFormat::Float32,
            "alaw" => SampleFormat::Alaw,
            "ulaw" => SampleFormat::Ulaw,
            _ => return Err(WavError::Raw),
        };
        if !RATES_HZ.contains(&rate_hz) || !(1..=MOST_CHANNELS).contains(&channels) {
            return Err(WavError::Raw);
        }
        Ok(Self {
            format,
            rate_hz,
            channels,
        })
    }
}

impl WavReader {
    /// Opens a file that is samples from its first octet to its last.
    ///
    /// # Errors
    /// `WavError::Truncated` for a file that holds not one sample of each channel.
    pub fn open_raw(path: &Path, raw: RawFormat) -> Result<Self, WavError> {
        let file = BufReader::with_capacity(16 * 1024, File::open(path)?);
        let bytes = file.get_ref().metadata()?.len();
        let mut reader = Self {
            file,
            format: raw.format,
            rate_hz: raw.rate_hz,
            channels: raw.channels,
            data_start: 0,
            data_bytes: 0,
            position: 0,
            scratch: Vec::new(),
        };
        reader.data_bytes = bytes - bytes % reader.frame_bytes();
        if reader.data_bytes == 0 {
            return Err(WavError::Truncated);
        }
        Ok(reader)
    }
}
