//! Where new requests wait for a turn: first come, first served, bounded in number and in time.
use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasherDefault;

use crate::core::Address;
use crate::hash::Spread;

/// One request that waits, as it came.
pub(super) struct Waiting {
    pub(super) key: u128,
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
        self.queue.push_back(waiting);
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let first = self.queue.pop_front()?;
        self.keys.remove(&first.key);
        Some(first)
    }

    /// Since when the first one waits.
    pub(super) fn oldest(&self) -> Option<f64> {
        self.queue.front().map(|first| first.since)
    }

    /// Take one out of its turn.
    pub(super) fn take(&mut self, key: u128) -> Option<Waiting> {
        if !self.keys.remove(&key) {
            return None;
        }
        let at = self.queue.iter().position(|waiting| waiting.key == key)?;
        self.queue.remove(at)
    }

    /// Let go of what came by a flow that is gone.
    pub(super) fn forget_flow(&mut self, flow: u64) {
        let keys = &mut self.keys;
        self.queue.retain(|waiting| {
            let stays = waiting.flow != flow;
            if !stays {
                keys.remove(&waiting.key);
            }
            stays
        });
    }
}
