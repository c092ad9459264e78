//! How often checks leave while a path is looked for.

use std::time::{Duration, Instant};

use rtc::ice::state::ConnectionState;

use super::Component;

/// Pace of checks at first; RFC 8445 §14 asks for no less than 5 ms.
pub(super) const FAST_CHECKS: Duration = Duration::from_millis(20);
/// Pace of checks after `FAST_CHECK_TIME`, so that a late peer is waited for at little cost.
const SLOW_CHECKS: Duration = Duration::from_millis(200);
const FAST_CHECK_TIME: Duration = Duration::from_millis(500);

impl Component {
    /// When the agent is to be asked for its checks.
    pub(super) fn agent_deadline(&self) -> Option<Instant> {
        self.remote_ufrag.as_ref()?;
        if let Some(lite) = &self.lite {
            return lite.deadline();
        }
        let pace = match self.agent.state() {
            ConnectionState::New | ConnectionState::Checking => self.check_pace(),
            // Once: the agent takes the beginning of a search from the tick before it.
            ConnectionState::Connected if !self.is_settled => FAST_CHECKS,
            // It has nothing to look for: what goes on is `Consent`'s.
            _ => return None,
        };
        // Never ticked: checks begin at once.
        self.last_tick
            .map_or(self.checking_since, |tick| Some(tick + pace))
    }

    fn check_pace(&self) -> Duration {
        match (self.checking_since, self.last_tick) {
            (Some(since), Some(tick)) if tick >= since + FAST_CHECK_TIME => SLOW_CHECKS,
            _ => FAST_CHECKS,
        }
    }
}
