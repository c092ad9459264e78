//! Voice activity: energy against an adaptive noise floor, with hang-over.

use crate::level::level_dbov;

/// Voice must stand this far above the noise floor.
const MARGIN_DB: f64 = 9.0;
/// Nothing under this is voice, however quiet the line.
const LEAST_DBOV: f64 = -55.0;
/// Anything over this is voice until the floor has risen to it.
const START_FLOOR_DBOV: f64 = -60.0;
/// The floor rises by this in each frame of 20 ms that is not far above it: 3 dB a second.
const RISE_DB: f64 = 0.06;
/// Frames in a row that begin speech, and frames it lasts on after the last loud one.
const BEGIN_FRAMES: u32 = 2;
const HANG_OVER_FRAMES: u32 = 15;

/// What a frame was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoiceDecision {
    /// Whether somebody speaks, hang-over of 300 ms included.
    pub is_speech: bool,
    /// Whether speech begins with this frame.
    pub has_started: bool,
}

/// Decides frame by frame, 20 ms each, whether somebody speaks.
#[derive(Debug, Clone)]
pub struct VoiceDetector {
    floor_dbov: f64,
    loud_frames: u32,
    hang_over: u32,
}

impl Default for VoiceDetector {
    fn default() -> Self {
        Self {
            floor_dbov: START_FLOOR_DBOV,
            loud_frames: 0,
            hang_over: 0,
        }
    }
}

impl VoiceDetector {
    /// Takes 20 ms of audio at any rate.
    pub fn push(&mut self, samples: &[i16]) -> VoiceDecision {
        self.push_level(level_dbov(samples))
    }

    /// Takes the level of 20 ms of audio, in dBov.
    pub fn push_level(&mut self, level: f64) -> VoiceDecision {
        let is_loud = level > LEAST_DBOV && level > self.floor_dbov + MARGIN_DB;
        // Down at once, up slowly: speech has pauses that show the floor, steady noise does not.
        self.floor_dbov = if level < self.floor_dbov {
            level.max(-90.0)
        } else {
            (self.floor_dbov + RISE_DB).min(level)
        };
        let was_speech = self.hang_over > 0;
        if is_loud {
            self.loud_frames += 1;
            if was_speech || self.loud_frames >= BEGIN_FRAMES {
                self.hang_over = HANG_OVER_FRAMES + 1;
            }
        } else {
            self.loud_frames = 0;
        }
        self.hang_over = self.hang_over.saturating_sub(1);
        let is_speech = self.hang_over > 0;
        VoiceDecision {
            is_speech,
            has_started: is_speech && !was_speech,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(frames: usize, amplitude: i32) -> Vec<Vec<i16>> {
        let mut state = 1_u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) as i32 % (2 * amplitude) - amplitude) as i16
        };
        (0..frames)
            .map(|_| (0..320).map(|_| next()).collect())
            .collect()
    }

    #[test]
    fn silence_is_not_speech_and_a_voice_starts_once() {
        let mut detector = VoiceDetector::default();
        let mut starts = 0;
        for frame in noise(50, 20)
            .iter()
            .chain(&noise(50, 4_000))
            .chain(&noise(50, 20))
        {
            starts += usize::from(detector.push(frame).has_started);
        }

        assert_eq!(starts, 1);
        assert!(!detector.push(&[0; 320]).is_speech);
    }

    #[test]
    fn speech_lasts_through_a_short_pause() {
        let mut detector = VoiceDetector::default();
        for frame in noise(10, 4_000) {
            detector.push(&frame);
        }

        let pause: Vec<bool> = noise(20, 20)
            .iter()
            .map(|frame| detector.push(frame).is_speech)
            .collect();

        assert!(pause[..14].iter().all(|&speech| speech));
        assert!(!pause[19]);
    }

    #[test]
    fn steady_noise_becomes_the_floor() {
        let mut detector = VoiceDetector::default();

        let last = noise(1_500, 600)
            .iter()
            .map(|f| detector.push(f).is_speech)
            .last();

        assert_eq!(last, Some(false));
    }
}
