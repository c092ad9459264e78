//! DTLS and SRTP on the path that ICE has found.

use std::net::SocketAddr;
use std::time::Instant;

use super::super::dtls::{Dtls, DtlsOutcome};
use super::super::{DtlsState, Facts, Transmit, TransportEvent, is_rtcp};
use super::{Carries, Component};

impl Component {
    pub(super) fn handle_dtls(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
    ) {
        let Some(dtls) = &mut self.dtls else {
            return;
        };
        let outcome = dtls.handle_datagram(now, data);
        while let Some(data) = dtls.poll_application() {
            self.events.push_back(TransportEvent::Data(data));
        }
        // A client hello may come before our own pair is selected: answer where it came from.
        let path = self.path.unwrap_or((local, from));
        self.send_dtls(path);
        self.act_on(outcome);
    }

    pub(super) fn handle_srtp(&mut self, now: Instant, data: &[u8]) {
        let Some(srtp) = &mut self.srtp else {
            self.counts.refused_srtp += 1;
            return;
        };
        // By itself each is what it is: no payload type is taken for the other.
        let is_rtcp = match self.carries {
            Carries::Both => is_rtcp(data),
            Carries::Rtp => false,
            Carries::Rtcp => true,
        };
        let event = if is_rtcp {
            srtp.unprotect_rtcp(data).map(TransportEvent::Rtcp)
        } else {
            srtp.unprotect_rtp(data).map(TransportEvent::Rtp)
        };
        match event {
            Some(event) => {
                self.events.push_back(event);
                self.hear(now);
            }
            None => self.counts.refused_srtp += 1,
        }
    }

    pub(super) fn send_rtp(&mut self, _now: Instant, packet: &[u8]) -> bool {
        let protected = self.srtp.as_mut().and_then(|srtp| srtp.protect_rtp(packet));
        self.transmit(protected)
    }

    pub(super) fn send_rtcp(&mut self, _now: Instant, packet: &[u8]) -> bool {
        let protected = self
            .srtp
            .as_mut()
            .and_then(|srtp| srtp.protect_rtcp(packet));
        self.transmit(protected)
    }

    /// Queues data beside the media; false if it cannot be sent now.
    pub(super) fn send_data(&mut self, now: Instant, data: &[u8]) -> bool {
        let (Some(path), false) = (self.path, self.is_ended) else {
            return false;
        };
        let is_sent = self.dtls.as_mut().is_some_and(|dtls| dtls.send(now, data));
        self.send_dtls(path);
        is_sent
    }

    /// Our DTLS role once its association is there: whether we are the client.
    pub(super) fn data_role(&self) -> Option<bool> {
        let dtls = self.dtls.as_ref().filter(|_| !self.is_ended);
        dtls.and_then(Dtls::established_role)
    }

    fn transmit(&mut self, packet: Option<Vec<u8>>) -> bool {
        let (Some((local, to)), Some(data), false) = (self.path, packet, self.is_ended) else {
            return false;
        };
        self.transmits.push_back(Transmit { local, to, data });
        true
    }

    pub(super) fn send_dtls(&mut self, (local, to): (SocketAddr, SocketAddr)) {
        while let Some(data) = self.dtls.as_mut().and_then(Dtls::poll_transmit) {
            self.transmits.push_back(Transmit { local, to, data });
        }
    }

    pub(super) fn act_on(&mut self, outcome: DtlsOutcome) {
        match outcome {
            DtlsOutcome::Continues => {}
            DtlsOutcome::Complete(srtp) => {
                self.srtp = Some(srtp);
                if self.path.is_some() {
                    self.events.push_back(TransportEvent::Connected);
                }
            }
            // The keys end with the association (RFC 5764 §3); signalling ends the call.
            DtlsOutcome::Closed => {
                self.srtp = None;
                self.dtls = None;
            }
            DtlsOutcome::Failed(reason) => self.fail(reason),
        }
    }

    pub(super) fn facts(&self) -> Facts {
        let state = match (&self.srtp, &self.dtls) {
            _ if self.is_ended => DtlsState::Failed,
            (Some(_), _) => DtlsState::Connected,
            (None, Some(_)) => DtlsState::Connecting,
            (None, None) if self.remote_ufrag.is_some() => DtlsState::Closed,
            (None, None) => DtlsState::New,
        };
        Facts {
            route: self.path,
            suite: self.srtp.as_ref().map(|srtp| srtp.suite()),
            dtls: Some(state),
        }
    }
}
