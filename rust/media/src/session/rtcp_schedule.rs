//! When a session reports: the interval of RFC 3550 §6.3 and its reconsideration.
//!
//! Two parties never come to the 5 % of the bandwidth that would make the interval longer, so it
//! is the least one; what is left is that it is random, and drawn again when it is over.

use std::time::{Duration, Instant};

use crate::random::Random;

/// e - 3/2: reconsideration sends later than was drawn, and this evens it out (RFC 3550 §6.3.1).
const COMPENSATION: f64 = std::f64::consts::E - 1.5;

#[derive(Debug)]
pub(super) struct Schedule {
    least: Duration,
    /// The last report, or the start.
    last: Instant,
    next: Instant,
    /// The first one comes after half the interval (RFC 3550 §6.2).
    is_first: bool,
    random: Random,
}

impl Schedule {
    pub(super) fn new(now: Instant, least: Duration, seed: u64) -> Self {
        let mut schedule = Self {
            least,
            last: now,
            next: now,
            is_first: true,
            random: Random::new(seed),
        };
        schedule.next = now + schedule.draw();
        schedule
    }

    /// When `is_due` is to be asked.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Whether to report now; where another draw says later, `next` is later (RFC 3550 §6.3.6).
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        let reconsidered = self.last + self.draw();
        if reconsidered > now {
            self.next = reconsidered;
        }
        reconsidered <= now
    }

    /// Notes a report.
    pub(super) fn reported(&mut self, now: Instant) {
        self.last = now;
        self.is_first = false;
        self.next = now + self.draw();
    }

    /// 0.5 to 1.5 of the interval, so that the reports of many sessions spread, over e - 3/2.
    fn draw(&mut self) -> Duration {
        let interval = if self.is_first {
            self.least / 2
        } else {
            self.least
        };
        interval.mul_f64((0.5 + self.random.unit()) / COMPENSATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::now;

    const FIVE: Duration = Duration::from_secs(5);

    /// The seconds between one report and the next.
    fn intervals(seed: u64, count: usize) -> Vec<f64> {
        let mut schedule = Schedule::new(now(), FIVE, seed);
        let mut last = schedule.last;
        let mut next = || loop {
            let at = schedule.next();
            assert!(!schedule.is_due(at - Duration::from_nanos(1)));
            if schedule.is_due(at) {
                schedule.reported(at);
                return at.duration_since(std::mem::replace(&mut last, at));
            }
            assert!(schedule.next() > at, "it is later now");
        };
        (0..count).map(|_| next().as_secs_f64()).collect()
    }

    #[test]
    fn reports_are_spread_within_the_bounds_and_their_mean_is_the_interval() {
        let all = intervals(1, 2000);
        let (first, others) = all.split_first().expect("some");

        assert!((1.02..=3.08).contains(first), "{first}");
        let is_within = |interval: &f64| (2.05..=6.16).contains(interval);
        assert!(others.iter().all(is_within));
        let mean = others.iter().sum::<f64>() / others.len() as f64;
        assert!((4.6..5.2).contains(&mean), "{mean}");
    }

    #[test]
    fn two_sessions_do_not_report_in_step() {
        assert_ne!(intervals(1, 20), intervals(2, 20));
    }
}
