use super::*;
use crate::wav::WavWriter;
use std::path::PathBuf;

/// Voiced syllables of one speaker; `seed` makes another speaker with other words.
fn speech(seed: f64, seconds: f64) -> Vec<f32> {
    let count = (seconds * f64::from(RATE_HZ)) as usize;
    (0..count)
        .map(|n| {
            let t = n as f64 / f64::from(RATE_HZ);
            let word = (t * (2.3 + seed * 0.37) + 0.4 * (t * (1.1 + seed)).sin()).fract();
            let is_pause = (t * 0.53 + seed * 0.31).fract() > 0.75;
            let envelope = if is_pause {
                0.0
            } else {
                (word * std::f64::consts::PI).sin().powi(2)
            };
            let phase = std::f64::consts::TAU
                * ((105.0 + 31.0 * seed) * t - (9.0 + seed) * (t * (1.9 + seed * 0.2)).cos());
            let formant = 5.0 + 3.0 * (t * (2.9 + seed * 0.7)).sin();
            let tone: f64 = (1..16)
                .map(|h| {
                    let near = (f64::from(h) - formant) / 2.5;
                    (phase * f64::from(h)).sin() * (0.2 + (-near * near).exp())
                })
                .sum();
            (envelope * tone * 0.1) as f32
        })
        .collect()
}

fn delayed(samples: &[f32], count: usize) -> Vec<f32> {
    let mut recorded = vec![0.0; count];
    recorded.extend_from_slice(samples);
    recorded.extend(vec![0.0; 4_000]);
    recorded
}

#[test]
fn the_same_speech_matches_at_any_delay_and_level() {
    let sent = speech(0.0, 8.0);
    for delay in [0, 333, 9_999, 40_000] {
        let quieter: Vec<f32> = sent.iter().map(|s| s * 0.5).collect();

        let found = compare(&sent, &delayed(&quieter, delay)).unwrap();

        assert!(found.correlation > 0.999, "{found:?}");
        assert!(
            (found.delay_ms - delay as f64 / 8.0).abs() < 0.2,
            "{found:?}"
        );
        assert!(found.longest_gap_ms < 10.0, "{found:?}");
        assert!(
            (found.sent_level_dbov - found.level_dbov - 6.02).abs() < 0.1,
            "{found:?}"
        );
    }
}

#[test]
fn silence_matches_nothing() {
    let sent = speech(0.0, 8.0);

    let muted = compare(&sent, &vec![0.0; 80_000]).unwrap();
    let nothing = compare(&sent, &[]).unwrap();

    assert!(muted.correlation < 0.01 && nothing.correlation < 0.01);
    assert!(muted.longest_gap_ms > 100.0 && nothing.longest_gap_ms > 100.0);
    assert!(muted.level_dbov < -100.0);
}

#[test]
fn another_file_matches_poorly() {
    let sent = speech(0.0, 8.0);
    for seed in [1.0, 2.0, 3.5] {
        let found = compare(&sent, &delayed(&speech(seed, 8.0), 2_000)).unwrap();

        assert!(found.correlation < 0.6, "{found:?}");
    }
}

#[test]
fn noise_matches_poorly() {
    let mut state = 1_u32;
    let noise: Vec<f32> = (0..80_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 25) as f32 - 0.25
        })
        .collect();

    assert!(compare(&speech(0.0, 8.0), &noise).unwrap().correlation < 0.3);
}

#[test]
fn lost_frames_show_as_gaps_and_lower_the_match() {
    let sent = speech(0.0, 8.0);
    let mut recorded = delayed(&sent, 1_000);
    for (index, frame) in recorded.chunks_mut(160).enumerate() {
        if [0, 1, 5].contains(&(index * 7 % 10)) {
            frame.fill(0.0);
        }
    }

    let found = compare(&sent, &recorded).unwrap();

    assert!(found.correlation < 0.9, "{found:?}");
    assert!(found.longest_gap_ms >= 10.0, "{found:?}");
}

#[test]
fn one_gap_is_measured() {
    let sent = speech(0.0, 8.0);
    let loudest = (0..sent.len() - 800)
        .step_by(80)
        .max_by(|&a, &b| energy(&sent[a..a + 800]).total_cmp(&energy(&sent[b..b + 800])))
        .unwrap();
    let mut recorded = delayed(&sent, 1_000);
    recorded[1_000 + loudest..1_000 + loudest + 640].fill(0.0);

    let found = compare(&sent, &recorded).unwrap();

    assert!((70.0..=90.0).contains(&found.longest_gap_ms), "{found:?}");
}

#[test]
fn a_change_of_delay_between_words_costs_little() {
    let sent = speech(0.0, 8.0);
    let mut recorded = delayed(&sent, 1_000);
    recorded.splice(30_000..30_000, vec![0.0; 320]);
    recorded.drain(50_000..50_160);

    let found = compare(&sent, &recorded).unwrap();

    assert!(found.correlation > 0.95, "{found:?}");
}

#[test]
fn a_silent_file_was_not_worth_sending() {
    assert!(matches!(
        compare(&[0.0; 8_000], &[0.0; 8_000]),
        Err(CompareError::Silent)
    ));
    assert!(matches!(compare(&[], &[]), Err(CompareError::Silent)));
}

#[test]
fn files_are_compared_at_their_own_rates_by_channel() {
    let directory = std::env::temp_dir().join(format!("trivox-compare-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = |name: &str| -> PathBuf { directory.join(name) };
    let sent: Vec<i16> = speech(0.0, 4.0)
        .iter()
        .map(|s| (s * 20_000.0) as i16)
        .collect();
    WavWriter::create(&path("sent.wav"), 8_000, 1)
        .unwrap()
        .write(&sent)
        .unwrap();
    let mut wide = Vec::new();
    Resampler::new(8_000, 16_000).process(&sent, &mut wide);
    let stereo: Vec<i16> = wide.iter().flat_map(|&sample| [sample, 7]).collect();
    WavWriter::create(&path("both.wav"), 16_000, 2)
        .unwrap()
        .write(&stereo)
        .unwrap();

    let left = compare_files(&path("sent.wav"), &path("both.wav"), Some(0)).unwrap();
    let right = compare_files(&path("sent.wav"), &path("both.wav"), Some(1)).unwrap();
    let missing = compare_files(&path("sent.wav"), &path("none.wav"), None);

    assert!(
        left.correlation > 0.99 && (left.delay_ms - 2.0).abs() < 0.3,
        "{left:?}"
    );
    assert!(right.correlation < 0.01, "{right:?}");
    assert!(missing.unwrap_err().to_string().contains("none.wav"));
}
