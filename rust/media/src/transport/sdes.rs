//! SRTP with keys from the session descriptions (RFC 4568).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::srtp::context::Context;

use super::inbound::{Inbound, sending};
use super::keys::{SrtpKey, Suite};
use super::paths::Paths;
use super::plain::RemotePlain;
use super::{Facts, Identity, Transmit, TransportCounts, TransportEvent, is_rtcp};
use crate::MediaError;

/// How long the peer's key of before is taken as well, for packets that are on their way.
const OVERLAP: Duration = Duration::from_secs(2);

/// The peer's half: where it receives and what it sends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteSdes {
    /// Where it receives.
    pub path: RemotePlain,
    /// The tag of the agreed `a=crypto` line (RFC 4568 §4.1).
    pub tag: u32,
    /// The key its packets are under.
    pub key: SrtpKey,
    /// The master key identifier in its packets; empty without.
    pub mki: Vec<u8>,
}

/// A session's RTP and RTCP sockets under keys of the descriptions.
pub struct SdesTransport {
    identity: Arc<Identity>,
    /// Ours, a key for each suite; they stay as long as the session.
    keys: Vec<SrtpKey>,
    paths: Paths,
    /// A context for each suite that was agreed at some time. All of them see all packets, so that
    /// one that comes back goes on where it would be: its key stream must not be used twice.
    sending: Vec<(Suite, Context)>,
    /// The one in use.
    suite: Option<Suite>,
    receiving: Option<Inbound>,
    /// What the peer sent with before it changed its key, and until when that is taken.
    former: Option<(Inbound, Instant)>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<TransportEvent>,
    counts: TransportCounts,
    is_closed: bool,
}

impl SdesTransport {
    /// Makes one for two bound sockets, with keys of its own.
    ///
    /// # Errors
    /// `MediaError::Fault` when no random bytes can be had.
    pub fn new(
        identity: Arc<Identity>,
        rtp_local: SocketAddr,
        rtcp_local: SocketAddr,
    ) -> Result<Self, MediaError> {
        Ok(Self {
            keys: SrtpKey::generate_all(identity.provider.as_ref())?,
            identity,
            paths: Paths::new(rtp_local, rtcp_local),
            sending: Vec::new(),
            suite: None,
            receiving: None,
            former: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            counts: TransportCounts::default(),
            is_closed: false,
        })
    }

    /// Our keys, for the descriptions.
    pub fn keys(&self) -> &[SrtpKey] {
        &self.keys
    }

    /// Takes the addresses and the key of the peer's newest description.
    ///
    /// Our own key stays as long as the suite does: nothing we send changes by a re-offer. When the
    /// peer changes its key, what is under way with the old one is still taken for two seconds.
    pub fn set_remote(&mut self, now: Instant, remote: &RemoteSdes) {
        if self.is_closed {
            return;
        }
        self.paths.signal(&remote.path);
        let suite = remote.key.suite();
        if !self.sending.iter().any(|(own, _)| *own == suite) {
            let own = self.keys.iter().find(|key| key.suite() == suite);
            let context = own.and_then(|key| sending(key, self.identity.provider.as_ref()));
            self.sending.extend(context.map(|context| (suite, context)));
        }
        self.suite = Some(suite);
        let is_known = |inbound: &Inbound| inbound.is_under(&remote.key, &remote.mki);
        if !self.receiving.as_ref().is_some_and(is_known) {
            let provider = Arc::clone(&self.identity.provider);
            let mut next = Inbound::new(provider, remote.key.clone(), remote.mki.clone());
            if let (Some(next), Some(before)) = (&mut next, &self.receiving) {
                next.resume(before);
            }
            match std::mem::replace(&mut self.receiving, next) {
                Some(before) => self.former = Some((before, now + OVERLAP)),
                None => self.events.push_back(TransportEvent::Connected),
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
        let Some(receiving) = self.receiving.as_mut().filter(|_| !self.is_closed) else {
            self.counts.refused_source += 1;
            return;
        };
        let is_report = is_rtcp(data);
        if data.len() < 8 || data[0] >> 6 != 2 || !(is_report || self.paths.is_rtp_socket(local)) {
            self.counts.malformed += 1;
            return;
        }
        self.former = self.former.take().filter(|(_, until)| now < *until);
        let former = self.former.as_mut().map(|(inbound, _)| inbound);
        let event = opened(receiving, is_report, data).or_else(|| opened(former?, is_report, data));
        let Some(event) = event else {
            self.counts.refused_srtp += 1;
            return;
        };
        if is_report {
            self.paths.heard_rtcp(local, from);
        } else {
            self.paths.rtp.heard(from);
        }
        self.events.push_back(event);
    }

    pub(super) fn send_rtp(&mut self, packet: &[u8]) -> bool {
        let route = self.paths.rtp_route();
        self.transmit(route, packet, |context, data| {
            context.encrypt_rtp(data).ok().map(Vec::from)
        })
    }

    pub(super) fn send_rtcp(&mut self, packet: &[u8]) -> bool {
        let route = self.paths.rtcp_route();
        self.transmit(route, packet, |context, data| {
            context.encrypt_rtcp(data).ok().map(Vec::from)
        })
    }

    fn transmit(
        &mut self,
        route: Option<(SocketAddr, SocketAddr)>,
        packet: &[u8],
        protect: impl Fn(&mut Context, &[u8]) -> Option<Vec<u8>>,
    ) -> bool {
        let (Some((local, to)), false) = (route, self.is_closed) else {
            return false;
        };
        let mut data = None;
        for (suite, context) in &mut self.sending {
            let protected = protect(context, packet);
            if self.suite == Some(*suite) {
                data = protected;
            }
        }
        let Some(data) = data else {
            return false;
        };
        self.transmits.push_back(Transmit { local, to, data });
        true
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    pub(super) fn is_ready(&self) -> bool {
        let has_key = |(own, _): &(Suite, Context)| self.suite == Some(*own);
        !self.is_closed && self.sending.iter().any(has_key) && self.paths.rtp_route().is_some()
    }

    pub(super) fn facts(&self) -> Facts {
        Facts {
            route: self.paths.rtp_route(),
            suite: self.suite,
            dtls: None,
        }
    }

    pub(super) fn counts(&self) -> TransportCounts {
        self.counts
    }

    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.receiving = None;
        self.former = None;
        self.events.clear();
    }
}

fn opened(inbound: &mut Inbound, is_report: bool, data: &[u8]) -> Option<TransportEvent> {
    if is_report {
        inbound.unprotect_rtcp(data).map(TransportEvent::Rtcp)
    } else {
        inbound.unprotect_rtp(data).map(TransportEvent::Rtp)
    }
}
