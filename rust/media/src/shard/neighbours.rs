//! The shards of an engine as one of them sees them: whom to wake for a session that is elsewhere.

use std::sync::{Mutex, Weak};

use super::{Shared, now};
use crate::engine::lock;
use crate::inbox::Change;

/// All shards, in the order of their numbers.
#[derive(Default)]
pub(crate) struct Neighbours {
    shards: Mutex<Vec<Weak<Shared>>>,
}

impl Neighbours {
    pub(super) fn add(&self, shard: Weak<Shared>) {
        lock(&self.shards).push(shard);
    }

    /// Has a session served by its shard at once. Whoever calls sees to it that this is not done
    /// again before the session has taken what was left for it.
    pub(crate) fn wake(&self, session: u64) {
        let shards = lock(&self.shards);
        if shards.is_empty() {
            return;
        }
        let home = session as usize % shards.len();
        if let Some(shard) = shards[home].upgrade() {
            shard.change(Change::Touched(session), Some(now()));
        }
    }
}
