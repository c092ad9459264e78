//! Where SRTP of a session without ICE goes: to whom has shown the right tag last.

use std::net::SocketAddr;

use super::plain::RemotePlain;

/// Authentic packets in a row from another address before media goes there: one that was caught
/// on its way and overtakes itself does not turn the stream.
const PROBATION: u8 = 3;

/// One direction of media: the signalled address, and the one that authentic packets come from.
#[derive(Debug, Default)]
pub(super) struct AuthenticLatch {
    signalled: Option<SocketAddr>,
    source: Option<SocketAddr>,
    /// Where it was before the newest description: a late packet from there turns nothing.
    former: Option<SocketAddr>,
    candidate: Option<(SocketAddr, u8)>,
}

impl AuthenticLatch {
    /// Takes the address of a new description; the same address again changes nothing.
    pub(super) fn signal(&mut self, address: Option<SocketAddr>) {
        if address != self.signalled {
            let former = self.source.or(self.signalled).or(self.former);
            *self = Self {
                signalled: address,
                former: former.filter(|former| Some(*former) != address),
                ..Self::default()
            };
        }
    }

    /// Notes an authentic packet.
    pub(super) fn heard(&mut self, from: SocketAddr) {
        let is_first = self.source.is_none() && self.former != Some(from);
        if is_first || self.source == Some(from) {
            self.source = Some(from);
            self.former = None;
            self.candidate = None;
            return;
        }
        let run = match self.candidate {
            Some((known, run)) if known == from => run + 1,
            _ => 1,
        };
        self.candidate = Some((from, run));
        if run >= PROBATION {
            self.source = Some(from);
            self.former = None;
            self.candidate = None;
        }
    }

    /// Where to send; nowhere while the peer signals no address (hold by 0.0.0.0).
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        self.signalled?;
        self.source.or(self.signalled)
    }

    /// The address of the newest description.
    pub(super) fn signalled(&self) -> Option<SocketAddr> {
        self.signalled
    }
}

/// The two sockets of a session and both latches.
#[derive(Debug)]
pub(super) struct Paths {
    rtp_local: SocketAddr,
    rtcp_local: SocketAddr,
    has_mux: bool,
    pub(super) rtp: AuthenticLatch,
    pub(super) rtcp: AuthenticLatch,
}

impl Paths {
    /// Makes them for two bound sockets; the same address twice if only one is there.
    pub(super) fn new(rtp_local: SocketAddr, rtcp_local: SocketAddr) -> Self {
        Self {
            rtp_local,
            rtcp_local,
            has_mux: false,
            rtp: AuthenticLatch::default(),
            rtcp: AuthenticLatch::default(),
        }
    }

    /// Takes the addresses of the peer's newest description.
    pub(super) fn signal(&mut self, remote: &RemotePlain) {
        self.has_mux = remote.rtcp_mux;
        self.rtp.signal(remote.rtp);
        self.rtcp.signal(remote.rtp.and(remote.rtcp));
    }

    /// Whether a datagram came to the socket of RTP.
    pub(super) fn is_rtp_socket(&self, local: SocketAddr) -> bool {
        local == self.rtp_local
    }

    /// RTP and RTCP share a port.
    pub(super) fn has_mux(&self) -> bool {
        self.has_mux
    }

    /// Notes an authentic RTCP packet that came to the socket `local`.
    pub(super) fn heard_rtcp(&mut self, local: SocketAddr, from: SocketAddr) {
        if local == self.rtcp_local && local != self.rtp_local {
            self.rtcp.heard(from);
        }
    }

    /// Local socket and destination of RTP.
    pub(super) fn rtp_route(&self) -> Option<(SocketAddr, SocketAddr)> {
        Some((self.rtp_local, self.rtp.destination()?))
    }

    /// Local socket and destination of RTCP.
    pub(super) fn rtcp_route(&self) -> Option<(SocketAddr, SocketAddr)> {
        if self.has_mux {
            return self.rtp_route();
        }
        Some((self.rtcp_local, self.rtcp.destination()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 4000))
    }

    fn latch() -> AuthenticLatch {
        let mut latch = AuthenticLatch::default();
        latch.signal(Some(address(1)));
        latch
    }

    #[test]
    fn the_first_authentic_source_is_sent_to() {
        let mut latch = latch();
        assert_eq!(latch.destination(), Some(address(1)));

        latch.heard(address(2));

        assert_eq!(latch.destination(), Some(address(2)));
    }

    #[test]
    fn a_stream_moves_after_three_packets_without_one_from_where_it_was() {
        let mut latch = latch();
        latch.heard(address(1));
        for _ in 0..10 {
            latch.heard(address(2));
            latch.heard(address(1));
        }
        assert_eq!(latch.destination(), Some(address(1)));

        (0..3).for_each(|_| latch.heard(address(2)));

        assert_eq!(latch.destination(), Some(address(2)));
    }

    #[test]
    fn a_late_packet_from_before_a_change_of_address_turns_nothing() {
        let mut latch = latch();
        latch.heard(address(1));

        latch.signal(Some(address(2)));
        latch.heard(address(1));
        assert_eq!(latch.destination(), Some(address(2)));
        latch.heard(address(2));
        latch.heard(address(1));

        assert_eq!(latch.destination(), Some(address(2)));
    }

    #[test]
    fn a_peer_that_stays_where_it_was_despite_its_description_is_followed() {
        let mut latch = latch();
        latch.heard(address(1));

        latch.signal(Some(address(2)));
        (0..3).for_each(|_| latch.heard(address(1)));

        assert_eq!(latch.destination(), Some(address(1)));
    }

    #[test]
    fn a_late_packet_after_a_hold_by_address_turns_nothing_either() {
        let mut latch = latch();
        latch.heard(address(1));

        latch.signal(None);
        latch.signal(Some(address(2)));
        latch.heard(address(1));

        assert_eq!(latch.destination(), Some(address(2)));
    }

    #[test]
    fn a_hold_address_stops_sending() {
        let mut latch = latch();
        latch.heard(address(1));

        latch.signal(None);

        assert_eq!(latch.destination(), None);
    }
}
