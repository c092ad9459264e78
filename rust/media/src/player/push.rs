//! Audio pushed by the program: a bounded queue that is resampled as it is sent.

use crate::resample::Resampler;
use std::collections::VecDeque;

/// Marks that may wait in one queue.
const MOST_MARKS: usize = 1_024;
/// Closer than this, a mark is reached: a tenth of a sample at 48 kHz.
const NEAR: f64 = 2e-6;
/// A fade is no longer than this, in seconds.
const LONGEST_FADE: f64 = 1.0;

/// Why pushed audio or a mark was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The queue is full; nothing was taken.
    #[error("the audio queue is full: wait until there is room")]
    Full,
    /// Too many marks wait.
    #[error("1024 marks wait in this audio queue: wait until some are played")]
    Marks,
}

/// A mark that is past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkPassed {
    /// Its number.
    pub mark: u64,
    /// Whether what comes before it left in packets; false when that was muted, kept back by a
    /// hold, or dropped by a clear.
    pub is_heard: bool,
}

/// A bounded queue of 16-bit mono samples at the program's rate.
///
/// A block is taken whole when it fits under the limit; one that is longer than the limit, once
/// half of the limit is left. After each packet, [`confirm`](Self::confirm) says what became of it.
#[derive(Debug)]
pub struct PushSource {
    rate_hz: u32,
    limit: f64,
    queue: VecDeque<i16>,
    resampler: Option<Resampler>,
    ready: Vec<i16>,
    /// Samples at the head of `ready` that are the end of something cleared.
    fading: usize,
    /// Where in the stream the next sample queued will lie, in seconds.
    end: f64,
    /// Up to where the stream has left, or been dropped, in seconds.
    passed: f64,
    /// Seconds taken for a packet that has not left yet.
    pending: f64,
    heard: f64,
    is_last_heard: bool,
    marks: VecDeque<(u64, f64)>,
    marks_passed: VecDeque<MarkPassed>,
    /// The program waits until no more than this is queued, in seconds.
    awaited: Option<f64>,
    underruns: u64,
    is_flowing: bool,
}

impl PushSource {
    /// Makes a queue for audio of `rate_hz` that holds `limit` seconds.
    #[must_use]
    pub fn new(rate_hz: u32, limit: f64) -> Self {
        Self {
            rate_hz: rate_hz.clamp(1_000, 384_000),
            limit: limit.clamp(0.02, 60.0),
            queue: VecDeque::new(),
            resampler: None,
            ready: Vec::new(),
            fading: 0,
            end: 0.0,
            passed: 0.0,
            pending: 0.0,
            heard: 0.0,
            is_last_heard: true,
            marks: VecDeque::new(),
            marks_passed: VecDeque::new(),
            awaited: None,
            underruns: 0,
            is_flowing: false,
        }
    }

    /// Queues samples whole and returns the seconds queued; what does not fit is refused whole, and
    /// [`Player::poll_low`](super::Player::poll_low) tells when it will.
    pub fn send(&mut self, samples: &[i16]) -> Result<f64, PushError> {
        let seconds = samples.len() as f64 / f64::from(self.rate_hz);
        let most_before = if seconds > self.limit {
            self.limit / 2.0
        } else {
            self.limit - seconds
        };
        if self.queued() > most_before + NEAR {
            let awaited = self.awaited.unwrap_or(most_before);
            self.awaited = Some(awaited.max(most_before));
            return Err(PushError::Full);
        }
        self.queue.extend(samples);
        self.end += seconds;
        Ok(self.queued())
    }

    /// Puts a mark behind what is queued.
    pub fn mark(&mut self, mark: u64) -> Result<(), PushError> {
        if self.marks.len() >= MOST_MARKS {
            return Err(PushError::Marks);
        }
        self.marks.push_back((mark, self.end));
        Ok(())
    }

    /// Returns the seconds that wait, those under way in a packet included.
    #[must_use]
    pub fn queued(&self) -> f64 {
        let out_hz = self.resampler.as_ref().map_or(1, Resampler::to_hz);
        let ready = (self.ready.len() - self.fading) as f64 / f64::from(out_hz);
        self.queue.len() as f64 / f64::from(self.rate_hz) + ready + self.pending
    }

    /// Returns the rate of what is pushed.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Returns how often the queue ran dry in the middle of a packet.
    #[must_use]
    pub fn underruns(&self) -> u64 {
        self.underruns
    }

    /// Drops what waits after `fade` seconds, which fade to silence, and all marks.
    ///
    /// Returns the seconds that have left in packets since the last clear. The fade is not counted,
    /// neither now nor later.
    pub fn clear(&mut self, fade: f64) -> f64 {
        self.fade_out(fade.clamp(0.0, LONGEST_FADE));
        self.queue.clear();
        self.pending = 0.0;
        self.passed = self.end;
        while let Some((mark, _)) = self.marks.pop_front() {
            self.marks_passed.push_back(MarkPassed {
                mark,
                is_heard: false,
            });
        }
        std::mem::take(&mut self.heard)
    }

    /// Leaves in `ready` the next samples of what was playing, and lets them fade.
    fn fade_out(&mut self, fade: f64) {
        let Some(resampler) = &mut self.resampler else {
            return;
        };
        let count = (fade * f64::from(resampler.to_hz())) as usize;
        // Only what has begun to be heard needs an end that does not click.
        let count = if self.is_flowing { count } else { 0 };
        let block = (self.rate_hz / 200).max(1) as usize;
        while self.ready.len() < count && !self.queue.is_empty() {
            let taken: Vec<i16> = self.queue.drain(..block.min(self.queue.len())).collect();
            resampler.process(&taken, &mut self.ready);
        }
        *resampler = Resampler::new(self.rate_hz, resampler.to_hz());
        self.ready.truncate(count);
        let kept = self.ready.len();
        for (index, sample) in self.ready.iter_mut().enumerate() {
            let gain = (kept - index) as f32 / (kept + 1) as f32;
            *sample = (f32::from(*sample) * gain) as i16;
        }
        self.fading = kept;
    }

    /// Tells once that what was refused fits now.
    pub(super) fn take_low(&mut self) -> bool {
        let is_low = self
            .awaited
            .is_some_and(|awaited| self.queued() <= awaited + NEAR);
        if is_low {
            self.awaited = None;
        }
        is_low
    }

    /// Returns a mark that is past.
    pub(super) fn poll_mark(&mut self) -> Option<MarkPassed> {
        self.marks_passed.pop_front()
    }

    /// Says what became of all that was pulled since: it left in a packet for the far end to hear,
    /// or not.
    pub(super) fn confirm(&mut self, is_heard: bool) {
        let seconds = std::mem::take(&mut self.pending);
        if seconds > 0.0 {
            self.passed += seconds;
            self.is_last_heard = is_heard;
            self.heard += if is_heard { seconds } else { 0.0 };
        }
        if self.queue.is_empty() && self.ready.is_empty() {
            // Rates that do not divide leave a part of a sample.
            self.passed = self.end;
        }
        while let Some((mark, at)) = self.marks.front().copied()
            && at <= self.passed + NEAR
        {
            self.marks.pop_front();
            let is_heard = self.is_last_heard;
            self.marks_passed.push_back(MarkPassed { mark, is_heard });
        }
    }

    /// Fills `frame` at `rate_hz`; false when there was nothing to send.
    pub(super) fn pull(&mut self, rate_hz: u32, frame: &mut [i16]) -> bool {
        if self.queue.is_empty() && self.ready.is_empty() {
            self.is_flowing = false;
            return false;
        }
        self.change_rate(rate_hz);
        let Some(resampler) = &mut self.resampler else {
            return false;
        };
        let block = (self.rate_hz / 200).max(1) as usize;
        while self.ready.len() < frame.len() && !self.queue.is_empty() {
            let taken: Vec<i16> = self.queue.drain(..block.min(self.queue.len())).collect();
            resampler.process(&taken, &mut self.ready);
        }
        let count = self.ready.len().min(frame.len());
        frame[..count].copy_from_slice(&self.ready[..count]);
        self.ready.drain(..count);
        let faded = count.min(self.fading);
        self.fading -= faded;
        self.pending += (count - faded) as f64 / f64::from(rate_hz);
        if count < frame.len() && self.is_flowing && faded == 0 {
            self.underruns += 1;
        }
        self.is_flowing = count == frame.len();
        true
    }

    /// Goes on at another rate; the few samples made for the old one are lost.
    fn change_rate(&mut self, rate_hz: u32) {
        let old_hz = self.resampler.as_ref().map(Resampler::to_hz);
        if old_hz == Some(rate_hz) {
            return;
        }
        if let Some(old_hz) = old_hz {
            let lost = self.ready.len() - self.fading;
            self.passed += lost as f64 / f64::from(old_hz);
            self.ready.clear();
            self.fading = 0;
        }
        self.resampler = Some(Resampler::new(self.rate_hz, rate_hz));
    }
}
