//! Keeps the delay near its aim by changing the length of decoded blocks.
//!
//! What counts is the margin: how long before its pull a packet on the fastest path has come. The
//! grid of the pulls leaves it anywhere within a frame, and it moves by whole frames: a change of
//! a block's length shifts what is left over from pull to pull, until one packet more or less is
//! taken. So a change goes on until the margin is within its bounds, which are wider than a frame.

use super::playout::FRAME;
use super::ring::Content;
use super::{FRAME_MS, JitterBuffer, stretch};
use crate::level::level_dbov;

/// What is added to the quantile of the packets' lateness, and what must be left of it before the
/// margin is made longer.
const SAFETY: f64 = 0.010;
const LEAST_SAFETY: f64 = 0.005;
/// The margin may be longer than its aim by this much before it is made shorter: in quiet audio,
/// in speech.
const TOO_LATE_QUIET: f64 = 0.022;
const TOO_LATE: f64 = 0.035;
/// So late, it is hurried: no rest between changes.
const FAR_TOO_LATE: f64 = 0.100;
/// With so little left, a change is made whether it is heard or not: the alternative is a gap.
const FAR_TOO_EARLY: f64 = 0.002;
/// Blocks between two changes, so that speed is not heard as pitch.
const REST_LATE: u32 = 5;
const REST_EARLY: u32 = 2;
/// Blocks under this level may be cut or repeated freely.
const QUIET_DBOV: f64 = -50.0;
/// After so many quiet blocks in a row, the margin is brought to its aim if that gains this much:
/// what was late when the line was young, or has been mended since, is not kept for the whole call.
/// Less than a step of the counted delays is not worth a frame.
const SILENCE_BLOCKS: u32 = 10;
const LEAST_GAIN: f64 = 0.005;
/// Weight of a new packet in the mean.
const SMOOTHING: f64 = 1.0 / 16.0;
/// So many recent losses make it worth while to wait for the packet that repairs them.
const LOSSES_TO_WAIT_FOR: f64 = 1.5;

/// How long packets of the fastest path wait for their pull.
#[derive(Debug, Default)]
pub(super) struct Margin {
    mean: Option<f64>,
    /// The least one since the last change, and how many blocks there were.
    least: Option<f64>,
    blocks: u32,
}

impl Margin {
    pub(super) fn mean(&self) -> f64 {
        self.mean.unwrap_or(0.0)
    }

    fn push(&mut self, margin: f64) {
        let mean = self.mean.unwrap_or(margin);
        self.mean = Some(mean + (margin - mean) * SMOOTHING);
        self.least = Some(self.least.map_or(margin, |least| least.min(margin)));
        self.blocks += 1;
    }

    fn begin_anew(&mut self) {
        self.least = None;
        self.blocks = 0;
    }
}

impl JitterBuffer {
    /// The margin aimed at.
    pub(super) fn target(&self) -> f64 {
        let least = self.settings.least_delay.as_secs_f64();
        let greatest = self.settings.greatest_delay.as_secs_f64().max(least);
        (self.needed() + SAFETY).clamp(least, greatest)
    }

    /// What packets are late by, and the wait for the one that repairs a loss.
    fn needed(&self) -> f64 {
        let repair =
            if self.losses > LOSSES_TO_WAIT_FOR && self.decoder.has_forward_error_correction() {
                self.last_duration as f64 / self.rate_hz
            } else {
                0.0
            };
        self.arrivals.quantile() + repair
    }

    /// Brings the margin nearer to its aim by changing the length of a block.
    pub(super) fn adapt(&mut self, now: f64, timestamp: i64, block: &mut Vec<i16>) {
        let Some(fastest) = self
            .arrivals
            .fastest()
            .filter(|_| !self.arrivals.is_unsettled())
        else {
            return;
        };
        self.margin
            .push(now - timestamp as f64 / self.rate_hz - fastest);
        let Some(least) = self.margin.least else {
            return;
        };
        let greatest = self.settings.greatest_delay.as_secs_f64();
        let left = least - self.needed().min(greatest);
        let excess = least - self.target();
        let rest = match excess {
            FAR_TOO_LATE.. => 0,
            _ if left < LEAST_SAFETY => REST_EARLY,
            _ => REST_LATE,
        };
        if self.margin.blocks <= rest {
            return;
        }
        self.margin.begin_anew();
        let before = block.len();
        self.change_length(left, excess, block);
        let change = block.len() as i64 - before as i64;
        self.statistics.inserted_samples += change.max(0).unsigned_abs();
        self.statistics.removed_samples += change.min(0).unsigned_abs();
    }

    pub(super) fn note_quiet(&mut self, block: &[i16]) {
        let is_quiet = level_dbov(block) < QUIET_DBOV;
        self.quiet_blocks = if is_quiet { self.quiet_blocks + 1 } else { 0 };
    }

    /// Leaves out a frame of a silence that waits longer than is wanted; returns how long the pull
    /// is put off for that, so that all gained is what was too much.
    pub(super) fn leave_out_silence(&mut self, now: f64) -> Option<f64> {
        let gain = self.gain_in_silence(now)?;
        self.play(now);
        // The one that ends the silence is played, by the pull that follows.
        if self.quiet_blocks == 0 || self.ready.len() != self.frame_samples {
            return None;
        }
        self.ready.clear();
        self.runs.clear();
        self.quiet_blocks = 0;
        self.margin.begin_anew();
        self.statistics.removed_samples += (gain * self.rate_hz) as u64;
        Some(FRAME - gain)
    }

    /// By how much less the next packet could wait for its pull; none but in silence, of packets
    /// that are a frame each.
    fn gain_in_silence(&self, now: f64) -> Option<f64> {
        let is_calm = self.quiet_blocks >= SILENCE_BLOCKS && !self.arrivals.is_unsettled();
        if !is_calm || !self.ready.is_empty() {
            return None;
        }
        let head = self.ring.first()?;
        let Content::Audio(payload) = &head.content else {
            return None;
        };
        let is_next = self.next_sequence == Some(head.sequence);
        let duration = self.decoder.duration_samples(payload);
        let is_frame = duration.is_ok_and(|samples| samples == self.frame_samples);
        let margin = now - head.timestamp as f64 / self.rate_hz - self.arrivals.fastest()?;
        let gain = margin - self.target();
        (is_next && is_frame && (LEAST_GAIN..FRAME).contains(&gain)).then_some(gain)
    }

    fn change_length(&self, left: f64, excess: f64, block: &mut Vec<i16>) {
        let is_early = left < LEAST_SAFETY;
        if !is_early && excess < TOO_LATE_QUIET {
            return;
        }
        let per_ms = self.frame_samples / FRAME_MS as usize;
        let is_quiet = self.quiet_blocks > 0;
        if is_early {
            if is_quiet {
                // What is missing until a pull needs no packet.
                let wanted = self.frame_samples - self.ready.len().min(self.frame_samples - 1);
                stretch::lengthen_quiet(block, wanted, per_ms);
            } else {
                stretch::lengthen(block, per_ms, left < FAR_TOO_EARLY);
            }
        } else if is_quiet {
            let wanted = ((excess - TOO_LATE_QUIET) * self.rate_hz) as usize;
            stretch::shorten_quiet(block, wanted + self.ready.len() + 1, per_ms);
        } else if excess > TOO_LATE {
            stretch::shorten(block, per_ms, excess > FAR_TOO_LATE);
        }
    }
}
