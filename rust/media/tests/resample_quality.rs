//! How well the resampler keeps tones, and keeps out those the new rate cannot carry.

use trivox_media::level::level_dbov;
use trivox_media::resample::Resampler;

const RATES_HZ: [u32; 5] = [8_000, 16_000, 24_000, 32_000, 48_000];
const AMPLITUDE: f64 = 16_000.0;

fn tone(rate_hz: u32, frequency_hz: f64) -> Vec<i16> {
    let step = frequency_hz * std::f64::consts::TAU / f64::from(rate_hz);
    (0..rate_hz)
        .map(|n| ((f64::from(n) * step).sin() * AMPLITUDE).round() as i16)
        .collect()
}

/// A second of a tone at another rate, without its ends.
fn converted(from_hz: u32, to_hz: u32, frequency_hz: f64) -> Vec<i16> {
    let mut heard = Vec::new();
    let mut resampler = Resampler::new(from_hz, to_hz);
    for frame in tone(from_hz, frequency_hz).chunks(from_hz as usize / 50) {
        resampler.process(frame, &mut heard);
    }
    assert!(heard.len().abs_diff(to_hz as usize) <= 1);
    heard.split_off(to_hz as usize / 10)
}

/// Signal to all else, dB: what a sine of that frequency fits, against what it leaves.
fn signal_to_rest(samples: &[i16], rate_hz: u32, frequency_hz: f64) -> f64 {
    let step = frequency_hz * std::f64::consts::TAU / f64::from(rate_hz);
    let (mut real, mut imaginary, mut energy) = (0.0, 0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let (sine, cosine) = (n as f64 * step).sin_cos();
        real += f64::from(sample) * cosine;
        imaginary += f64::from(sample) * sine;
        energy += f64::from(sample).powi(2);
    }
    let signal = 2.0 * (real * real + imaginary * imaginary) / samples.len() as f64;
    10.0 * (signal / (energy - signal).max(1e-9)).log10()
}

#[test]
fn tones_both_rates_carry_stay_clean_and_as_loud() {
    for from_hz in RATES_HZ {
        for to_hz in RATES_HZ {
            let nyquist = f64::from(from_hz.min(to_hz)) / 2.0;
            for part in [0.1, 0.3, 0.6, 0.75] {
                // Whole periods in the span that is judged.
                let frequency_hz = (nyquist * part / 10.0).round() * 10.0;

                let heard = converted(from_hz, to_hz, frequency_hz);

                let clean = signal_to_rest(&heard, to_hz, frequency_hz);
                assert!(
                    clean > 60.0,
                    "{from_hz} to {to_hz}, {frequency_hz} Hz: {clean:.1} dB"
                );
                let change = level_dbov(&heard) - level_dbov(&tone(from_hz, frequency_hz));
                assert!(
                    change.abs() < 0.3,
                    "{from_hz} to {to_hz}, {frequency_hz} Hz: {change:.2} dB"
                );
            }
        }
    }
}

#[test]
fn tones_the_new_rate_cannot_carry_are_kept_out() {
    for from_hz in RATES_HZ {
        for to_hz in RATES_HZ.into_iter().filter(|to_hz| *to_hz < from_hz) {
            let nyquist = f64::from(to_hz) / 2.0;
            for part in [1.15, 1.5, 1.9] {
                let frequency_hz = nyquist * part;
                if frequency_hz >= f64::from(from_hz) / 2.0 {
                    continue;
                }

                let alias = level_dbov(&converted(from_hz, to_hz, frequency_hz));

                let kept_out = level_dbov(&tone(from_hz, frequency_hz)) - alias;
                assert!(
                    kept_out > 60.0,
                    "{from_hz} to {to_hz}, {frequency_hz} Hz: {kept_out:.1} dB"
                );
            }
        }
    }
}
