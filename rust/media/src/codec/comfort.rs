//! Comfort noise (RFC 3389): what a silence sounds like, told in a few octets and made again.

use crate::level::level_dbov;
use crate::random::Random;

/// Reflection coefficients that are sent; phones and gateways send 0 to 12.
const ORDER: usize = 8;
/// More coefficients than this are not read.
const MOST_COEFFICIENTS: usize = 32;
/// The softest noise the payload can tell, -dBov.
const SOFTEST: u8 = 127;
/// Steps of a coefficient (RFC 3389 §3.2): k = (N - 127) · 258 / 32768.
const STEP: f64 = 258.0 / 32_768.0;

/// Describes the noise in `samples`, replacing what `payload` held.
pub fn describe(samples: &[i16], payload: &mut Vec<u8>) {
    let level = (-level_dbov(samples))
        .round()
        .clamp(0.0, f64::from(SOFTEST));
    payload.clear();
    payload.push(level as u8);
    if level < f64::from(SOFTEST) {
        let quantised = |k: f64| ((k / STEP).round() + 127.0).clamp(0.0, 254.0) as u8;
        payload.extend(reflections(samples).into_iter().map(quantised));
    }
}

/// Reflection coefficients of the prediction filter 1 + Σ a·z⁻ⁱ (Levinson and Durbin).
fn reflections(samples: &[i16]) -> Vec<f64> {
    let correlation: Vec<f64> = (0..=ORDER)
        .map(|lag| {
            let later = samples.iter().skip(lag);
            let products = samples
                .iter()
                .zip(later)
                .map(|(&a, &b)| f64::from(a) * f64::from(b));
            products.sum()
        })
        .collect();
    // A little white noise keeps the filter of a pure tone stable.
    let mut energy = correlation[0] * 1.0001 + 1.0;
    let mut filter: Vec<f64> = Vec::with_capacity(ORDER);
    let mut found = Vec::with_capacity(ORDER);
    for order in 1..=ORDER {
        let predicted: f64 = filter
            .iter()
            .enumerate()
            .map(|(index, a)| a * correlation[order - 1 - index])
            .sum();
        let k = (-(correlation[order] + predicted) / energy).clamp(-0.99, 0.99);
        let mirrored: Vec<f64> = filter.iter().rev().map(|a| a * k).collect();
        for (a, change) in filter.iter_mut().zip(mirrored) {
            *a += change;
        }
        filter.push(k);
        found.push(k);
        energy *= 1.0 - k * k;
    }
    found
}

/// Makes noise as it was described; silence before the first description.
#[derive(Debug, Clone)]
pub struct ComfortNoise {
    random: Random,
    gain: f64,
    reflections: Vec<f64>,
    /// The state of the lattice filter.
    backward: Vec<f64>,
}

impl Default for ComfortNoise {
    fn default() -> Self {
        Self {
            random: Random::new(0x3389),
            gain: 0.0,
            reflections: Vec::new(),
            backward: Vec::new(),
        }
    }
}

impl ComfortNoise {
    /// Takes a description; one without a level changes nothing.
    pub fn hear_untrusted(&mut self, payload: &[u8]) {
        let Some((&level, coefficients)) = payload.split_first() else {
            return;
        };
        let coefficients = &coefficients[..coefficients.len().min(MOST_COEFFICIENTS)];
        self.reflections = coefficients
            .iter()
            .map(|&n| (f64::from(n.min(254)) - 127.0) * STEP)
            .collect();
        self.backward.resize(self.reflections.len(), 0.0);
        let level = level & 0x7f;
        let rms = if level >= SOFTEST {
            0.0
        } else {
            32_768.0 * 10_f64.powf(-f64::from(level) / 20.0)
        };
        let residual: f64 = self.reflections.iter().map(|k| 1.0 - k * k).product();
        // Evenly spread noise within ±1 has a root mean square of 1/√3.
        self.gain = rms * (3.0 * residual.max(0.0)).sqrt();
    }

    /// Appends `count` samples of it.
    pub fn make(&mut self, count: usize, samples: &mut Vec<i16>) {
        for _ in 0..count {
            let mut forward = (self.random.unit() * 2.0 - 1.0) * self.gain;
            for stage in (0..self.reflections.len()).rev() {
                let k = self.reflections[stage];
                forward -= k * self.backward[stage];
                let passed = self.backward[stage] + k * forward;
                if let Some(next) = self.backward.get_mut(stage + 1) {
                    *next = passed;
                }
            }
            if let Some(first) = self.backward.first_mut() {
                *first = forward;
            }
            samples.push(forward.round().clamp(-32_768.0, 32_767.0) as i16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise with more low than high tones.
    fn dull_noise(count: usize, amplitude: f64) -> Vec<i16> {
        let mut random = Random::new(7);
        let mut last = 0.0;
        (0..count)
            .map(|_| {
                last = 0.8 * last + (random.unit() * 2.0 - 1.0) * amplitude;
                last as i16
            })
            .collect()
    }

    /// The share of energy that is in differences of neighbours: large for bright noise.
    fn brightness(samples: &[i16]) -> f64 {
        let energy: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
        let pairs = samples.windows(2);
        let steps: f64 = pairs
            .map(|pair| (f64::from(pair[1]) - f64::from(pair[0])).powi(2))
            .sum();
        steps / energy
    }

    #[test]
    fn noise_comes_back_with_its_level_and_colour() {
        for amplitude in [40.0, 400.0, 4_000.0] {
            let heard = dull_noise(8_000, amplitude);
            let (mut payload, mut made) = (Vec::new(), Vec::new());
            describe(&heard, &mut payload);
            let mut noise = ComfortNoise::default();
            noise.hear_untrusted(&payload);

            noise.make(8_000, &mut made);

            assert_eq!(payload.len(), 1 + ORDER);
            let off = level_dbov(&made) - level_dbov(&heard);
            assert!(off.abs() < 1.0, "{amplitude}: {off} dB");
            let (wanted, got) = (brightness(&heard), brightness(&made));
            assert!((0.7..1.4).contains(&(got / wanted)), "{wanted} {got}");
        }
    }

    #[test]
    fn silence_is_one_octet_and_makes_silence() {
        let (mut payload, mut made) = (Vec::new(), Vec::new());
        describe(&[0; 160], &mut payload);
        let mut noise = ComfortNoise::default();
        noise.hear_untrusted(&payload);
        noise.make(160, &mut made);

        assert_eq!(payload, [127]);
        assert!(made.iter().all(|&sample| sample == 0));
    }

    #[test]
    fn a_level_alone_is_white_noise_of_that_level() {
        let (mut noise, mut made) = (ComfortNoise::default(), Vec::new());
        noise.hear_untrusted(&[40]);
        noise.make(8_000, &mut made);

        assert!((level_dbov(&made) + 40.0).abs() < 0.5);
        assert!((brightness(&made) - 2.0).abs() < 0.1);
    }

    #[test]
    fn any_payload_is_survived() {
        let (mut noise, mut made) = (ComfortNoise::default(), Vec::new());
        for seed in 0..200_u8 {
            let payload: Vec<u8> = (0..seed).map(|n| n.wrapping_mul(seed)).collect();
            noise.hear_untrusted(&payload);
            noise.make(400, &mut made);
        }
        assert_eq!(made.len(), 80_000);
    }
}
