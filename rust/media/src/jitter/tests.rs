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

/// A buffer driven packet by packet.
struct Hand {
    buffer: JitterBuffer,
    now: Instant,
    heard: Vec<i16>,
}

impl Hand {
    fn new() -> Self {
        let decoder = Decoder::new(CodecKind::Pcmu).unwrap();
        let buffer = JitterBuffer::new(decoder, JitterSettings::default());
        Self {
            buffer,
            now: origin(),
            heard: Vec::new(),
        }
    }

    fn send(&mut self, ssrc: u32, sequence: u16, timestamp: u32) {
        self.buffer
            .push(self.now, ssrc, sequence, timestamp, &[0x90; 160]);
    }

    fn pull(&mut self) -> Frame {
        let frame = self.buffer.pull(self.now, &mut self.heard);
        self.now += Duration::from_millis(20);
        frame
    }

    fn talk(&mut self, frames: u32, sequence: u16, timestamp: u32) {
        for n in 0..frames {
            self.send(
                1,
                sequence.wrapping_add(n as u16),
                timestamp.wrapping_add(n * 160),
            );
            self.pull();
        }
    }
}

#[test]
fn telephone_events_in_the_sequence_are_no_loss() {
    for lost_events in [0..0, 3..5, 0..1, 7..8] {
        let mut hand = Hand::new();
        hand.talk(50, 0, 0);
        for n in 0..8_u16 {
            if !lost_events.contains(&n) {
                hand.buffer.push_other(hand.now, 1, 50 + n, 8_000);
            }
            hand.pull();
        }

        hand.talk(50, 58, 58 * 160);

        let statistics = hand.buffer.statistics();
        assert_eq!(statistics.missing, 0, "{lost_events:?}");
        assert_eq!(statistics.concealed_samples, 0, "{lost_events:?}");
    }
}

#[test]
fn a_pause_of_the_sender_is_silence_and_keeps_the_delay() {
    let mut hand = Hand::new();
    hand.talk(50, 0, 0);
    let before = hand.buffer.statistics().delay;
    let frames: Vec<Frame> = (0..100).map(|_| hand.pull()).collect();

    hand.talk(50, 50, 150 * 160);

    assert!(frames[20..].iter().all(|frame| frame.silent_samples == 160));
    assert_eq!(hand.buffer.statistics().concealed_samples, 0);
    assert_eq!(hand.buffer.statistics().missing, 0);
    assert!((hand.buffer.statistics().delay - before).abs() < 0.021);
}

#[test]
fn timestamps_that_stand_still_in_a_pause_are_accepted() {
    let mut hand = Hand::new();
    hand.talk(50, 0, 0);
    for _ in 0..50 {
        hand.pull();
    }
    hand.talk(20, 50, 50 * 160);
    let mut frame = Frame::default();

    for n in 0..300_u32 {
        hand.send(1, 70 + n as u16, (70 + n) * 160);
        frame = hand.pull();
    }

    assert_eq!(frame, Frame::default());
    assert!(
        hand.buffer.statistics().delay < 0.08,
        "{}",
        hand.buffer.statistics().delay
    );
}

#[test]
fn another_ssrc_or_numbering_begins_anew() {
    let mut hand = Hand::new();
    hand.talk(50, 0, 0);
    for n in 0..50_u32 {
        hand.send(2, (40_000 + n) as u16, 900_000 + n * 160);
        hand.pull();
    }
    hand.talk(50, 9, 77);
    let end = hand.pull();

    assert_eq!(hand.buffer.statistics().late, 0);
    assert_eq!(hand.buffer.statistics().missing, 0);
    assert_eq!(end.silent_samples, 0);
}

#[test]
fn a_far_number_is_believed_the_second_time() {
    let mut hand = Hand::new();
    hand.talk(50, 0, 0);
    hand.send(1, 30_000, 4_000_000);
    hand.talk(50, 50, 8_000);
    assert_eq!(hand.buffer.statistics().missing, 0);

    hand.talk(100, 30_000, 9_000_000);

    assert_eq!(hand.pull(), Frame::default());
}

#[test]
fn a_flood_is_bounded() {
    let mut hand = Hand::new();
    for n in 0..10_000_u32 {
        hand.send(1, n as u16, n * 160);
    }

    assert_eq!(hand.buffer.waiting(), 64);
    assert_eq!(hand.buffer.statistics().discarded, 10_000 - 64);
    hand.pull();
}

#[test]
fn packets_that_do_not_decode_are_concealed_and_counted() {
    let mut hand = Hand::new();
    hand.talk(20, 0, 0);
    hand.buffer.push(hand.now, 1, 20, 3_200, &[]);
    hand.pull();
    hand.talk(20, 21, 21 * 160);

    assert_eq!(hand.buffer.statistics().undecodable, 1);
    assert_eq!(hand.buffer.statistics().concealed_samples, 160);
}

#[test]
fn packets_of_any_length_are_pulled_as_twenty_milliseconds() {
    for ptime_ms in [10_u32, 30, 40, 60] {
        let mut hand = Hand::new();
        let mut sent = 0_u32;
        for pull in 0..500_u32 {
            while sent * ptime_ms <= pull * 20 {
                let payload = vec![0x90; 8 * ptime_ms as usize];
                hand.buffer
                    .push(hand.now, 1, sent as u16, sent * 8 * ptime_ms, &payload);
                sent += 1;
            }
            hand.pull();
        }

        assert_eq!(
            hand.buffer.statistics().concealed_samples,
            0,
            "{ptime_ms} ms"
        );
        assert_eq!(hand.heard.len(), 500 * 160);
    }
}

#[test]
fn any_packets_in_any_order_are_survived() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut hand = Hand::new();
        for _ in 0..300 {
            let sequence =
                (random.unit() * 70_000.0) as u16 & if seed % 2 == 0 { 0xff } else { 0xffff };
            let timestamp = (random.unit() * 4e9) as u32 >> (random.unit() * 24.0) as u32;
            match (random.unit() * 4.0) as u32 {
                0 => hand.buffer.push_other(hand.now, 1, sequence, timestamp),
                1 => hand.buffer.push(hand.now, 1, sequence, timestamp, &[]),
                2 => hand.send((random.unit() * 1.2) as u32, sequence, timestamp),
                _ => {
                    hand.pull();
                }
            }
        }
    }
}
