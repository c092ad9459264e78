//! The two strongest frequencies of the last 64 ms, every 20 ms.

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use std::f32::consts::PI;
use std::sync::Arc;

/// The rate it listens at.
pub const RATE_HZ: u32 = 8_000;
/// Samples of a step: 20 ms.
pub(super) const STEP: usize = 160;
/// 64 ms: tones 40 Hz apart are told from each other.
const WINDOW: usize = 512;
const BIN_HZ: f32 = RATE_HZ as f32 / WINDOW as f32;
/// The main lobe of a Hann window: two bins on each side.
const LOBE: usize = 2;
/// Where tones are looked for: 250 to 2700 Hz.
const FIRST_BIN: usize = 16;
const LAST_BIN: usize = 172;
/// Below this level nothing is computed: it is quiet.
const QUIET_DBOV: f32 = -52.0;

/// What a window holds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Spectrum {
    /// Level of the whole, in dBov.
    pub(super) dbov: f32,
    /// The strongest frequency and the next, in Hz; 0 in a quiet window.
    pub(super) hz: [f32; 2],
    /// What they hold of the power.
    pub(super) shares: [f32; 2],
}

impl Spectrum {
    pub(super) fn is_quiet(&self) -> bool {
        self.dbov < QUIET_DBOV
    }
}

pub(super) struct Analyser {
    transform: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    recent: Vec<f32>,
    weighted: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl std::fmt::Debug for Analyser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Analyser").finish_non_exhaustive()
    }
}

impl Analyser {
    pub(super) fn new() -> Self {
        let transform = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW);
        let weight = |at: usize| (PI * (at as f32 + 0.5) / WINDOW as f32).sin().powi(2);
        Self {
            hann: (0..WINDOW).map(weight).collect(),
            recent: vec![0.0; WINDOW],
            weighted: transform.make_input_vec(),
            bins: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            transform,
        }
    }

    /// Takes 20 ms and looks at the last 64.
    pub(super) fn push(&mut self, step: &[i16]) -> Spectrum {
        let keep = step.len().min(WINDOW);
        self.recent.copy_within(keep.., 0);
        for (slot, &sample) in self.recent[WINDOW - keep..].iter_mut().zip(step) {
            *slot = f32::from(sample) / 32_768.0;
        }
        for (slot, (sample, weight)) in self
            .weighted
            .iter_mut()
            .zip(self.recent.iter().zip(&self.hann))
        {
            *slot = sample * weight;
        }
        let squares: f32 = self.weighted.iter().map(|sample| sample * sample).sum();
        // The mean square of a Hann window is 3/8.
        let dbov = 10.0 * (squares * 8.0 / (3.0 * WINDOW as f32)).max(1e-12).log10();
        let quiet = Spectrum {
            dbov,
            ..Spectrum::default()
        };
        if quiet.is_quiet() {
            return quiet;
        }
        let (input, output) = (&mut self.weighted, &mut self.bins);
        let done = self
            .transform
            .process_with_scratch(input, output, &mut self.scratch);
        if done.is_err() {
            return quiet; // lengths that the transform has chosen itself always fit
        }
        let mut powers: Vec<f32> = self.bins.iter().map(Complex::norm_sqr).collect();
        let total: f32 = powers.iter().skip(LOBE + 1).sum::<f32>().max(1e-12);
        let mut found = quiet;
        for at in 0..2 {
            let (hz, power) = take_peak(&mut powers);
            found.hz[at] = hz;
            found.shares[at] = power / total;
        }
        found
    }
}

/// The strongest peak, which is taken out: its frequency, and the power of its lobe.
fn take_peak(powers: &mut [f32]) -> (f32, f32) {
    let band = powers[FIRST_BIN..=LAST_BIN].iter().enumerate();
    let Some((offset, _)) = band.max_by(|(_, one), (_, other)| one.total_cmp(other)) else {
        return (0.0, 0.0);
    };
    let bin = FIRST_BIN + offset;
    let [before, at, after] = [bin - 1, bin, bin + 1].map(|bin| powers[bin].max(1e-20).ln());
    let bend = 2.0 * at - before - after;
    let off = if bend > 0.0 {
        ((after - before) / (2.0 * bend)).clamp(-0.5, 0.5)
    } else {
        0.0
    };
    let lobe = &mut powers[bin - LOBE..=bin + LOBE];
    let power = lobe.iter().sum();
    lobe.fill(0.0);
    ((bin as f32 + off) * BIN_HZ, power)
}
