//! Audio level in dBov, as RFC 6464 and RFC 6465 count it.

/// What silence reads: the lowest level RFC 6464 §3 can express.
pub const SILENCE_DBOV: f64 = -127.0;

/// Returns the level of samples: 0 dBov is a square wave at full scale.
#[must_use]
pub fn level_dbov(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return SILENCE_DBOV;
    }
    let energy: i64 = samples.iter().map(|&s| i64::from(s) * i64::from(s)).sum();
    if energy == 0 {
        return SILENCE_DBOV;
    }
    let mean = energy as f64 / samples.len() as f64;
    (10.0 * (mean / (32_768.0 * 32_768.0)).log10()).max(SILENCE_DBOV)
}

/// A meter that rises at once and falls slowly, for displays.
#[derive(Debug, Clone, Copy)]
pub struct LevelMeter {
    dbov: f64,
}

/// How fast the meter falls: 26 dB a second, a third slower than a programme meter of type I.
const FALL_DB_PER_FRAME: f64 = 0.52;

impl Default for LevelMeter {
    fn default() -> Self {
        Self { dbov: SILENCE_DBOV }
    }
}

impl LevelMeter {
    /// Takes 20 ms of audio and returns the reading.
    pub fn push(&mut self, samples: &[i16]) -> f64 {
        self.dbov = level_dbov(samples).max(self.dbov - FALL_DB_PER_FRAME);
        self.dbov
    }

    /// Returns the reading.
    #[must_use]
    pub fn dbov(&self) -> f64 {
        self.dbov
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_scale_is_zero_and_silence_is_the_floor() {
        assert!(level_dbov(&[i16::MIN; 160]).abs() < 1e-9);
        assert!((level_dbov(&[i16::MIN, 0]) - -3.01).abs() < 0.01);
        assert!((level_dbov(&[0; 160]) - SILENCE_DBOV).abs() < 1e-9);
        assert!((level_dbov(&[]) - SILENCE_DBOV).abs() < 1e-9);
    }

    #[test]
    fn the_meter_rises_at_once_and_falls_slowly() {
        let mut meter = LevelMeter::default();

        let loud = meter.push(&[16_384; 160]);
        for _ in 0..50 {
            meter.push(&[0; 160]);
        }

        assert!((loud - -6.02).abs() < 0.01);
        assert!((meter.dbov() - (loud - 26.0)).abs() < 0.01);
    }
}
