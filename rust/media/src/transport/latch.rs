//! From where plain RTP is taken: learnt once, then held (symmetric RTP, RFC 4961).
//!
//! Plain RTP has no authentication, so the rules are narrow. The signalled address is believed at
//! once. Another source (a peer behind a NAT) is believed only while nothing has come from the
//! signalled address, within a window after signalling, and after a run of packets that continue
//! each other. Afterwards nothing is learnt until the peer signals again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long after signalling a source other than the signalled address may be learnt.
const WINDOW: Duration = Duration::from_secs(10);

/// Packets in sequence that make an unsignalled source, or a new SSRC, believable
/// (RFC 3550 appendix A.1 takes 2 for a source).
const PROBATION: u8 = 3;

/// RFC 3550 appendix A.1.
const MAX_DROPOUT: u16 = 3000;
const MAX_MISORDER: u16 = 100;

/// The identity and place of one packet in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stream {
    ssrc: u32,
    sequence_number: u16,
}

impl Stream {
    /// Reads the fixed header; None for what is no RTP of version 2.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        if packet.len() < 12 || packet[0] >> 6 != 2 {
            return None;
        }
        Some(Self {
            ssrc: u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]),
            sequence_number: u16::from_be_bytes([packet[2], packet[3]]),
        })
    }

    fn is_continued_by(self, next: Self) -> bool {
        let step = next.sequence_number.wrapping_sub(self.sequence_number);
        next.ssrc == self.ssrc && !(MAX_DROPOUT..=u16::MAX - MAX_MISORDER).contains(&step)
    }

    fn is_followed_by(self, next: Self) -> bool {
        next.ssrc == self.ssrc && next.sequence_number == self.sequence_number.wrapping_add(1)
    }
}

/// A source on its way to being believed.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    from: SocketAddr,
    last: Stream,
    run: u8,
}

/// Which packets belong to the call, and where its answers go.
#[derive(Debug, Default)]
pub(super) struct Latch {
    signalled: Option<SocketAddr>,
    signalled_at: Option<Instant>,
    source: Option<SocketAddr>,
    stream: Option<Stream>,
    candidate: Option<Candidate>,
}

impl Latch {
    /// Takes the address of a new description; the same address again changes nothing.
    pub(super) fn signal(&mut self, now: Instant, address: Option<SocketAddr>) {
        if address == self.signalled {
            return;
        }
        *self = Self {
            signalled: address,
            signalled_at: Some(now),
            ..Self::default()
        };
    }

    /// Where RTP is sent: the learnt source, else the signalled address.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        // No signalled address (hold by 0.0.0.0) means: do not send, whatever was learnt.
        self.signalled?;
        self.source.or(self.signalled)
    }

    /// The learnt source of RTP.
    pub(super) fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// Whether this packet belongs to the call.
    pub(super) fn accepts(&mut self, now: Instant, from: SocketAddr, packet: Stream) -> bool {
        if self.source == Some(from) {
            return self.continues(from, packet);
        }
        if self.signalled == Some(from) {
            self.source = Some(from);
            self.stream = Some(packet);
            self.candidate = None;
            return true;
        }
        let in_window =
            self.source.is_none() && self.signalled_at.is_some_and(|at| now < at + WINDOW);
        if in_window && self.has_served_probation(from, packet) {
            self.source = Some(from);
            self.stream = Some(packet);
            return true;
        }
        false
    }

    fn continues(&mut self, from: SocketAddr, packet: Stream) -> bool {
        let is_continuation = self
            .stream
            .is_none_or(|stream| stream.is_continued_by(packet));
        // A peer may change its SSRC or jump (a transfer behind its own address): three in a row.
        if is_continuation || self.has_served_probation(from, packet) {
            self.stream = Some(packet);
            return true;
        }
        false
    }

    fn has_served_probation(&mut self, from: SocketAddr, packet: Stream) -> bool {
        let run = match self.candidate {
            Some(known) if known.from == from && known.last.is_followed_by(packet) => known.run + 1,
            // A spray from elsewhere does not push out a candidate that is making progress.
            Some(known) if known.from != from && known.run > 1 => return false,
            _ => 1,
        };
        self.candidate = (run < PROBATION).then_some(Candidate {
            from,
            last: packet,
            run,
        });
        run >= PROBATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNALLED: SocketAddr = address(1);
    const OTHER: SocketAddr = address(2);
    const ATTACKER: SocketAddr = address(3);

    const fn address(last: u8) -> SocketAddr {
        SocketAddr::new(
            std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, last)),
            4000,
        )
    }

    fn packet(ssrc: u32, sequence_number: u16) -> Stream {
        Stream {
            ssrc,
            sequence_number,
        }
    }

    #[allow(clippy::disallowed_methods)] // The origin of virtual time.
    fn signalled_latch() -> (Latch, Instant) {
        let now = Instant::now();
        let mut latch = Latch::default();
        latch.signal(now, Some(SIGNALLED));
        (latch, now)
    }

    #[test]
    fn the_signalled_address_is_believed_at_once() {
        let (mut latch, now) = signalled_latch();

        assert!(latch.accepts(now, SIGNALLED, packet(1, 65_535)));
        assert!(latch.accepts(now, SIGNALLED, packet(1, 0)));
    }

    #[test]
    fn a_latched_stream_cannot_be_stolen() {
        let (mut latch, now) = signalled_latch();
        latch.accepts(now, SIGNALLED, packet(1, 10));

        let taken = (0..1000).any(|n| latch.accepts(now, ATTACKER, packet(1, 11 + n)));

        assert!(!taken);
        assert_eq!(latch.destination(), Some(SIGNALLED));
    }

    #[test]
    fn another_source_is_learnt_after_three_packets_in_sequence() {
        let (mut latch, now) = signalled_latch();

        let accepted: Vec<bool> = (0..4)
            .map(|n| latch.accepts(now, OTHER, packet(1, n)))
            .collect();

        assert_eq!(accepted, [false, false, true, true]);
        assert_eq!(latch.destination(), Some(OTHER));
    }

    #[test]
    fn the_signalled_address_takes_the_stream_back() {
        let (mut latch, now) = signalled_latch();
        (0..5).for_each(|n| {
            latch.accepts(now, ATTACKER, packet(9, n));
        });

        assert!(latch.accepts(now, SIGNALLED, packet(1, 0)));
        assert!(!latch.accepts(now, ATTACKER, packet(9, 6)));
        assert_eq!(latch.destination(), Some(SIGNALLED));
    }

    #[test]
    fn nothing_is_learnt_after_the_window() {
        let (mut latch, now) = signalled_latch();
        let late = now + WINDOW;

        assert!(!(0..10).any(|n| latch.accepts(late, OTHER, packet(1, n))));
    }

    #[test]
    fn a_changed_ssrc_needs_three_packets_in_sequence() {
        let (mut latch, now) = signalled_latch();
        latch.accepts(now, SIGNALLED, packet(1, 10));

        let accepted: Vec<bool> = (0..3)
            .map(|n| latch.accepts(now, SIGNALLED, packet(2, n)))
            .collect();

        assert_eq!(accepted, [false, false, true]);
    }

    #[test]
    fn a_hold_address_stops_sending() {
        let (mut latch, now) = signalled_latch();
        latch.accepts(now, SIGNALLED, packet(1, 10));

        latch.signal(now, None);

        assert_eq!(latch.destination(), None);
    }
}
