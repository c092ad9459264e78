//! Writes IVF files: a head, then each frame with its length and its time at 90 kHz.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::VideoCodec;
use super::header::key_frame_size;
use crate::recorder::Picture;

const RATE_HZ: u32 = 90_000;
/// What a file of AV1 has before the units of each picture.
const TEMPORAL_DELIMITER: [u8; 2] = [0x12, 0x00];

/// Why an IVF file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum IvfError {
    /// The system refused.
    #[error("{0}")]
    System(#[from] io::Error),
    /// What other programs read as IVF is VP8, VP9 and AV1.
    #[error("IVF takes VP8, VP9 and AV1 of one codec, and this is {0}: record to .mkv")]
    Codec(&'static str),
}

/// Writes pictures of one codec.
#[derive(Debug)]
pub struct IvfWriter {
    file: BufWriter<File>,
    codec: Option<VideoCodec>,
    count: u32,
    /// When the last picture and the one before it are shown, in ticks.
    shown: (u64, u64),
}

impl IvfWriter {
    /// Creates a file; its head follows with the first picture.
    pub fn create(path: &Path) -> Result<Self, IvfError> {
        Ok(Self {
            file: BufWriter::new(File::create(path)?),
            codec: None,
            count: 0,
            shown: (0, 0),
        })
    }

    /// Takes a picture; what is before the first key frame is left out.
    pub fn write_picture(&mut self, picture: &Picture) -> Result<(), IvfError> {
        match self.codec {
            None => {
                let size = key_frame_size(picture.codec, &picture.data);
                let Some(size) = size.filter(|_| picture.is_key) else {
                    return Ok(());
                };
                self.put_head(picture.codec, size)?;
                self.codec = Some(picture.codec);
            }
            Some(codec) if codec != picture.codec => {
                return Err(IvfError::Codec(picture.codec.name()));
            }
            Some(_) => {}
        }
        let mut head: &[u8] = &[];
        if picture.codec == VideoCodec::Av1 {
            head = &TEMPORAL_DELIMITER;
        }
        let ticks = (picture.at.as_micros() * u128::from(RATE_HZ) / 1_000_000) as u64;
        let length = (head.len() + picture.data.len()) as u32;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&ticks.to_le_bytes())?;
        self.file.write_all(head)?;
        self.file.write_all(&picture.data)?;
        self.shown = (ticks, self.shown.0.min(ticks));
        self.count += 1;
        if picture.is_key {
            // Readable up to here, should the process die.
            self.file.flush()?;
        }
        Ok(())
    }

    fn put_head(&mut self, codec: VideoCodec, (width, height): (u32, u32)) -> Result<(), IvfError> {
        let name = match codec {
            VideoCodec::Vp8 => b"VP80",
            VideoCodec::Vp9 => b"VP90",
            VideoCodec::Av1 => b"AV01",
            VideoCodec::H264 => return Err(IvfError::Codec(codec.name())),
        };
        let mut head = b"DKIF\0\0\x20\0".to_vec();
        head.extend(name);
        head.extend((width.min(0xffff) as u16).to_le_bytes());
        head.extend((height.min(0xffff) as u16).to_le_bytes());
        head.extend(RATE_HZ.to_le_bytes());
        head.extend(1_u32.to_le_bytes());
        head.extend([0; 8]);
        Ok(self.file.write_all(&head)?)
    }

    /// Returns the seconds written; the last picture stays for the time of one.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let (last, before) = self.shown;
        match self.count {
            0 => 0.0,
            _ => (last + (last - before).min(u64::from(RATE_HZ))) as f64 / f64::from(RATE_HZ),
        }
    }

    /// Writes how many pictures there are.
    pub fn finish(&mut self) -> Result<(), IvfError> {
        if self.codec.is_some() {
            self.file.seek(SeekFrom::Start(24))?;
            self.file.write_all(&self.count.to_le_bytes())?;
        }
        Ok(self.file.flush()?)
    }
}

/// The seconds of a finished IVF file of ours; None for any other.
#[must_use]
pub fn seconds_of(path: &Path) -> Option<f64> {
    let mut file = BufReader::new(File::open(path).ok()?);
    let mut head = [0; 32];
    file.read_exact(&mut head).ok()?;
    if !head.starts_with(b"DKIF") || head[16..20] != RATE_HZ.to_le_bytes() {
        return None;
    }
    let (mut last, mut before) = (0, 0);
    let mut frame = [0; 12];
    while file.read_exact(&mut frame).is_ok() {
        let [l0, l1, l2, l3, ticks @ ..] = frame;
        (last, before) = (u64::from_le_bytes(ticks), last);
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        file.seek_relative(i64::from(length)).ok()?;
    }
    let one = last.saturating_sub(before).min(u64::from(RATE_HZ));
    Some((last + one) as f64 / f64::from(RATE_HZ))
}
