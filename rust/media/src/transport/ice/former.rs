//! The credentials of the path in use while ICE looks for another one.
//!
//! Until a restart has found its path, media goes over the one before, and its far end asks there
//! for consent with the credentials that path was found with (RFC 7675 §5.1): from any address that
//! has proved itself, as a browser may change its mind when it changes its role. It goes on for a
//! moment more: one side knows of the new path before the other does.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::super::stun;
use super::{Component, Credentials};

/// How long the far end of a path that was left is answered.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// Our half of what the path was found with.
#[derive(Debug)]
pub(super) struct Former {
    own: Credentials,
    /// None until there is another path.
    ends: Option<Instant>,
}

impl Component {
    /// ICE begins anew: the path in use is kept with what it was found with.
    pub(super) fn keep_former(&mut self) {
        self.keep_consent();
        let is_kept = self.former.as_ref().is_some_and(|one| one.ends.is_none());
        if self.path.is_some() && !is_kept {
            let own = self.live.clone();
            self.former = Some(Former { own, ends: None });
        }
    }

    /// There is another path.
    pub(super) fn leave_former(&mut self, now: Instant) {
        if let Some(former) = &mut self.former {
            former.ends.get_or_insert(now + AFTERWARDS);
        }
    }

    /// The user name fragment of the credentials before those in force, if they may still be named.
    pub(super) fn former_ufrag(&self) -> Option<&str> {
        self.former.as_ref().map(|former| former.own.ufrag.as_str())
    }

    /// Answers the far end of the path before; false if that has not asked.
    pub(super) fn take_former_check(
        &mut self,
        now: Instant,
        path: (SocketAddr, SocketAddr),
        data: &[u8],
    ) -> bool {
        let known = self.former.as_ref();
        let known = known.filter(|one| one.ends.is_none_or(|ends| now < ends));
        let Some(former) = known.filter(|_| self.is_admitted(path.1)) else {
            return false;
        };
        let own = former.own.clone();
        let crypto = self.identity.provider.crypto();
        let admitted = stun::admit(data, &own.ufrag, &own.password, crypto);
        if !matches!(admitted, Some(stun::Admitted::Request { .. })) {
            return false;
        }
        if self.path == Some(path) {
            self.hear(now);
        }
        self.answer_check(path.0, path.1, data, &own.password)
    }
}
