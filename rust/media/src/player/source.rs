//! Anything that plays, and sources that are made up: tones and silence.

use super::{AheadSource, FeedReader, FileSource, MixSource, ShareReader};
use crate::flac::FlacError;
use crate::ogg_opus::OggError;
use crate::wav::WavError;
use std::f64::consts::TAU;

/// Tones fade in and out over this time, so that they do not click.
const RAMP: f64 = 0.005;
/// More frequencies than any signalling tone has.
const MOST_FREQUENCIES: usize = 8;

/// Why a source cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] WavError),
    /// The Ogg file cannot be read.
    #[error(transparent)]
    Ogg(#[from] OggError),
    /// The FLAC file cannot be read.
    #[error(transparent)]
    Flac(#[from] FlacError),
    /// What was sent cannot be read.
    #[error("what was sent {0}")]
    Octets(&'static str),
    /// A decoder failed on it.
    #[error("the file made its decoder fail: convert it to WAV")]
    Fault,
    /// Frequencies, cadence, level or duration out of range.
    #[error(
        "a tone has 1 to 8 frequencies of 20 Hz to 20 kHz, a cadence of (on, off) seconds with some time on, and a level of -90 to 0 dBov"
    )]
    Tone,
    /// A negative duration, or not a number.
    #[error("a duration in seconds is zero or more")]
    Duration,
    /// The start lies outside the file.
    #[error("the start is outside the file, which has {seconds:.3} s")]
    Start {
        /// Length of the file.
        seconds: f64,
    },
    /// One that is shared, or a part of a mix, could not be read on.
    #[error("{0}")]
    Part(String),
}

/// A source of audio for [`Player`](super::Player).
#[derive(Debug)]
pub enum Source {
    /// A file, read as it plays.
    File(Box<FileSource>),
    /// A file, read ahead by another thread.
    Ahead(AheadSource),
    /// Sine tones in a cadence.
    Tone(ToneSource),
    /// Nothing, for a time.
    Silence(SilenceSource),
    /// What a program or another session writes.
    Feed(FeedReader),
    /// Several at once.
    Mix(MixSource),
    /// What others play too.
    Shared(ShareReader),
}

impl Source {
    /// Returns its own rate; none when it can make any.
    pub(super) fn rate_hz(&self) -> Option<u32> {
        match self {
            Self::File(file) => Some(file.rate_hz()),
            Self::Ahead(file) => Some(file.rate_hz()),
            Self::Feed(feed) => Some(feed.rate_hz()),
            Self::Tone(_) | Self::Silence(_) | Self::Mix(_) | Self::Shared(_) => None,
        }
    }

    /// Appends up to `count` samples; fewer mean the end.
    pub(super) fn read(
        &mut self,
        rate_hz: u32,
        count: usize,
        samples: &mut Vec<i16>,
    ) -> Result<(), SourceError> {
        match self {
            Self::File(file) => file.read(count, samples),
            Self::Ahead(file) => file.read(count, samples),
            Self::Tone(tone) => {
                tone.read(rate_hz, count, samples);
                Ok(())
            }
            Self::Feed(feed) => feed.read(count, samples),
            Self::Mix(parts) => parts.read(rate_hz, count, samples),
            Self::Shared(shared) => shared.read(rate_hz, samples),
            Self::Silence(silence) => {
                let wanted = (silence.left * f64::from(rate_hz)).round() as usize;
                let given = wanted.min(count);
                samples.resize(samples.len() + given, 0);
                silence.left -= given as f64 / f64::from(rate_hz);
                Ok(())
            }
        }
    }
}

/// Sine tones sounding together, on and off in a cadence.
#[derive(Debug)]
pub struct ToneSource {
    frequencies_hz: Vec<f64>,
    cadence: Vec<(f64, f64)>,
    duration: Option<f64>,
    amplitude: f64,
    elapsed: f64,
}

impl ToneSource {
    /// Makes a tone.
    ///
    /// An empty `cadence` is a steady tone; otherwise (on, off) seconds are gone through again
    /// and again. `duration` none is for ever. `level_dbov` is that of all tones together.
    pub fn new(
        frequencies_hz: &[f64],
        cadence: &[(f64, f64)],
        duration: Option<f64>,
        level_dbov: f64,
    ) -> Result<Self, SourceError> {
        let count = frequencies_hz.len();
        let hearable = frequencies_hz.iter().all(|f| (20.0..=20_000.0).contains(f));
        let cycle: f64 = cadence.iter().map(|(on, off)| on + off).sum();
        let timed = cadence.iter().all(|(on, off)| *on >= 0.0 && *off >= 0.0);
        let sounds = cadence.is_empty() || (cycle.is_finite() && cycle >= 0.01);
        if count == 0 || count > MOST_FREQUENCIES || !hearable || !timed || !sounds {
            return Err(SourceError::Tone);
        }
        if !(-90.0..=0.0).contains(&level_dbov) {
            return Err(SourceError::Tone);
        }
        if duration.is_some_and(|seconds| !seconds.is_finite() || seconds < 0.0) {
            return Err(SourceError::Duration);
        }
        // 0 dBov is the power of a full-scale square wave; n sines of amplitude a have n·a²/2.
        let amplitude = 10_f64.powf(level_dbov / 20.0) * (2.0 / count as f64).sqrt() * 32_767.0;
        let amplitude = amplitude.min(32_767.0 / count as f64);
        let (frequencies_hz, cadence) = (frequencies_hz.to_vec(), cadence.to_vec());
        Ok(Self {
            frequencies_hz,
            cadence,
            duration,
            amplitude,
            elapsed: 0.0,
        })
    }

    fn read(&mut self, rate_hz: u32, count: usize, samples: &mut Vec<i16>) {
        let step = 1.0 / f64::from(rate_hz);
        let given = match self.duration {
            Some(duration) => {
                let left = ((duration - self.elapsed) * f64::from(rate_hz))
                    .round()
                    .max(0.0);
                count.min(left as usize)
            }
            None => count,
        };
        for index in 0..given {
            let t = self.elapsed + index as f64 * step;
            let gain = self.gain(t) * self.amplitude;
            let sum: f64 = self
                .frequencies_hz
                .iter()
                .map(|f| (TAU * f * t).sin())
                .sum();
            samples.push((sum * gain) as i16);
        }
        self.elapsed += given as f64 * step;
    }

    /// 1 while the cadence is on, 0 while off, with short ramps at each edge.
    fn gain(&self, t: f64) -> f64 {
        let ends_in = self.duration.map_or(f64::MAX, |duration| duration - t);
        let (since, left) = if self.cadence.is_empty() {
            (t, ends_in)
        } else {
            let cycle: f64 = self.cadence.iter().map(|(on, off)| on + off).sum();
            let mut at = t % cycle;
            let mut on_time = (0.0, 0.0);
            for &(on, off) in &self.cadence {
                if at < on + off {
                    on_time = (at, on - at);
                    break;
                }
                at -= on + off;
            }
            (on_time.0, on_time.1.min(ends_in))
        };
        (since.min(left) / RAMP).clamp(0.0, 1.0)
    }
}

/// Silence for a time.
#[derive(Debug, Default)]
pub struct SilenceSource {
    left: f64,
}

impl SilenceSource {
    /// Makes silence of `duration` seconds.
    pub fn new(duration: f64) -> Result<Self, SourceError> {
        if !duration.is_finite() || duration < 0.0 {
            return Err(SourceError::Duration);
        }
        Ok(Self { left: duration })
    }
}
