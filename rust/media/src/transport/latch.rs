//! From where plain RTP is taken: learnt once, then held (symmetric RTP, RFC 4961).
//!
//! Plain RTP has no authentication, so the rules are narrow. The signalled address is believed at
//! once. Another source (a peer behind a NAT) is believed only while nothing has come from the
//! signalled address, within a window after signalling, and after a run of packets that continue
//! each other. Afterwards nothing is learnt until the peer signals again.
//!
//! From there one stream is taken, and beside it those that the descriptions let expect: announced
//! sources (`a=ssrc`, RFC 5576) and repeats, which come with a payload type of their own (RFC 4588).

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

/// Sources of repeats that nobody has announced; the oldest gives way.
const MOST_REPEATS: usize = 4;

/// Announced sources that are kept: what is read of a description is bounded too.
const MOST_ANNOUNCED: usize = 32;

/// The streams that may come beside the first one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Sources the peer has announced.
    pub sources: Vec<u32>,
    /// Payload types of repeats.
    pub repeats: Vec<u8>,
}

/// The identity and place of one packet in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stream {
    ssrc: u32,
    sequence_number: u16,
    payload_type: u8,
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
            payload_type: packet[1] & 0x7f,
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
    is_deaf: bool,
    signalled_at: Option<Instant>,
    source: Option<SocketAddr>,
    stream: Option<Stream>,
    /// Those that came beside it.
    others: Vec<Stream>,
    expected: Expected,
    candidate: Option<Candidate>,
}

impl Latch {
    /// Takes the address of a new description; the same one again changes nothing. None is a hold by
    /// 0.0.0.0 (RFC 3264 §8.4): nothing is sent, and what is heard still comes from where it came.
    pub(super) fn signal(&mut self, now: Instant, address: Option<SocketAddr>) {
        self.is_deaf = address.is_none();
        if self.is_deaf || address == self.signalled {
            return;
        }
        *self = Self {
            signalled: address,
            signalled_at: Some(now),
            expected: std::mem::take(&mut self.expected),
            ..Self::default()
        };
    }

    /// Takes what the newest descriptions let come beside the first stream.
    pub(super) fn expect(&mut self, mut expected: Expected) {
        expected.sources.truncate(MOST_ANNOUNCED);
        self.expected = expected;
    }

    /// Where RTP is sent: the learnt source, else the signalled address.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        let known = self.source.or(self.signalled);
        known.filter(|_| !self.is_deaf)
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
            self.others.clear();
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
        let is_first = self.stream.is_none_or(|stream| stream.ssrc == packet.ssrc);
        if !is_first && self.is_expected(packet) {
            return self.takes_beside(from, packet);
        }
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

    fn is_expected(&self, packet: Stream) -> bool {
        self.is_announced(packet) || self.expected.repeats.contains(&packet.payload_type)
    }

    fn is_announced(&self, packet: Stream) -> bool {
        self.expected.sources.contains(&packet.ssrc)
    }

    /// Whether an expected stream goes on, or begins.
    fn takes_beside(&mut self, from: SocketAddr, packet: Stream) -> bool {
        let known = self
            .others
            .iter()
            .position(|other| other.ssrc == packet.ssrc);
        let Some(place) = known else {
            self.make_room(packet);
            self.others.push(packet);
            return true;
        };
        let goes_on =
            self.others[place].is_continued_by(packet) || self.has_served_probation(from, packet);
        if goes_on {
            self.others[place] = packet;
        }
        goes_on
    }

    /// Forgets streams that are not expected any more, and the oldest of too many repeats.
    fn make_room(&mut self, packet: Stream) {
        let others = std::mem::take(&mut self.others).into_iter();
        self.others = others.filter(|other| self.is_expected(*other)).collect();
        if self.is_announced(packet) {
            return;
        }
        let unannounced = |other: &Stream| !self.is_announced(*other);
        if self
            .others
            .iter()
            .filter(|other| unannounced(other))
            .count()
            == MOST_REPEATS
            && let Some(oldest) = self.others.iter().position(unannounced)
        {
            self.others.remove(oldest);
        }
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
mod tests;
