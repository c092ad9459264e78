use super::answerer::{AnswererDetector, AnswererSettings, Verdict};
use super::*;
use crate::wav::WavReader;
use std::f64::consts::TAU;
use std::path::Path;

const SETTINGS: AnswererSettings = AnswererSettings {
    initial_silence: 2.5,
    greeting: 1.5,
    after_greeting: 0.8,
    words: 3,
    word: 0.1,
    limit: 5.0,
};

/// Tones of -15 dBov each: (frequencies, seconds); no frequency is silence with a little noise.
fn sound(parts: &[(&[f64], f64)]) -> Vec<i16> {
    let mut samples = Vec::new();
    let mut state = 1_u32;
    for (frequencies, seconds) in parts {
        for _ in 0..(seconds * 8_000.0).round() as usize {
            let t = samples.len() as f64 / 8_000.0;
            let sum: f64 = frequencies.iter().map(|hz| (TAU * hz * t).sin()).sum();
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state >> 16) / 32_768.0 - 1.0;
            samples.push((sum * 8_200.0 + noise * 20.0) as i16);
        }
    }
    samples
}

/// A cadence for so many seconds, from a moment within its first tone on.
fn cadence(hz: &[f64], on_off: &[f64], seconds: f64) -> Vec<i16> {
    let mut parts: Vec<(&[f64], f64)> = vec![(&[], 0.3)];
    let mut length = 0.0;
    for (at, part) in on_off.iter().cycle().enumerate() {
        let frequencies: &[f64] = if at % 2 == 0 { hz } else { &[] };
        parts.push((frequencies, *part));
        length += part;
        if length >= seconds {
            break;
        }
    }
    let mut samples = sound(&parts);
    samples.drain(..3_000);
    samples
}

fn speech(name: &str) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../python/trivox/cli/data")
        .join(name);
    let mut samples = Vec::new();
    let mut reader = WavReader::open(&path).unwrap();
    let rate_hz = reader.rate_hz();
    reader.read_mono(usize::MAX >> 8, &mut samples).unwrap();
    let mut narrow = Vec::new();
    crate::resample::Resampler::new(rate_hz, RATE_HZ).process(&samples, &mut narrow);
    narrow
}

fn heard(samples: &[i16]) -> Vec<Tone> {
    let mut detector = ToneDetector::default();
    let mut heard = Vec::new();
    for frame in samples.chunks(160) {
        detector.push(frame, &mut heard);
    }
    heard.iter().map(|told| told.tone).collect()
}

#[test]
fn the_tones_of_four_countries_are_told_once_each() {
    let cases: &[(&str, &[f64], &[f64], Tone)] = &[
        ("US dial", &[350.0, 440.0], &[9.0], Tone::Dial),
        ("US ringback", &[440.0, 480.0], &[2.0, 4.0], Tone::Ringback),
        ("US busy", &[480.0, 620.0], &[0.5, 0.5], Tone::Busy),
        (
            "US reorder",
            &[480.0, 620.0],
            &[0.25, 0.25],
            Tone::Congestion,
        ),
        ("UK dial", &[350.0, 440.0], &[9.0], Tone::Dial),
        (
            "UK ringback",
            &[400.0, 450.0],
            &[0.4, 0.2, 0.4, 2.0],
            Tone::Ringback,
        ),
        ("UK busy", &[400.0], &[0.375, 0.375], Tone::Busy),
        (
            "UK congestion",
            &[400.0],
            &[0.4, 0.35, 0.225, 0.525],
            Tone::Congestion,
        ),
        ("DE dial", &[425.0], &[9.0], Tone::Dial),
        ("DE ringback", &[425.0], &[1.0, 4.0], Tone::Ringback),
        ("DE busy", &[425.0], &[0.48, 0.48], Tone::Busy),
        ("DE congestion", &[425.0], &[0.24, 0.24], Tone::Congestion),
        ("FR dial", &[440.0], &[9.0], Tone::Dial),
        ("FR ringback", &[440.0], &[1.5, 3.5], Tone::Ringback),
        ("FR busy", &[440.0], &[0.5, 0.5], Tone::Busy),
        ("FR congestion", &[440.0], &[0.25, 0.25], Tone::Congestion),
    ];
    for (name, hz, on_off, tone) in cases {
        assert_eq!(heard(&cadence(hz, on_off, 18.0)), [*tone], "{name}");
    }
}

#[test]
fn special_information_and_fax_are_told() {
    for hz in [
        [950.0, 1400.0, 1800.0],
        [985.2, 1428.5, 1776.7],
        [913.8, 1370.6, 1776.7],
    ] {
        let [a, b, c] = hz;
        let quiet: &[f64] = &[];
        for gap in [0.0, 0.03] {
            let parts = [
                (quiet, 0.5),
                (&[a], 0.33),
                (quiet, gap),
                (&[b], 0.33),
                (quiet, gap),
                (&[c], 0.33),
                (quiet, 2.0),
            ];
            assert_eq!(
                heard(&sound(&parts)),
                [Tone::SpecialInformation],
                "{hz:?} {gap}"
            );
        }
    }
    assert_eq!(
        heard(&cadence(&[1100.0], &[0.5, 3.0], 15.0)),
        [Tone::FaxCalling]
    );
    assert_eq!(
        heard(&cadence(&[2100.0], &[3.0, 5.0], 3.0)),
        [Tone::FaxAnswering]
    );
}

#[test]
fn a_beep_is_told_after_a_greeting_and_not_without_one() {
    for (hz, seconds) in [
        (1000.0, 0.4),
        (440.0, 1.0),
        (1400.0, 0.2),
        (620.0, 0.5),
        (2000.0, 0.8),
    ] {
        let beep = sound(&[(&[], 0.4), (&[hz], seconds), (&[], 2.0)]);
        let greeting = [speech("reply.wav"), beep.clone()].concat();

        assert_eq!(heard(&greeting), [Tone::Beep], "{hz}");
        assert!(!heard(&beep).contains(&Tone::Beep), "{hz}");
    }
}

#[test]
fn a_busy_tone_after_speech_is_no_beep() {
    let hung_up = [speech("caller.wav"), cadence(&[425.0], &[0.48, 0.48], 8.0)].concat();

    assert_eq!(heard(&hung_up), [Tone::Busy]);
}

#[test]
fn noise_speech_music_and_digits_are_no_tones() {
    for name in ["caller.wav", "reply.wav"] {
        let samples = speech(name);
        for rate_hz in [6_000, 7_000, 8_000, 9_000, 10_000, 12_000] {
            let mut other = Vec::new();
            crate::resample::Resampler::new(rate_hz, RATE_HZ).process(&samples, &mut other);
            other.extend([0; 16_000]);
            assert_eq!(heard(&other), [], "{name} at {rate_hz}");
        }
    }
    let mut state = 7_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((f64::from(state >> 16) / 32_768.0 - 1.0) * 6_000.0) as i16
    });
    assert_eq!(heard(&noise.take(240_000).collect::<Vec<_>>()), []);
    let chords: Vec<[f64; 4]> = (0..200_u32)
        .map(|step| {
            [0, 4, 7, 12].map(|part| {
                196.0 * 2_f64.powf(f64::from((step * 7 + part * (1 + step % 3)) % 36) / 12.0)
            })
        })
        .collect();
    let music: Vec<(&[f64], f64)> = chords.iter().map(|notes| (&notes[..], 0.15)).collect();
    let soft: Vec<i16> = sound(&music).iter().map(|sample| sample / 2).collect();
    assert_eq!(heard(&soft), []);
    let mut digits = crate::dtmf::InbandSender::default();
    digits.send("0123456789*#", 0.1, 0.1).unwrap();
    let mut samples = speech("reply.wav");
    while digits.is_busy() {
        let mut frame = [0; 160];
        digits.write(RATE_HZ, &mut frame);
        samples.extend(frame);
    }
    assert_eq!(heard(&samples), []);
}

fn verdict(samples: &[i16]) -> Option<Verdict> {
    let mut detector = AnswererDetector::new(SETTINGS);
    let mut tones = ToneDetector::default();
    samples.chunks(160).find_map(|frame| {
        tones.push(frame, &mut Vec::new());
        detector.push(RATE_HZ, frame, tones.is_sounding())
    })
}

#[test]
fn a_short_greeting_and_a_pause_is_a_person_and_a_long_one_a_machine() {
    let reply = speech("reply.wav");
    let quiet = sound(&[(&[], 6.0)]);
    let (before, after) = (&quiet[..8_000], &quiet[..32_000]);

    let person = verdict(&[before, &reply[..5_600], after].concat()).unwrap();
    let machine = verdict(&[before, &reply[..], after].concat()).unwrap();
    let nobody = verdict(&quiet).unwrap();

    assert_eq!((person.who, person.cause), ("human", "pause"), "{person:?}");
    assert!((0.2..0.9).contains(&person.greeting), "{person:?}");
    assert_eq!(machine.who, "machine", "{machine:?}");
    assert_eq!(
        (nobody.who, nobody.cause),
        ("unknown", "silence"),
        "{nobody:?}"
    );
}

#[test]
fn ringing_is_no_greeting_and_tones_of_machines_are_machines() {
    let ringing = cadence(&[440.0, 480.0], &[2.0, 4.0], 3.0);
    assert_eq!(verdict(&ringing).unwrap().who, "unknown");

    let detector = AnswererDetector::new(SETTINGS);
    assert_eq!(detector.hear(Tone::Beep).unwrap().who, "machine");
    assert_eq!(detector.hear(Tone::Ringback), None);
}

#[test]
fn settings_of_no_use_are_refused() {
    assert!(SETTINGS.check().is_ok());
    assert!(
        AnswererSettings {
            words: 0,
            ..SETTINGS
        }
        .check()
        .is_err()
    );
    assert!(
        AnswererSettings {
            limit: f64::NAN,
            ..SETTINGS
        }
        .check()
        .is_err()
    );
    assert!(
        AnswererSettings {
            greeting: 0.0,
            ..SETTINGS
        }
        .check()
        .is_err()
    );
}

#[test]
fn any_audio_tells_a_bounded_number_of_tones() {
    let mut state = 3_u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    };
    for _ in 0..40 {
        let mut detector = ToneDetector::default();
        let mut told = Vec::new();
        let mut pushed = 0;
        for _ in 0..300 {
            let length = (next() % 900) as usize;
            let (kind, step) = (next() % 4, f64::from(next() % 3_900));
            let frame: Vec<i16> = (0..length)
                .map(|at| match kind {
                    0 => (next() & 0xffff) as u16 as i16,
                    1 => i16::MIN,
                    2 => ((TAU * step * at as f64 / 8_000.0).sin() * 30_000.0) as i16,
                    _ => 0,
                })
                .collect();
            pushed += length;
            detector.push(&frame, &mut told);
        }
        assert!(
            told.len() <= pushed / (5 * STEP),
            "{} in {pushed}",
            told.len()
        );
    }
}
