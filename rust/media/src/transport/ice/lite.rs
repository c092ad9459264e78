//! The lite side of ICE (RFC 8445 §2.5): it answers checks, sends none, and never controls.
//!
//! It is for agents that every far end can reach; the far end finds the path and nominates it.
//! Without checks of its own it knows that it may send by what is heard: a full agent goes on
//! checking to keep its consent (RFC 7675 §5.1), and authentic media says as much.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::super::{IceState, Transmit, TransportEvent, stun};
use super::Component;

/// Two checks of consent at their slowest (RFC 7675 §5.1), and some time on the way.
const DOUBT: Duration = Duration::from_secs(15);
/// As long as consent lasts without a word.
const LIMIT: Duration = Duration::from_secs(30);

/// What a lite agent knows of its far end.
#[derive(Debug)]
pub(super) struct Lite {
    heard: Instant,
    state: IceState,
}

impl Lite {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            heard: now,
            state: IceState::Checking,
        }
    }

    /// The far end looks for a path anew: it has as long as at first.
    pub(super) fn begin(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            IceState::Connected => Some(self.heard + DOUBT),
            IceState::Checking | IceState::Disconnected => Some(self.heard + LIMIT),
            IceState::Failed => None,
        }
    }
}

impl Component {
    /// Answers as a lite agent: the first offer of a far end that is none makes this one lite.
    pub(super) fn answer_as_lite(&mut self) {
        self.may_be_lite = true;
    }

    /// Takes a message that `stun::admit` has let through.
    pub(super) fn take_lite(
        &mut self,
        now: Instant,
        (local, from): (SocketAddr, SocketAddr),
        data: &[u8],
        admitted: stun::Admitted,
    ) {
        let crypto = self.identity.provider.crypto();
        let stun::Admitted::Request { use_candidate, .. } = admitted else {
            // It answers nothing that was asked.
            self.counts.refused_stun += 1;
            return;
        };
        let Some(answer) = stun::success(data, from, &self.live.password, crypto) else {
            self.counts.refused_stun += 1;
            return;
        };
        self.transmits.push_back(Transmit {
            local,
            to: from,
            data: answer,
        });
        self.gate.admit(from);
        if use_candidate && self.path != Some((local, from)) {
            self.select(now, local, from);
        }
        self.hear(now);
    }

    /// The far end has proved that it is there.
    pub(super) fn hear(&mut self, now: Instant) {
        let news = self.consent.as_mut().and_then(|consent| consent.hear(now));
        self.tell(news);
        let Some(lite) = &mut self.lite else { return };
        lite.heard = now;
        if self.path.is_some() && lite.state != IceState::Connected {
            lite.state = IceState::Connected;
            let state = TransportEvent::IceState(IceState::Connected);
            self.events.push_back(state);
        }
    }

    /// Notes silence; false for an agent that is not lite.
    pub(super) fn tick_lite(&mut self, now: Instant) -> bool {
        let Some(lite) = &mut self.lite else {
            return false;
        };
        if lite.deadline().is_none_or(|at| at > now) {
            return true;
        }
        if lite.state == IceState::Connected {
            lite.state = IceState::Disconnected;
            let state = TransportEvent::IceState(IceState::Disconnected);
            self.events.push_back(state);
            return true;
        }
        lite.state = IceState::Failed;
        let state = TransportEvent::IceState(IceState::Failed);
        self.events.push_back(state);
        self.lose(if self.path.is_some() {
            "the peer no longer sends ICE checks: consent is lost"
        } else {
            "the peer has nominated no ICE candidate pair"
        });
        true
    }
}
