//! What a jitter buffer is told and what it tells.

use std::time::Duration;

/// How much delay the buffer may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JitterSettings {
    /// The delay never aims lower. Where pulls keep to a grid of their own, and are not moved to
    /// when a spurt begins, it is up to 20 ms more.
    pub least_delay: Duration,
    /// Nor higher.
    pub greatest_delay: Duration,
}

impl Default for JitterSettings {
    fn default() -> Self {
        Self {
            least_delay: Duration::from_millis(12),
            greatest_delay: Duration::from_millis(500),
        }
    }
}

/// What a pulled frame is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frame {
    /// Samples made up because a packet was missing or late.
    pub concealed_samples: usize,
    /// Samples recovered from the packet that followed.
    pub recovered_samples: usize,
    /// Samples of silence or comfort noise because the sender had nothing to say, or has not begun.
    pub silent_samples: usize,
}

impl Frame {
    /// Tells whether any of it is made up.
    #[must_use]
    pub fn is_concealed(&self) -> bool {
        self.concealed_samples > 0
    }
}

/// Counters since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct JitterStatistics {
    /// Audio packets taken in, late ones included.
    pub received: u64,
    /// Packets that were missing when their turn came.
    pub missing: u64,
    /// Packets that came after their turn.
    pub late: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets dropped because the buffer was full.
    pub discarded: u64,
    /// Packets that did not decode.
    pub undecodable: u64,
    /// Samples played out, whatever their origin.
    pub samples: u64,
    /// Samples made up. What filled the first 120 ms of a sender's pause is not counted.
    pub concealed_samples: u64,
    /// The share of the last whole second that was made up, 0 to 1.
    pub last_second_concealed: f64,
    /// Seconds in which something was made up.
    pub concealed_seconds: u64,
    /// Times concealment began.
    pub concealments: u64,
    /// Samples had by forward error correction.
    pub recovered_samples: u64,
    /// Samples put in to lengthen the delay.
    pub inserted_samples: u64,
    /// Samples taken out to shorten the delay.
    pub removed_samples: u64,
    /// Mean delay from arrival by the fastest path to the pull, in seconds.
    pub delay: f64,
    /// The delay aimed at, in seconds.
    pub target_delay: f64,
}

impl JitterStatistics {
    /// The same with samples of another rate, so many times the one before.
    pub(super) fn at_rate(mut self, factor: f64) -> Self {
        for samples in [
            &mut self.samples,
            &mut self.concealed_samples,
            &mut self.recovered_samples,
            &mut self.inserted_samples,
            &mut self.removed_samples,
        ] {
            *samples = (*samples as f64 * factor).round() as u64;
        }
        self
    }
}
