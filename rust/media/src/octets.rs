//! Sound from octets as they come: WAV, Ogg Opus or FLAC that is read while it is still sent.
//!
//! Sans-I/O: [`push`](SoundDecoder::push) what has come, then [`take`](SoundDecoder::take) until
//! nothing is given.

use crate::flac::FlacOctets;
use crate::ogg_opus::{OggOctets, RATE_HZ};
use crate::player::SourceError;
use crate::resample::Resampler;
use crate::wav::WavOctets;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
    /// How many of those are done with.
    done: usize,
    /// Fewer than this are no frame yet.
    wanted: usize,
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
            done: 0,
            wanted: 0,
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
        self.kept.drain(..std::mem::take(&mut self.done));
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
        // A decoder that fails on one file ends that one, and not the program that plays it.
        let taking = AssertUnwindSafe(|| self.take_untrusted());
        catch_unwind(taking).unwrap_or(Err(SourceError::Fault))
    }

    fn take_untrusted(&mut self) -> Result<Vec<i16>, SourceError> {
        let mut made = Vec::new();
        // A short frame may give the filter too little to make a sample of.
        while made.is_empty() && !self.is_over {
            let mut samples = Vec::new();
            while samples.is_empty() && !self.is_over {
                if !self.advance_untrusted(&mut samples)? {
                    return Ok(made);
                }
            }
            self.has_sound |= !samples.is_empty();
            if self.is_over && !self.has_sound {
                return Err(SourceError::Octets("ends before it has any sound"));
            }
            made = self.resampled(samples);
        }
        Ok(made)
    }

    /// Goes a step on; false where more has to come first.
    fn advance_untrusted(&mut self, samples: &mut Vec<i16>) -> Result<bool, SourceError> {
        let there = self.kept.len() - self.done;
        if there < self.wanted && !self.is_closed {
            return Ok(false);
        }
        match self.step_untrusted(samples)? {
            Step::Pass(octets) => {
                let passed = octets.min(there as u64);
                self.done += passed as usize;
                (self.passed, self.wanted) = (octets - passed, 0);
            }
            Step::More if !self.is_closed => {
                // A frame of FLAC does not say its length: each try decodes all that is there.
                let is_tried = matches!(self.format, Some(Format::Flac(_)));
                self.wanted = if is_tried { there + there / 8 } else { 0 };
                return Ok(false);
            }
            Step::More | Step::Over => self.is_over = true,
        }
        Ok(true)
    }

    fn step_untrusted(&mut self, samples: &mut Vec<i16>) -> Result<Step, SourceError> {
        let octets = &self.kept[self.done..];
        let Some(format) = &mut self.format else {
            let Some(magic) = octets.first_chunk::<4>() else {
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
            Format::Wav(wav) => wav.step_untrusted(octets, samples)?,
            Format::Ogg(ogg) => ogg.step_untrusted(octets, samples)?,
            Format::Flac(flac) => flac.step_untrusted(octets, samples)?,
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
