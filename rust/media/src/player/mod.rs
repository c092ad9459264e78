//! What one session sends: a queue of sources, one at a time, mixed with others and pushed audio.

mod ahead;
mod feed;
mod file;
mod mixture;
mod playback;
mod push;
mod share;
mod source;

pub use ahead::{AheadSource, FileReader};
pub(crate) use feed::Tap;
pub use feed::{Feed, FeedReader};
pub use file::FileSource;
pub use mixture::MixSource;
pub use push::{MarkPassed, PushError, PushSource};
pub use share::{Share, ShareReader};
pub use source::{SilenceSource, Source, SourceError, ToneSource};

use crate::fan::Encoding;
use playback::Playback;
use std::collections::VecDeque;
use std::sync::Arc;

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

/// When a source is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In its turn: after those queued before.
    Queue,
    /// From now on, mixed with all others.
    Beside,
    /// While the far end is on hold, in place of all others.
    Hold,
}

impl Place {
    /// The place of a name: "queue", "beside" or "hold".
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "queue" => Some(Self::Queue),
            "beside" => Some(Self::Beside),
            "hold" => Some(Self::Hold),
            _ => None,
        }
    }
}

/// The playing side of a session. Sources wait their turn; pushed audio is mixed in.
///
/// Call [`pull`](Self::pull) once per packet, then [`poll_ended`](Self::poll_ended) until none.
#[derive(Debug, Default)]
pub struct Player {
    queue: VecDeque<Playback>,
    beside: Vec<Playback>,
    music: Vec<Playback>,
    is_holding: bool,
    is_own_silent: bool,
    pushes: Vec<(u64, PushSource)>,
    ended: VecDeque<PlaybackEnded>,
    last_number: u64,
    rate_hz: u32,
    /// Sources that the last frame was made of.
    sounding: usize,
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
        self.play_at(Place::Queue, source)
    }

    /// Takes a source for a place and returns its number; none when 1024 are there already.
    pub fn play_at(&mut self, place: Place, source: Source) -> Option<u64> {
        if self.playbacks() >= MOST_WAITING {
            return None;
        }
        self.last_number += 1;
        let playback = Playback::new(self.last_number, source);
        match place {
            Place::Queue => self.queue.push_back(playback),
            Place::Beside => self.beside.push(playback),
            Place::Hold => self.music.push(playback),
        }
        Some(self.last_number)
    }

    /// Stops a playback, running or waiting; returns the seconds really sent of it.
    ///
    /// None when it is over already. No [`PlaybackEnded`] follows.
    pub fn stop(&mut self, playback: u64) -> Option<f64> {
        let is_it = |entry: &Playback| entry.number == playback;
        let entry = if let Some(index) = self.queue.iter().position(is_it) {
            self.queue.remove(index)?
        } else if let Some(index) = self.beside.iter().position(is_it) {
            self.beside.remove(index)
        } else {
            let index = self.music.iter().position(is_it)?;
            self.music.remove(index)
        };
        Some(entry.seconds(self.rate_hz))
    }

    /// Says what is heard of what plays: while `is_holding` the music on hold alone, else all, or
    /// with `is_own_silent` only what was placed beside. What is not heard runs on all the same.
    pub fn set_mix(&mut self, is_own_silent: bool, is_holding: bool) {
        self.is_own_silent = is_own_silent;
        self.is_holding = is_holding;
    }

    /// Returns how many playbacks run or wait.
    #[must_use]
    pub fn playbacks(&self) -> usize {
        self.queue.len() + self.beside.len() + self.music.len()
    }

    /// Whether the far end is on hold and hears the music alone.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        self.is_holding
    }

    /// Whether there is nothing that could be heard, now or by and by.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.playbacks() == 0 && self.pushes.is_empty() && !self.is_holding
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

    /// Returns a port that has room now for what it refused.
    pub fn poll_low(&mut self) -> Option<u64> {
        self.pushes
            .iter_mut()
            .find_map(|(port, source)| source.take_low().then_some(*port))
    }

    /// Returns the port and a mark of its pushed audio that is past.
    pub fn poll_mark(&mut self) -> Option<(u64, MarkPassed)> {
        self.pushes
            .iter_mut()
            .find_map(|(port, source)| source.poll_mark().map(|mark| (*port, mark)))
    }

    /// Says what became of what was pulled since last told: whether it left in a packet.
    pub fn confirm(&mut self, is_sent: bool) {
        for (_, source) in &mut self.pushes {
            source.confirm(is_sent);
        }
    }

    /// Returns a playback that ended by itself.
    pub fn poll_ended(&mut self) -> Option<PlaybackEnded> {
        self.ended.pop_front()
    }

    /// Fills `frame` with what is to be sent at `rate_hz`; false when that is silence only.
    ///
    /// Muted, all is silent but for the music on hold.
    pub fn pull(&mut self, rate_hz: u32, is_muted: bool, frame: &mut [i16]) -> bool {
        if rate_hz != self.rate_hz {
            self.change_rate(rate_hz);
        }
        frame.fill(0);
        self.sounding = 0;
        self.pull_own(frame);
        if self.is_own_silent {
            frame.fill(0);
            self.sounding = 0;
        }
        if self.is_own_silent || self.is_holding || is_muted {
            self.confirm(false);
        }
        if !self.beside.is_empty() {
            self.pull_all(Place::Beside, frame);
        }
        if is_muted || self.is_holding {
            frame.fill(0);
            self.sounding = 0;
        }
        if self.is_holding {
            self.pull_all(Place::Hold, frame);
        }
        self.sounding > 0
    }

    /// What was pulled last as a payload that others send too; None where anything else is in it.
    pub(crate) fn shared_payload(&self, encoding: Encoding) -> Option<Arc<[u8]>> {
        if self.sounding != 1 {
            return None;
        }
        let one = if self.is_holding {
            self.music.first()
        } else if self.beside.is_empty() {
            self.queue.front()
        } else {
            self.beside.first()
        };
        let is_queue_heard = !self.is_own_silent && !self.queue.is_empty();
        let is_only = self.is_holding || self.beside.is_empty() || !is_queue_heard;
        one.filter(|_| is_only)?.payload(encoding)
    }

    /// Playbacks in their turn, and what is pushed.
    fn pull_own(&mut self, frame: &mut [i16]) {
        let mut filled = 0;
        while filled < frame.len() {
            let Some(entry) = self.queue.front_mut() else {
                break;
            };
            let count = entry.fill(self.rate_hz, &mut frame[filled..]);
            filled += count;
            self.sounding += usize::from(count > 0);
            if entry.is_over()
                && let Some(entry) = self.queue.pop_front()
            {
                self.finish(entry);
            }
        }
        for (_, source) in &mut self.pushes {
            self.scratch.clear();
            self.scratch.resize(frame.len(), 0);
            if source.pull(self.rate_hz, &mut self.scratch) {
                self.sounding += 1;
                mix(frame, &self.scratch);
            }
        }
    }

    /// All of a place at once.
    fn pull_all(&mut self, place: Place, frame: &mut [i16]) {
        let mut entries = std::mem::take(self.entries(place));
        for entry in &mut entries {
            self.scratch.clear();
            self.scratch.resize(frame.len(), 0);
            let count = entry.fill(self.rate_hz, &mut self.scratch);
            self.sounding += usize::from(count > 0);
            mix(frame, &self.scratch);
        }
        while let Some(over) = entries.iter().position(Playback::is_over) {
            self.finish(entries.remove(over));
        }
        *self.entries(place) = entries;
    }

    fn entries(&mut self, place: Place) -> &mut Vec<Playback> {
        if place == Place::Hold {
            &mut self.music
        } else {
            &mut self.beside
        }
    }

    fn change_rate(&mut self, rate_hz: u32) {
        let all = self.queue.iter_mut().chain(&mut self.beside);
        for entry in all.chain(&mut self.music) {
            entry.change_rate(self.rate_hz, rate_hz);
        }
        self.rate_hz = rate_hz;
    }

    fn finish(&mut self, entry: Playback) {
        self.ended.push_back(PlaybackEnded {
            playback: entry.number,
            seconds: entry.seconds(self.rate_hz),
            error: entry.error,
        });
    }
}

/// Adds samples to a frame.
pub(crate) fn mix(frame: &mut [i16], samples: &[i16]) {
    for (sum, &sample) in frame.iter_mut().zip(samples) {
        *sum = sum.saturating_add(sample);
    }
}

#[cfg(test)]
mod tests;
