//! Quality of a connected stream, second by second: what is raised, what is cleared, and the
//! history. Sans-I/O; knows no session.

mod rules;

use std::collections::VecDeque;

pub use rules::{Issue, Level, RULES, Rule};

/// Seconds of history kept.
pub const HISTORY: usize = 300;
/// Seconds over which loss is taken: in one second a single packet would be two percent.
const LOSS_SECONDS: usize = 5;
/// Seconds of which the loudest moment is the level of a speaker.
const LEVEL_SECONDS: usize = 10;
/// Under this a stream that arrives carries nothing: digital silence and its codec noise.
const NO_SIGNAL_DBOV: f64 = -70.0;

/// An issue that was raised, got worse, or is over (`Level::Fine`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Its rule.
    pub rule: Rule,
    /// How bad it is from now on.
    pub level: Level,
    /// The value that says so.
    pub value: f64,
    /// The limit it passed.
    pub threshold: f64,
}

/// What is known of one second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Second {
    /// Seconds since the connection.
    pub at: f64,
    /// Packets received since the start.
    pub received: u64,
    /// Packets missing since the start.
    pub lost: u64,
    /// Packets of formats that nobody agreed on, since the start.
    pub unagreed: u64,
    /// Interarrival jitter, seconds.
    pub jitter: f64,
    /// What the jitter buffer holds back, seconds.
    pub buffer_delay: f64,
    /// Seconds of a round trip, where a report told.
    pub round_trip: Option<f64>,
    /// Loss the far end reports.
    pub remote_loss: Option<f64>,
    /// Whether receiving is agreed.
    pub is_expected: bool,
    /// Whether the ICE path does not answer.
    pub is_ice_lost: bool,
}

/// One second of the history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Seconds since the connection.
    pub at: f32,
    /// Packets received in that second.
    pub packets: f32,
    /// Loss over the last 5 seconds, 0 to 1.
    pub loss: f32,
    /// Interarrival jitter, seconds.
    pub jitter: f32,
    /// What the jitter buffer held back, seconds.
    pub buffer_delay: f32,
    /// Seconds of a round trip; NaN when none was known.
    pub round_trip: f32,
    /// Loudest 20 ms of that second, dBov; NaN when nothing was decoded.
    pub level: f32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    level: Level,
    worse: u32,
    better: u32,
}

/// Watches one stream.
#[derive(Debug)]
pub struct Watch {
    /// Loudest frame of this second; None while nothing is decoded.
    loudest: Option<f64>,
    levels: VecDeque<f64>,
    totals: VecDeque<(u64, u64)>,
    unagreed: u64,
    without_packets: f64,
    without_signal: f64,
    without_ice: f64,
    standings: [Standing; RULES.len()],
    history: VecDeque<Sample>,
    changes: VecDeque<Change>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            loudest: None,
            levels: VecDeque::new(),
            totals: VecDeque::new(),
            unagreed: 0,
            without_packets: 0.0,
            without_signal: 0.0,
            without_ice: 0.0,
            standings: [Standing::default(); RULES.len()],
            history: VecDeque::new(),
            changes: VecDeque::new(),
        }
    }
}

impl Watch {
    /// Takes the level of one frame that was heard.
    pub fn hear(&mut self, level_dbov: f64) {
        self.loudest = Some(
            self.loudest
                .map_or(level_dbov, |loudest| loudest.max(level_dbov)),
        );
    }

    /// Takes one second; then call `poll` until it is empty.
    pub fn push(&mut self, second: &Second) {
        let loudest = self.loudest.take();
        let (received, loss) = self.losses(second);
        if let Some(loudest) = loudest {
            keep(&mut self.levels, loudest, LEVEL_SECONDS);
        }
        lengthen(
            &mut self.without_packets,
            second.is_expected && received == 0,
        );
        let is_mute = received > 0 && loudest.is_some_and(|level| level <= NO_SIGNAL_DBOV);
        lengthen(&mut self.without_signal, is_mute);
        lengthen(&mut self.without_ice, second.is_ice_lost);
        let unagreed = second.unagreed - std::mem::replace(&mut self.unagreed, second.unagreed);
        for (index, rule) in RULES.iter().enumerate() {
            let value = match rule.issue {
                Issue::HighLatency => second.round_trip,
                Issue::PacketLoss => Some(loss),
                Issue::RemotePacketLoss => second.remote_loss,
                Issue::HighJitter => Some(second.jitter),
                Issue::NoAudioReceived => Some(self.without_packets),
                Issue::NoAudioSignal => Some(self.without_signal),
                Issue::LowLevel => self.speaking_level(),
                Issue::CodecMismatch => Some(unagreed as f64),
                Issue::IceLost => Some(self.without_ice),
            };
            if let Some(value) = value {
                self.judge(index, rule, value);
            }
        }
        let sample = Sample {
            at: second.at as f32,
            packets: received as f32,
            loss: loss as f32,
            jitter: second.jitter as f32,
            buffer_delay: second.buffer_delay as f32,
            round_trip: second.round_trip.unwrap_or(f64::NAN) as f32,
            level: loudest.map_or(f32::NAN, |level| level as f32),
        };
        keep(&mut self.history, sample, HISTORY);
    }

    /// The next change.
    pub fn poll(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// The last seconds, oldest first.
    pub fn history(&self) -> impl Iterator<Item = &Sample> {
        self.history.iter()
    }

    /// Packets of this second, and the loss of the last few.
    fn losses(&mut self, second: &Second) -> (u64, f64) {
        let before = self.totals.back().map_or(0, |(received, _)| *received);
        keep(
            &mut self.totals,
            (second.received, second.lost),
            LOSS_SECONDS + 1,
        );
        let (first, missing) = self.totals.front().copied().unwrap_or_default();
        let received = second.received.saturating_sub(first);
        // What comes late takes back what was counted as lost.
        let lost = second.lost.saturating_sub(missing);
        let loss = lost as f64 / (received + lost).max(1) as f64;
        (second.received.saturating_sub(before), loss)
    }

    /// How loud the far end is when it speaks; None before it was heard for long enough.
    fn speaking_level(&self) -> Option<f64> {
        let loudest = self
            .levels
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let is_known = self.levels.len() == LEVEL_SECONDS && loudest > NO_SIGNAL_DBOV;
        is_known.then_some(loudest)
    }

    fn judge(&mut self, index: usize, rule: &Rule, value: f64) {
        let standing = &mut self.standings[index];
        let level = rule.level(value);
        standing.worse = if level > standing.level {
            standing.worse + 1
        } else {
            0
        };
        standing.better = if standing.level > Level::Fine && rule.is_over(value) {
            standing.better + 1
        } else {
            0
        };
        let next = if standing.worse >= rule.raise_after {
            level
        } else if standing.better >= rule.clear_after {
            Level::Fine
        } else {
            return;
        };
        *standing = Standing {
            level: next,
            ..Standing::default()
        };
        self.changes.push_back(Change {
            rule: *rule,
            level: next,
            value,
            threshold: rule.threshold(next),
        });
    }
}

/// One second more, or none at all.
fn lengthen(seconds: &mut f64, is_so: bool) {
    *seconds = if is_so { *seconds + 1.0 } else { 0.0 };
}

fn keep<T>(queue: &mut VecDeque<T>, value: T, most: usize) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(value);
}

#[cfg(test)]
mod tests;
