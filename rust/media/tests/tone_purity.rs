//! What the long runs listen with hears a single sample that is wrong.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod purity;

use std::f64::consts::TAU;

use purity::{Purity, TONE_HZ};
use trivox_media::codec::{CodecKind, Decoder, Encoder, OpusSettings};

const RATE_HZ: u32 = 8000;

fn tone(seconds: f64) -> Vec<i16> {
    let step = TAU * TONE_HZ / f64::from(RATE_HZ);
    let count = (f64::from(RATE_HZ) * seconds) as u32;
    (0..count)
        .map(|at| (8000.0 * (step * f64::from(at)).sin()) as i16)
        .collect()
}

fn listen(samples: &[i16]) -> Purity {
    let mut purity = Purity::new(RATE_HZ);
    for (index, frame) in samples.chunks_exact(160).enumerate() {
        purity.push(index as f64 * 0.02, frame);
    }
    purity
}

#[test]
fn a_whole_tone_has_no_glitch_also_through_g711() {
    let through = |kind| {
        let mut encoder = Encoder::new(kind, &OpusSettings::default()).unwrap();
        let mut decoder = Decoder::new(kind).unwrap();
        let mut heard = Vec::new();
        for frame in tone(1.0).chunks_exact(160) {
            let mut packet = Vec::new();
            encoder.encode(frame, &mut packet).unwrap();
            decoder.decode(&packet, &mut heard).unwrap();
        }
        heard
    };
    for heard in [
        tone(1.0),
        through(CodecKind::Pcmu),
        through(CodecKind::Pcma),
    ] {
        let purity = listen(&heard);
        assert_eq!(
            (purity.frames, purity.glitches),
            (50, 0),
            "{:?}",
            purity.worst
        );
    }
}

#[test]
fn one_sample_too_few_or_too_many_or_wrong_is_heard() {
    let whole = tone(1.0);
    for at in [3200, 3205, 3279] {
        let mut fewer = whole.clone();
        fewer.remove(at);
        let mut more = whole.clone();
        more.insert(at, whole[at]);
        let mut click = whole.clone();
        click[at] = click[at].wrapping_add(12_000);
        for broken in [fewer, more, click] {
            let purity = listen(&broken);
            let at = purity.first_glitch.unwrap();
            assert!((0.4..0.43).contains(&at), "{at}");
        }
    }
}

#[test]
fn a_frame_that_is_repeated_faded_or_silent_is_heard() {
    let whole = tone(1.0);
    let scaled = |share: f64| {
        let mut changed = whole.clone();
        for sample in &mut changed[1600..1760] {
            *sample = (f64::from(*sample) * share) as i16;
        }
        changed
    };
    for broken in [scaled(0.0), scaled(0.8), scaled(1.2)] {
        assert_eq!(listen(&broken).glitches, 1);
    }
}
