//! Received audio on its way to the program: resampled, framed, bounded.

use std::collections::VecDeque;

use crate::level::level_dbov;
use crate::resample::Resampler;

/// Seconds kept for a program that does not take them; then the oldest frames go.
const KEPT: f64 = 2.0;

/// Flags of a frame.
pub const CONCEALED: u8 = 1;
/// Somebody speaks.
pub const SPEECH: u8 = 2;
/// Speech begins in this frame.
pub const SPEECH_STARTED: u8 = 4;

/// One frame for the program.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Seconds of audio since the port was opened.
    pub pts: f64,
    /// Level in dBov.
    pub level: f64,
    /// `CONCEALED`, `SPEECH`, `SPEECH_STARTED`.
    pub flags: u8,
    /// 16-bit mono samples.
    pub samples: Vec<i16>,
}

/// One subscription to received audio.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u64,
    rate_hz: u32,
    frame_samples: usize,
    batch: usize,
    resampler: Option<Resampler>,
    ready: Vec<i16>,
    flags: u8,
    frames: VecDeque<Frame>,
    made: u64,
    is_told: bool,
}

impl Port {
    pub(crate) fn new(number: u64, rate_hz: u32, frame_ms: u32, batch: usize) -> Self {
        Self {
            number,
            rate_hz,
            frame_samples: (rate_hz * frame_ms / 1000) as usize,
            batch,
            resampler: None,
            ready: Vec::new(),
            flags: 0,
            frames: VecDeque::new(),
            made: 0,
            is_told: false,
        }
    }

    pub(crate) fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Takes 20 ms; true when the program is to be told that a batch waits.
    pub(crate) fn push(&mut self, rate_hz: u32, samples: &[i16], flags: u8) -> bool {
        if self
            .resampler
            .as_ref()
            .is_none_or(|old| old.from_hz() != rate_hz)
        {
            self.resampler = Some(Resampler::new(rate_hz, self.rate_hz));
        }
        if let Some(resampler) = &mut self.resampler {
            resampler.process(samples, &mut self.ready);
        }
        self.flags |= flags;
        while self.ready.len() >= self.frame_samples {
            let samples: Vec<i16> = self.ready.drain(..self.frame_samples).collect();
            self.add(samples);
            self.flags = flags & !SPEECH_STARTED;
        }
        let is_ready = self.frames.len() >= self.batch && !self.is_told;
        self.is_told |= is_ready;
        is_ready
    }

    fn add(&mut self, samples: Vec<i16>) {
        let seconds = self.frame_samples as f64 / f64::from(self.rate_hz);
        if self.frames.len() as f64 * seconds >= KEPT {
            self.frames.pop_front();
        }
        let pts = self.made as f64 * seconds;
        self.made += 1;
        let level = level_dbov(&samples);
        self.frames.push_back(Frame {
            pts,
            level,
            flags: self.flags,
            samples,
        });
    }

    /// Takes up to `limit` frames, oldest first.
    pub(crate) fn take(&mut self, limit: usize) -> Vec<Frame> {
        self.is_told = false;
        let count = limit.min(self.frames.len());
        self.frames.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_size_asked_for_and_count_time_without_gaps() {
        let mut port = Port::new(1, 16_000, 30, 2);
        let told = (0..9).filter(|_| port.push(8000, &[1000; 160], 0)).count();
        let frames = port.take(100);
        assert_eq!(told, 1);
        assert_eq!(frames.len(), 6);
        assert!(frames.iter().all(|frame| frame.samples.len() == 480));
        assert!((frames[5].pts - 0.15).abs() < 1e-9);
    }

    #[test]
    fn a_program_that_does_not_take_loses_the_oldest() {
        let mut port = Port::new(1, 8000, 20, 1);
        for _ in 0..150 {
            port.push(8000, &[0; 160], SPEECH);
        }
        let frames = port.take(1000);
        assert_eq!(frames.len(), 100);
        assert!((frames[0].pts - 1.0).abs() < 1e-9);
        assert_eq!(frames[0].flags, SPEECH);
    }
}
