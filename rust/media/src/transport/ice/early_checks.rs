//! Checks that come before the description they belong to (RFC 8445 §7.3).
//!
//! Who answers a restart checks at once, and who begins one even earlier; signalling takes longer.
//! Media would stand still until the next try, up to half a second later. A check of the restart
//! that we have offered is answered when it comes, and shown to the agent when it knows the answer;
//! one that comes before the first description of the peer waits for that. What the peer checks
//! before the offer of its own restart is here is passed over: it names credentials of ours that
//! end with the restart, and a browser that has got an answer goes on with them.

use std::net::SocketAddr;
use std::time::Instant;

use super::super::{Transmit, stun};
use super::Component;

/// Pairs of addresses whose latest check is kept.
const MOST_CHECKS: usize = 16;

/// A check that came before its description.
#[derive(Debug)]
pub(super) struct EarlyCheck {
    local: SocketAddr,
    from: SocketAddr,
    data: Vec<u8>,
}

impl Component {
    /// Answers a check of the restart we have offered; false if it is none.
    pub(super) fn take_early_check(
        &mut self,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
    ) -> bool {
        let Some(own) = self.prepared.clone() else {
            return false;
        };
        let crypto = self.identity.provider.crypto();
        let admitted = stun::admit(data, &own.ufrag, &own.password, crypto);
        if !matches!(admitted, Some(stun::Admitted::Request { .. })) {
            return false;
        }
        self.keep_check(local, from, data);
        let is_answered = self.answer_check(local, from, data, &own.password);
        if is_answered {
            self.gate.admit(from);
        }
        is_answered
    }

    /// Takes a check by credentials of the peer's that no description has had yet: to the agent it
    /// would be a conflict of roles. False for a check of the peer as it has described itself.
    pub(super) fn keep_foreign_check(
        &mut self,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
    ) -> bool {
        let theirs = stun::sending_ufrag(data);
        if theirs.is_none() || theirs == self.remote_ufrag.as_deref() {
            return false;
        }
        if self.remote_ufrag.is_none() {
            self.keep_check(local, from, data);
        }
        true
    }

    /// Takes the role that an authentic check leaves to us. The peer has taken another one with a
    /// restart whose description is on its way; the agent would refuse the check with 487, the peer
    /// go back, and both be in one role when the restart begins.
    pub(super) fn yield_role(&mut self, peer_controls: Option<bool>) {
        if self.path.is_some() && peer_controls == Some(self.agent.role()) {
            self.take_role(!self.agent.role());
        }
    }

    fn keep_check(&mut self, local: SocketAddr, from: SocketAddr, data: &[u8]) {
        self.early_checks
            .retain(|check| (check.local, check.from) != (local, from));
        if self.early_checks.len() < MOST_CHECKS {
            let data = data.to_vec();
            self.early_checks.push(EarlyCheck { local, from, data });
        }
    }

    pub(super) fn answer_check(
        &mut self,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
        password: &str,
    ) -> bool {
        let crypto = self.identity.provider.crypto();
        let Some(data) = stun::success(data, from, password, crypto) else {
            return false;
        };
        self.transmits.push_back(Transmit {
            local,
            to: from,
            data,
        });
        true
    }

    /// Takes up the checks that came before the description.
    pub(super) fn repeat_early_checks(&mut self, now: Instant) {
        for EarlyCheck { local, from, data } in std::mem::take(&mut self.early_checks) {
            self.handle_stun(now, local, from, &data);
        }
    }
}
