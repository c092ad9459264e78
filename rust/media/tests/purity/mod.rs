//! A tone that must arrive whole: any sample that is missing, doubled or made up is noticed.
#![allow(dead_code, reason = "each test uses a part")]

use std::f64::consts::TAU;

/// Eight periods are 20 ms, so that each frame of a whole stream begins at the same phase.
pub(crate) const TONE_HZ: f64 = 400.0;

/// What is beside the tone may have this share of its power: codecs leave a tenth of it.
const MOST_BESIDE: f64 = 0.001;
/// Amplitude and phase may differ from those of the first frame by this share of the amplitude. A
/// sample that is missing at 8 kHz makes 0.31 of it; codecs change it by 0.005.
const MOST_CHANGE: f64 = 0.03;

/// Listens to 20 ms frames of a tone of `TONE_HZ`.
pub(crate) struct Purity {
    turns: Vec<(f64, f64)>,
    first: Option<(f64, f64)>,
    /// Frames heard.
    pub(crate) frames: u64,
    /// Frames that were not the tone, and when the first of them was, in seconds.
    pub(crate) glitches: u64,
    pub(crate) first_glitch: Option<f64>,
    /// The greatest share beside the tone, and the greatest change.
    pub(crate) worst: (f64, f64),
}

impl Purity {
    pub(crate) fn new(rate_hz: u32) -> Self {
        let step = TAU * TONE_HZ / f64::from(rate_hz);
        let turns = (0..rate_hz / 50).map(|at| (step * f64::from(at)).sin_cos());
        Self {
            turns: turns.collect(),
            first: None,
            frames: 0,
            glitches: 0,
            first_glitch: None,
            worst: (0.0, 0.0),
        }
    }

    /// Takes the frame that began at `at` seconds.
    pub(crate) fn push(&mut self, at: f64, samples: &[i16]) {
        assert_eq!(samples.len(), self.turns.len(), "a frame is 20 ms");
        let (mut sine, mut cosine, mut power) = (0.0, 0.0, 0.0);
        for (sample, turn) in samples.iter().zip(&self.turns) {
            let sample = f64::from(*sample);
            sine += sample * turn.0;
            cosine += sample * turn.1;
            power += sample * sample;
        }
        let count = samples.len() as f64;
        let tone = (2.0 * sine / count, 2.0 * cosine / count);
        let of_tone = (tone.0 * tone.0 + tone.1 * tone.1) / 2.0;
        let beside = (power / count - of_tone).max(0.0) / of_tone.max(1.0);
        let first = *self.first.get_or_insert(tone);
        let change = (tone.0 - first.0).hypot(tone.1 - first.1) / first.0.hypot(first.1).max(1.0);
        self.frames += 1;
        self.worst = (self.worst.0.max(beside), self.worst.1.max(change));
        if of_tone < 1000.0 || beside > MOST_BESIDE || change > MOST_CHANGE {
            self.glitches += 1;
            self.first_glitch.get_or_insert(at);
        }
    }
}
