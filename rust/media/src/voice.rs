//! Voice activity: a small neural network on 16 ms windows, with hang-over.
//!
//! Measured (`tests` below): it passes over noise of any level and steady tones, which an energy
//! detector takes for voice, and hears speech 30 dB softer. DTMF digits sound like vowels to it.

use crate::resample::Resampler;

/// Seconds without a voice after which speech has ended, unless set otherwise.
pub const HANG_OVER: f64 = 0.3;
/// What the network was trained for: windows of 16 ms.
const RATE_HZ: u32 = 16_000;
const WINDOW: usize = 256;
/// A window with at least this score has a voice in it.
const VOICED: f32 = 0.5;
/// Windows in a row that begin speech: 48 ms.
const BEGIN_WINDOWS: u32 = 3;

/// What a frame was taken for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoiceDecision {
    /// Whether somebody speaks, hang-over included.
    pub is_speech: bool,
    /// Whether speech begins with this frame.
    pub has_started: bool,
    /// How many seconds the speech lasted that ends with this frame, hang-over not included.
    pub ended_after: Option<f64>,
}

/// Decides frame by frame whether somebody speaks.
pub struct VoiceDetector {
    network: Box<earshot::Detector>,
    resampler: Resampler,
    waiting: Vec<i16>,
    hang_over_windows: u32,
    /// Voiced windows in a row before speech, then windows since the last voiced one.
    voiced: u32,
    unvoiced: u32,
    /// Windows since speech began; None while nobody speaks.
    speech: Option<u32>,
}

impl std::fmt::Debug for VoiceDetector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("VoiceDetector")
            .field("is_speech", &self.speech.is_some())
            .finish_non_exhaustive()
    }
}

impl VoiceDetector {
    /// Makes one whose speech ends after `hang_over` seconds without a voice.
    #[must_use]
    pub fn new(hang_over: f64) -> Self {
        let mut detector = Self {
            network: earshot::Detector::default_boxed(),
            resampler: Resampler::new(RATE_HZ, RATE_HZ),
            waiting: Vec::with_capacity(2 * WINDOW),
            hang_over_windows: 0,
            voiced: 0,
            unvoiced: 0,
            speech: None,
        };
        detector.set_hang_over(hang_over);
        detector
    }

    /// Changes the hang-over, in seconds.
    pub fn set_hang_over(&mut self, seconds: f64) {
        let windows = seconds.clamp(0.0, 60.0) * f64::from(RATE_HZ) / WINDOW as f64;
        self.hang_over_windows = windows.round() as u32;
    }

    /// Takes a frame of audio.
    pub fn push(&mut self, rate_hz: u32, samples: &[i16]) -> VoiceDecision {
        if self.resampler.from_hz() != rate_hz {
            self.resampler = Resampler::new(rate_hz, RATE_HZ);
        }
        self.resampler.process(samples, &mut self.waiting);
        let (mut has_started, mut ended_after) = (false, None);
        let whole = self.waiting.len() / WINDOW * WINDOW;
        let windows: Vec<i16> = self.waiting.drain(..whole).collect();
        for window in windows.chunks_exact(WINDOW) {
            let is_voiced = self.network.predict_i16(window) >= VOICED;
            has_started |= self.begin(is_voiced);
            ended_after = self.end(is_voiced).or(ended_after);
        }
        VoiceDecision {
            is_speech: self.speech.is_some(),
            has_started: has_started && self.speech.is_some(),
            ended_after,
        }
    }

    fn begin(&mut self, is_voiced: bool) -> bool {
        if self.speech.is_some() {
            return false;
        }
        self.voiced = if is_voiced { self.voiced + 1 } else { 0 };
        let has_begun = self.voiced >= BEGIN_WINDOWS;
        if has_begun {
            self.speech = Some(BEGIN_WINDOWS - 1);
            (self.voiced, self.unvoiced) = (0, 0);
        }
        has_begun
    }

    fn end(&mut self, is_voiced: bool) -> Option<f64> {
        let windows = self.speech? + 1;
        self.speech = Some(windows);
        self.unvoiced = if is_voiced { 0 } else { self.unvoiced + 1 };
        if self.unvoiced < self.hang_over_windows.max(1) {
            return None;
        }
        self.speech = None;
        let voiced = windows.saturating_sub(self.unvoiced);
        Some(f64::from(voiced) * WINDOW as f64 / f64::from(RATE_HZ))
    }
}

#[cfg(test)]
mod tests;
