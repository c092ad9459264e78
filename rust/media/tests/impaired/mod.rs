//! A line with faults, from a seed and in virtual time, and what a jitter buffer makes of it.
#![allow(dead_code, clippy::unwrap_used)] // The test and the example each use a part of it.

use std::time::{Duration, Instant};

use trivox_media::codec::{CodecKind, Decoder, Encoder, OpusSettings};
use trivox_media::jitter::{JitterBuffer, JitterSettings};
use trivox_media::random::Random;

pub(crate) const FRAME: f64 = 0.020;
/// What the buffer learns in these seconds is not judged.
const WARM_UP: f64 = 3.0;
/// Seconds of audio that are encoded, and sent over and over.
const RECORDED: f64 = 60.0;
/// How late a packet is that another overtakes.
const OVERTAKEN: f64 = 0.025;

/// What is wrong with a line.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) kind: CodecKind,
    pub(crate) seconds: f64,
    /// Packets are late by 0 to this, evenly.
    pub(crate) jitter: f64,
    pub(crate) loss: f64,
    /// Mean number of packets lost together.
    pub(crate) burst: f64,
    pub(crate) reorder: f64,
    pub(crate) duplicate: f64,
    /// By how much the sender's clock is slow.
    pub(crate) skew: f64,
    /// When the grid of pulls begins, after the first packet was sent.
    pub(crate) phase: f64,
    pub(crate) seed: u64,
}

impl Line {
    pub(crate) fn clean(kind: CodecKind) -> Self {
        Self {
            kind,
            seconds: 60.0,
            jitter: 0.0,
            loss: 0.0,
            burst: 1.0,
            reorder: 0.0,
            duplicate: 0.0,
            skew: 0.0,
            phase: 0.007,
            seed: 1,
        }
    }
}

/// What was heard after the warm-up.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) concealed_percent: f64,
    pub(crate) recovered_percent: f64,
    /// Of the packets that came, those after their turn.
    pub(crate) late_percent: f64,
    pub(crate) lost_percent: f64,
    /// Runs of concealed frames, longest first; and of lost packets.
    pub(crate) longest_concealed: usize,
    pub(crate) longest_lost: usize,
    /// From arrival on the fastest path to the pull, seconds.
    pub(crate) delays: Vec<f64>,
    pub(crate) changed_ms: f64,
}

impl Heard {
    pub(crate) fn delay(&self, quantile: f64) -> f64 {
        let mut sorted = self.delays.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[((sorted.len() - 1) as f64 * quantile) as usize]
    }
}

/// Encoded audio, made once for many lines.
pub(crate) struct Recording {
    kind: CodecKind,
    payloads: Vec<Vec<u8>>,
}

impl Recording {
    pub(crate) fn new(kind: CodecKind) -> Self {
        let settings = OpusSettings {
            expected_loss_percent: 10,
            ..OpusSettings::default()
        };
        let mut encoder = Encoder::new(kind, &settings).unwrap();
        let frame = (kind.sample_rate_hz() / 50) as usize;
        let payloads = speech(kind.sample_rate_hz(), RECORDED)
            .chunks_exact(frame)
            .map(|samples| {
                let mut payload = Vec::new();
                encoder.encode(samples, &mut payload).unwrap();
                payload
            })
            .collect();
        Self { kind, payloads }
    }

    /// What the packet of that number carries.
    pub(crate) fn payload(&self, number: u64) -> &[u8] {
        &self.payloads[number as usize % self.payloads.len()]
    }
}

/// Something like speech: voiced syllables with harmonics, and pauses.
fn speech(rate_hz: u32, seconds: f64) -> Vec<i16> {
    let count = (f64::from(rate_hz) * seconds) as usize;
    (0..count)
        .map(|n| {
            let t = n as f64 / f64::from(rate_hz);
            let syllable = ((t * 3.1).fract() * std::f64::consts::PI).sin();
            let envelope = if (t / 2.0).fract() > 0.8 {
                0.0
            } else {
                syllable
            };
            let phase = std::f64::consts::TAU * (120.0 * t - 15.0 * (t * 1.7).cos());
            let pitch = 120.0 + 25.0 * (t * 1.7).sin();
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

/// Arrivals in order of time, (seconds, number), and the longest run that is lost.
pub(crate) fn arrivals(line: &Line) -> (Vec<(f64, u64)>, usize, u64) {
    let mut random = Random::new(line.seed);
    let leave = 1.0 / line.burst.max(1.0);
    let enter = line.loss * leave / (1.0 - line.loss).max(1e-9);
    let (mut is_losing, mut run, mut longest, mut lost) = (false, 0, 0, 0);
    let mut found = Vec::new();
    let count = (line.seconds / FRAME) as u64;
    for number in 0..count {
        is_losing = random.unit() < if is_losing { 1.0 - leave } else { enter };
        if line.burst <= 1.0 {
            is_losing = random.unit() < line.loss;
        }
        let draws: [f64; 4] = std::array::from_fn(|_| random.unit());
        if is_losing {
            lost += 1;
            run += 1;
            longest = longest.max(run);
            continue;
        }
        run = 0;
        let mut at = number as f64 * FRAME * (1.0 + line.skew) + draws[0] * line.jitter;
        if draws[1] < line.reorder {
            at += OVERTAKEN;
        }
        found.push((at, number));
        if draws[2] < line.duplicate {
            found.push((at + draws[3] * line.jitter.max(0.005), number));
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    (found, longest, lost)
}

/// Sends a recording over a line and hears it through a buffer.
#[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
pub(crate) fn hear(line: &Line, recording: &Recording) -> Heard {
    assert_eq!(line.kind, recording.kind);
    let start = Instant::now();
    let mut buffer = JitterBuffer::new(Decoder::new(line.kind).unwrap(), JitterSettings::default());
    let ticks = u64::from(line.kind.rtp_clock_hz() / 50);
    let (arrivals, longest_lost, lost) = arrivals(line);
    let mut arrivals = arrivals.into_iter().peekable();
    let mut heard = Heard {
        longest_lost,
        lost_percent: lost as f64 / (line.seconds / FRAME) * 100.0,
        ..Heard::default()
    };
    let frame_samples = line.kind.sample_rate_hz() as usize / 50;
    let (mut samples, mut concealed, mut recovered, mut judged, mut run) = (Vec::new(), 0, 0, 0, 0);
    let mut before = buffer.statistics();
    for pull in 0..((line.seconds - 0.5) / FRAME) as u64 {
        let now = pull as f64 * FRAME + line.phase;
        while let Some((time, number)) = arrivals.next_if(|(time, _)| *time <= now) {
            let payload = recording.payload(number);
            // Both numbers wrap within the first seconds.
            let sequence = 65_500_u64.wrapping_add(number) as u16;
            let timestamp = (u64::from(u32::MAX) - 5_000 + number * ticks) as u32;
            let at = start + Duration::from_secs_f64(time);
            buffer.push(at, 7, sequence, timestamp, payload);
        }
        samples.clear();
        let frame = buffer.pull(start + Duration::from_secs_f64(now), &mut samples);
        assert_eq!(samples.len(), frame_samples);
        if now < WARM_UP {
            before = buffer.statistics();
            continue;
        }
        judged += samples.len();
        concealed += frame.concealed_samples;
        recovered += frame.recovered_samples;
        run = if frame.is_concealed() { run + 1 } else { 0 };
        heard.longest_concealed = heard.longest_concealed.max(run);
        heard.delays.push(buffer.statistics().delay);
    }
    let after = buffer.statistics();
    let percent = |count: usize| count as f64 / judged as f64 * 100.0;
    heard.concealed_percent = percent(concealed);
    heard.recovered_percent = percent(recovered);
    let came = (after.received - before.received).max(1) as f64;
    heard.late_percent = (after.late - before.late) as f64 / came * 100.0;
    let changed = after.inserted_samples + after.removed_samples
        - before.inserted_samples
        - before.removed_samples;
    heard.changed_ms = changed as f64 * 1000.0 / f64::from(line.kind.sample_rate_hz());
    heard
}
