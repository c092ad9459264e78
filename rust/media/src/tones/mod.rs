//! Tones of networks and machines, told from their frequencies and cadence.

pub mod answerer;
mod cadence;
mod runs;
mod spectrum;

pub use cadence::Tone;
pub use spectrum::RATE_HZ;

use runs::{LONGEST_QUIET, Runs, Sound};
use spectrum::{Analyser, STEP};

/// Steps of 20 ms of a voice or the like before a lone tone is a beep: 0.4 s.
const SPOKEN_STEPS: u32 = 20;
/// Other sound this loud counts as that.
const SPOKEN_DBOV: f32 = -45.0;
/// After so much other sound the same tone is told again: 0.5 s.
const FORGET_STEPS: u32 = 25;

/// A tone that was recognised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ToneHeard {
    /// Which.
    pub tone: Tone,
    /// Its frequencies, the lower first; the second is 0 where there is one only.
    pub hz: [f32; 2],
}

/// Tells tones in audio of 8 kHz, each once for as long as it goes on.
#[derive(Debug)]
pub struct ToneDetector {
    analyser: Analyser,
    waiting: Vec<i16>,
    runs: Runs,
    spoken: u32,
    told: Option<Tone>,
    /// The run that was last found to stand for something, by its number.
    run: u64,
    told_run: u64,
}

impl Default for ToneDetector {
    fn default() -> Self {
        Self {
            analyser: Analyser::new(),
            waiting: Vec::with_capacity(2 * STEP),
            runs: Runs::default(),
            spoken: 0,
            told: None,
            run: 1,
            told_run: 0,
        }
    }
}

impl ToneDetector {
    /// Takes samples of 8 kHz and adds what was recognised: at most one a step of 20 ms.
    pub fn push(&mut self, samples: &[i16], heard: &mut Vec<ToneHeard>) {
        self.waiting.extend_from_slice(samples);
        let whole = self.waiting.len() / STEP * STEP;
        let steps: Vec<i16> = self.waiting.drain(..whole).collect();
        for step in steps.chunks_exact(STEP) {
            heard.extend(self.step(step));
        }
    }

    /// Whether a tone sounds now, whatever it stands for.
    #[must_use]
    pub fn is_sounding(&self) -> bool {
        self.runs.current.is_tone()
    }

    fn step(&mut self, step: &[i16]) -> Option<ToneHeard> {
        let seen = self.analyser.push(step);
        if self.runs.push(&seen) {
            self.run += 1;
        }
        let now = self.runs.current;
        if now.sound == Sound::Other && seen.dbov > SPOKEN_DBOV {
            self.spoken = self.spoken.saturating_add(1);
        }
        let is_forgotten = match now.sound {
            Sound::Other => now.steps >= FORGET_STEPS,
            Sound::Quiet => now.steps > LONGEST_QUIET,
            Sound::Tone => false,
        };
        if is_forgotten {
            self.told = None;
        }
        if self.told_run == self.run {
            return None;
        }
        let tone = cadence::recognised(&self.runs, self.spoken >= SPOKEN_STEPS)?;
        self.told_run = self.run;
        // Speech before the tone is no speech before the next one.
        self.spoken = 0;
        let is_news = self.told != Some(tone) || tone == Tone::Beep;
        self.told = Some(tone);
        let of_tone = if now.is_tone() {
            now
        } else {
            self.runs
                .past
                .iter()
                .rev()
                .copied()
                .find(runs::Run::is_tone)?
        };
        let mut hz = of_tone.hz;
        if hz[1] != 0.0 {
            hz.sort_by(f32::total_cmp);
        }
        is_news.then_some(ToneHeard { tone, hz })
    }
}

#[cfg(test)]
mod tests;
