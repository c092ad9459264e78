//! Sound from octets as they come: WAV, Ogg Opus or FLAC that is read while it is still sent.
//!
//! Sans-I/O: [`push`](SoundDecoder::push) what has come, then [`take`](SoundDecoder::take) until
//! nothing is given.

use crate::flac::FlacOctets;
use crate::ogg_opus::{OggOctets, RATE_HZ};
use crate::player::SourceError;
use crate::resample::Resampler;
use crate::wav::WavOctets;

/// Octets that are kept for a page or a frame to be whole; a larger one is damage.
const MOST_KEPT: usize = 1_048_576;

/// What became of the first octets that were offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// They are too few.
    More,
    /// So many are done with, of which some may be to come.
    Pass(u64),
    /// The sound is over; what follows is none.
    Over,
}

#[derive(Debug)]
enum Format {
    Wav(WavOctets),
    Ogg(Box<OggOctets>),
    Flac(FlacOctets),
}

/// Decodes octets to mono samples of one rate, whatever their own.
#[derive(Debug)]
pub struct SoundDecoder {
    rate_hz: u32,
    format: Option<Format>,
    resampler: Option<Resampler>,
    kept: Vec<u8>,
    /// Octets to come that are passed over.
    passed: u64,
    has_sound: bool,
    is_closed: bool,
    is_over: bool,
}

impl SoundDecoder {
    /// Makes one that gives samples of a rate.
    #[must_use]
    pub fn new(rate_hz: u32) -> Self {
        Self {
            rate_hz: rate_hz.clamp(8_000, 48_000),
            format: None,
            resampler: None,
            kept: Vec::new(),
            passed: 0,
            has_sound: false,
            is_closed: false,
            is_over: false,
        }
    }

    /// Takes what has come, in its order.
    ///
    /// # Errors
    /// `SourceError::Octets` when a page or frame is not whole after 1 MiB.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), SourceError> {
        let passed = self.passed.min(octets.len() as u64) as usize;
        self.passed -= passed as u64;
        if !self.is_over {
            self.kept.extend_from_slice(&octets[passed..]);
        }
        if self.kept.len() > MOST_KEPT {
            return Err(SourceError::Octets("has a frame of more than 1 MiB"));
        }
        Ok(())
    }

    /// Says that nothing more comes.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Whether nothing more is to be had, whatever comes.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Decodes the next stretch, of 30 s at most; empty where more has to come, or at the end.
    ///
    /// # Errors
    /// `SourceError` for what is damaged, or is no such format.
    pub fn take(&mut self) -> Result<Vec<i16>, SourceError> {
        let mut samples = Vec::new();
        if self.is_over {
            return Ok(samples);
        }
        while samples.is_empty() && !self.is_over {
            match self.step_untrusted(&mut samples)? {
                Step::Pass(octets) => self.pass(octets),
                Step::Over => self.is_over = true,
                Step::More if self.is_closed => self.is_over = true,
                Step::More => return Ok(Vec::new()),
            }
        }
        self.has_sound |= !samples.is_empty();
        if self.is_over && !self.has_sound {
            return Err(SourceError::Octets("ends before it has any sound"));
        }
        Ok(self.resampled(samples))
    }

    fn pass(&mut self, octets: u64) {
        let there = octets.min(self.kept.len() as u64);
        self.kept.drain(..there as usize);
        self.passed = octets - there;
    }

    fn step_untrusted(&mut self, samples: &mut Vec<i16>) -> Result<Step, SourceError> {
        let Some(format) = &mut self.format else {
            let Some(magic) = self.kept.first_chunk::<4>() else {
                return Ok(Step::More);
            };
            self.format = Some(match magic {
                b"OggS" => Format::Ogg(Box::default()),
                b"fLaC" => Format::Flac(FlacOctets::default()),
                b"RIFF" => Format::Wav(WavOctets::default()),
                _ => return Err(SourceError::Octets("is neither WAV, Ogg Opus nor FLAC")),
            });
            return Ok(Step::Pass(0));
        };
        Ok(match format {
            Format::Wav(wav) => wav.step_untrusted(&self.kept, samples)?,
            Format::Ogg(ogg) => ogg.step_untrusted(&self.kept, samples)?,
            Format::Flac(flac) => flac.step_untrusted(&self.kept, samples)?,
        })
    }

    fn resampled(&mut self, mut samples: Vec<i16>) -> Vec<i16> {
        let native = match &self.format {
            Some(Format::Wav(wav)) => wav.rate_hz(),
            Some(Format::Flac(flac)) => flac.rate_hz(),
            _ => Some(RATE_HZ),
        };
        let native = native.unwrap_or(RATE_HZ);
        let resampler = self
            .resampler
            .get_or_insert_with(|| Resampler::new(native, self.rate_hz));
        if self.is_over {
            // The filter holds the last millisecond or two back: silence pushes it out.
            let tail = (resampler.delay() * f64::from(native)).ceil() as usize;
            samples.resize(samples.len() + tail, 0);
        }
        let mut made = Vec::new();
        resampler.process(&samples, &mut made);
        made
    }
}

#[cfg(test)]
mod tests;
