//! Compares a recording with what was sent: is it the same speech, how late, with what gaps?
//!
//! Both are brought to 8 kHz. The delay is found from the envelopes, then each half second of
//! sent speech is aligned by itself within 100 ms, since a jitter buffer may change its delay
//! between words. What is not in the recording correlates with nothing wherever it is looked
//! for, so that alignment hides no fault.

use crate::resample::{Resampler, dot};
use crate::wav::{WavError, WavReader};
use std::path::Path;

/// Everything is compared at this rate.
const RATE_HZ: u32 = 8_000;
const PER_MS: usize = 8;
/// Steps of the envelope, and of the search for gaps.
const ENVELOPE: usize = 5 * PER_MS;
const GAP_FRAME: usize = 10 * PER_MS;
/// Half a second is aligned at a time, within this much around the common delay.
const SEGMENT: usize = 500 * PER_MS;
const SEARCH: usize = 100 * PER_MS;
/// A segment that matches worse than this may have a change of delay inside: its halves are tried.
const SPLIT_BELOW: f64 = 0.97;
/// The envelope of at most this much sent audio is used to find the delay: 30 s.
const COARSE_FRAMES: usize = 6_000;
/// The recording may begin this much before the sent audio: 0.5 s.
const EARLIEST: isize = -100;
/// Speech is what is at most this far under the mean level of the loud parts.
const ACTIVE_DB: f64 = 22.0;
/// A recorded frame is absent when it is this far under what was sent, or under the floor.
const ABSENT_DB: f64 = 20.0;
const FLOOR_DBOV: f64 = -65.0;

/// Why two files cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// One of them cannot be read.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: WavError,
    },
    /// There is nothing to look for.
    #[error("the audio that was sent is silent")]
    Silent,
}

/// What the comparison found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Normalised cross-correlation over the sent speech, 0 to 1.
    pub correlation: f64,
    /// Where in the recording the sent audio begins, in milliseconds.
    pub delay_ms: f64,
    /// The longest stretch of sent speech that the recording lacks, in milliseconds.
    pub longest_gap_ms: f64,
    /// Level of the recording where there was speech, in dBov.
    pub level_dbov: f64,
    /// Level of that speech as it was sent, in dBov.
    pub sent_level_dbov: f64,
}

/// Compares two WAV files; `channel` picks one of the recording, none mixes them.
pub fn compare_files(
    sent: &Path,
    recorded: &Path,
    channel: Option<u16>,
) -> Result<Comparison, CompareError> {
    let sent = load(sent, None)?;
    let recorded = load(recorded, channel)?;
    compare(&sent, &recorded)
}

fn load(path: &Path, channel: Option<u16>) -> Result<Vec<f32>, CompareError> {
    let failed = |error| CompareError::File {
        path: path.display().to_string(),
        error,
    };
    let mut reader = WavReader::open(path).map_err(failed)?;
    let mut resampler = Resampler::new(reader.rate_hz(), RATE_HZ);
    let (mut block, mut samples) = (Vec::new(), Vec::new());
    loop {
        block.clear();
        let read = match channel {
            Some(channel) => reader.read_channel(8_192, channel, &mut block),
            None => reader.read_mono(8_192, &mut block),
        };
        if read.map_err(failed)? == 0 {
            break;
        }
        resampler.process(&block, &mut samples);
    }
    let delay = (resampler.delay() * f64::from(RATE_HZ)).round() as usize;
    Ok(samples
        .iter()
        .skip(delay)
        .map(|&sample| f32::from(sample) / 32_768.0)
        .collect())
}

/// Compares samples at 8 kHz, full scale ±1.
fn compare(sent: &[f32], recorded: &[f32]) -> Result<Comparison, CompareError> {
    let threshold = active_threshold(sent).ok_or(CompareError::Silent)?;
    let coarse = coarse_lag(sent, recorded);
    let recording = Recording::new(recorded);
    let mut matches: Vec<Match> = Vec::new();
    for (index, segment) in sent.chunks(SEGMENT).enumerate() {
        if segment.len() >= SEGMENT / 4 && level(segment) >= threshold - 6.0 {
            recording.align(segment, index * SEGMENT, coarse, &mut matches);
        }
    }
    let energy: f64 = matches.iter().map(|found| found.energy).sum();
    if energy <= 0.0 {
        return Err(CompareError::Silent);
    }
    let likeness: f64 = matches
        .iter()
        .map(|found| found.likeness * found.energy)
        .sum();
    let lag = median_lag(&matches).unwrap_or(coarse);
    let (longest_gap_ms, sent_level_dbov, level_dbov) =
        recording.gaps(sent, threshold, lag, &matches);
    Ok(Comparison {
        correlation: likeness / energy,
        delay_ms: lag as f64 / PER_MS as f64,
        longest_gap_ms,
        level_dbov,
        sent_level_dbov,
    })
}

#[derive(Debug, Clone, Copy)]
struct Match {
    start: usize,
    length: usize,
    lag: isize,
    likeness: f64,
    energy: f64,
}

struct Recording<'a> {
    samples: &'a [f32],
    /// Energy of all samples before each one, so that any stretch's is a difference.
    energy_before: Vec<f64>,
}

impl<'a> Recording<'a> {
    fn new(samples: &'a [f32]) -> Self {
        let mut energy_before = Vec::with_capacity(samples.len() + 1);
        let mut sum = 0.0;
        energy_before.push(sum);
        for &sample in samples {
            sum += f64::from(sample) * f64::from(sample);
            energy_before.push(sum);
        }
        Self {
            samples,
            energy_before,
        }
    }

    /// The part of the recording from `start` on that exists.
    fn stretch(&self, start: isize, length: usize) -> std::ops::Range<usize> {
        let end = start.saturating_add_unsigned(length).max(0).unsigned_abs();
        let end = end.min(self.samples.len());
        start.max(0).unsigned_abs().min(end)..end
    }

    fn likeness(&self, sent: &[f32], energy: f64, start: isize) -> f64 {
        let range = self.stretch(start, sent.len());
        let recorded = self.energy_before[range.end] - self.energy_before[range.start];
        // Under the floor there is nothing to be like.
        if 10.0 * (recorded / sent.len() as f64 + 1e-12).log10() < FLOOR_DBOV {
            return 0.0;
        }
        let skipped = (-start).max(0).unsigned_abs();
        let sent = &sent[skipped..skipped + range.len()];
        f64::from(dot(sent, &self.samples[range])) / (energy * recorded).sqrt()
    }

    fn best(&self, sent: &[f32], start: usize, around: isize) -> Match {
        let energy = energy(sent);
        let search = SEARCH.cast_signed();
        let mut best = Match {
            start,
            length: sent.len(),
            lag: around,
            likeness: 0.0,
            energy,
        };
        for lag in around - search..=around + search {
            let likeness = self.likeness(sent, energy, start.cast_signed() + lag);
            if likeness > best.likeness {
                best = Match {
                    lag,
                    likeness,
                    ..best
                };
            }
        }
        best
    }

    fn align(&self, sent: &[f32], start: usize, around: isize, matches: &mut Vec<Match>) {
        let whole = self.best(sent, start, around);
        if whole.likeness < SPLIT_BELOW {
            let (first, second) = sent.split_at(sent.len() / 2);
            let halves = [
                self.best(first, start, around),
                self.best(second, start + first.len(), around),
            ];
            let split: f64 = halves.iter().map(|half| half.likeness * half.energy).sum();
            if split > whole.likeness * whole.energy {
                matches.extend(halves);
                return;
            }
        }
        matches.push(whole);
    }

    /// Returns the longest gap in ms, and the levels of the speech sent and recorded.
    fn gaps(&self, sent: &[f32], threshold: f64, lag: isize, matches: &[Match]) -> (f64, f64, f64) {
        let (mut longest, mut running) = (0_usize, 0_usize);
        let (mut sent_energy, mut heard_energy, mut active) = (0.0, 0.0, 0_usize);
        for (index, frame) in sent.chunks_exact(GAP_FRAME).enumerate() {
            let frame_level = level(frame);
            if frame_level < threshold {
                running = 0;
                continue;
            }
            let start = index * GAP_FRAME;
            let aligned = matches.iter().find(|found| {
                (found.start..found.start + found.length).contains(&start) && found.likeness > 0.5
            });
            let lag = aligned.map_or(lag, |found| found.lag);
            let range = self.stretch(start.cast_signed() + lag, GAP_FRAME);
            let heard = self.energy_before[range.end] - self.energy_before[range.start];
            let heard_level = 10.0 * (heard / GAP_FRAME as f64 + 1e-13).log10();
            sent_energy += energy(frame);
            heard_energy += heard;
            active += GAP_FRAME;
            let is_absent = heard_level < FLOOR_DBOV || heard_level < frame_level - ABSENT_DB;
            running = if is_absent { running + 1 } else { 0 };
            longest = longest.max(running);
        }
        let dbov = |sum: f64| 10.0 * (sum / active.max(1) as f64 + 1e-13).log10();
        let longest_ms = (longest * GAP_FRAME / PER_MS) as f64;
        (
            longest_ms,
            dbov(sent_energy),
            dbov(heard_energy).max(-127.0),
        )
    }
}

fn energy(samples: &[f32]) -> f64 {
    f64::from(dot(samples, samples))
}

fn level(samples: &[f32]) -> f64 {
    10.0 * (energy(samples) / samples.len().max(1) as f64 + 1e-13).log10()
}

/// The level above which a frame is speech; none when all is silence.
fn active_threshold(sent: &[f32]) -> Option<f64> {
    let mut energies: Vec<f64> = sent.chunks_exact(GAP_FRAME).map(energy).collect();
    energies.sort_by(|a, b| b.total_cmp(a));
    let loud = &energies[..energies.len().div_ceil(5)];
    let mean = loud.iter().sum::<f64>() / (loud.len().max(1) * GAP_FRAME) as f64;
    let level = 10.0 * (mean + 1e-13).log10();
    (level > FLOOR_DBOV + ABSENT_DB).then(|| (level - ACTIVE_DB).max(FLOOR_DBOV + 5.0))
}

/// Where the sent audio lies in the recording, in samples, to about 5 ms.
fn coarse_lag(sent: &[f32], recorded: &[f32]) -> isize {
    let envelope = |samples: &[f32]| -> Vec<f32> {
        samples
            .chunks_exact(ENVELOPE)
            .map(|frame| energy(frame).sqrt() as f32)
            .collect()
    };
    let (mut sent, recorded) = (envelope(sent), envelope(recorded));
    sent.truncate(COARSE_FRAMES);
    let total: f32 = dot(&recorded, &recorded);
    let mut best = (0.0, 0);
    for lag in EARLIEST..recorded.len().cast_signed() {
        let skipped = (-lag).max(0).unsigned_abs().min(sent.len());
        let from = lag.max(0).unsigned_abs();
        let length = (sent.len() - skipped).min(recorded.len() - from);
        let part = &recorded[from..from + length];
        let product = dot(&sent[skipped..skipped + length], part);
        // The share of the whole keeps a nearly empty overlap from looking like a match.
        let score = product / (dot(part, part) + 0.01 * total + 1e-9).sqrt();
        if score > best.0 {
            best = (score, lag);
        }
    }
    best.1 * ENVELOPE.cast_signed()
}

/// The lag that half of the well-matched speech has at most.
fn median_lag(matches: &[Match]) -> Option<isize> {
    let mut good: Vec<&Match> = matches
        .iter()
        .filter(|found| found.likeness > 0.5)
        .collect();
    good.sort_by_key(|found| found.lag);
    let total: f64 = good.iter().map(|found| found.energy).sum();
    let mut sum = 0.0;
    good.iter().find_map(|found| {
        sum += found.energy;
        (sum >= total / 2.0).then_some(found.lag)
    })
}

#[cfg(test)]
mod tests;
