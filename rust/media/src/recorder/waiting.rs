//! How much waits for the disk, and how much may.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Blocks that may wait for the disk, all recordings together: 64 MB of half-second stereo.
pub(super) const MOST_WAITING: usize = 2_048;
/// Bytes that may wait for the disk before pictures are lost, all recordings together.
pub(super) const MOST_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// What waits for the disk, of all recordings. The ends of recordings are not counted: there is one
/// for each, and whoever ends a call never waits for a disk that stands still.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    blocks: AtomicUsize,
    bytes: AtomicUsize,
}

impl Waiting {
    /// Counts a block in; false when there is no room for it.
    pub(super) fn take_in(&self, bytes: usize) -> bool {
        let has_room = self.blocks.fetch_add(1, Ordering::AcqRel) < MOST_WAITING;
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        if !has_room {
            self.let_out(bytes);
        }
        has_room
    }

    pub(super) fn let_out(&self, bytes: usize) {
        self.blocks.fetch_sub(1, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    pub(super) fn has_room_for_pictures(&self) -> bool {
        self.bytes.load(Ordering::Acquire) <= MOST_WAITING_BYTES
    }
}
