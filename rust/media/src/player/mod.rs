//! What one session sends: a queue of sources, one at a time, mixed with pushed audio.

mod push;
mod source;

pub use push::{PushError, PushSource};
pub use source::{FileSource, SilenceSource, Source, SourceError, ToneSource};

use crate::resample::Resampler;
use std::collections::VecDeque;

/// Sources that may wait in one session.
const MOST_WAITING: usize = 1024;

/// A playback that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaybackEnded {
    /// Its number.
    pub playback: u64,
    /// Seconds really sent of it.
    pub seconds: f64,
    /// Why it ended early, where its source failed while it was read.
    pub error: Option<String>,
}

#[derive(Debug)]
struct Playback {
    number: u64,
    source: Source,
    resampler: Option<Resampler>,
    ready: Vec<i16>,
    sent_samples: u64,
    is_drained: bool,
    error: Option<String>,
}

/// The playing side of a session. Sources wait their turn; pushed audio is mixed in.
///
/// Call [`pull`](Self::pull) once per packet, then [`poll_ended`](Self::poll_ended) until none.
#[derive(Debug, Default)]
pub struct Player {
    queue: VecDeque<Playback>,
    pushes: Vec<(u64, PushSource)>,
    ended: VecDeque<PlaybackEnded>,
    last_number: u64,
    rate_hz: u32,
    scratch: Vec<i16>,
}

impl Player {
    /// Makes an empty player.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues a source and returns its number; none when 1024 wait already.
    pub fn play(&mut self, source: Source) -> Option<u64> {
        if self.queue.len() >= MOST_WAITING {
            return None;
        }
        self.last_number += 1;
        self.queue.push_back(Playback {
            number: self.last_number,
            source,
            resampler: None,
            ready: Vec::new(),
            sent_samples: 0,
            is_drained: false,
            error: None,
        });
        Some(self.last_number)
    }

    /// Stops a playback, running or waiting; returns the seconds really sent of it.
    ///
    /// None when it is over already. No [`PlaybackEnded`] follows.
    pub fn stop(&mut self, playback: u64) -> Option<f64> {
        let index = self
            .queue
            .iter()
            .position(|entry| entry.number == playback)?;
        let entry = self.queue.remove(index)?;
        Some(entry.sent_samples as f64 / f64::from(self.rate_hz.max(1)))
    }

    /// Returns how many playbacks run or wait.
    #[must_use]
    pub fn playbacks(&self) -> usize {
        self.queue.len()
    }

    /// Adds a pushed source under a number of the caller's.
    pub fn add_push(&mut self, port: u64, source: PushSource) {
        self.pushes.push((port, source));
    }

    /// Returns a pushed source.
    pub fn push_source(&mut self, port: u64) -> Option<&mut PushSource> {
        self.pushes
            .iter_mut()
            .find(|(number, _)| *number == port)
            .map(|(_, source)| source)
    }

    /// Removes a pushed source with all it holds.
    pub fn remove_push(&mut self, port: u64) -> Option<PushSource> {
        let index = self.pushes.iter().position(|(number, _)| *number == port)?;
        Some(self.pushes.remove(index).1)
    }

    /// Returns the ports whose queue has fallen under half of its limit since last asked.
    pub fn poll_low(&mut self) -> Option<u64> {
        self.pushes
            .iter_mut()
            .find_map(|(port, source)| source.take_low().then_some(*port))
    }

    /// Returns a playback that ended by itself.
    pub fn poll_ended(&mut self) -> Option<PlaybackEnded> {
        self.ended.pop_front()
    }

    /// Fills `frame` with what is to be sent at `rate_hz`; false when that is silence only.
    pub fn pull(&mut self, rate_hz: u32, frame: &mut [i16]) -> bool {
        if rate_hz != self.rate_hz {
            self.change_rate(rate_hz);
        }
        frame.fill(0);
        let mut filled = 0;
        while filled < frame.len() {
            let Some(entry) = self.queue.front_mut() else {
                break;
            };
            filled += entry.fill(rate_hz, &mut frame[filled..]);
            if entry.is_over() {
                self.finish_first();
            }
        }
        let mut is_active = filled > 0;
        for (_, source) in &mut self.pushes {
            self.scratch.clear();
            self.scratch.resize(frame.len(), 0);
            if source.pull(rate_hz, &mut self.scratch) {
                is_active = true;
                for (sum, &sample) in frame.iter_mut().zip(&self.scratch) {
                    *sum = sum.saturating_add(sample);
                }
            }
        }
        is_active
    }

    fn change_rate(&mut self, rate_hz: u32) {
        let old = u64::from(self.rate_hz.max(1));
        for entry in &mut self.queue {
            entry.sent_samples = entry.sent_samples * u64::from(rate_hz) / old;
            entry.resampler = None;
            entry.ready.clear();
        }
        self.rate_hz = rate_hz;
    }

    fn finish_first(&mut self) {
        if let Some(entry) = self.queue.pop_front() {
            self.ended.push_back(PlaybackEnded {
                playback: entry.number,
                seconds: entry.sent_samples as f64 / f64::from(self.rate_hz.max(1)),
                error: entry.error,
            });
        }
    }
}

impl Playback {
    fn is_over(&self) -> bool {
        self.is_drained && self.ready.is_empty()
    }

    /// Puts as much as there is at the start of `frame`; less than asked means the end.
    fn fill(&mut self, rate_hz: u32, frame: &mut [i16]) -> usize {
        while self.ready.len() < frame.len() && !self.is_drained {
            self.read_more(rate_hz);
        }
        let count = self.ready.len().min(frame.len());
        frame[..count].copy_from_slice(&self.ready[..count]);
        self.ready.drain(..count);
        self.sent_samples += count as u64;
        count
    }

    fn read_more(&mut self, rate_hz: u32) {
        let native = self.source.rate_hz().unwrap_or(rate_hz);
        let resampler = self
            .resampler
            .get_or_insert_with(|| Resampler::new(native, rate_hz));
        let block = (native / 50).max(1) as usize;
        let mut samples = Vec::with_capacity(block);
        if let Err(error) = self.source.read(native, block, &mut samples) {
            self.error = Some(error.to_string());
        }
        self.is_drained = samples.len() < block || self.error.is_some();
        if self.is_drained {
            // The filter holds the last millisecond or two back: silence pushes it out.
            let tail = (resampler.delay() * f64::from(native)).ceil() as usize;
            samples.resize(samples.len() + tail, 0);
        }
        resampler.process(&samples, &mut self.ready);
    }
}

#[cfg(test)]
mod tests;
