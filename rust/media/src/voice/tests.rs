use super::*;
use crate::level::level_dbov;
use crate::wav::WavReader;
use std::f64::consts::TAU;
use std::path::Path;

/// The detector this one is compared with: 9 dB over a noise floor that follows slowly.
fn energy_share(samples: &[i16]) -> f64 {
    let mut floor = -60.0_f64;
    let loud = samples.chunks_exact(320).filter(|frame| {
        let level = level_dbov(frame);
        let is_loud = level > -55.0 && level > floor + 9.0;
        floor = if level < floor {
            level.max(-90.0)
        } else {
            (floor + 0.06).min(level)
        };
        is_loud
    });
    loud.count() as f64 / (samples.len() / 320) as f64
}

/// The share of frames taken for speech, without hang-over, and how often it started.
fn share(samples: &[i16], hang_over: f64) -> (f64, usize) {
    let mut detector = VoiceDetector::new(hang_over);
    let decisions: Vec<_> = samples
        .chunks_exact(320)
        .map(|frame| detector.push(RATE_HZ, frame))
        .collect();
    let speech = decisions.iter().filter(|d| d.is_speech).count();
    let starts = decisions.iter().filter(|d| d.has_started).count();
    (speech as f64 / decisions.len() as f64, starts)
}

fn noise(seconds: usize, amplitude: f64) -> Vec<i16> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((f64::from(state >> 16) / 32_768.0 - 1.0) * amplitude) as i16
    };
    std::iter::repeat_with(next)
        .take(seconds * 16_000)
        .collect()
}

fn tones(seconds: usize, frequencies: &[f64]) -> Vec<i16> {
    (0..seconds * 16_000)
        .map(|n| {
            let t = n as f64 / 16_000.0;
            let sum: f64 = frequencies.iter().map(|f| (t * f * TAU).sin()).sum();
            (sum * 3_000.0) as i16
        })
        .collect()
}

fn speech(name: &str, gain: f64) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../python/trivox/cli/data")
        .join(name);
    let mut samples = Vec::new();
    let mut reader = WavReader::open(&path).unwrap();
    reader.read_mono(usize::MAX >> 8, &mut samples).unwrap();
    let scaled = samples.iter().map(|&s| (f64::from(s) * gain) as i16);
    scaled.collect()
}

#[test]
fn noise_and_tones_are_no_voice_though_they_have_energy() {
    for (name, samples) in [
        ("soft noise", noise(10, 300.0)),
        ("loud noise", noise(10, 3_000.0)),
        ("440 Hz", tones(10, &[440.0])),
        ("ringback", tones(10, &[440.0, 480.0])),
    ] {
        let (network, _) = share(&samples, 0.02);
        let energy = energy_share(&samples);
        assert!(network < 0.05, "{name}: {network}");
        assert!(network < energy, "{name}: {network} against {energy}");
    }
}

#[test]
fn speech_is_heard_soft_and_loud_and_in_noise() {
    for name in ["caller.wav", "reply.wav"] {
        for gain in [1.0, 0.1, 0.02] {
            let (network, _) = share(&speech(name, gain), 0.02);
            assert!(network > 0.75, "{name} x {gain}: {network}");
        }
        let soft = speech(name, 0.02);
        assert!(share(&soft, 0.02).0 > energy_share(&soft) + 0.05, "{name}");
    }
    let mixed: Vec<i16> = speech("caller.wav", 1.0)
        .iter()
        .zip(noise(8, 1_500.0))
        .map(|(a, b)| a.saturating_add(b))
        .collect();
    assert!(share(&mixed, 0.02).0 > 0.75);
}

#[test]
fn a_sentence_starts_once_and_ends_after_the_hang_over() {
    let mut samples = vec![0; 8_000];
    samples.extend(speech("reply.wav", 1.0));
    let said = samples.len();
    samples.resize(said + 32_000, 0);
    let mut detector = VoiceDetector::new(0.8);

    let mut ends = Vec::new();
    let mut starts = Vec::new();
    for (n, frame) in samples.chunks_exact(160).enumerate() {
        let decision = detector.push(RATE_HZ, frame);
        if decision.has_started {
            starts.push(n as f64 / 100.0);
        }
        if let Some(seconds) = decision.ended_after {
            ends.push((n as f64 / 100.0, seconds));
        }
    }

    assert_eq!((starts.len(), ends.len()), (1, 1), "{starts:?} {ends:?}");
    assert!((0.5..0.75).contains(&starts[0]), "{starts:?}");
    let end = said as f64 / 16_000.0;
    let (at, seconds) = ends[0];
    assert!(
        (at - seconds - starts[0] - 0.8).abs() < 0.1,
        "{starts:?} {ends:?}"
    );
    assert!(at > end - 0.3 + 0.8 - 0.1 && at < end + 1.2, "{at} {end}");
}

#[test]
fn any_rate_and_any_frame_will_do() {
    let samples = speech("caller.wav", 1.0);
    let mut down = Resampler::new(16_000, 8_000);
    let mut narrow = Vec::new();
    down.process(&samples, &mut narrow);
    let mut detector = VoiceDetector::new(0.02);

    let speech = narrow
        .chunks(80)
        .filter(|frame| detector.push(8_000, frame).is_speech)
        .count();

    assert!(speech as f64 / (narrow.len() / 80) as f64 > 0.7);
}
