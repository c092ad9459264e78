//! What goes into an exchange of descriptions, and what comes of it.

use std::net::IpAddr;

use super::negotiation::Negotiated;
use crate::transport::IceDescription;
use crate::transport::keys::SrtpKey;

/// What kind of description the peer sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DescriptionKind {
    /// An offer, to be answered.
    Offer,
    /// The final answer to ours.
    Answer,
    /// An answer in a provisional response: media may flow, another answer may follow.
    Provisional,
}

/// The transport's half of our description.
#[derive(Debug, Clone)]
pub struct LocalMedia {
    /// The address peers reach us at.
    pub address: IpAddr,
    /// The port of RTP.
    pub rtp_port: u16,
    /// The port of RTCP without rtcp-mux.
    pub rtcp_port: u16,
    /// ICE credentials and candidates, and the fingerprint, for the ice transport.
    pub ice: Option<IceDescription>,
    /// The fingerprint, for the dtls transport.
    pub fingerprint: Option<String>,
    /// Our keys, one a suite, for the sdes transport.
    pub keys: Vec<SrtpKey>,
    /// The same for lines beside the audio that have a transport of their own, by their numbers.
    pub lines: Vec<(u64, Self)>,
}

/// The result of `set_remote`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What is agreed; for an offer, what the answer will say.
    pub negotiated: Negotiated,
    /// Another fork of our offer answered before: make the transport anew from the same offer
    /// (`IceTransport::fork`) before giving it `negotiated.transport`.
    pub is_other_fork: bool,
}
