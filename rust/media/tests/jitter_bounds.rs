//! What must hold of the jitter buffer, on lines from seeds.

mod impaired;

use impaired::{Line, Recording, hear};
use trivox_media::codec::CodecKind;

const SEEDS: std::ops::Range<u64> = 1..4;

#[test]
fn ten_percent_loss_conceals_little_of_opus() {
    let recording = Recording::new(CodecKind::Opus);
    for seed in SEEDS {
        let line = Line {
            loss: 0.10,
            seed,
            ..Line::clean(CodecKind::Opus)
        };

        let heard = hear(&line, &recording);

        assert!(
            heard.concealed_percent <= 1.5,
            "seed {seed}: {:.2} %",
            heard.concealed_percent
        );
        assert!(
            heard.delay(1.0) < 0.065,
            "seed {seed}: {}",
            heard.delay(1.0)
        );
    }
}

#[test]
fn no_gap_of_g711_is_longer_than_the_loss() {
    let recording = Recording::new(CodecKind::Pcmu);
    for seed in SEEDS {
        for burst in [1.0, 3.0] {
            let line = Line {
                loss: 0.10,
                burst,
                seed,
                ..Line::clean(CodecKind::Pcmu)
            };

            let heard = hear(&line, &recording);

            assert!(
                heard.longest_concealed <= heard.longest_lost,
                "seed {seed}: {} of {}",
                heard.longest_concealed,
                heard.longest_lost
            );
            // After 120 ms without a packet there is silence.
            assert!(heard.concealed_percent < heard.lost_percent + 0.7);
            assert!(burst > 1.0 || heard.concealed_percent > heard.lost_percent - 0.7);
        }
    }
}

#[test]
fn even_jitter_up_to_60_ms_is_held_within_120_ms() {
    for kind in [CodecKind::Pcmu, CodecKind::Opus] {
        let recording = Recording::new(kind);
        for seed in SEEDS {
            let line = Line {
                jitter: 0.060,
                seed,
                ..Line::clean(kind)
            };

            let heard = hear(&line, &recording);

            assert!(heard.late_percent <= 1.0, "{kind:?} {seed}: {heard:?}");
            assert!(heard.concealed_percent <= 1.0, "{kind:?} {seed}");
            assert!(heard.delay(1.0) <= 0.120, "{kind:?} {}", heard.delay(1.0));
        }
    }
}

#[test]
fn an_hour_of_a_skewed_clock_neither_drifts_nor_glitches() {
    let recording = Recording::new(CodecKind::Pcmu);
    for skew in [100e-6, -100e-6] {
        let line = Line {
            skew,
            seconds: 3_600.0,
            ..Line::clean(CodecKind::Pcmu)
        };

        let heard = hear(&line, &recording);

        assert!(
            heard.concealed_percent < 1e-9,
            "{skew}: {}",
            heard.concealed_percent
        );
        assert!(heard.late_percent < 1e-9);
        assert!(heard.delay(0.0) > 0.0 && heard.delay(1.0) < 0.065, "{skew}");
        // 100 ppm of an hour are 360 ms.
        assert!(
            (300.0..700.0).contains(&heard.changed_ms),
            "{}",
            heard.changed_ms
        );
    }
}

#[test]
fn reordering_and_copies_are_not_heard() {
    for kind in [CodecKind::Pcmu, CodecKind::Opus] {
        let recording = Recording::new(kind);
        for seed in SEEDS {
            let line = Line {
                reorder: 0.05,
                duplicate: 0.05,
                seed,
                ..Line::clean(kind)
            };

            let heard = hear(&line, &recording);

            assert!(heard.concealed_percent < 1e-9, "{kind:?} {seed}: {heard:?}");
            assert!(heard.recovered_percent < 1e-9, "{kind:?} {seed}");
        }
    }
}

#[test]
fn a_steady_line_is_held_back_for_hardly_more_than_a_frame() {
    let recording = Recording::new(CodecKind::Pcmu);
    let mut delays = Vec::new();
    for step in 0..20_u32 {
        let line = Line {
            phase: f64::from(step) * 0.001 + 0.000_5,
            seconds: 10.0,
            ..Line::clean(CodecKind::Pcmu)
        };
        delays.extend(hear(&line, &recording).delays);
    }
    delays.sort_by(f64::total_cmp);

    let at = |quantile: f64| delays[((delays.len() - 1) as f64 * quantile) as usize];
    assert!(at(0.5) <= 0.030, "{}", at(0.5));
    assert!(at(0.99) <= 0.045, "{}", at(0.99));
}
