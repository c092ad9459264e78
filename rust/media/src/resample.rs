//! Streaming resampler: a polyphase windowed-sinc filter of constant, short delay.
//!
//! The filter spans 16 samples of the lower rate on each side, so the delay is 1 ms between
//! 16 kHz and above and 2 ms where 8 kHz takes part. N samples in give ceil(N · to / from) out,
//! counted over the whole stream.

use std::f64::consts::PI;

/// Zero crossings of the sinc on each side, in samples of the lower rate.
const SIDE: usize = 16;
/// Pass band as a part of the lower rate's Nyquist frequency.
const CUTOFF: f64 = 0.92;
/// Kaiser window shape: about 70 dB of stop band.
const KAISER_BETA: f64 = 7.0;
/// Rates whose ratio needs more phases than this use the nearest one.
const MOST_PHASES: usize = 1024;

/// Converts a stream of 16-bit mono samples from one rate to another.
#[derive(Debug, Clone)]
pub struct Resampler {
    from_hz: u32,
    to_hz: u32,
    up: usize,
    down: usize,
    phases: usize,
    taps: usize,
    filter: Vec<f32>,
    history: Vec<f32>,
    /// Position of the next output, in 1/up of an input sample, from the start of `history`.
    position: usize,
}

impl Resampler {
    /// Makes one. Rates of zero are taken as 1 Hz.
    #[must_use]
    pub fn new(from_hz: u32, to_hz: u32) -> Self {
        let (from_hz, to_hz) = (from_hz.max(1), to_hz.max(1));
        let divisor = greatest_common_divisor(from_hz, to_hz);
        let (up, down) = ((to_hz / divisor) as usize, (from_hz / divisor) as usize);
        if up == down {
            return Self {
                from_hz,
                to_hz,
                up,
                down,
                phases: 1,
                taps: 1,
                filter: Vec::new(),
                history: Vec::new(),
                position: 0,
            };
        }
        let lower = f64::from(from_hz.min(to_hz));
        let half = (SIDE as f64 * f64::from(from_hz) / lower).ceil() as usize;
        let taps = 2 * half;
        let phases = up.min(MOST_PHASES);
        let filter = design(phases, half, CUTOFF * lower / f64::from(from_hz));
        Self {
            from_hz,
            to_hz,
            up,
            down,
            phases,
            taps,
            filter,
            history: vec![0.0; taps - 1],
            position: (taps - 1) * up,
        }
    }

    /// Returns the rate of what goes in.
    #[must_use]
    pub fn from_hz(&self) -> u32 {
        self.from_hz
    }

    /// Returns the rate of what comes out.
    #[must_use]
    pub fn to_hz(&self) -> u32 {
        self.to_hz
    }

    /// Returns the constant delay in seconds.
    #[must_use]
    pub fn delay(&self) -> f64 {
        if self.filter.is_empty() {
            return 0.0;
        }
        (self.taps / 2) as f64 / f64::from(self.from_hz)
    }

    /// Converts `input`, appending all output it allows.
    pub fn process(&mut self, input: &[i16], output: &mut Vec<i16>) {
        if self.filter.is_empty() {
            output.extend_from_slice(input);
            return;
        }
        self.history
            .extend(input.iter().map(|&sample| f32::from(sample)));
        let available = self.history.len() * self.up;
        while self.position < available {
            let newest = self.position / self.up;
            let phase = (self.position % self.up) * self.phases / self.up;
            let window = &self.history[newest + 1 - self.taps..=newest];
            let filter = &self.filter[phase * self.taps..(phase + 1) * self.taps];
            output.push(dot(window, filter).round().clamp(-32_768.0, 32_767.0) as i16);
            self.position += self.down;
        }
        let spare = (self.position / self.up + 1 - self.taps).min(self.history.len());
        self.history.drain(..spare);
        self.position -= spare * self.up;
    }
}

/// Sums products in eight lanes, which lets the compiler use vector instructions.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a_chunks
        .remainder()
        .iter()
        .zip(b_chunks.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest
}

fn design(phases: usize, half: usize, cutoff: f64) -> Vec<f32> {
    let taps = 2 * half;
    let mut filter = Vec::with_capacity(phases * taps);
    for phase in 0..phases {
        let fraction = phase as f64 / phases as f64;
        let row: Vec<f64> = (0..taps)
            .map(|tap| {
                // Distance from the centre, which lies `half` samples before the newest one.
                let x = (tap as f64) - (half as f64 - 1.0) - fraction;
                let argument = PI * cutoff * x;
                let sinc = if argument.abs() < 1e-9 {
                    1.0
                } else {
                    argument.sin() / argument
                };
                sinc * kaiser(x / half as f64)
            })
            .collect();
        // Each phase passes a constant unchanged, which keeps silence and level exact.
        let sum: f64 = row.iter().sum();
        filter.extend(row.iter().map(|value| (value / sum) as f32));
    }
    filter
}

fn kaiser(x: f64) -> f64 {
    if x.abs() >= 1.0 {
        return 0.0;
    }
    bessel(KAISER_BETA * (1.0 - x * x).sqrt()) / bessel(KAISER_BETA)
}

/// The modified Bessel function of the first kind, order zero, by its power series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..30 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [u32; 6] = [8_000, 16_000, 24_000, 32_000, 44_100, 48_000];

    fn tone(rate_hz: u32, count: usize, frequency_hz: f64, start: f64) -> Vec<i16> {
        (0..count)
            .map(|n| {
                let t = n as f64 / f64::from(rate_hz) - start;
                ((2.0 * PI * frequency_hz * t).sin() * 12_000.0) as i16
            })
            .collect()
    }

    #[test]
    fn length_is_exact_however_the_input_is_cut() {
        for from in RATES {
            for to in RATES {
                let input = tone(from, from as usize, 440.0, 0.0);
                let (mut whole, mut pieces) = (Vec::new(), Vec::new());
                Resampler::new(from, to).process(&input, &mut whole);
                let mut resampler = Resampler::new(from, to);
                for piece in input.chunks(137) {
                    resampler.process(piece, &mut pieces);
                }

                assert_eq!(whole.len(), to as usize, "{from} to {to}");
                assert_eq!(whole, pieces, "{from} to {to}");
            }
        }
    }

    #[test]
    fn a_tone_keeps_level_and_has_the_stated_delay() {
        for from in RATES {
            for to in RATES {
                let mut resampler = Resampler::new(from, to);
                let mut output = Vec::new();
                resampler.process(&tone(from, from as usize / 4, 1_000.0, 0.0), &mut output);
                let expected = tone(to, output.len(), 1_000.0, resampler.delay());
                let skip = to as usize / 100;
                let worst = output[skip..]
                    .iter()
                    .zip(&expected[skip..])
                    .map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs())
                    .max()
                    .unwrap();

                assert!(worst < 60, "{from} to {to}: {worst}");
                assert!(resampler.delay() < 0.002_05, "{from} to {to}");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_filtered_out() {
        let mut output = Vec::new();
        Resampler::new(48_000, 8_000).process(&tone(48_000, 9_600, 5_500.0, 0.0), &mut output);

        let loudest = output[100..]
            .iter()
            .map(|s| s.unsigned_abs())
            .max()
            .unwrap();

        assert!(loudest < 40, "{loudest}");
    }

    #[test]
    fn twenty_milliseconds_in_are_twenty_milliseconds_out() {
        for (from, to) in [
            (8_000, 48_000),
            (48_000, 8_000),
            (16_000, 48_000),
            (48_000, 16_000),
        ] {
            let mut resampler = Resampler::new(from, to);
            let mut output = Vec::new();
            for _ in 0..50 {
                output.clear();
                resampler.process(&vec![100; from as usize / 50], &mut output);
                assert_eq!(output.len(), to as usize / 50);
            }
        }
    }
}
