//! A token bucket that holds what one second brings.

/// Tokens left, and when that was so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    tokens: f64,
    at: f64,
}

impl Bucket {
    /// A bucket that has not been used.
    pub(super) fn full(rate: f64, now: f64) -> Self {
        Self {
            tokens: rate.max(1.0),
            at: now,
        }
    }

    /// Take one token; false when there is none.
    pub(super) fn take(&mut self, rate: f64, now: f64) -> bool {
        let grown = self.tokens + (now - self.at).max(0.0) * rate;
        self.at = now;
        self.tokens = grown.min(rate.max(1.0));
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }
}
