//! The limits at the door, and what is counted there.

/// Limits at the door; seconds, and numbers a second.
#[derive(Clone, Copy, Debug)]
pub struct DoorSettings {
    /// 503s sent in one second; further refusals are silent.
    pub refusals_per_second: u32,
    /// What their Retry-After says.
    pub retry_after: u32,
    /// New calls taken in one second; 0 for no limit.
    pub calls_per_second: f64,
    /// New requests that may wait for a turn.
    pub waiting: usize,
    /// Longest wait; what has waited longer is refused.
    pub waiting_seconds: f64,
    /// A wait above this for `overload_seconds` is overload.
    pub target_delay: f64,
    /// How long the wait may be above the target.
    pub overload_seconds: f64,
    /// New requests of one source in one second; 0 for no limit.
    pub requests_per_source: f64,
    /// How long a source that exceeds it is not heard.
    pub source_ban: f64,
    /// Sources remembered.
    pub sources: usize,
    /// Requests a second that name a dialog we do not have and are yet looked at; infinite for no
    /// limit, as a proxy has no dialogs.
    pub strangers_per_second: f64,
    /// Whether we offer to send less to who asks for it (RFC 7339).
    pub overload_control: bool,
    /// Answered calls that may wait for their ACK; beyond, the oldest is given up.
    pub unacknowledged: usize,
    /// Server transactions that are over and kept for 64·T1, refused and unanswered each; beyond, the oldest
    /// of its kind is forgotten.
    pub kept: usize,
}

impl Default for DoorSettings {
    fn default() -> Self {
        Self {
            refusals_per_second: 200,
            retry_after: 5,
            calls_per_second: 0.0,
            waiting: 1024,
            waiting_seconds: 0.4,
            target_delay: 0.05,
            overload_seconds: 0.2,
            requests_per_source: 0.0,
            source_ban: 10.0,
            sources: 4096,
            strangers_per_second: f64::INFINITY,
            overload_control: true,
            unacknowledged: 2000,
            kept: 10_000,
        }
    }
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Load,
    Rate,
    Calls,
    Source,
}

/// What has happened at the door.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refusals {
    pub(super) by_load: u64,
    pub(super) by_rate: u64,
    pub(super) by_calls: u64,
    pub(super) by_source: u64,
    pub(super) strangers: u64,
    pub(super) answered: u64,
    pub(super) dropped: u64,
    pub(super) bans: u64,
    pub(super) waited: u64,
    pub(super) acknowledged: u64,
}
