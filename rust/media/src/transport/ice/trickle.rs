//! Candidates of the peer that come after its description (RFC 8838).

use std::time::Instant;

use rtc::ice::state::ConnectionState;

use super::{Carries, Component, UNPROVEN_CHECKS};

/// Generations of the peer's candidates that are remembered as over.
const MOST_FORMER: usize = 8;

/// What became of candidates that came by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trickled {
    /// They are of the description in force, and looked into.
    Taken,
    /// No description has had their credentials: one that is on its way may.
    Unknown,
    /// They are of a description that another has replaced: dropped and counted.
    Old,
}

impl Trickled {
    /// The word the Python side knows it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Unknown => "unknown",
            Self::Old => "old",
        }
    }
}

impl Component {
    /// Takes candidates of the peer, the values of `a=candidate` without `candidate:`, and whether
    /// they are the last ones of their generation, which `ufrag` names.
    pub(super) fn trickle<'a>(
        &mut self,
        now: Instant,
        ufrag: &str,
        candidates: impl Iterator<Item = &'a str>,
        is_end: bool,
    ) -> Trickled {
        if self.remote_ufrag.as_deref() != Some(ufrag) {
            let is_former = self.former_ufrags.iter().any(|former| former == ufrag);
            if !is_former {
                return Trickled::Unknown;
            }
            self.counts.refused_candidates += candidates.count() as u64;
            return Trickled::Old;
        }
        // A lite agent's far end does all checks, and one that has ended looks for no path.
        if self.lite.is_some() || self.is_ended {
            return Trickled::Taken;
        }
        let before = self.agent.get_remote_candidates().len();
        candidates.for_each(|candidate| self.add_remote_candidate(candidate));
        let has_more = self.agent.get_remote_candidates().len() > before;
        if has_more || is_end {
            self.allow_checks(!is_end);
        }
        if has_more
            && matches!(
                self.agent.state(),
                ConnectionState::New | ConnectionState::Checking
            )
        {
            self.checking_since = Some(now);
        }
        self.drain(now);
        Trickled::Taken
    }

    /// Two components share what one by itself may send.
    fn most_checks(&self) -> u16 {
        match self.carries {
            Carries::Both => UNPROVEN_CHECKS,
            Carries::Rtp | Carries::Rtcp => UNPROVEN_CHECKS / 2,
        }
    }

    /// Lets checks go to addresses that have proved nothing: half of those that are left while the
    /// peer has candidates to come, which need some too.
    pub(super) fn allow_checks(&mut self, has_more_to_come: bool) {
        let left = self.most_checks().saturating_sub(self.unproven_checks);
        let now = if has_more_to_come { left / 2 } else { left };
        self.allowed_checks = self.unproven_checks + now;
    }

    /// Another generation of candidates has begun: what comes of the one before is late.
    pub(super) fn note_former(&mut self) {
        if let Some(former) = self.remote_ufrag.take() {
            if self.former_ufrags.len() == MOST_FORMER {
                self.former_ufrags.remove(0);
            }
            self.former_ufrags.push(former);
        }
    }
}
