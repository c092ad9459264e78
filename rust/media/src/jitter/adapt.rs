//! Keeps the delay near its aim by changing the length of decoded blocks.

use super::{FRAME_MS, JitterBuffer, stretch};
use crate::level::level_dbov;

/// Blocks under this level may be cut or repeated freely.
const QUIET_DBOV: f64 = -50.0;
/// The delay may differ from its aim by this much before it is changed: early, late in quiet
/// audio, late in speech. Pulls of a 20 ms grid alone make it differ by a frame.
const TOO_EARLY: f64 = -0.010;
const TOO_LATE_QUIET: f64 = 0.030;
const TOO_LATE: f64 = 0.060;
/// Weight of a new block in the mean delay.
const SMOOTHING: f64 = 1.0 / 16.0;
/// Blocks between two changes of the delay.
const REST_BLOCKS: u32 = 5;

impl JitterBuffer {
    /// Brings the delay nearer to its aim by changing the length of a block.
    pub(super) fn adapt(&mut self, at: f64, timestamp: i64, block: &mut Vec<i16>) {
        let Some(fastest) = self
            .arrivals
            .fastest()
            .filter(|_| !self.arrivals.is_unsettled())
        else {
            return;
        };
        let delay = at - timestamp as f64 / self.rate_hz - fastest;
        let mean = self
            .mean_delay
            .map_or(delay, |mean| mean + (delay - mean) * SMOOTHING);
        self.mean_delay = Some(mean);
        self.rest_blocks = self.rest_blocks.saturating_sub(1);
        let excess = mean - self.target();
        if self.rest_blocks > 0 || (TOO_EARLY..TOO_LATE_QUIET).contains(&excess) {
            return;
        }
        let before = block.len();
        let per_ms = self.frame_samples / FRAME_MS as usize;
        let wanted = (excess.abs() * self.rate_hz) as usize;
        let is_quiet = level_dbov(block) < QUIET_DBOV;
        match (excess > 0.0, is_quiet) {
            (true, true) => stretch::shorten_quiet(block, wanted, per_ms),
            (false, true) => stretch::lengthen_quiet(block, wanted, per_ms),
            (true, false) if excess > TOO_LATE => {
                stretch::shorten(block, per_ms);
            }
            (true, false) => {}
            (false, false) => {
                stretch::lengthen(block, per_ms);
            }
        }
        if block.len() == before {
            return;
        }
        let change = block.len() as i64 - before as i64;
        self.statistics.inserted_samples += change.max(0).unsigned_abs();
        self.statistics.removed_samples += change.min(0).unsigned_abs();
        self.mean_delay = Some(mean + change as f64 / self.rate_hz);
        self.rest_blocks = REST_BLOCKS;
    }
}
