//! What the quality watch of a session is told once a second, and what it tells.

use std::time::{Duration, Instant};

use super::Session;
use crate::event::EventKind;
use crate::jitter::JitterBuffer;
use crate::watch::{Level, Sample, Second};

const SECOND: Duration = Duration::from_secs(1);

impl Session {
    /// The last seconds of the session's audio, oldest first.
    pub fn history(&self) -> Vec<Sample> {
        self.watch.history().copied().collect()
    }

    pub(super) fn watch_quality(&mut self, now: Instant) {
        let Some(connected) = self.connected else {
            return;
        };
        let due = *self.next_second.get_or_insert(connected + SECOND);
        if now < due {
            return;
        }
        // A session that was not served for long has one long second instead of many.
        self.next_second = Some((due + SECOND).max(now));
        let second = self.second(now, connected);
        self.watch.push(&second);
        while let Some(change) = self.watch.poll() {
            let kind = if change.level == Level::Fine {
                EventKind::QualityCleared
            } else {
                EventKind::QualityRaised
            };
            let (name, level) = (change.rule.name, change.level.as_str());
            let text = format!("{name} {level} {}", change.threshold);
            self.emit(kind, change.value, text);
        }
    }

    fn second(&self, now: Instant, connected: Instant) -> Second {
        let (received, _, lost) = self.receiver.totals();
        let remote = self.rtcp.remote();
        let buffer = self.receiver.jitter().map(JitterBuffer::statistics);
        Second {
            at: now.saturating_duration_since(connected).as_secs_f64(),
            received,
            lost,
            unagreed: self.receiver.unagreed(),
            jitter: self.receiver.interarrival_jitter().as_secs_f64(),
            buffer_delay: buffer.map_or(0.0, |buffer| buffer.delay),
            round_trip: remote
                .and_then(|remote| remote.round_trip)
                .map(|trip| trip.as_secs_f64()),
            remote_loss: remote.map(|remote| remote.loss),
            is_expected: self.direction.receives(),
            is_ice_lost: matches!(self.path_state(), "disconnected" | "failed"),
        }
    }
}
