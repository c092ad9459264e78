//! Checks with the credentials of an offer that is not answered yet (RFC 8445 §7.3).
//!
//! The peer that answers a restart checks at once, and signalling takes longer. Its media would
//! stand still until its next try, up to half a second later: such a check is answered when it
//! comes, and shown to the agent when it knows the answer.

use std::net::SocketAddr;
use std::time::Instant;

use super::super::{Transmit, stun};
use super::IceTransport;

/// Pairs of addresses whose latest check is kept.
const MOST_CHECKS: usize = 16;

/// A check that came before the answer.
#[derive(Debug)]
pub(super) struct EarlyCheck {
    local: SocketAddr,
    from: SocketAddr,
    data: Vec<u8>,
}

impl IceTransport {
    /// Answers a check of the restart we have offered; false if it is none.
    pub(super) fn take_early_check(
        &mut self,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
    ) -> bool {
        let Some(own) = &self.prepared else {
            return false;
        };
        let crypto = self.identity.provider.crypto();
        let admitted = stun::admit(data, &own.ufrag, &own.password, crypto);
        if !matches!(admitted, Some(stun::Admitted::Request { .. })) {
            return false;
        }
        let Some(answer) = stun::success(data, from, &own.password, crypto) else {
            return false;
        };
        self.transmits.push_back(Transmit {
            local,
            to: from,
            data: answer,
        });
        self.gate.admit(from);
        self.early_checks
            .retain(|check| (check.local, check.from) != (local, from));
        if self.early_checks.len() < MOST_CHECKS {
            let data = data.to_vec();
            self.early_checks.push(EarlyCheck { local, from, data });
        }
        true
    }

    /// Shows the agent the checks that came before the answer.
    pub(super) fn repeat_early_checks(&mut self, now: Instant) {
        for EarlyCheck { local, from, data } in std::mem::take(&mut self.early_checks) {
            self.handle_stun(now, local, from, &data);
        }
    }
}
