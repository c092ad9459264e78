mod by_hand;

use super::*;
use crate::codec::{CodecKind, Encoder, OpusSettings};
use std::time::Duration;

/// A small generator, so that every run is the same.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A line with faults, in virtual time.
struct Line {
    kind: CodecKind,
    seconds: f64,
    jitter: f64,
    loss: f64,
    duplicate: f64,
    skew: f64,
    first_sequence: u16,
    first_timestamp: u32,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            kind: CodecKind::Pcmu,
            seconds: 60.0,
            jitter: 0.0,
            loss: 0.0,
            duplicate: 0.0,
            skew: 0.0,
            first_sequence: 65_500,
            first_timestamp: u32::MAX - 5_000,
        }
    }
}

#[derive(Default)]
struct Outcome {
    statistics: JitterStatistics,
    /// Concealed samples after the first second.
    concealed: usize,
    heard: Vec<i16>,
    longest_delay: f64,
}

#[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
pub(crate) fn origin() -> Instant {
    Instant::now()
}

/// Something like speech: voiced syllables with harmonics, and pauses.
pub(crate) fn speech(rate_hz: u32, seconds: f64) -> Vec<i16> {
    let count = (f64::from(rate_hz) * seconds) as usize;
    (0..count)
        .map(|n| {
            let t = n as f64 / f64::from(rate_hz);
            let syllable = (t * 3.1).fract();
            let is_pause = (t / 2.0).fract() > 0.8;
            let envelope = if is_pause {
                0.0
            } else {
                (syllable * std::f64::consts::PI).sin()
            };
            let pitch = 120.0 + 25.0 * (t * 1.7).sin();
            let phase = std::f64::consts::TAU * (120.0 * t - 25.0 / 1.7 * (t * 1.7).cos());
            let tone: f64 = (1..12)
                .map(|h| {
                    let near = (f64::from(h) * pitch - 500.0 - 300.0 * (t * 2.3).sin()) / 300.0;
                    (phase * f64::from(h)).sin() * (-near * near).exp()
                })
                .sum();
            (envelope * tone * 6_000.0) as i16
        })
        .collect()
}

fn packets(line: &Line) -> Vec<Vec<u8>> {
    let settings = OpusSettings {
        expected_loss_percent: 10,
        ..OpusSettings::default()
    };
    let mut encoder = Encoder::new(line.kind, &settings).unwrap();
    let rate_hz = line.kind.sample_rate_hz();
    speech(rate_hz, line.seconds)
        .chunks_exact((rate_hz / 50) as usize)
        .map(|frame| {
            let mut payload = Vec::new();
            encoder.encode(frame, &mut payload).unwrap();
            payload
        })
        .collect()
}

fn run(line: &Line, seed: u64) -> Outcome {
    let mut random = Random(seed);
    let start = origin();
    let mut buffer = JitterBuffer::new(Decoder::new(line.kind).unwrap(), JitterSettings::default());
    let per_packet = line.kind.sample_rate_hz() / 50;
    let mut arrivals: Vec<(f64, usize)> = Vec::new();
    let payloads = packets(line);
    for index in 0..payloads.len() {
        let sent = index as f64 * 0.02 * (1.0 + line.skew);
        if random.unit() >= line.loss {
            arrivals.push((sent + random.unit() * line.jitter, index));
            if random.unit() < line.duplicate {
                arrivals.push((sent + random.unit() * line.jitter, index));
            }
        }
    }
    arrivals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut outcome = Outcome::default();
    let mut arrivals = arrivals.into_iter().peekable();
    let pulls = ((line.seconds - 0.2) * 50.0) as usize;
    for pull in 0..pulls {
        let now = pull as f64 * 0.02 + 0.007;
        while let Some((time, index)) = arrivals.next_if(|(time, _)| *time <= now) {
            let sequence = line.first_sequence.wrapping_add(index as u16);
            let timestamp = line.first_timestamp.wrapping_add(index as u32 * per_packet);
            let at = start + Duration::from_secs_f64(time);
            buffer.push(at, 7, sequence, timestamp, &payloads[index]);
        }
        let at = start + Duration::from_secs_f64(now);
        let frame = buffer.pull(at, &mut outcome.heard);
        if pull >= 50 {
            outcome.concealed += frame.concealed_samples;
            outcome.longest_delay = outcome.longest_delay.max(buffer.statistics().delay);
        }
        assert!(buffer.waiting() <= 64);
    }
    outcome.statistics = buffer.statistics();
    assert_eq!(outcome.heard.len(), pulls * per_packet as usize);
    outcome
}

impl Outcome {
    fn concealed_percent(&self) -> f64 {
        self.concealed as f64 / self.heard.len() as f64 * 100.0
    }
}

#[test]
fn nothing_is_concealed_on_a_clean_line() {
    for kind in [CodecKind::Pcmu, CodecKind::Pcma, CodecKind::Opus] {
        let outcome = run(
            &Line {
                kind,
                ..Line::default()
            },
            1,
        );

        assert_eq!(outcome.statistics.concealed_samples, 0);
        assert_eq!(outcome.statistics.missing, 0);
        assert_eq!(
            outcome.statistics.inserted_samples + outcome.statistics.removed_samples,
            0
        );
        assert!(outcome.longest_delay < 0.061, "{}", outcome.longest_delay);
    }
}

#[test]
fn small_jitter_conceals_nothing() {
    for seed in 0..5 {
        let outcome = run(
            &Line {
                jitter: 0.015,
                ..Line::default()
            },
            seed,
        );

        assert_eq!(outcome.concealed, 0, "seed {seed}");
    }
}

#[test]
fn large_jitter_and_reordering_conceal_little_and_bound_the_delay() {
    for seed in 0..5 {
        let outcome = run(
            &Line {
                jitter: 0.060,
                ..Line::default()
            },
            seed,
        );

        assert!(
            outcome.concealed_percent() < 1.0,
            "{}",
            outcome.concealed_percent()
        );
        assert!(outcome.longest_delay < 0.130, "{}", outcome.longest_delay);
    }
}

#[test]
fn opus_recovers_nearly_all_of_five_percent_loss() {
    for (seed, jitter) in [(1, 0.0), (2, 0.020), (3, 0.040)] {
        let line = Line {
            kind: CodecKind::Opus,
            loss: 0.05,
            jitter,
            ..Line::default()
        };

        let outcome = run(&line, seed);

        let recovered = outcome.statistics.recovered_samples as f64 / outcome.heard.len() as f64;
        assert!(
            outcome.concealed_percent() < 1.0,
            "{jitter}: {}",
            outcome.concealed_percent()
        );
        assert!(recovered > 0.035, "{jitter}: {recovered}");
    }
}

#[test]
fn loss_is_concealed_once_and_does_not_lengthen_the_delay() {
    let outcome = run(
        &Line {
            loss: 0.10,
            ..Line::default()
        },
        4,
    );

    assert!(
        (9.0..11.5).contains(&outcome.concealed_percent()),
        "{}",
        outcome.concealed_percent()
    );
    assert!(outcome.longest_delay < 0.080, "{}", outcome.longest_delay);
}

#[test]
fn duplicates_are_counted_and_harmless() {
    let outcome = run(
        &Line {
            duplicate: 0.3,
            jitter: 0.01,
            ..Line::default()
        },
        5,
    );

    assert_eq!(outcome.statistics.concealed_samples, 0);
    assert!(outcome.statistics.duplicates > 700);
}

#[test]
fn a_skewed_clock_runs_neither_dry_nor_over() {
    for skew in [100e-6, -100e-6] {
        let outcome = run(
            &Line {
                skew,
                seconds: 1_200.0,
                ..Line::default()
            },
            6,
        );

        assert!(
            outcome.concealed_percent() < 0.02,
            "{}",
            outcome.concealed_percent()
        );
        assert!(
            (0.004..0.045).contains(&outcome.statistics.delay),
            "{}",
            outcome.statistics.delay
        );
        assert!(outcome.longest_delay < 0.05, "{}", outcome.longest_delay);
        assert_eq!(outcome.statistics.discarded, 0);
    }
}
