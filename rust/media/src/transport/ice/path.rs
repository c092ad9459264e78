//! The path that ICE has found: taken, told of, lost, looked for anew.

use std::net::SocketAddr;
use std::time::Instant;

use rtc::ice::state::ConnectionState;
use rtc::sansio::Protocol;

use super::super::{IceState, TransportEvent};
use super::Component;
use super::lite::Lite;

impl Component {
    pub(super) fn select(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr) {
        let is_first = self.path.is_none();
        self.path = Some((local, remote));
        self.begin_consent(now);
        self.leave_former(now);
        self.gate.admit(remote);
        if let Some(dtls) = &mut self.dtls {
            dtls.start(now);
        }
        self.send_dtls((local, remote));
        if is_first && self.srtp.is_some() {
            self.events.push_back(TransportEvent::Connected);
        }
    }

    pub(super) fn report(&mut self, state: ConnectionState) {
        let state = match state {
            ConnectionState::Checking => IceState::Checking,
            ConnectionState::Connected | ConnectionState::Completed => IceState::Connected,
            ConnectionState::Disconnected => IceState::Disconnected,
            ConnectionState::Failed => IceState::Failed,
            _ => return,
        };
        self.events.push_back(TransportEvent::IceState(state));
        if state == IceState::Failed {
            let lost = self.path.is_some();
            self.lose(if lost {
                "the peer no longer answers ICE checks: consent is lost"
            } else {
                "no ICE candidate pair works"
            });
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.is_ended && self.srtp.is_some() && self.path.is_some()
    }

    pub(super) fn fail(&mut self, reason: &str) {
        if self.is_ended {
            return;
        }
        self.is_ended = true;
        self.srtp = None;
        self.path = None;
        self.consent = None;
        self.gate.forget_all();
        self.events
            .push_back(TransportEvent::Failed(reason.to_owned()));
    }

    /// There is no path, or none any more. A restart may find one (RFC 8445 §2.4): the association
    /// and its keys are kept for it (RFC 8842 §4).
    pub(super) fn lose(&mut self, reason: &str) {
        if self.is_ended {
            return;
        }
        let srtp = self.srtp.take();
        self.fail(reason);
        self.srtp = srtp;
        self.is_lost = true;
    }

    /// Whether nothing will ever go by it again.
    pub(super) fn is_dead(&self) -> bool {
        self.is_ended && !self.is_lost
    }

    /// Begins to look for a path after there was none.
    pub(super) fn revive(&mut self, now: Instant) {
        if std::mem::take(&mut self.is_lost) {
            self.is_ended = false;
            self.former = None;
            self.lite = self.lite.take().map(|_| Lite::new(now));
        }
    }

    pub(super) fn close(&mut self, now: Instant) {
        if self.is_ended {
            return;
        }
        if let (Some(dtls), Some(path)) = (&mut self.dtls, self.path) {
            dtls.close(now);
            self.send_dtls(path);
        }
        self.agent.close().ok();
        self.is_ended = true;
        self.srtp = None;
        self.gate.forget_all();
        self.events.clear();
    }

    /// The path it takes: local socket and remote address.
    pub(super) fn path(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.path
    }
}
