//! One source on its way out: read, resampled, counted.

use std::sync::Arc;

use super::Source;
use crate::fan::Encoding;
use crate::resample::Resampler;

#[derive(Debug)]
pub(super) struct Playback {
    pub(super) number: u64,
    source: Source,
    resampler: Option<Resampler>,
    ready: Vec<i16>,
    sent_samples: u64,
    is_drained: bool,
    /// What was filled last is one frame of the source, no more and no less.
    is_whole: bool,
    pub(super) error: Option<String>,
}

impl Playback {
    pub(super) fn new(number: u64, source: Source) -> Self {
        Self {
            number,
            source,
            resampler: None,
            ready: Vec::new(),
            sent_samples: 0,
            is_drained: false,
            is_whole: false,
            error: None,
        }
    }

    /// Seconds really sent, at the rate it is filled for.
    pub(super) fn seconds(&self, rate_hz: u32) -> f64 {
        self.sent_samples as f64 / f64::from(rate_hz.max(1))
    }

    /// Goes on at another rate.
    pub(super) fn change_rate(&mut self, old_hz: u32, rate_hz: u32) {
        let old = u64::from(old_hz.max(1));
        self.sent_samples = self.sent_samples * u64::from(rate_hz) / old;
        self.resampler = None;
        self.ready.clear();
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_drained && self.ready.is_empty()
    }

    /// Puts as much as there is at the start of `frame`; less than asked means the end.
    pub(super) fn fill(&mut self, rate_hz: u32, frame: &mut [i16]) -> usize {
        let was_even = self.ready.is_empty();
        while self.ready.len() < frame.len() && !self.is_drained {
            self.read_more(rate_hz);
        }
        let count = self.ready.len().min(frame.len());
        frame[..count].copy_from_slice(&self.ready[..count]);
        self.ready.drain(..count);
        self.sent_samples += count as u64;
        self.is_whole = was_even && count == frame.len() && self.ready.is_empty();
        count
    }

    /// What was filled last as others send it too, if they play the same.
    pub(super) fn payload(&self, encoding: Encoding) -> Option<Arc<[u8]>> {
        match &self.source {
            Source::Shared(shared) if self.is_whole => shared.payload(encoding),
            _ => None,
        }
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
