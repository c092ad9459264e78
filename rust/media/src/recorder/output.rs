//! The file of a recording, in its format.

use std::path::Path;

use super::{Format, Picture, RECORDING_RATE_HZ, RecorderError};
use crate::matroska::MatroskaWriter;
use crate::ogg_opus::OggOpusWriter;
use crate::video::ivf::IvfWriter;
use crate::wav::WavWriter;

/// Some of a recording on its way to the disk.
#[derive(Debug)]
pub(super) enum Block {
    /// Interleaved samples.
    Sound(Vec<i16>),
    Picture(Picture),
}

impl Block {
    /// The bytes it holds while it waits.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Sound(samples) => 2 * samples.len(),
            Self::Picture(picture) => picture.data.len(),
        }
    }
}

/// What is written, in its format.
#[derive(Debug)]
pub(super) enum OutputFile {
    Wav(WavWriter),
    Ogg(Box<OggOpusWriter>),
    Matroska(Box<MatroskaWriter>),
    Ivf(IvfWriter),
}

impl OutputFile {
    /// Creates a file with sound of so many channels, where its format has sound.
    pub(super) fn create(
        path: &Path,
        format: Format,
        channels: u16,
    ) -> Result<Self, RecorderError> {
        Ok(match format {
            Format::Wav => Self::Wav(WavWriter::create(path, RECORDING_RATE_HZ, channels)?),
            Format::Ogg => Self::Ogg(Box::new(OggOpusWriter::create(path, channels)?)),
            Format::Matroska => Self::Matroska(Box::new(MatroskaWriter::create(path, channels)?)),
            Format::Ivf => Self::Ivf(IvfWriter::create(path)?),
        })
    }

    pub(super) fn write(&mut self, block: &Block) -> Result<(), RecorderError> {
        match (self, block) {
            (Self::Wav(wav), Block::Sound(samples)) => Ok(wav.write(samples)?),
            (Self::Ogg(ogg), Block::Sound(samples)) => Ok(ogg.write(samples)?),
            (Self::Matroska(file), Block::Sound(samples)) => Ok(file.write(samples)?),
            (Self::Matroska(file), Block::Picture(picture)) => Ok(file.write_picture(picture)?),
            (Self::Ivf(file), Block::Picture(picture)) => Ok(file.write_picture(picture)?),
            // Nobody hands these over: a recorder asks its format first.
            (Self::Wav(_) | Self::Ogg(_), Block::Picture(_)) | (Self::Ivf(_), Block::Sound(_)) => {
                Ok(())
            }
        }
    }

    /// Ends it; the seconds in it.
    pub(super) fn finish(&mut self) -> Result<f64, RecorderError> {
        match self {
            Self::Wav(wav) => Ok(wav.seconds()),
            Self::Ogg(ogg) => {
                ogg.finish()?;
                Ok(ogg.seconds())
            }
            Self::Matroska(file) => {
                file.finish()?;
                Ok(file.seconds())
            }
            Self::Ivf(file) => {
                file.finish()?;
                Ok(file.seconds())
            }
        }
    }
}
