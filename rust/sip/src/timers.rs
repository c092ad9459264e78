//! All timers: one FIFO per constant duration (no heap), cancelled lazily.
use std::collections::VecDeque;

/// Which of a transaction's two timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Timers A, E, G, the 2xx repetition, and the automatic 100.
    Repeat,
    /// Timers B, D, F, H, I, J, K, L, M.
    Limit,
}

/// One armed timer; it is live while its transaction remembers the same serial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timer {
    pub(crate) at: f64,
    pub(crate) transaction: u64,
    pub(crate) slot: Slot,
    pub(crate) serial: u64,
}

/// Queues by duration. Each stays sorted because `now` never goes back.
#[derive(Default)]
pub(crate) struct Timers {
    queues: Vec<(f64, VecDeque<Timer>)>,
    serial: u64,
}

impl Timers {
    /// Arm a timer and return its serial.
    pub(crate) fn arm(&mut self, now: f64, delay: f64, transaction: u64, slot: Slot) -> u64 {
        self.serial += 1;
        let timer = Timer {
            at: now + delay,
            transaction,
            slot,
            serial: self.serial,
        };
        match self
            .queues
            .iter_mut()
            .find(|(duration, _)| *duration == delay)
        {
            Some((_, queue)) => queue.push_back(timer),
            None => self.queues.push((delay, VecDeque::from([timer]))),
        }
        self.serial
    }

    /// The next live timer's time; drops dead ones from the fronts.
    pub(crate) fn next(&mut self, is_live: impl Fn(&Timer) -> bool) -> Option<f64> {
        let mut next: Option<f64> = None;
        for (_, queue) in &mut self.queues {
            while queue.front().is_some_and(|timer| !is_live(timer)) {
                queue.pop_front();
            }
            if let Some(front) = queue.front() {
                next = Some(next.map_or(front.at, |at| at.min(front.at)));
            }
        }
        next
    }

    /// Take the earliest timer due by `now`, dead or alive.
    pub(crate) fn pop(&mut self, now: f64) -> Option<Timer> {
        let due = |queue: &VecDeque<Timer>| queue.front().map(|timer| timer.at);
        let (_, queue) = self
            .queues
            .iter_mut()
            .filter(|(_, queue)| due(queue).is_some_and(|at| at <= now))
            .min_by(|a, b| {
                due(&a.1)
                    .partial_cmp(&due(&b.1))
                    .unwrap_or(std::cmp::Ordering::Equal)
            })?;
        queue.pop_front()
    }
}
