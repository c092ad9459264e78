//! Bits and frames a second, over the last whole second.

use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// Counts within a second, and keeps what the one before it had.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    began: Instant,
    bytes: u64,
    frames: u32,
    bits_per_second: f64,
    frames_per_second: f64,
}

impl Rate {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            began: now,
            bytes: 0,
            frames: 0,
            bits_per_second: 0.0,
            frames_per_second: 0.0,
        }
    }

    /// Counts a packet.
    pub(crate) fn add(&mut self, now: Instant, bytes: usize, begins_frame: bool) {
        self.settle(now);
        self.bytes += bytes as u64;
        self.frames += u32::from(begins_frame);
    }

    /// Ends the second that is over.
    pub(crate) fn settle(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.began);
        if passed >= SECOND {
            let seconds = passed.as_secs_f64();
            self.bits_per_second = self.bytes as f64 * 8.0 / seconds;
            self.frames_per_second = f64::from(self.frames) / seconds;
            (self.began, self.bytes, self.frames) = (now, 0, 0);
        }
    }

    /// Of the last whole second; within the first one, of what it has had so far.
    pub(crate) fn bits_per_second(&self) -> u64 {
        if self.bits_per_second > 0.0 {
            self.bits_per_second as u64
        } else {
            self.bytes * 8
        }
    }

    pub(crate) fn frames_per_second(&self) -> f64 {
        self.frames_per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_counts_what_was_in_it_and_silence_is_none() {
        let began = crate::shard::now();
        let mut rate = Rate::new(began);
        for number in 0..=25_u32 {
            let now = began + Duration::from_millis(40) * number;
            rate.add(now, 500, true);
            rate.add(now, 500, false);
        }
        assert_eq!(rate.frames_per_second(), 25.0);
        assert_eq!(rate.bits_per_second(), 200_000);

        rate.settle(began + Duration::from_secs(2));
        rate.settle(began + Duration::from_secs(3));
        assert_eq!((rate.frames_per_second(), rate.bits_per_second()), (0.0, 0));
    }
}
