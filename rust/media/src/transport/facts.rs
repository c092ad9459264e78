//! What a transport is and where it goes, for statistics.

use std::net::SocketAddr;

use super::Transport;
use super::keys::Suite;

/// The state of DTLS (W3C WebRTC §5.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DtlsState {
    /// The peer has not described itself.
    New,
    /// The handshake is to come, or under way.
    Connecting,
    /// The peer's certificate is the one of its description, and the keys are there.
    Connected,
    /// The peer has ended the association.
    Closed,
    /// The handshake, or the transport below, has failed.
    Failed,
}

impl DtlsState {
    /// The word the Python side knows it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Closed => "closed",
            Self::Failed => "failed",
        }
    }
}

/// What is to be told of a transport.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Our socket and the peer's address that RTP goes between; with ICE the selected pair.
    pub route: Option<(SocketAddr, SocketAddr)>,
    /// What SRTP is made with.
    pub suite: Option<Suite>,
    /// The state of DTLS, where there is DTLS.
    pub dtls: Option<DtlsState>,
}

impl Transport {
    /// The name of its kind.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plain(_) => "plain",
            Self::Sdes(_) => "sdes",
            Self::Dtls(_) => "dtls",
            Self::Ice(_) => "ice",
        }
    }

    /// What it is and where it goes.
    pub fn facts(&self) -> Facts {
        match self {
            Self::Plain(plain) => plain.facts(),
            Self::Sdes(sdes) => sdes.facts(),
            Self::Dtls(dtls) => dtls.facts(),
            Self::Ice(ice) => ice.facts(),
        }
    }
}
