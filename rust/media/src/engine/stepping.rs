//! Virtual time: what a driven engine is stepped by.

use std::time::{Duration, Instant};

use super::{Engine, Mode, lock};
use crate::link::LinkSettings;

impl Engine {
    /// Sets the link of a driven engine.
    pub fn set_link(&self, settings: LinkSettings) {
        if let Mode::Driven(driven) = &self.mode {
            lock(driven).set_link(settings);
        }
    }

    /// When a driven engine wants to be advanced, seconds of the program's clock.
    pub fn next_deadline(&self) -> Option<f64> {
        let Mode::Driven(driven) = &self.mode else {
            return None;
        };
        if self.ring.counts().0 > 0 {
            return Some(self.seconds(self.now()));
        }
        let deadline = lock(driven).next_deadline()?;
        Some(self.seconds(deadline))
    }

    /// Lets all happen in a driven engine that is due by `now`, seconds of the program's clock.
    pub fn advance(&self, now: f64) {
        if let Mode::Driven(driven) = &self.mode {
            let moment = self.origin + since(self.start, now);
            lock(driven).advance(moment, &self.ring);
            self.recordings.poll(&self.ring);
        }
    }

    /// To whole microseconds, upwards: a program that waits until then has waited long enough.
    fn seconds(&self, moment: Instant) -> f64 {
        let nanoseconds = moment.saturating_duration_since(self.origin).as_nanos();
        self.start + nanoseconds.div_ceil(1000) as f64 / 1e6
    }
}

fn since(start: f64, now: f64) -> Duration {
    Duration::from_micros(((now - start).max(0.0) * 1e6).round() as u64)
}
