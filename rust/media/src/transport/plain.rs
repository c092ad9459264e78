//! Bare RTP and RTCP over UDP, as SIP trunks and desk phones speak it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

pub use super::latch::Expected;
use super::latch::{Latch, Stream};
use super::{Facts, Transmit, TransportCounts, TransportEvent, is_rtcp};

/// Where the peer's description says it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemotePlain {
    /// RTP; None for a peer that wants nothing (`c=0.0.0.0`, port 0).
    pub rtp: Option<SocketAddr>,
    /// RTCP (`a=rtcp`, else the next port); not used with `rtcp_mux`.
    pub rtcp: Option<SocketAddr>,
    /// RTP and RTCP share a port (RFC 5761).
    pub rtcp_mux: bool,
}

/// A session's RTP and RTCP sockets, seen from inside.
#[derive(Debug)]
pub struct PlainTransport {
    rtp_local: SocketAddr,
    rtcp_local: SocketAddr,
    remote: Option<RemotePlain>,
    latch: Latch,
    rtcp_source: Option<SocketAddr>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<TransportEvent>,
    counts: TransportCounts,
    is_closed: bool,
}

impl PlainTransport {
    /// Makes one for two bound sockets; the same address twice if only one is there.
    pub fn new(rtp_local: SocketAddr, rtcp_local: SocketAddr) -> Self {
        Self {
            rtp_local,
            rtcp_local,
            remote: None,
            latch: Latch::default(),
            rtcp_source: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            counts: TransportCounts::default(),
            is_closed: false,
        }
    }

    /// Takes the addresses of the peer's newest description.
    pub fn set_remote(&mut self, now: Instant, remote: RemotePlain) {
        if self.is_closed {
            return;
        }
        if self.remote.is_none() {
            self.events.push_back(TransportEvent::Connected);
        }
        if self.remote != Some(remote) {
            self.rtcp_source = None;
        }
        self.latch.signal(now, remote.rtp);
        self.remote = Some(remote);
    }

    /// Takes which streams may come beside the first one, by the newest descriptions.
    pub fn expect(&mut self, expected: Expected) {
        self.latch.expect(expected);
    }

    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
    ) {
        if self.is_closed || self.remote.is_none() {
            self.counts.refused_source += 1;
            return;
        }
        if data.len() < 8 || data[0] >> 6 != 2 {
            self.counts.malformed += 1;
        } else if is_rtcp(data) {
            self.handle_rtcp(from, data);
        } else if local == self.rtp_local {
            self.handle_rtp(now, from, data);
        } else {
            self.counts.malformed += 1;
        }
    }

    fn handle_rtp(&mut self, now: Instant, from: SocketAddr, data: &[u8]) {
        let Some(stream) = Stream::read(data) else {
            self.counts.malformed += 1;
            return;
        };
        if self.latch.accepts(now, from, stream) {
            self.events.push_back(TransportEvent::Rtp(data.to_vec()));
        } else {
            self.counts.refused_source += 1;
        }
    }

    fn handle_rtcp(&mut self, from: SocketAddr, data: &[u8]) {
        if self.accepts_rtcp_from(from) {
            self.rtcp_source = Some(from);
            self.events.push_back(TransportEvent::Rtcp(data.to_vec()));
        } else {
            self.counts.refused_source += 1;
        }
    }

    /// RTCP is taken from its signalled address and from the host that sends the RTP.
    fn accepts_rtcp_from(&self, from: SocketAddr) -> bool {
        let signalled = self.remote.and_then(|remote| {
            if remote.rtcp_mux {
                remote.rtp
            } else {
                remote.rtcp
            }
        });
        signalled == Some(from)
            || match self.rtcp_source {
                Some(source) => source == from,
                None => self.latch.source().is_some_and(|rtp| rtp.ip() == from.ip()),
            }
    }

    pub(super) fn send_rtp(&mut self, packet: &[u8]) -> bool {
        let destination = self.latch.destination();
        self.transmit(self.rtp_local, destination, packet)
    }

    pub(super) fn send_rtcp(&mut self, packet: &[u8]) -> bool {
        let Some(remote) = self.remote else {
            return false;
        };
        if remote.rtcp_mux {
            let destination = self.latch.destination();
            return self.transmit(self.rtp_local, destination, packet);
        }
        let destination = self.rtcp_source.or(remote.rtcp);
        self.transmit(self.rtcp_local, destination, packet)
    }

    fn transmit(&mut self, local: SocketAddr, to: Option<SocketAddr>, packet: &[u8]) -> bool {
        let Some(to) = to else {
            return false;
        };
        if self.is_closed {
            return false;
        }
        self.transmits.push_back(Transmit {
            local,
            to,
            data: packet.to_vec(),
        });
        true
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.is_closed && self.latch.destination().is_some()
    }

    pub(super) fn facts(&self) -> Facts {
        let to = self.latch.destination();
        Facts {
            route: to.map(|to| (self.rtp_local, to)),
            ..Facts::default()
        }
    }

    pub(super) fn counts(&self) -> TransportCounts {
        self.counts
    }

    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.events.clear();
    }
}
