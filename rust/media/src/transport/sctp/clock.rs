//! The clock of the association: it goes faster than that of all others, and never waits for long.
//!
//! DEVIATION: RFC 9260 §16 recommends a second at the least and a minute at the most before what is
//! not acknowledged is sent again, and a second as long as the round trip is not known; the crate
//! has these for constants. Where a fifth of all packets is lost, messages would stand still for
//! tens of seconds, as a wait that has grown stays until something arrives at the first attempt.
//! Browsers begin with 0.4 s and stay below 3 s. So do we: the association is told of two and a
//! half seconds for each one, and of its deadline after three, whatever it is. What it measures is
//! in its own seconds too, so a long round trip is waited for as it is with others.

use std::time::{Duration, Instant};

/// No wait is longer, unless messages of the association have a lifetime.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Clock {
    /// A moment, and what the association takes it for.
    at: (Instant, Instant),
    /// What the association waits for, by its clock, and since when, by ours.
    waits: Option<(Instant, Instant)>,
    longest: Option<Duration>,
}

impl Clock {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            at: (now, now),
            waits: None,
            longest: Some(LONGEST_WAIT),
        }
    }

    /// What the association takes for now.
    pub(super) fn told(&self, now: Instant) -> Instant {
        self.at.1 + faster(now.saturating_duration_since(self.at.0))
    }

    /// A lifetime as the association counts it: it is counted from now on, so time leaps no more.
    pub(super) fn lifetime_ms(&mut self, lifetime: u32) -> u32 {
        self.longest = None;
        let told = faster(Duration::from_millis(lifetime.into())).as_millis();
        u32::try_from(told).unwrap_or(u32::MAX)
    }

    /// Notes what the association waits for.
    pub(super) fn follow(&mut self, now: Instant, due: Option<Instant>) {
        if self.waits.map(|(known, _)| known) != due {
            self.waits = due.map(|due| (due, now));
        }
    }

    /// When it is to be woken.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (due, since) = self.waits?;
        let ahead = due.saturating_duration_since(self.at.1) * 2 / 5;
        // Rounded down it would be woken too early, again and again.
        let at = self.at.0 + ahead + Duration::from_nanos(1);
        Some(self.longest.map_or(at, |longest| at.min(since + longest)))
    }

    /// Leaps to what the association waits for, if it has waited for long.
    pub(super) fn wake(&mut self, now: Instant) {
        if let (Some((due, since)), Some(longest)) = (self.waits, self.longest)
            && since + longest <= now
        {
            self.at = (now, self.told(now).max(due));
        }
    }
}

fn faster(time: Duration) -> Duration {
    time * 5 / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn clock() -> (Clock, Instant) {
        let now = Instant::now();
        (Clock::new(now), now)
    }

    #[test]
    fn a_second_of_the_associations_is_over_sooner() {
        let (mut clock, now) = clock();

        clock.follow(now, Some(now + SECOND));

        let woken = clock.deadline().unwrap();
        assert_eq!((woken - now).as_millis(), 400);
        assert!(clock.told(woken) >= now + SECOND);
    }

    #[test]
    fn a_wait_that_has_grown_is_over_after_three_seconds() {
        let (mut clock, now) = clock();
        let later = now + SECOND;
        clock.follow(now, Some(now + SECOND * 60));
        clock.follow(later, Some(now + SECOND * 60));

        assert_eq!(clock.deadline(), Some(now + SECOND * 3));
        clock.wake(now + SECOND * 2);
        assert!(clock.told(now + SECOND * 2) < now + SECOND * 60);
        clock.wake(now + SECOND * 3);
        assert_eq!(clock.told(now + SECOND * 3), now + SECOND * 60);
        assert_eq!(
            clock.told(now + SECOND * 4),
            now + SECOND * 60 + SECOND * 5 / 2
        );
    }

    #[test]
    fn a_lifetime_is_as_long_as_it_was_asked_for() {
        let (mut clock, now) = clock();

        assert_eq!(clock.lifetime_ms(1000), 2500);
        assert_eq!(clock.lifetime_ms(u32::MAX), u32::MAX);
        clock.follow(now, Some(now + SECOND * 60));
        clock.wake(now + SECOND * 3);

        assert_eq!(clock.told(now + SECOND * 4), now + SECOND * 10);
        assert_eq!((clock.deadline().unwrap() - now).as_secs(), 24);
    }
}
