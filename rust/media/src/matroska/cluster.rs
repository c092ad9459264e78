//! Clusters (RFC 9559 §5.1.3): about a second of blocks, with the times told from where it begins.

use super::ebml::{put, put_id, put_master, put_number, wide_length};

const CLUSTER: u32 = 0x1f43_b675;
const SIMPLE_BLOCK: u32 = 0xa3;
/// A cluster is over once it has lasted so long; what is in it is lost if the process dies.
const LONGEST_MS: u64 = 1_000;
/// Blocks may be older than their cluster's beginning by what fits into its 16 bits.
const FURTHEST_MS: u64 = 30_000;
const MOST_BYTES: usize = 1 << 20;

/// Blocks that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    /// When it begins; None while it is empty.
    pub(super) begin_ms: Option<u64>,
    /// Whether it begins with a key frame, and so is a place to begin at.
    pub(super) is_entry: bool,
    blocks: Vec<u8>,
}

impl Cluster {
    /// Whether a block of this time has to be the first of another cluster.
    pub(super) fn is_over(&self, at_ms: u64, is_entry: bool) -> bool {
        self.begin_ms.is_some_and(|begin| {
            is_entry
                || at_ms >= begin + LONGEST_MS
                || at_ms + FURTHEST_MS < begin
                || self.blocks.len() >= MOST_BYTES
        })
    }

    /// Adds a block; `is_entry` for a key frame.
    pub(super) fn add(&mut self, track: u8, at_ms: u64, is_entry: bool, is_key: bool, data: &[u8]) {
        let head = self.head(track, at_ms, is_entry, if is_key { 0x80 } else { 0 });
        put_id(&mut self.blocks, SIMPLE_BLOCK);
        let length = (head.len() + data.len()) as u64;
        self.blocks.extend(wide_length(length));
        self.blocks.extend(head);
        self.blocks.extend_from_slice(data);
    }

    /// Adds the last block of a sound, of which a decoder leaves out the end.
    pub(super) fn add_last(&mut self, track: u8, at_ms: u64, data: &[u8], left_out_ns: u64) {
        let mut block = self.head(track, at_ms, false, 0).to_vec();
        block.extend_from_slice(data);
        put_master(&mut self.blocks, 0xa0, |group| {
            put(group, 0xa1, &block);
            put(group, 0x75a2, &left_out_ns.to_be_bytes());
        });
    }

    fn head(&mut self, track: u8, at_ms: u64, is_entry: bool, flags: u8) -> [u8; 4] {
        let begin = *self.begin_ms.get_or_insert_with(|| {
            self.is_entry = is_entry;
            at_ms
        });
        let [high, low] = (at_ms.wrapping_sub(begin) as i16).to_be_bytes();
        [0x80 | track, high, low, flags]
    }

    /// Takes it as bytes and begins another one; None when there is nothing in it.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let begin = self.begin_ms.take()?;
        let blocks = std::mem::take(&mut self.blocks);
        let mut out = Vec::with_capacity(blocks.len() + 32);
        put_master(&mut out, CLUSTER, |body| {
            put_number(body, 0xe7, begin);
            body.extend_from_slice(&blocks);
        });
        Some(out)
    }
}
