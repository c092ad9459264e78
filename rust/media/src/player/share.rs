//! One source that many sessions hear at once: read once, encoded once a codec.
//!
//! Nobody ticks it. Of those who play it, on whichever shard, the one that is furthest makes the
//! next frame of 20 ms; the others find it made. Who joins hears it from the newest frame on, so
//! that nobody pushes those before him forward.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::playback::Playback;
use super::source::{Source, SourceError};
use crate::fan::{Encoding, Fan, Forms};

/// Frames that are kept for those behind: longer than a session may stall before it skips.
const KEPT: usize = 32;
/// Rates that a source is brought to, all a whole number of samples in 20 ms.
const RATES_HZ: [u32; 3] = [8_000, 16_000, 48_000];
const MOST_HZ: u32 = 48_000;

/// A source in the hands of many; it is over with its source, or when the last has left.
#[derive(Debug, Clone)]
pub struct Share {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct Moment {
    forms: Forms,
    /// Samples of it, at the share's rate; the rest is filled up with silence.
    filled: usize,
}

#[derive(Debug)]
struct State {
    /// None once it is over.
    source: Option<Playback>,
    rate_hz: u32,
    fan: Fan,
    moments: VecDeque<Moment>,
    /// The number of the frame that is made next.
    next: u64,
    readers: usize,
    error: Option<String>,
}

impl State {
    fn frame_samples(&self) -> usize {
        (self.rate_hz / 50) as usize
    }

    /// The number of the oldest frame that is kept.
    fn oldest(&self) -> u64 {
        self.next - self.moments.len() as u64
    }

    fn newest(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// Makes the next frame; false at the end.
    fn make(&mut self) -> bool {
        // Should it panic while it is read it is over, and the others do not read it again.
        let Some(mut source) = self.source.take() else {
            return false;
        };
        let mut frame = vec![0; self.frame_samples()];
        let filled = source.fill(self.rate_hz, &mut frame);
        if source.is_over() || filled < frame.len() {
            self.error = source.error.take();
        } else {
            self.source = Some(source);
        }
        if filled == 0 {
            return false;
        }
        self.fan.push(self.rate_hz, frame.into());
        let forms = self.fan.forms();
        self.moments.push_back(Moment { forms, filled });
        if self.moments.len() > KEPT {
            self.moments.pop_front();
        }
        self.next += 1;
        true
    }

    /// How it has ended.
    fn verdict(&self) -> Result<(), SourceError> {
        match &self.error {
            Some(text) => Err(SourceError::Part(text.clone())),
            None => Ok(()),
        }
    }

    /// A frame at a rate, and its number: that of the newest where an older one was not made so.
    fn samples(&mut self, number: u64, rate_hz: u32) -> (u64, Arc<[i16]>) {
        if number < self.newest() {
            self.fan.keep_rate(rate_hz);
            let index = (number - self.oldest()) as usize;
            if let Some(samples) = self.moments[index].forms.samples(rate_hz) {
                return (number, samples);
            }
        }
        let samples = self.fan.samples(rate_hz);
        self.note_forms();
        (self.newest(), samples)
    }

    fn payload(&mut self, number: u64, encoding: Encoding) -> Option<Arc<[u8]>> {
        if number == self.newest() {
            let payload = self.fan.payload(encoding);
            self.note_forms();
            return payload;
        }
        self.fan.keep_encoding(encoding);
        let index = number.checked_sub(self.oldest())? as usize;
        self.moments.get(index)?.forms.payload(encoding)
    }

    /// Keeps what the newest frame was made into.
    fn note_forms(&mut self) {
        if let Some(newest) = self.moments.back_mut() {
            newest.forms = self.fan.forms();
        }
    }
}

impl Share {
    /// Takes a source; it is read when somebody plays it.
    #[must_use]
    pub fn new(source: Source) -> Self {
        let native = source.rate_hz().unwrap_or(MOST_HZ);
        let mut rates = RATES_HZ.into_iter();
        let state = State {
            rate_hz: rates.find(|rate| *rate >= native).unwrap_or(MOST_HZ),
            source: Some(Playback::new(0, source)),
            fan: Fan::default(),
            moments: VecDeque::new(),
            next: 0,
            readers: 0,
            error: None,
        };
        let state = Arc::new(Mutex::new(state));
        Self { state }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody will hear anything of it any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.lock().source.is_none()
    }

    /// How many frames were encoded here, all codecs together.
    #[must_use]
    pub fn encoded(&self) -> u64 {
        self.lock().fan.encoded()
    }

    /// Something to play, from where it is when that begins.
    #[must_use]
    pub fn reader(&self) -> ShareReader {
        self.lock().readers += 1;
        ShareReader {
            share: self.clone(),
            position: None,
            given: None,
        }
    }
}

/// One playback's place in a share.
#[derive(Debug)]
pub struct ShareReader {
    share: Share,
    /// The frame to be heard next; None until it has begun.
    position: Option<u64>,
    /// The frame that was heard last.
    given: Option<u64>,
}

impl ShareReader {
    /// Appends 20 ms; fewer mean the end.
    pub(super) fn read(&mut self, rate_hz: u32, samples: &mut Vec<i16>) -> Result<(), SourceError> {
        let mut state = self.share.lock();
        let wanted = match self.position {
            Some(position) => position.max(state.oldest()),
            None if state.source.is_some() => state.newest(),
            None => state.next,
        };
        if wanted >= state.next && !state.make() {
            return state.verdict();
        }
        let (number, frame) = state.samples(wanted, rate_hz);
        let index = (number - state.oldest()) as usize;
        let count = frame.len() * state.moments[index].filled / state.frame_samples();
        samples.extend_from_slice(&frame[..count]);
        self.position = Some(number + 1);
        self.given = Some(number);
        // What is shorter is the last of it, and nobody asks again.
        if count < frame.len() {
            return state.verdict();
        }
        Ok(())
    }

    /// What was read last as a payload; None where this one has to be encoded by itself.
    pub(super) fn payload(&self, encoding: Encoding) -> Option<Arc<[u8]>> {
        self.share.lock().payload(self.given?, encoding)
    }
}

impl Drop for ShareReader {
    fn drop(&mut self) {
        let mut state = self.share.lock();
        state.readers = state.readers.saturating_sub(1);
        if state.readers == 0 {
            state.source = None;
            state.moments.clear();
        }
    }
}

#[cfg(test)]
mod tests;
