//! Candidates that gathering has found, beside those of our own sockets (RFC 8445 §5.1.1).

use std::net::SocketAddr;

use rtc::ice::candidate::CandidateConfig;
use rtc::ice::candidate::candidate_relay::CandidateRelayConfig;

use super::super::{IceState, TransportEvent};
use super::{Component, ice_fault};
use crate::MediaError;

/// What a gathered candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatheredKind {
    /// The address a STUN server sees a socket of ours by.
    ServerReflexive,
    /// An address at a relay.
    Relayed,
}

/// An address of ours that is none of our sockets'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatheredCandidate {
    /// What it is.
    pub kind: GatheredKind,
    /// Where peers send to.
    pub address: SocketAddr,
    /// Where that leads to; None keeps it to ourselves.
    pub related: Option<SocketAddr>,
}

impl Component {
    /// Adds a gathered candidate: the next description names it, and checks go by it from now on.
    ///
    /// # Errors
    /// `MediaError::Fault` when the agent does not take it.
    pub(super) fn add_gathered(&mut self, candidate: GatheredCandidate) -> Result<(), MediaError> {
        if self.gathered.contains(&candidate) {
            return Ok(());
        }
        self.gathered.push(candidate);
        self.add_local_candidates()
    }

    /// What was gathered and is there yet.
    pub(super) fn gathered(&self) -> &[GatheredCandidate] {
        &self.gathered
    }

    /// A relay is gone: its address is named no more. Media that went by it has no way until ICE
    /// is restarted, and the state says so at once.
    pub(super) fn lose_gathered(&mut self, address: SocketAddr) {
        self.gathered.retain(|one| one.address != address);
        if self.path.is_some_and(|(local, _)| local == address) && !self.is_ended {
            self.events
                .push_back(TransportEvent::IceState(IceState::Disconnected));
        }
    }

    /// Checks of a reflexive candidate leave by its base, whose own checks they would repeat
    /// (RFC 8445 §6.1.2.4): the agent knows those of relays only.
    pub(super) fn add_relayed_candidates(&mut self) -> Result<(), MediaError> {
        let relayed = self
            .gathered
            .iter()
            .filter(|one| one.kind == GatheredKind::Relayed);
        for candidate in relayed {
            let address = candidate.address;
            let related = candidate.related.unwrap_or(address);
            let config = CandidateRelayConfig {
                base_config: CandidateConfig {
                    network: "udp".to_owned(),
                    address: address.ip().to_string(),
                    port: address.port(),
                    component: self.number(),
                    ..CandidateConfig::default()
                },
                rel_addr: related.ip().to_string(),
                rel_port: related.port(),
                url: None,
            };
            config
                .new_candidate_relay()
                .and_then(|candidate| self.agent.add_local_candidate(candidate))
                .map_err(|error| ice_fault(&error))?;
        }
        Ok(())
    }
}
