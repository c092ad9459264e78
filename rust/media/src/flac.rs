//! Reads FLAC (RFC 9639) as mono, block by block.
//!
//! The frames are decoded by `claxon`; what lies before them is walked through here, so that
//! pictures and comments of any size cost nothing.

mod octets;
mod seek;

pub(crate) use octets::FlacOctets;

use crate::ration::RationedFile;
use claxon::frame::{Block, FrameReader};
use claxon::input::BufferedReader;
use seek::{Place, frame_before_untrusted};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Rates outside are taken for a damaged header.
const RATES_HZ: std::ops::RangeInclusive<u32> = 4_000..=384_000;
/// Octets of the block that describes the stream (RFC 9639 §8.2).
const STREAM_INFO: usize = 34;
/// More blocks before the sound than any file has.
const MOST_BLOCKS: usize = 1_024;

/// Why a FLAC file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FlacError {
    /// The system refused.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The file ends inside its header, or holds no audio.
    #[error("the FLAC file is truncated or holds no audio")]
    Truncated,
    /// A header or a frame that is none.
    #[error("the FLAC file is damaged: {0}")]
    Damaged(&'static str),
    /// A kind of FLAC that is not read.
    #[error("the FLAC file has {0}: convert it to 16 or 24 bits, 4000 to 384000 Hz")]
    Format(String),
}

impl From<claxon::Error> for FlacError {
    fn from(error: claxon::Error) -> Self {
        match error {
            // The ration is used up: the rest of the frame tells of too little sound.
            claxon::Error::IoError(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Damaged("it has more octets than sound")
            }
            claxon::Error::IoError(error) => Self::System(error),
            claxon::Error::FormatError(what) => Self::Damaged(what),
            claxon::Error::Unsupported(what) => Self::Format(what.to_owned()),
        }
    }
}

/// What the stream says of itself (RFC 9639 §8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StreamInfo {
    rate_hz: u32,
    bits: u32,
    /// Samples of each frame but the last; 0 where they differ, or it does not say.
    block_samples: u16,
    /// None where it was not known when the header was written.
    samples: Option<u64>,
}

impl StreamInfo {
    fn parse_untrusted(block: &[u8; STREAM_INFO]) -> Result<Self, FlacError> {
        let (least, most) = ([block[0], block[1]], [block[2], block[3]]);
        let packed = block[10..18].iter();
        let packed = packed.fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet));
        let rate_hz = (packed >> 44) as u32;
        let samples = packed & 0xf_ffff_ffff;
        if !RATES_HZ.contains(&rate_hz) {
            return Err(FlacError::Format(format!("{rate_hz} Hz")));
        }
        Ok(Self {
            rate_hz,
            bits: (packed >> 36 & 31) as u32 + 1,
            block_samples: if least == most {
                u16::from_be_bytes(most)
            } else {
                0
            },
            samples: (samples > 0).then_some(samples),
        })
    }
}

/// Reads a FLAC file from the start to the end.
pub struct FlacReader {
    file: RationedFile,
    info: StreamInfo,
    /// Where the first frame begins, in octets.
    frames_begin: u64,
    frames: FrameReader<BufferedReader<RationedFile>>,
    /// What the last frame was decoded into, for the next.
    scratch: Vec<i32>,
    /// Samples decoded, skipped ones included.
    position: u64,
    skip_to: u64,
    /// The file is not where `skip_to` wants it yet.
    is_sought: bool,
    ready: VecDeque<i16>,
    is_over: bool,
}

impl std::fmt::Debug for FlacReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FlacReader")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl FlacReader {
    /// Opens a file and reads its header.
    pub fn open(path: &Path) -> Result<Self, FlacError> {
        let mut file = RationedFile::new(File::open(path)?);
        let info = read_header_untrusted(&mut file).map_err(|error| match error {
            FlacError::System(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                FlacError::Truncated
            }
            other => other,
        })?;
        let frames_begin = file.stream_position()?;
        if frames_begin >= file.length()? {
            return Err(FlacError::Truncated);
        }
        Ok(Self {
            frames: FrameReader::new(BufferedReader::new(file.clone())),
            file,
            info,
            frames_begin,
            scratch: Vec::new(),
            position: 0,
            skip_to: 0,
            is_sought: false,
            ready: VecDeque::new(),
            is_over: false,
        })
    }

    /// Returns the sample rate.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.info.rate_hz
    }

    /// Returns the length of the audio in seconds; 0 where the file does not say.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.info.samples.unwrap_or(0) as f64 / f64::from(self.info.rate_hz)
    }

    /// Moves to a time, which the next read looks for; beyond the end is the end.
    pub fn seek(&mut self, seconds: f64) {
        self.ready.clear();
        self.skip_to = (seconds.max(0.0) * f64::from(self.info.rate_hz)) as u64;
        (self.is_sought, self.is_over) = (true, false);
    }

    /// Goes to a frame before the time that is sought.
    fn approach_untrusted(&mut self) -> Result<(), FlacError> {
        let begin = Place {
            octet: self.frames_begin,
            sample: 0,
        };
        let found = match self.skip_to {
            0 => begin,
            sample => frame_before_untrusted(&self.file, self.info, begin, sample)?,
        };
        self.file.seek(SeekFrom::Start(found.octet))?;
        self.frames = FrameReader::new(BufferedReader::new(self.file.clone()));
        self.position = found.sample;
        Ok(())
    }

    /// Appends up to `count` samples, the mean of the channels, and returns how many; fewer mean
    /// the end. A file that ends within a frame ends before it; what was decoded before an error
    /// is appended all the same.
    pub fn read_mono(&mut self, count: usize, samples: &mut Vec<i16>) -> Result<usize, FlacError> {
        self.file.allow(self.is_sought);
        if std::mem::take(&mut self.is_sought) {
            self.approach_untrusted()?;
        }
        let mut result = Ok(());
        while self.ready.len() < count && !self.is_over && result.is_ok() {
            result = self
                .read_frame_untrusted()
                .map(|is_more| self.is_over = !is_more);
        }
        let given = count.min(self.ready.len());
        samples.extend(self.ready.drain(..given));
        result.map(|()| given)
    }

    /// Decodes the next frame; false at the end.
    fn read_frame_untrusted(&mut self) -> Result<bool, FlacError> {
        // What follows the last sample may be anything: some programs put their notes there.
        if self.info.samples.is_some_and(|end| self.position >= end) {
            return Ok(false);
        }
        let scratch = std::mem::take(&mut self.scratch);
        let block = match self.frames.read_next_or_eof(scratch) {
            Ok(Some(block)) => block,
            Ok(None) => return Ok(false),
            Err(claxon::Error::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let begin = self.position;
        self.position += u64::from(block.duration());
        let end = self.info.samples.unwrap_or(u64::MAX).min(self.position);
        let first = self.skip_to.clamp(begin, end) - begin;
        let heard = first as u32..(end - begin) as u32;
        self.ready
            .extend(heard.map(|index| mean(&block, index, self.info.bits)));
        self.scratch = block.into_buffer();
        Ok(true)
    }
}

/// The mean of the channels of one sample, in 16 bits.
fn mean(block: &Block, index: u32, bits: u32) -> i16 {
    let channels = block.channels();
    let samples = (0..channels).map(|channel| i64::from(block.sample(channel, index)));
    to_16_bits(samples.sum(), i64::from(channels), bits)
}

fn to_16_bits(sum: i64, channels: i64, bits: u32) -> i16 {
    let scaled = if bits > 16 {
        (sum / channels) >> (bits - 16)
    } else {
        // Made larger first: few bits have no room for a mean.
        (sum << (16 - bits)) / channels
    };
    scaled.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16
}

/// Reads what the stream says of itself and goes to its first frame (RFC 9639 §8).
fn read_header_untrusted(file: &mut RationedFile) -> Result<StreamInfo, FlacError> {
    let mut magic = [0; 4];
    file.read_exact(&mut magic)?;
    let mut info = None;
    for _ in 0..MOST_BLOCKS {
        let mut head = [0; 4];
        file.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[1], head[2], head[3]]);
        if info.is_none() {
            if head[0] & 0x7f != 0 || length as usize != STREAM_INFO {
                return Err(FlacError::Damaged("it does not begin with its description"));
            }
            let mut block = [0; STREAM_INFO];
            file.read_exact(&mut block)?;
            info = Some(StreamInfo::parse_untrusted(&block)?);
        } else {
            file.seek(SeekFrom::Current(i64::from(length)))?;
        }
        if let Some(info) = info
            && head[0] & 0x80 != 0
        {
            return Ok(info);
        }
    }
    Err(FlacError::Damaged("its header has no end"))
}

#[cfg(test)]
mod tests;
