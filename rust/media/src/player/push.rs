//! Audio pushed by the program: a bounded queue that is resampled as it is sent.

use crate::resample::Resampler;
use std::collections::VecDeque;

/// Why pushed audio was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The queue is full; nothing was taken.
    #[error("the audio queue is full: wait until there is room")]
    Full,
}

/// A bounded queue of 16-bit mono samples at the program's rate.
///
/// A block is taken whole while less than the limit is queued, so the queue holds at most the
/// limit and one block of at most the same size.
#[derive(Debug)]
pub struct PushSource {
    rate_hz: u32,
    limit: usize,
    queue: VecDeque<i16>,
    resampler: Option<Resampler>,
    ready: Vec<i16>,
    sent_samples: i64,
    was_high: bool,
    is_low: bool,
    underruns: u64,
    is_flowing: bool,
}

impl PushSource {
    /// Makes a queue for audio of `rate_hz` that holds `limit` seconds.
    #[must_use]
    pub fn new(rate_hz: u32, limit: f64) -> Self {
        let rate_hz = rate_hz.clamp(1_000, 384_000);
        Self {
            rate_hz,
            limit: (limit.clamp(0.02, 3_600.0) * f64::from(rate_hz)) as usize,
            queue: VecDeque::new(),
            resampler: None,
            ready: Vec::new(),
            sent_samples: 0,
            was_high: false,
            is_low: false,
            underruns: 0,
            is_flowing: false,
        }
    }

    /// Queues samples whole and returns the seconds queued; full is refused whole.
    pub fn send(&mut self, samples: &[i16]) -> Result<f64, PushError> {
        let is_full = self.queue.len() >= self.limit;
        if is_full || (samples.len() > self.limit && !self.queue.is_empty()) {
            return Err(PushError::Full);
        }
        self.queue.extend(samples);
        if self.queue.len() * 2 >= self.limit {
            self.was_high = true;
        }
        Ok(self.queued())
    }

    /// Returns the seconds that wait.
    #[must_use]
    pub fn queued(&self) -> f64 {
        self.queue.len() as f64 / f64::from(self.rate_hz)
    }

    /// Returns how often the queue ran dry in the middle of a packet.
    #[must_use]
    pub fn underruns(&self) -> u64 {
        self.underruns
    }

    /// Drops what waits after `fade` seconds, which fade to silence.
    ///
    /// Returns the seconds sent since the last clear, the fade included: what the far end hears.
    pub fn clear(&mut self, fade: f64) -> f64 {
        let kept = (fade.clamp(0.0, 1.0) * f64::from(self.rate_hz)) as usize;
        let kept = kept.min(self.queue.len());
        self.queue.truncate(kept);
        for (index, sample) in self.queue.iter_mut().enumerate() {
            let gain = (kept - index) as f32 / (kept + 1) as f32;
            *sample = (f32::from(*sample) * gain) as i16;
        }
        let heard = (self.sent_samples + kept as i64) as f64 / f64::from(self.rate_hz);
        // The fade is counted already, so that it is not counted again once it is sent.
        self.sent_samples = -(kept as i64);
        self.is_low = self.was_high;
        self.was_high = false;
        heard
    }

    /// Tells once that the queue has fallen under half of its limit.
    pub(super) fn take_low(&mut self) -> bool {
        std::mem::take(&mut self.is_low)
    }

    /// Fills `frame` at `rate_hz`; false when there was nothing to send.
    pub(super) fn pull(&mut self, rate_hz: u32, frame: &mut [i16]) -> bool {
        if self.queue.is_empty() && self.ready.is_empty() {
            self.is_flowing = false;
            return false;
        }
        if self
            .resampler
            .as_ref()
            .is_none_or(|resampler| resampler.to_hz() != rate_hz)
        {
            self.resampler = Some(Resampler::new(self.rate_hz, rate_hz));
        }
        let Some(resampler) = &mut self.resampler else {
            return false;
        };
        let block = (self.rate_hz / 200).max(1) as usize;
        while self.ready.len() < frame.len() && !self.queue.is_empty() {
            let taken: Vec<i16> = self.queue.drain(..block.min(self.queue.len())).collect();
            self.sent_samples += taken.len() as i64;
            resampler.process(&taken, &mut self.ready);
        }
        let count = self.ready.len().min(frame.len());
        frame[..count].copy_from_slice(&self.ready[..count]);
        self.ready.drain(..count);
        if count < frame.len() && self.is_flowing {
            self.underruns += 1;
        }
        self.is_flowing = count == frame.len();
        if self.was_high && self.queue.len() * 2 < self.limit {
            self.was_high = false;
            self.is_low = true;
        }
        true
    }
}
