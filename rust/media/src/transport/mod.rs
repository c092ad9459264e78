//! How RTP and RTCP of one session travel: bare (`plain`), under keys of the descriptions (`sdes`)
//! or of a handshake (`dtls`), or over ICE and DTLS-SRTP (`ice`).
//!
//! Sans-I/O. Datagrams and `now` go in; datagrams, events and the next deadline come out. After
//! every call that changes something, take `poll_transmit` and `poll_event` until both are empty,
//! then wait for a datagram or `next_deadline`.

mod associations;
mod dtls;
mod dtls_srtp;
mod early;
mod facts;
pub mod fingerprint;
mod gate;
mod hello;
mod ice;
mod inbound;
pub mod keys;
mod latch;
pub mod mux;
mod paths;
mod plain;
pub mod reflexive;
pub mod relay;
pub mod sctp;
mod sdes;
mod srtp;
mod stun;

use std::net::SocketAddr;
use std::time::Instant;

pub use dtls::Identity;
pub use dtls_srtp::{DtlsTransport, RemoteDtls};
pub use facts::{DtlsState, Facts};
pub use ice::{
    ComponentId, GatheredCandidate, GatheredKind, IceDescription, IceTransport, RemoteIce,
    RtcpDescription, Trickled,
};
pub use plain::{Expected, PlainTransport, RemotePlain};
pub use sdes::{RemoteSdes, SdesTransport};

/// A datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// The local socket it must leave from.
    pub local: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// The state of an ICE session (RFC 8445 §6.1.3), as programs see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceState {
    /// Pairs are being checked.
    Checking,
    /// A pair is selected and answers.
    Connected,
    /// The far end of the selected pair has been silent for ten seconds.
    Disconnected,
    /// No pair works, or consent was lost (RFC 7675): nothing is sent any more.
    Failed,
}

impl IceState {
    /// The word the Python side knows it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
        }
    }
}

/// What a transport reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportEvent {
    /// RTP may be sent: the keys are there and the peer's address is known.
    Connected,
    /// The transport is dead; the sentence says why.
    Failed(String),
    /// The ICE state changed.
    IceState(IceState),
    /// One received RTP packet, decrypted.
    Rtp(Vec<u8>),
    /// One received compound RTCP packet, decrypted.
    Rtcp(Vec<u8>),
    /// What came over DTLS beside the media: SCTP, with data channels.
    Data(Vec<u8>),
}

/// What a transport has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransportCounts {
    /// Datagrams from addresses this session does not take media or DTLS from.
    pub refused_source: u64,
    /// STUN messages without valid credentials.
    pub refused_stun: u64,
    /// SRTP and SRTCP packets that failed authentication or were replayed.
    pub refused_srtp: u64,
    /// Candidates of the peer that nobody can read, that are too many, or that came too late.
    pub refused_candidates: u64,
    /// Datagrams that are nothing a session knows.
    pub malformed: u64,
}

impl TransportCounts {
    /// The counts of two together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            refused_source: self.refused_source + other.refused_source,
            refused_stun: self.refused_stun + other.refused_stun,
            refused_srtp: self.refused_srtp + other.refused_srtp,
            refused_candidates: self.refused_candidates + other.refused_candidates,
            malformed: self.malformed + other.malformed,
        }
    }
}

/// One session's transport.
// All variants are boxed: sessions are moved, and the ICE one is large.
pub enum Transport {
    /// Bare RTP and RTCP, symmetric (RFC 4961).
    Plain(Box<PlainTransport>),
    /// SRTP with keys of the descriptions (RFC 4568).
    Sdes(Box<SdesTransport>),
    /// DTLS-SRTP without ICE (RFC 5763).
    Dtls(Box<DtlsTransport>),
    /// ICE, DTLS and SRTP, as browsers speak it.
    Ice(Box<IceTransport>),
}

impl Transport {
    /// Takes one datagram that arrived at the socket `local`.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
    ) {
        match self {
            Self::Plain(plain) => plain.handle_datagram(now, local, from, data),
            Self::Sdes(sdes) => sdes.handle_datagram(now, local, from, data),
            Self::Dtls(dtls) => dtls.handle_datagram(now, local, from, data),
            Self::Ice(ice) => ice.handle_datagram(now, local, from, data),
        }
    }

    /// Queues one RTP packet; false if it cannot be sent now (no address, no keys, closed).
    pub fn send_rtp(&mut self, now: Instant, packet: &[u8]) -> bool {
        match self {
            Self::Plain(plain) => plain.send_rtp(packet),
            Self::Sdes(sdes) => sdes.send_rtp(packet),
            Self::Dtls(dtls) => dtls.send_rtp(packet),
            Self::Ice(ice) => ice.send_rtp(now, packet),
        }
    }

    /// Queues one compound RTCP packet; false if it cannot be sent now.
    pub fn send_rtcp(&mut self, now: Instant, packet: &[u8]) -> bool {
        match self {
            Self::Plain(plain) => plain.send_rtcp(packet),
            Self::Sdes(sdes) => sdes.send_rtcp(packet),
            Self::Dtls(dtls) => dtls.send_rtcp(packet),
            Self::Ice(ice) => ice.send_rtcp(now, packet),
        }
    }

    /// Queues data beside the media, which goes over ICE and DTLS only; false if it cannot be sent.
    pub fn send_data(&mut self, now: Instant, data: &[u8]) -> bool {
        match self {
            Self::Plain(_) | Self::Sdes(_) | Self::Dtls(_) => false,
            Self::Ice(ice) => ice.send_data(now, data),
        }
    }

    /// Where data may be sent, our DTLS role: whether we are the client.
    pub fn data_role(&self) -> Option<bool> {
        match self {
            Self::Plain(_) | Self::Sdes(_) | Self::Dtls(_) => None,
            Self::Ice(ice) => ice.data_role(),
        }
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        match self {
            Self::Plain(plain) => plain.poll_transmit(),
            Self::Sdes(sdes) => sdes.poll_transmit(),
            Self::Dtls(dtls) => dtls.poll_transmit(),
            Self::Ice(ice) => ice.poll_transmit(),
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        match self {
            Self::Plain(plain) => plain.poll_event(),
            Self::Sdes(sdes) => sdes.poll_event(),
            Self::Dtls(dtls) => dtls.poll_event(),
            Self::Ice(ice) => ice.poll_event(),
        }
    }

    /// When `handle_timeout` wants to be called; may lie in the past.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Plain(_) | Self::Sdes(_) => None,
            Self::Dtls(dtls) => dtls.next_deadline(),
            Self::Ice(ice) => ice.next_deadline(),
        }
    }

    /// Lets timers that are due act; harmless when called early.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Plain(_) | Self::Sdes(_) => {}
            Self::Dtls(dtls) => dtls.handle_timeout(now),
            Self::Ice(ice) => ice.handle_timeout(now),
        }
    }

    /// Ends it: a close_notify is queued where there is DTLS; nothing is received afterwards.
    pub fn close(&mut self, now: Instant) {
        match self {
            Self::Plain(plain) => plain.close(),
            Self::Sdes(sdes) => sdes.close(),
            Self::Dtls(dtls) => dtls.close(now),
            Self::Ice(ice) => ice.close(now),
        }
    }

    /// Whether RTP can be sent now.
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.is_ready(),
            Self::Sdes(sdes) => sdes.is_ready(),
            Self::Dtls(dtls) => dtls.is_ready(),
            Self::Ice(ice) => ice.is_ready(),
        }
    }

    /// What was refused so far.
    pub fn counts(&self) -> TransportCounts {
        match self {
            Self::Plain(plain) => plain.counts(),
            Self::Sdes(sdes) => sdes.counts(),
            Self::Dtls(dtls) => dtls.counts(),
            Self::Ice(ice) => ice.counts(),
        }
    }
}

/// Whether a packet of version 2 is RTCP rather than RTP, on a shared port (RFC 5761 §4).
fn is_rtcp(data: &[u8]) -> bool {
    data.len() >= 2 && (64..96).contains(&(data[1] & 0x7f))
}
