//! Concealment for codecs without one: repeat the last pitch period and fade it out.
//!
//! The idea of ITU-T G.711 Appendix I in its simplest form: find the period of what was heard
//! last, repeat it, fade to silence over 60 ms, and cross-fade back when audio returns.

/// Audio kept to find the period in: 40 ms holds two periods of the deepest voice.
const HISTORY_MS: usize = 40;
/// Shortest and longest period looked for: 400 Hz to 66 Hz.
const PERIOD_TENTH_MS: (usize, usize) = (25, 150);
/// A repeated waveform is at full level for this long, then fades.
const FULL_LEVEL_MS: usize = 10;
/// After this much concealment there is silence.
const SILENT_AFTER_MS: usize = 60;
/// How long made-up and real audio overlap when real audio returns.
const RETURN_MS: usize = 4;

/// Remembers what was heard and makes up what was not.
#[derive(Debug)]
pub struct Concealer {
    history: Vec<i16>,
    history_samples: usize,
    samples_per_ms: usize,
    concealed: usize,
    period: usize,
}

impl Concealer {
    /// Makes one for audio of that rate.
    #[must_use]
    pub fn new(rate_hz: u32) -> Self {
        let samples_per_ms = (rate_hz / 1000) as usize;
        let history_samples = HISTORY_MS * samples_per_ms;
        Self {
            history: Vec::new(),
            history_samples,
            samples_per_ms,
            concealed: 0,
            period: 0,
        }
    }

    /// Takes note of real audio, smoothing its start when it follows concealed audio.
    pub fn heard(&mut self, samples: &mut [i16]) {
        if self.concealed > 0 {
            let overlap = (RETURN_MS * self.samples_per_ms).min(samples.len());
            let mut tail = Vec::with_capacity(overlap);
            self.repeat(overlap, &mut tail);
            for (index, (real, made_up)) in samples.iter_mut().zip(tail).enumerate() {
                let weight = (index + 1) as f32 / (overlap + 1) as f32;
                let mixed = f32::from(*real) * weight + f32::from(made_up) * (1.0 - weight);
                *real = mixed as i16;
            }
            self.concealed = 0;
        }
        self.remember(samples);
    }

    /// Appends `duration` made-up samples.
    pub fn conceal(&mut self, duration: usize, samples: &mut Vec<i16>) {
        if self.concealed == 0 {
            self.period = self.find_period();
        }
        self.repeat(duration, samples);
    }

    fn repeat(&mut self, duration: usize, samples: &mut Vec<i16>) {
        let full = FULL_LEVEL_MS * self.samples_per_ms;
        let silent = SILENT_AFTER_MS * self.samples_per_ms;
        for _ in 0..duration {
            let gain = match self.concealed {
                elapsed if elapsed < full => 1.0,
                elapsed if elapsed >= silent => 0.0,
                elapsed => (silent - elapsed) as f32 / (silent - full) as f32,
            };
            let sample = if gain > 0.0 && self.history.len() >= self.period && self.period > 0 {
                let offset = self.concealed % self.period;
                self.history[self.history.len() - self.period + offset]
            } else {
                0
            };
            samples.push((f32::from(sample) * gain) as i16);
            self.concealed += 1;
        }
    }

    fn remember(&mut self, samples: &[i16]) {
        let keep = samples.len().min(self.history_samples);
        self.history
            .extend_from_slice(&samples[samples.len() - keep..]);
        let surplus = self.history.len().saturating_sub(self.history_samples);
        self.history.drain(..surplus);
    }

    fn find_period(&self) -> usize {
        let shortest = PERIOD_TENTH_MS.0 * self.samples_per_ms / 10;
        let longest = (PERIOD_TENTH_MS.1 * self.samples_per_ms / 10).min(self.history.len() / 2);
        let window = longest;
        let end = self.history.len();
        let recent = &self.history[end - window..];
        let score = |lag: usize| -> f32 {
            let earlier = &self.history[end - window - lag..end - lag];
            let (mut product, mut energy) = (0.0_f32, 1.0_f32);
            for (&a, &b) in recent.iter().zip(earlier) {
                product += f32::from(a) * f32::from(b);
                energy += f32::from(b) * f32::from(b);
            }
            product / energy.sqrt()
        };
        (shortest..=longest)
            .max_by(|&a, &b| score(a).total_cmp(&score(b)))
            .unwrap_or(longest)
    }
}
