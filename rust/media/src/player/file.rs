//! Files of sound, of the kind that their first octets say.

use super::SourceError;
use crate::flac::FlacReader;
use crate::ogg_opus::OggOpusReader;
use crate::wav::{RawFormat, WavReader};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A WAV, Ogg Opus or FLAC file, or bare samples, read while it plays.
#[derive(Debug)]
pub struct FileSource {
    reader: Reader,
    is_loop: bool,
}

#[derive(Debug)]
enum Reader {
    Wav(WavReader),
    Ogg(Box<OggOpusReader>),
    Flac(Box<FlacReader>),
}

impl Reader {
    fn open(path: &Path) -> Result<Self, SourceError> {
        let mut magic = [0; 4];
        // A file that is shorter, or not there, is told so by the reader of WAV files.
        let _ = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
        Ok(match &magic {
            b"OggS" => Self::Ogg(Box::new(OggOpusReader::open(path)?)),
            b"fLaC" => Self::Flac(Box::new(FlacReader::open(path)?)),
            _ => Self::Wav(WavReader::open(path)?),
        })
    }

    fn seconds(&self) -> f64 {
        match self {
            Self::Wav(wav) => wav.seconds(),
            Self::Ogg(ogg) => ogg.seconds(),
            Self::Flac(flac) => flac.seconds(),
        }
    }

    fn rate_hz(&self) -> u32 {
        match self {
            Self::Wav(wav) => wav.rate_hz(),
            Self::Ogg(_) => crate::ogg_opus::RATE_HZ,
            Self::Flac(flac) => flac.rate_hz(),
        }
    }

    fn seek(&mut self, seconds: f64) -> Result<(), SourceError> {
        match self {
            Self::Wav(wav) => Ok(wav.seek(seconds)?),
            Self::Ogg(ogg) => {
                ogg.seek(seconds);
                Ok(())
            }
            Self::Flac(flac) => {
                flac.seek(seconds);
                Ok(())
            }
        }
    }

    fn read_mono(&mut self, count: usize, samples: &mut Vec<i16>) -> Result<usize, SourceError> {
        match self {
            Self::Wav(wav) => Ok(wav.read_mono(count, samples)?),
            Self::Ogg(ogg) => Ok(ogg.read_mono(count, samples)?),
            Self::Flac(flac) => Ok(flac.read_mono(count, samples)?),
        }
    }
}

impl FileSource {
    /// Opens a file to be played from `start` seconds on, once or again and again.
    pub fn open(path: &Path, is_loop: bool, start: f64) -> Result<Self, SourceError> {
        Self::begin(Reader::open(path)?, is_loop, start)
    }

    /// Opens a file without a header, which is as `raw` says.
    pub fn open_raw(
        path: &Path,
        raw: RawFormat,
        is_loop: bool,
        start: f64,
    ) -> Result<Self, SourceError> {
        let reader = Reader::Wav(WavReader::open_raw(path, raw)?);
        Self::begin(reader, is_loop, start)
    }

    fn begin(mut reader: Reader, is_loop: bool, start: f64) -> Result<Self, SourceError> {
        let seconds = reader.seconds();
        // A file that does not say how long it is has its end where it is.
        let latest = if seconds > 0.0 { seconds } else { f64::MAX };
        if !(0.0..=latest).contains(&start) {
            return Err(SourceError::Start { seconds });
        }
        if start > 0.0 {
            reader.seek(start)?;
        }
        Ok(Self { reader, is_loop })
    }

    /// Returns the length of the whole file in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.reader.seconds()
    }

    pub(crate) fn rate_hz(&self) -> u32 {
        self.reader.rate_hz()
    }

    pub(crate) fn read(&mut self, count: usize, samples: &mut Vec<i16>) -> Result<(), SourceError> {
        let mut missing = count;
        let mut was_empty = false;
        loop {
            let read = self.reader.read_mono(missing, samples)?;
            missing -= read;
            // A file in which nothing can be decoded has no third round, whatever its header says.
            let is_over = read == 0 && was_empty;
            if missing == 0 || !self.is_loop || is_over {
                return Ok(());
            }
            was_empty = read == 0;
            self.reader.seek(0.0)?;
        }
    }
}
