//! Audio that somebody writes and playbacks read: a program, or another session.

use super::SourceError;
use crate::resample::Resampler;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a relay keeps before it begins, so that two grids of 20 ms need not meet.
const CUSHION: f64 = 0.02;
/// What a relay keeps at most; beyond, the oldest goes.
const RELAY: f64 = 0.1;

/// A bounded stretch of audio between one writer and the sessions that play it.
///
/// The session that is furthest sets the pace; one that is more than the limit behind it loses what
/// lies between.
#[derive(Debug, Clone)]
pub struct Feed {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rate_hz: u32,
    limit: usize,
    cushion: usize,
    samples: VecDeque<i16>,
    /// Where `samples` begins, and how far was read, counted from the start.
    start: u64,
    lead: u64,
    is_closed: bool,
    /// Why it was closed before its end.
    error: Option<String>,
    /// It is closed with the last playback of it.
    is_once: bool,
    readers: usize,
    underruns: u64,
}

impl State {
    fn end(&self) -> u64 {
        self.start + self.samples.len() as u64
    }

    fn waiting(&self) -> usize {
        (self.end() - self.lead) as usize
    }

    fn trim(&mut self) {
        let kept_from = self.lead.saturating_sub(self.limit as u64);
        let spare = kept_from.saturating_sub(self.start) as usize;
        self.samples.drain(..spare.min(self.samples.len()));
        self.start = self.start.max(kept_from);
    }
}

impl Feed {
    /// Makes one for audio of `rate_hz` that lets `limit` seconds wait.
    #[must_use]
    pub fn new(rate_hz: u32, limit: f64) -> Self {
        Self::with_cushion(rate_hz, limit, 0.0)
    }

    /// Makes one for what another session hears.
    #[must_use]
    pub fn relay(rate_hz: u32) -> Self {
        Self::with_cushion(rate_hz, RELAY, CUSHION)
    }

    /// Makes one that is closed with the last playback of it, so that its writer learns of that.
    #[must_use]
    pub fn once(rate_hz: u32, limit: f64) -> Self {
        let feed = Self::new(rate_hz, limit);
        feed.lock().is_once = true;
        feed
    }

    fn with_cushion(rate_hz: u32, limit: f64, cushion: f64) -> Self {
        let rate_hz = rate_hz.clamp(8_000, 48_000);
        let samples = |seconds: f64| (seconds.clamp(0.0, 60.0) * f64::from(rate_hz)) as usize;
        let state = State {
            rate_hz,
            limit: samples(limit.max(CUSHION)),
            cushion: samples(cushion),
            samples: VecDeque::new(),
            start: 0,
            lead: 0,
            is_closed: false,
            error: None,
            is_once: false,
            readers: 0,
            underruns: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rate of what it holds.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.lock().rate_hz
    }

    /// Takes samples whole, or not at all while they do not fit; one that is longer than the limit
    /// fits once half of it is left. Returns the seconds that have to be played before they fit.
    pub fn write(&self, samples: &[i16]) -> f64 {
        let mut state = self.lock();
        let most_before = if samples.len() > state.limit {
            state.limit / 2
        } else {
            state.limit - samples.len()
        };
        let excess = state.waiting().saturating_sub(most_before);
        if excess > 0 {
            return excess as f64 / f64::from(state.rate_hz);
        }
        state.samples.extend(samples);
        0.0
    }

    /// Takes samples in any case; the oldest go.
    pub(crate) fn force(&self, samples: &[i16]) {
        let mut state = self.lock();
        state.samples.extend(samples);
        let behind = state.waiting().saturating_sub(state.limit);
        state.lead += behind as u64;
        state.trim();
    }

    /// Takes what a playback would in that time.
    pub fn skip(&self, seconds: f64) {
        let mut state = self.lock();
        let count = (seconds.max(0.0) * f64::from(state.rate_hz)).round() as u64;
        state.lead = (state.lead + count).min(state.end());
        state.trim();
    }

    /// Seconds that nobody has played yet.
    #[must_use]
    pub fn queued(&self) -> f64 {
        let state = self.lock();
        state.waiting() as f64 / f64::from(state.rate_hz)
    }

    /// How often a playback found too little.
    #[must_use]
    pub fn underruns(&self) -> u64 {
        self.lock().underruns
    }

    /// Drops what waits; returns its seconds.
    pub fn clear(&self) -> f64 {
        let mut state = self.lock();
        let seconds = state.waiting() as f64 / f64::from(state.rate_hz);
        state.lead = state.end();
        state.start = state.lead;
        state.samples.clear();
        seconds
    }

    /// Says that nothing more comes: playbacks end when they have played what is there.
    pub fn close(&self) {
        self.lock().is_closed = true;
    }

    /// Closes it for a reason, which playbacks end with when they have played what is there.
    pub fn fail(&self, error: &str) {
        let mut state = self.lock();
        if !state.is_closed {
            state.error = Some(error.to_owned());
            state.is_closed = true;
        }
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Why it was closed before its end.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        self.lock().error.clone()
    }

    /// Something to play, from what waits now on.
    #[must_use]
    pub fn reader(&self) -> FeedReader {
        let mut state = self.lock();
        state.readers += 1;
        FeedReader {
            feed: self.clone(),
            position: state.lead,
            is_primed: false,
        }
    }
}

/// One playback's place in a feed.
#[derive(Debug)]
pub struct FeedReader {
    feed: Feed,
    position: u64,
    is_primed: bool,
}

impl FeedReader {
    pub(super) fn rate_hz(&self) -> u32 {
        self.feed.rate_hz()
    }

    /// Appends `count` samples, silence where there are none yet; fewer mean the end.
    pub(super) fn read(&mut self, count: usize, samples: &mut Vec<i16>) -> Result<(), SourceError> {
        let mut state = self.feed.lock();
        self.position = self.position.max(state.start);
        let there = (state.end() - self.position) as usize;
        if !self.is_primed && there < state.cushion + count.min(state.cushion) && !state.is_closed {
            samples.resize(samples.len() + count, 0);
            return Ok(());
        }
        let given = there.min(count);
        let from = (self.position - state.start) as usize;
        samples.extend(state.samples.range(from..from + given));
        self.position += given as u64;
        if self.position > state.lead {
            state.lead = self.position;
            state.trim();
        }
        self.is_primed = given == count;
        if given < count && !state.is_closed {
            state.underruns += u64::from(given > 0);
            samples.resize(samples.len() + count - given, 0);
        }
        match &state.error {
            Some(text) if given < count => Err(SourceError::Part(text.clone())),
            _ => Ok(()),
        }
    }
}

impl Drop for FeedReader {
    fn drop(&mut self) {
        let mut state = self.feed.lock();
        state.readers = state.readers.saturating_sub(1);
        state.is_closed |= state.is_once && state.readers == 0;
    }
}

/// Gives what a session hears to a feed.
#[derive(Debug)]
pub(crate) struct Tap {
    feed: Feed,
    resampler: Resampler,
    ready: Vec<i16>,
}

impl Tap {
    pub(crate) fn new(feed: Feed) -> Self {
        let rate_hz = feed.rate_hz();
        Self {
            feed,
            resampler: Resampler::new(rate_hz, rate_hz),
            ready: Vec::new(),
        }
    }

    /// Whether somebody may still listen.
    pub(crate) fn is_wanted(&self) -> bool {
        Arc::strong_count(&self.feed.state) > 1 && !self.feed.is_closed()
    }

    pub(crate) fn push(&mut self, rate_hz: u32, samples: &[i16]) {
        if self.resampler.from_hz() != rate_hz {
            self.resampler = Resampler::new(rate_hz, self.feed.rate_hz());
        }
        self.ready.clear();
        self.resampler.process(samples, &mut self.ready);
        self.feed.force(&self.ready);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.feed.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_waits_for_the_reader_that_is_furthest() {
        let feed = Feed::new(8_000, 0.2);
        assert!(feed.write(&[1; 1_600]).abs() < 1e-9);
        assert!((feed.write(&[2; 160]) - 0.02).abs() < 1e-9);
        let (mut fast, mut slow) = (feed.reader(), feed.reader());
        let mut heard = Vec::new();
        fast.read(160, &mut heard).unwrap();
        assert!(feed.write(&[2; 160]).abs() < 1e-9);
        fast.read(1_600, &mut heard).unwrap();
        assert!(feed.write(&[3; 1_600]).abs() < 1e-9);
        fast.read(1_600, &mut heard).unwrap();

        let mut late = Vec::new();
        slow.read(160, &mut late).unwrap();

        assert_eq!(heard.len(), 3_360);
        assert_eq!(heard[1_600], 2);
        assert_eq!(late, [3; 160], "what is more than the limit behind is lost");
    }

    #[test]
    fn an_empty_feed_is_silence_and_a_closed_one_ends() {
        let feed = Feed::new(8_000, 0.2);
        let mut reader = feed.reader();
        let mut heard = Vec::new();
        reader.read(160, &mut heard).unwrap();
        let _ = feed.write(&[5; 100]);
        reader.read(160, &mut heard).unwrap();
        let _ = feed.write(&[6; 50]);
        feed.close();
        reader.read(160, &mut heard).unwrap();

        assert_eq!(heard.len(), 370);
        assert_eq!((heard[160], heard[260], heard[320]), (5, 0, 6));
        assert_eq!(feed.underruns(), 1);
    }

    #[test]
    fn a_relay_keeps_a_cushion_and_bounds_its_delay() {
        let feed = Feed::relay(8_000);
        let mut reader = feed.reader();
        let mut tap = Tap::new(feed.clone());
        let mut heard = Vec::new();
        for n in 1..=100 {
            reader.read(160, &mut heard).unwrap();
            tap.push(8_000, &[n; 160]);
        }
        let first = heard.iter().position(|sample| *sample != 0).unwrap();
        assert_eq!(first, 320);
        assert!(heard[first..].iter().all(|sample| *sample != 0));
        assert_eq!(feed.underruns(), 0);
        for n in 1..=100 {
            tap.push(8_000, &[n; 160]);
        }
        assert!((feed.queued() - 0.1).abs() < 1e-9);
        drop(tap);
        assert!(feed.is_closed());
    }

    #[test]
    fn one_that_is_played_once_closes_with_its_last_playback() {
        let feed = Feed::once(8_000, 0.2);
        let (first, second) = (feed.reader(), feed.reader());
        drop(first);
        assert!(!feed.is_closed());
        drop(second);
        assert!(feed.is_closed());
    }

    #[test]
    fn clearing_drops_what_waits() {
        let feed = Feed::new(8_000, 1.0);
        let _ = feed.write(&[1; 4_000]);
        let mut reader = feed.reader();
        reader.read(800, &mut Vec::new()).unwrap();
        assert!((feed.clear() - 0.4).abs() < 1e-9);
        assert!(feed.queued().abs() < 1e-9);
        let _ = feed.write(&[2; 160]);
        let mut heard = Vec::new();
        reader.read(160, &mut heard).unwrap();
        assert_eq!(heard, [2; 160]);
    }
}
