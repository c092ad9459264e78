//! DTLS-SRTP on a session's two sockets, without ICE (RFC 5763, RFC 5764).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::associations::{Associations, Outcome};
use super::early::EarlyHellos;
use super::paths::Paths;
use super::plain::RemotePlain;
use super::srtp::Srtp;
use super::{DtlsState, Facts, Identity, Transmit, TransportCounts, TransportEvent, is_rtcp};

/// The peer's half: where it receives, and which certificates it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteDtls {
    /// Where it receives.
    pub path: RemotePlain,
    /// Its fingerprints, in upper case.
    pub fingerprints: Vec<String>,
}

/// What one socket of the two has.
struct Component {
    local: SocketAddr,
    associations: Associations,
    srtp: Option<Box<Srtp>>,
}

/// A session's sockets for RTP and RTCP; without rtcp-mux each has a handshake of its own.
pub struct DtlsTransport {
    identity: Arc<Identity>,
    locals: [SocketAddr; 2],
    paths: Paths,
    components: Vec<Component>,
    /// Of the two sockets, while our offer has no answer.
    early: [EarlyHellos; 2],
    transmits: VecDeque<Transmit>,
    events: VecDeque<TransportEvent>,
    counts: TransportCounts,
    is_ended: bool,
}

impl DtlsTransport {
    /// Makes one for two bound sockets; the same address twice if only one is there.
    pub fn new(identity: Arc<Identity>, rtp_local: SocketAddr, rtcp_local: SocketAddr) -> Self {
        Self {
            identity,
            locals: [rtp_local, rtcp_local],
            paths: Paths::new(rtp_local, rtcp_local),
            components: Vec::new(),
            early: Default::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            counts: TransportCounts::default(),
            is_ended: false,
        }
    }

    /// Makes it anew for another fork of the same offer.
    pub(crate) fn fork(&self) -> Self {
        Self::new(Arc::clone(&self.identity), self.locals[0], self.locals[1])
    }

    /// Takes the peer's newest description; `is_client` says what we are.
    pub fn set_remote(&mut self, now: Instant, remote: &RemoteDtls, is_client: bool) {
        if self.is_ended {
            return;
        }
        self.paths.signal(&remote.path);
        // Another certificate is another association (RFC 8842 §4): new keys, checked anew.
        let serves = |part: &Component| part.associations.serves(is_client, &remote.fingerprints);
        if !self.components.iter().all(serves) {
            self.components.clear();
        }
        let count = if self.paths.has_mux() { 1 } else { 2 };
        self.components.truncate(count);
        while let Some(local) = self.locals.get(self.components.len()).copied()
            && self.components.len() < count
        {
            self.components.push(Component {
                local,
                associations: Associations::new(
                    Arc::clone(&self.identity),
                    is_client,
                    remote.fingerprints.clone(),
                ),
                srtp: None,
            });
        }
        let addresses = [self.paths.rtp.signalled(), self.paths.rtcp.signalled()];
        for (part, address) in self.components.iter_mut().zip(addresses) {
            part.associations.signal(now, address);
        }
        self.take_early(now, is_client);
        self.flush();
    }

    /// Lets the associations judge what came before the description.
    fn take_early(&mut self, now: Instant, is_client: bool) {
        for index in 0..self.early.len() {
            for (from, data) in self.early[index].take() {
                // A client is not said hello to, and with rtcp-mux nobody is on the second socket.
                let part = self.components.get_mut(index).filter(|_| !is_client);
                let outcome = part.map_or(Outcome::Refused, |part| {
                    part.associations.handle_datagram(now, from, &data)
                });
                if let Outcome::Refused = outcome {
                    self.counts.refused_source += 1;
                } else {
                    self.act_on(index, outcome);
                }
            }
        }
    }

    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
    ) {
        let index = usize::from(!self.paths.is_rtp_socket(local));
        let is_early = self.components.is_empty() && !self.is_ended;
        if is_early && self.early[index].keep(from, data) {
            return;
        }
        if self.is_ended || index >= self.components.len() {
            self.counts.refused_source += 1;
            return;
        }
        match data.first() {
            Some(20..=63) => {
                let outcome = self.components[index]
                    .associations
                    .handle_datagram(now, from, data);
                self.act_on(index, outcome);
                self.flush();
            }
            Some(128..=191) => self.handle_srtp(index, from, data),
            _ => self.counts.malformed += 1,
        }
    }

    fn handle_srtp(&mut self, index: usize, from: SocketAddr, data: &[u8]) {
        let part = &mut self.components[index];
        let event = part.srtp.as_mut().and_then(|srtp| {
            if is_rtcp(data) {
                srtp.unprotect_rtcp(data).map(TransportEvent::Rtcp)
            } else {
                srtp.unprotect_rtp(data).map(TransportEvent::Rtp)
            }
        });
        match event {
            Some(TransportEvent::Rtp(_)) if index > 0 => self.counts.malformed += 1,
            Some(event) => {
                match event {
                    TransportEvent::Rtp(_) => self.paths.rtp.heard(from),
                    _ => self.paths.heard_rtcp(part.local, from),
                }
                self.events.push_back(event);
            }
            None => self.counts.refused_srtp += 1,
        }
    }

    fn act_on(&mut self, index: usize, outcome: Outcome) {
        let part = &mut self.components[index];
        match outcome {
            Outcome::Continues => {}
            Outcome::Refused => self.counts.refused_source += 1,
            Outcome::Complete(from, srtp) => {
                let is_first = part.srtp.replace(srtp).is_none();
                if index > 0 {
                    self.paths.rtcp.heard(from);
                    return;
                }
                self.paths.rtp.heard(from);
                if is_first {
                    self.events.push_back(TransportEvent::Connected);
                }
            }
            // The keys end with the association (RFC 5764 §3); signalling ends the call.
            Outcome::Closed => part.srtp = None,
            // A peer that never keys its RTCP does without it.
            Outcome::Failed(_) if index > 0 => {}
            Outcome::Failed(reason) => {
                self.is_ended = true;
                self.components.clear();
                self.events
                    .push_back(TransportEvent::Failed(reason.to_owned()));
            }
        }
    }

    fn flush(&mut self) {
        for part in &mut self.components {
            while let Some((to, data)) = part.associations.poll_transmit() {
                let local = part.local;
                self.transmits.push_back(Transmit { local, to, data });
            }
        }
    }

    pub(super) fn send_rtp(&mut self, packet: &[u8]) -> bool {
        let keys = self
            .components
            .first_mut()
            .and_then(|part| part.srtp.as_mut());
        let data = keys.and_then(|srtp| srtp.protect_rtp(packet));
        let route = self.paths.rtp_route();
        self.transmit(route, data)
    }

    pub(super) fn send_rtcp(&mut self, packet: &[u8]) -> bool {
        let keys = self
            .components
            .last_mut()
            .and_then(|part| part.srtp.as_mut());
        let data = keys.and_then(|srtp| srtp.protect_rtcp(packet));
        let route = self.paths.rtcp_route();
        self.transmit(route, data)
    }

    fn transmit(&mut self, route: Option<(SocketAddr, SocketAddr)>, data: Option<Vec<u8>>) -> bool {
        let (Some((local, to)), Some(data), false) = (route, data, self.is_ended) else {
            return false;
        };
        self.transmits.push_back(Transmit { local, to, data });
        true
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let parts = self.components.iter();
        parts
            .filter_map(|part| part.associations.next_deadline())
            .min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for index in 0..self.components.len() {
            // The first one's failure ends them all.
            let Some(part) = self.components.get_mut(index) else {
                break;
            };
            let outcome = part.associations.handle_timeout(now);
            self.act_on(index, outcome);
        }
        self.flush();
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    pub(crate) fn is_ready(&self) -> bool {
        let has_keys = self
            .components
            .first()
            .is_some_and(|part| part.srtp.is_some());
        !self.is_ended && has_keys && self.paths.rtp_route().is_some()
    }

    pub(super) fn facts(&self) -> Facts {
        let first = self.components.first();
        let srtp = first.and_then(|part| part.srtp.as_ref());
        let state = match first {
            _ if self.is_ended => DtlsState::Failed,
            None => DtlsState::New,
            Some(_) if srtp.is_some() => DtlsState::Connected,
            Some(part) if part.associations.is_over() => DtlsState::Closed,
            Some(_) => DtlsState::Connecting,
        };
        Facts {
            route: self.paths.rtp_route(),
            suite: srtp.map(|srtp| srtp.suite()),
            dtls: Some(state),
        }
    }

    pub(super) fn counts(&self) -> TransportCounts {
        self.counts
    }

    pub(super) fn close(&mut self, now: Instant) {
        if self.is_ended {
            return;
        }
        for part in &mut self.components {
            part.associations.close(now);
        }
        self.flush();
        self.is_ended = true;
        self.components.clear();
        self.events.clear();
    }
}
