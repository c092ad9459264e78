//! What waits for a shard's thread, and whether it must be woken for it.

use std::sync::{Arc, Weak};
use std::time::Instant;

use mio::Token;

use crate::bound::BoundSocket;
use crate::room::RoomSlot;
use crate::slot::Slot;

/// So many changes that could wait wake the thread: they hold memory.
const MOST_CHANGES: usize = 256;

/// A change from outside.
pub(crate) enum Change {
    /// Weak: a socket closes at once when its sessions let it go.
    Socket(Token, Weak<BoundSocket>),
    SocketGone(Token),
    Session(Arc<Slot>),
    Room(Arc<RoomSlot>),
    /// Or a room.
    SessionGone(u64),
    /// A session is to be served.
    Touched(u64),
    /// A session is to be served at that time.
    Due(u64, Instant),
    Stop,
}

/// The changes, in order, and how long the thread sleeps.
#[derive(Default)]
pub(crate) struct Inbox {
    changes: Vec<Change>,
    /// When the first of them is due; None while all can wait.
    due: Option<Instant>,
    /// Until when the thread sleeps unless it is woken; None while it runs or wakes by itself.
    sleeps_until: Option<Instant>,
    is_signalled: bool,
}

impl Inbox {
    /// Adds a change; true when the thread must be woken, told once a sleep.
    pub(crate) fn put(&mut self, change: Change, due: Option<Instant>) -> bool {
        self.changes.push(change);
        self.due = self.due.into_iter().chain(due).min();
        let is_full = self.changes.len() >= MOST_CHANGES;
        let must_wake = self
            .sleeps_until
            .is_some_and(|until| is_full || self.due.is_some_and(|due| due < until));
        if must_wake {
            self.sleeps_until = None;
            self.is_signalled = true;
        }
        must_wake
    }

    /// Notes that the thread goes to sleep; returns until when, which is `now` if changes are due.
    pub(crate) fn sleep(&mut self, now: Instant, until: Instant, can_be_woken: bool) -> Instant {
        let is_full = self.changes.len() >= MOST_CHANGES;
        let first = self.due.map_or(until, |due| due.min(until));
        let until = if is_full { now } else { first };
        self.sleeps_until = (can_be_woken && until > now).then_some(until);
        until
    }

    /// Takes what waits; also whether the wake-up was signalled.
    pub(crate) fn take(&mut self) -> (Vec<Change>, bool) {
        self.sleeps_until = None;
        self.due = None;
        let is_signalled = std::mem::take(&mut self.is_signalled);
        (std::mem::take(&mut self.changes), is_signalled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_sleeper_is_woken_once_and_only_for_what_it_would_miss() {
        let now = crate::shard::now();
        let at = |ms| now + Duration::from_millis(ms);
        let mut inbox = Inbox::default();
        assert!(!inbox.put(Change::Touched(1), Some(now)), "it runs");
        assert_eq!(inbox.sleep(now, at(20), true), now, "a change is due");
        inbox.take();

        assert_eq!(inbox.sleep(now, at(20), true), at(20));
        assert!(!inbox.put(Change::SessionGone(1), None));
        assert!(!inbox.put(Change::Due(2, at(20)), Some(at(20))));
        assert!(inbox.put(Change::Due(3, at(19)), Some(at(19))));
        assert!(!inbox.put(Change::Due(4, at(1)), Some(at(1))));

        let (changes, is_signalled) = inbox.take();
        assert_eq!((changes.len(), is_signalled), (4, true));
        assert!(!inbox.take().1);
    }

    #[test]
    fn what_can_wait_does_not_wait_without_limit() {
        let now = crate::shard::now();
        let mut inbox = Inbox::default();
        inbox.sleep(now, now + Duration::from_secs(60), true);
        let woken = (0..MOST_CHANGES).filter(|_| inbox.put(Change::SessionGone(1), None));
        assert_eq!(woken.count(), 1);
        assert_eq!(inbox.sleep(now, now + Duration::from_secs(60), true), now);
    }

    #[test]
    fn who_wakes_by_itself_is_not_woken() {
        let now = crate::shard::now();
        let mut inbox = Inbox::default();
        inbox.sleep(now, now + Duration::from_millis(2), false);
        assert!(!inbox.put(Change::Touched(1), Some(now)));
        assert!(!inbox.take().1);
    }
}
