//! Where new requests wait for a turn: first come, first served, bounded in number and in time.
use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasherDefault;

use crate::core::Address;
use crate::hash::{Map, Spread};

/// One request that waits, as it came.
pub(super) struct Waiting {
    pub(super) key: u128,
    /// Whose it is, as far as its address says.
    pub(super) customer: u128,
    pub(super) flow: u64,
    pub(super) data: Box<[u8]>,
    pub(super) source: Address,
    pub(super) since: f64,
}

/// The requests that wait, and their transaction keys.
#[derive(Default)]
pub(super) struct Room {
    queue: VecDeque<Waiting>,
    keys: HashSet<u128, BuildHasherDefault<Spread>>,
    /// How many of each customer wait.
    shares: Map<u128, usize>,
}

impl Room {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether a copy of that request waits here.
    pub(super) fn holds(&self, key: u128) -> bool {
        self.keys.contains(&key)
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.keys.insert(waiting.key);
        *self.shares.entry(waiting.customer).or_default() += 1;
        self.queue.push_back(waiting);
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let first = self.queue.pop_front()?;
        self.let_go(&first);
        Some(first)
    }

    /// Since when the first one waits.
    pub(super) fn oldest(&self) -> Option<f64> {
        self.queue.front().map(|first| first.since)
    }

    /// Take one out of its turn.
    pub(super) fn take(&mut self, key: u128) -> Option<Waiting> {
        if !self.keys.contains(&key) {
            return None;
        }
        let at = self.queue.iter().position(|waiting| waiting.key == key)?;
        self.take_at(at)
    }

    /// Whose place one more of `customer` may take: that of whoever has most, if the newcomer then
    /// has no more than its share. Who brings little is not kept out by who brings much.
    pub(super) fn place_for(&self, customer: u128) -> Option<u128> {
        let own = self.shares.get(&customer).copied().unwrap_or(0);
        let others = self.shares.len() + usize::from(own == 0);
        if own >= self.len() / others {
            return None;
        }
        let (&largest, &most) = self.shares.iter().max_by_key(|(_, count)| **count)?;
        (most > own + 1).then_some(largest)
    }

    /// Take out the last of a customer's: it is the one that has waited least.
    pub(super) fn take_last_of(&mut self, customer: u128) -> Option<Waiting> {
        let at = self
            .queue
            .iter()
            .rposition(|one| one.customer == customer)?;
        self.take_at(at)
    }

    /// Let go of what came by a flow that is gone.
    pub(super) fn forget_flow(&mut self, flow: u64) {
        for waiting in std::mem::take(&mut self.queue) {
            if waiting.flow == flow {
                self.let_go(&waiting);
            } else {
                self.queue.push_back(waiting);
            }
        }
    }

    fn take_at(&mut self, at: usize) -> Option<Waiting> {
        let taken = self.queue.remove(at)?;
        self.let_go(&taken);
        Some(taken)
    }

    fn let_go(&mut self, waiting: &Waiting) {
        self.keys.remove(&waiting.key);
        if let Some(count) = self.shares.get_mut(&waiting.customer) {
            *count -= 1;
            if *count == 0 {
                self.shares.remove(&waiting.customer);
            }
        }
    }
}
