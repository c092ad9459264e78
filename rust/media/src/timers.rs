//! When each session wants to run next.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Instant;

/// A heap of deadlines, one a session; moved ones are dropped when they come up.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u64)>>,
    deadlines: HashMap<u64, Instant>,
}

impl Timers {
    /// Sets or clears a session's deadline.
    pub(crate) fn set(&mut self, session: u64, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) if self.deadlines.get(&session) == Some(&deadline) => {}
            Some(deadline) => {
                self.deadlines.insert(session, deadline);
                self.heap.push(Reverse((deadline, session)));
            }
            None => {
                self.deadlines.remove(&session);
            }
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&mut self) -> Option<Instant> {
        while let Some(Reverse((deadline, session))) = self.heap.peek() {
            if self.deadlines.get(session) == Some(deadline) {
                return Some(*deadline);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes the session whose deadline is due and earliest; equal ones in order of number.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<u64> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, session)) = self.heap.pop()?;
        self.deadlines.remove(&session);
        Some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_last_deadline_set_is_the_one_that_counts() {
        let now = crate::shard::now();
        let at = |ms| now + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set(2, Some(at(5)));
        timers.set(1, Some(at(5)));
        timers.set(3, Some(at(1)));
        timers.set(3, Some(at(9)));
        timers.set(4, Some(at(2)));
        timers.set(4, None);

        assert_eq!(timers.next(), Some(at(5)));
        assert_eq!(timers.pop(at(4)), None);
        assert_eq!(
            [timers.pop(at(5)), timers.pop(at(5)), timers.pop(at(5))],
            [Some(1), Some(2), None]
        );
        assert_eq!(timers.pop(at(9)), Some(3));
        assert_eq!(timers.next(), None);
    }
}
