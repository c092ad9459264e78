//! Received audio on its way to the program: resampled, framed, bounded.

use std::collections::VecDeque;

use crate::MediaError;
use crate::level::level_dbov;
use crate::resample::Resampler;

/// Seconds kept for a program that does not take them, unless it says otherwise.
const KEPT: f64 = 2.0;
/// More than these seconds are kept for nobody.
const MOST_KEPT: f64 = 60.0;

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
    most: usize,
    keeps_oldest: bool,
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
            most: (KEPT * 1000.0 / f64::from(frame_ms)).ceil() as usize,
            keeps_oldest: false,
            made: 0,
            is_told: false,
        }
    }

    pub(crate) fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Says how many frames wait for the program; of more, the oldest go, or the newest.
    pub(crate) fn bound(&mut self, most: usize, keeps_oldest: bool) -> Result<(), MediaError> {
        let longest = (MOST_KEPT * f64::from(self.rate_hz)) as usize;
        if most < self.batch || most.saturating_mul(self.frame_samples) > longest {
            return Err(MediaError::Argument(format!(
                "frames that wait are at least a batch and at most {MOST_KEPT} seconds, not {most}"
            )));
        }
        self.most = most;
        self.keeps_oldest = keeps_oldest;
        Ok(())
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
        let pts = self.made as f64 * seconds;
        self.made += 1;
        if self.frames.len() >= self.most {
            if self.keeps_oldest {
                return;
            }
            self.frames.pop_front();
        }
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

    #[test]
    fn a_program_says_how_many_frames_wait_and_which_go() {
        for (keeps_oldest, first) in [(false, 0.04), (true, 0.0)] {
            let mut port = Port::new(1, 8000, 20, 1);
            port.bound(3, keeps_oldest).unwrap();
            for _ in 0..5 {
                port.push(8000, &[0; 160], 0);
            }
            let frames = port.take(10);
            assert_eq!(frames.len(), 3);
            assert!((frames[0].pts - first).abs() < 1e-9);
            // The gap of those that are gone can be seen.
            port.push(8000, &[0; 160], 0);
            assert!((port.take(10)[0].pts - 0.1).abs() < 1e-9);
        }
        for wrong in [0, 3001, usize::MAX] {
            assert!(Port::new(1, 8000, 20, 1).bound(wrong, false).is_err());
        }
        assert!(Port::new(1, 8000, 20, 5).bound(4, false).is_err());
    }
}
