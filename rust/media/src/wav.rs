//! WAV files: a streaming reader of the common formats and a 16-bit writer.
//!
//! Reads 8, 16, 24 and 32-bit PCM, 32-bit float, A-law and µ-law, any rate and channel count.
//! Writes 16-bit PCM whose header is put right at each flush, so that a file is readable up to
//! its last flush even when the process dies.

mod octets;
mod raw;

pub(crate) use octets::WavOctets;
pub use raw::RawFormat;

use crate::codec::g711;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Octets of the header that [`WavWriter`] writes.
const HEADER_BYTES: u32 = 44;
/// Rates outside are taken for a damaged header.
const RATES_HZ: std::ops::RangeInclusive<u32> = 4_000..=384_000;
const MOST_CHANNELS: u16 = 32;
/// More chunks before the sound than any file has.
const MOST_CHUNKS: usize = 1_024;

/// Why a WAV file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// The system refused.
    #[error("{0}")]
    System(#[from] io::Error),
    /// Not a WAV file at all.
    #[error("the file is not a WAV file (no RIFF/WAVE header)")]
    NotWav,
    /// A WAV file of a kind that is not read.
    #[error("the WAV file has {0}: use 8 to 32-bit PCM, 32-bit float, A-law or µ-law")]
    Format(String),
    /// The file ends inside its header, or holds no audio.
    #[error("the file is truncated or holds no audio")]
    Truncated,
    /// No such raw samples are read.
    #[error(
        "raw samples are u8, s16, s24, s32, f32, alaw or ulaw, 1 to 32 channels of 4000 to 384000 Hz"
    )]
    Raw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SampleFormat {
    Unsigned8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
    Alaw,
    Ulaw,
}

impl SampleFormat {
    fn of(tag: u16, bits: u16) -> Result<Self, WavError> {
        Ok(match (tag, bits) {
            (1, 8) => Self::Unsigned8,
            (1, 16) => Self::Signed16,
            (1, 24) => Self::Signed24,
            (1, 32) => Self::Signed32,
            (3, 32) => Self::Float32,
            (6, 8) => Self::Alaw,
            (7, 8) => Self::Ulaw,
            _ => return Err(WavError::Format(format!("format {tag} with {bits} bits"))),
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 | Self::Alaw | Self::Ulaw => 1,
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
        }
    }

    /// The mean of the channels of one frame.
    fn mean(self, frame: &[u8]) -> i16 {
        let samples = frame.chunks_exact(self.bytes());
        let channels = samples.len().max(1) as i32;
        let sum: i32 = samples.map(|s| i32::from(self.sample(s))).sum();
        (sum / channels) as i16
    }

    fn sample(self, bytes: &[u8]) -> i16 {
        match (self, bytes) {
            (Self::Unsigned8, &[a]) => (i16::from(a) - 128) << 8,
            (Self::Alaw, &[a]) => g711::decode_alaw(a),
            (Self::Ulaw, &[a]) => g711::decode_ulaw(a),
            (Self::Signed16, &[a, b]) => i16::from_le_bytes([a, b]),
            (Self::Signed24, &[_, b, c]) | (Self::Signed32, &[_, _, b, c]) => {
                i16::from_le_bytes([b, c])
            }
            (Self::Float32, &[a, b, c, d]) => {
                (f32::from_le_bytes([a, b, c, d]) * 32_767.0).clamp(-32_768.0, 32_767.0) as i16
            }
            _ => 0,
        }
    }
}

/// Reads a WAV file as 16-bit samples, from the start to the end, block by block.
#[derive(Debug)]
pub struct WavReader {
    file: BufReader<File>,
    format: SampleFormat,
    rate_hz: u32,
    channels: u16,
    data_start: u64,
    data_bytes: u64,
    position: u64,
    scratch: Vec<u8>,
}

impl WavReader {
    /// Opens a file and reads its header.
    pub fn open(path: &Path) -> Result<Self, WavError> {
        let mut file = BufReader::with_capacity(16 * 1024, File::open(path)?);
        let file_bytes = file.get_ref().metadata()?.len();
        let mut riff = [0; 12];
        file.read_exact(&mut riff).map_err(|_| WavError::NotWav)?;
        if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
            return Err(WavError::NotWav);
        }
        let mut described = None;
        for _ in 0..MOST_CHUNKS {
            let mut chunk = [0; 8];
            file.read_exact(&mut chunk)
                .map_err(|_| WavError::Truncated)?;
            let size = u64::from(u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]));
            match &chunk[..4] {
                b"fmt " => described = Some(read_format(&mut file, size)?),
                b"data" => {
                    let (format, rate_hz, channels) = described.ok_or(WavError::Truncated)?;
                    let data_start = file.stream_position()?;
                    // A recorder that died, or a pipe, leaves a size that is 0 or too large.
                    let rest = file_bytes.saturating_sub(data_start);
                    let data_bytes = if size == 0 { rest } else { size.min(rest) };
                    let frame = format.bytes() as u64 * u64::from(channels);
                    let data_bytes = data_bytes - data_bytes % frame;
                    if data_bytes == 0 {
                        return Err(WavError::Truncated);
                    }
                    return Ok(Self {
                        file,
                        format,
                        rate_hz,
                        channels,
                        data_start,
                        data_bytes,
                        position: 0,
                        scratch: Vec::new(),
                    });
                }
                _ => {
                    let skipped =
                        i64::try_from(size + size % 2).map_err(|_| WavError::Truncated)?;
                    file.seek_relative(skipped)?;
                }
            }
        }
        Err(WavError::Truncated)
    }

    /// Returns the sample rate.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Returns the number of channels.
    #[must_use]
    pub fn channels(&self) -> u16 {
        self.channels
    }

    /// Returns the length of the audio in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        (self.data_bytes / self.frame_bytes()) as f64 / f64::from(self.rate_hz)
    }

    /// Moves to a time; beyond the end is the end.
    pub fn seek(&mut self, seconds: f64) -> Result<(), WavError> {
        let frame = (seconds.max(0.0) * f64::from(self.rate_hz)) as u64;
        self.position = (frame.saturating_mul(self.frame_bytes())).min(self.data_bytes);
        self.file
            .seek(SeekFrom::Start(self.data_start + self.position))?;
        Ok(())
    }

    /// Reads up to `frames` sample frames as mono, the mean of the channels; returns how many.
    pub fn read_mono(&mut self, frames: usize, samples: &mut Vec<i16>) -> Result<usize, WavError> {
        self.read(frames, None, samples)
    }

    /// Reads up to `frames` samples of one channel, counted from 0; returns how many.
    pub fn read_channel(
        &mut self,
        frames: usize,
        channel: u16,
        samples: &mut Vec<i16>,
    ) -> Result<usize, WavError> {
        self.read(frames, Some(channel.min(self.channels - 1)), samples)
    }

    fn read(
        &mut self,
        frames: usize,
        channel: Option<u16>,
        samples: &mut Vec<i16>,
    ) -> Result<usize, WavError> {
        let frame_bytes = self.frame_bytes();
        let left = (self.data_bytes - self.position) / frame_bytes;
        let count = left.min(frames as u64);
        self.scratch.resize((count * frame_bytes) as usize, 0);
        self.file.read_exact(&mut self.scratch)?;
        self.position += count * frame_bytes;
        let (format, width) = (self.format, self.format.bytes());
        for frame in self.scratch.chunks_exact(frame_bytes as usize) {
            samples.push(match channel {
                Some(channel) => {
                    let offset = channel as usize * width;
                    format.sample(&frame[offset..offset + width])
                }
                None => format.mean(frame),
            });
        }
        Ok(count as usize)
    }

    fn frame_bytes(&self) -> u64 {
        self.format.bytes() as u64 * u64::from(self.channels)
    }
}

fn read_format(file: &mut impl Read, size: u64) -> Result<(SampleFormat, u32, u16), WavError> {
    if !(16..=4_096).contains(&size) {
        return Err(WavError::Format(format!("a description of {size} octets")));
    }
    let mut body = vec![0; (size + size % 2) as usize];
    file.read_exact(&mut body)
        .map_err(|_| WavError::Truncated)?;
    let word = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
    let rate_hz = u32::from_le_bytes([body[4], body[5], body[6], body[7]]);
    let (channels, bits) = (word(2), word(14));
    // The extensible form keeps the real tag in the first two octets of a GUID.
    let tag = if word(0) == 0xfffe && size >= 26 {
        word(24)
    } else {
        word(0)
    };
    if channels == 0 || channels > MOST_CHANNELS || !RATES_HZ.contains(&rate_hz) {
        return Err(WavError::Format(format!(
            "{channels} channels at {rate_hz} Hz"
        )));
    }
    Ok((SampleFormat::of(tag, bits)?, rate_hz, channels))
}

/// Writes a 16-bit PCM WAV file.
#[derive(Debug)]
pub struct WavWriter {
    file: File,
    rate_hz: u32,
    channels: u16,
    data_bytes: u32,
    scratch: Vec<u8>,
}

impl WavWriter {
    /// Creates the file, or empties it, and writes a header.
    pub fn create(path: &Path, rate_hz: u32, channels: u16) -> Result<Self, WavError> {
        let file = File::create(path)?;
        let mut writer = Self {
            file,
            rate_hz,
            channels,
            data_bytes: 0,
            scratch: Vec::new(),
        };
        writer.file.write_all(&writer.header())?;
        Ok(writer)
    }

    /// Returns the seconds written.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let frame = 2 * u32::from(self.channels);
        f64::from(self.data_bytes / frame) / f64::from(self.rate_hz)
    }

    /// Appends interleaved samples and puts the header right.
    ///
    /// What would pass the 4 GiB that the format can hold is an error.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), WavError> {
        let added = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX);
        let total = self
            .data_bytes
            .checked_add(added)
            .filter(|&n| n < u32::MAX - HEADER_BYTES);
        let Some(total) = total else {
            return Err(
                io::Error::new(io::ErrorKind::FileTooLarge, "a WAV file ends at 4 GiB").into(),
            );
        };
        self.scratch.clear();
        self.scratch
            .extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        self.file.write_all(&self.scratch)?;
        self.data_bytes = total;
        self.rewrite_header()
    }

    fn rewrite_header(&mut self) -> Result<(), WavError> {
        let header = self.header();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header)?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(())
    }

    fn header(&self) -> [u8; HEADER_BYTES as usize] {
        let frame_bytes = 2 * self.channels;
        let mut header = [0; HEADER_BYTES as usize];
        let fields: [&[u8]; 13] = [
            b"RIFF",
            &(self.data_bytes + HEADER_BYTES - 8).to_le_bytes(),
            b"WAVE",
            b"fmt ",
            &16_u32.to_le_bytes(),
            &1_u16.to_le_bytes(),
            &self.channels.to_le_bytes(),
            &self.rate_hz.to_le_bytes(),
            &(self.rate_hz * u32::from(frame_bytes)).to_le_bytes(),
            &frame_bytes.to_le_bytes(),
            &16_u16.to_le_bytes(),
            b"data",
            &self.data_bytes.to_le_bytes(),
        ];
        let mut at = 0;
        for field in fields {
            header[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        }
        header
    }
}

#[cfg(test)]
mod tests;
