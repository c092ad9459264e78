use super::*;
use crate::resample::Resampler;
use crate::wav::WavReader;
use std::f64::consts::TAU;
use std::path::Path;

/// 0 dBm0 in dBov (ITU-T G.711: a sine at full scale is +3.17 dBm0 and -3.01 dBov).
const DBM0: f64 = -6.18;
const ALL: &str = "123A456B789C*0#D";

fn keys(samples: &[i16]) -> String {
    let mut detector = InbandReceiver::default();
    let mut heard = String::new();
    for frame in samples.chunks(160) {
        detector.push(frame);
        while let Some(event) = detector.poll() {
            if let ReceivedDtmf::Ended { digit, .. } = event {
                heard.push(digit);
            }
        }
    }
    heard
}

/// Two tones of levels in dBm0, then silence.
fn press(hz: [f64; 2], levels: [f64; 2], on: f64, off: f64) -> Vec<i16> {
    let amplitude = levels.map(|dbm0| 10_f64.powf((dbm0 + DBM0) / 20.0) * 2_f64.sqrt() * 32_767.0);
    let count = |seconds: f64| (seconds * 8_000.0).round() as usize;
    let tone = (0..count(on)).map(|n| {
        let t = n as f64 / 8_000.0;
        let sum = amplitude[0] * (TAU * hz[0] * t).sin() + amplitude[1] * (TAU * hz[1] * t).sin();
        sum.clamp(-32_768.0, 32_767.0) as i16
    });
    tone.chain(std::iter::repeat_n(0, count(off))).collect()
}

fn hz_of(key: char) -> [f64; 2] {
    frequencies_of(key).unwrap().map(f64::from)
}

fn heard(hz: [f64; 2], levels: [f64; 2], on: f64) -> String {
    let mut samples = vec![0; 333];
    samples.extend(press(hz, levels, on, 0.1));
    keys(&samples)
}

fn noise(seconds: usize, amplitude: f64, seed: u32) -> Vec<i16> {
    let mut state = seed;
    let next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((f64::from(state >> 16) / 32_768.0 - 1.0) * amplitude) as i16
    };
    let count = seconds * 8_000;
    std::iter::repeat_with(next).take(count).collect()
}

fn speech(name: &str) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../python/trivox/cli/data")
        .join(name);
    let mut samples = Vec::new();
    let mut reader = WavReader::open(&path).unwrap();
    reader.read_mono(usize::MAX >> 8, &mut samples).unwrap();
    samples
}

#[test]
fn all_keys_are_heard_from_minus_nine_to_minus_thirty_dbm0_forty_milliseconds_on_and_off() {
    for level in [-9.0, -20.0, -30.0] {
        for shift in [0, 17, 34] {
            let mut samples = vec![0; 200 + shift];
            for key in ALL.chars() {
                samples.extend(press(hz_of(key), [level; 2], 0.04, 0.04));
            }
            samples.extend([0; 800]);
            assert_eq!(keys(&samples), ALL, "{level} dBm0, {shift}");
        }
    }
}

#[test]
fn the_same_key_again_after_forty_milliseconds_is_another_press() {
    let mut samples = Vec::new();
    for _ in 0..20 {
        samples.extend(press(hz_of('5'), [-12.0; 2], 0.04, 0.04));
    }
    samples.extend([0; 800]);

    assert_eq!(keys(&samples), "5".repeat(20));
}

#[test]
fn frequencies_are_taken_to_one_and_a_half_percent_and_refused_from_three_and_a_half_on() {
    for key in ALL.chars() {
        let [low, high] = hz_of(key);
        for (one, other) in [(-1.5, -1.5), (-1.5, 1.5), (1.5, -1.5), (1.5, 1.5)] {
            let hz = [low * (1.0 + one / 100.0), high * (1.0 + other / 100.0)];
            assert_eq!(
                heard(hz, [-15.0; 2], 0.05),
                key.to_string(),
                "{one} {other}"
            );
        }
        for off in [-3.5, 3.5] {
            let factor = 1.0 + off / 100.0;
            assert_eq!(
                heard([low * factor, high], [-15.0; 2], 0.1),
                "",
                "{key} {off}"
            );
            assert_eq!(
                heard([low, high * factor], [-15.0; 2], 0.1),
                "",
                "{key} {off}"
            );
        }
    }
}

#[test]
fn twist_levels_and_lengths_have_limits() {
    for key in ALL.chars() {
        let hz = hz_of(key);
        assert_eq!(heard(hz, [-16.0, -10.0], 0.05), key.to_string(), "+6 dB");
        assert_eq!(heard(hz, [-10.0, -18.0], 0.05), key.to_string(), "-8 dB");
        assert_eq!(heard(hz, [-22.0, -10.0], 0.1), "", "+12 dB");
        assert_eq!(heard(hz, [-10.0, -24.0], 0.1), "", "-14 dB");
        assert_eq!(heard(hz, [-42.0; 2], 0.1), "", "soft");
        assert_eq!(heard(hz, [-10.0; 2], 0.018), "", "short");
    }
    assert_eq!(heard([770.0, 770.0], [-10.0; 2], 0.5), "", "one tone");
}

#[test]
fn a_press_with_a_short_hole_is_one() {
    let mut samples = press(hz_of('5'), [-15.0; 2], 0.1, 0.01);
    samples.extend(press(hz_of('5'), [-15.0; 2], 0.1, 0.1));

    assert_eq!(keys(&samples), "5");
}

#[test]
fn a_press_is_as_long_as_it_sounds() {
    for seconds in [0.05, 0.1, 0.3, 2.0] {
        let mut detector = InbandReceiver::default();
        let samples = press(hz_of('9'), [-15.0; 2], seconds, 0.1);
        detector.push(&samples);

        assert_eq!(detector.poll(), Some(ReceivedDtmf::Started { digit: '9' }));
        let Some(ReceivedDtmf::Ended { duration, .. }) = detector.poll() else {
            panic!("a press that ended is told");
        };
        assert!(
            (duration - seconds).abs() < 0.013,
            "{duration} of {seconds}"
        );
    }
}

#[test]
fn keys_are_heard_in_noise_fifteen_decibel_below() {
    let samples: Vec<i16> = (0..20)
        .flat_map(|_| press(hz_of('5'), [-15.0; 2], 0.08, 0.08))
        .zip(noise(4, 1_000.0, 3))
        .map(|(tone, noise)| tone + noise)
        .collect();

    assert_eq!(keys(&samples), "5".repeat(20));
}

#[test]
fn what_is_made_is_heard_and_as_long_as_was_asked_for() {
    for rate_hz in [8_000, 16_000, 48_000] {
        let mut sender = crate::dtmf::InbandSender::default();
        let sending = sender.send(ALL, 0.06, 0.05).unwrap();
        let mut down = Resampler::new(rate_hz, 8_000);
        let mut samples = Vec::new();
        let mut frames = 0;
        while sender.is_busy() {
            let mut frame = vec![7_000; (rate_hz / 50) as usize];
            sender.write(rate_hz, &mut frame);
            if sender.is_busy() {
                down.process(&frame, &mut samples);
            }
            frames += 1;
        }
        samples.extend([0; 800]);

        assert_eq!(keys(&samples), ALL, "{rate_hz}");
        assert_eq!(frames, 88, "16 x 0.11 s");
        assert_eq!(sender.poll_finished(), Some(sending));
    }
}

#[test]
fn what_is_no_digit_is_refused_whole_and_what_is_cancelled_ends_cleanly() {
    let mut sender = crate::dtmf::InbandSender::default();
    assert!(sender.send("12x", 0.1, 0.1).is_err());
    assert!(sender.send("1", 0.01, 0.1).is_err());
    assert!(!sender.is_busy());

    let first = sender.send("123", 0.1, 0.1).unwrap();
    let second = sender.send("9", 0.1, 0.1).unwrap();
    let mut samples = vec![0; 160];
    sender.write(8_000, &mut samples);
    sender.cancel(first);
    while sender.is_busy() {
        let mut frame = [0; 160];
        sender.write(8_000, &mut frame);
        samples.extend(frame);
    }
    samples.extend([0; 800]);

    assert_eq!(keys(&samples), "19");
    assert_eq!(
        [sender.poll_finished(), sender.poll_finished()],
        [Some(first), Some(second)]
    );
}

#[test]
fn noise_speech_and_music_press_no_key() {
    for amplitude in [300.0, 3_000.0, 30_000.0] {
        assert_eq!(keys(&noise(60, amplitude, 7)), "", "noise {amplitude}");
    }
    for name in ["caller.wav", "reply.wav"] {
        let samples = speech(name);
        // Voices of several pitches: the same sentence, read at other rates.
        for rate_hz in [12_000, 14_000, 16_000, 18_000, 20_000, 24_000] {
            let mut down = Resampler::new(rate_hz, 8_000);
            let mut narrow = Vec::new();
            down.process(&samples, &mut narrow);
            assert_eq!(keys(&narrow), "", "{name} at {rate_hz}");
        }
    }
    // Chords of a scale, a new one each 150 ms, each note with its harmonics.
    let mut music = Vec::new();
    for step in 0..800_u32 {
        let notes = [0, 4, 7, 12].map(|part| {
            let semitone = (step * 7 + part * (1 + step % 3)) % 36;
            196.0 * 2_f64.powf(f64::from(semitone) / 12.0)
        });
        music.extend((0..1_200).map(|n| {
            let t = f64::from(n) / 8_000.0;
            let voice = |hz: &f64| -> f64 {
                let harmonics = 1..=4;
                harmonics
                    .map(|h| (TAU * hz * f64::from(h) * t).sin() / f64::from(h))
                    .sum()
            };
            (notes.iter().map(voice).sum::<f64>() * 2_500.0) as i16
        }));
    }
    assert_eq!(keys(&music), "");
}
