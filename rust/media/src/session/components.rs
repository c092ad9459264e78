//! RTCP's own component of paths by ICE (RFC 5761 §5.1.3): when one is needed, and its sockets.

use std::net::SocketAddr;
use std::time::Instant;

use super::Session;
use super::negotiation::RemoteTransport;
use crate::MediaError;
use crate::transport::{ComponentId, IceTransport, Transport};

/// One component of a path of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComponentAt {
    /// The line whose path it is, if that has its own; None for the audio's.
    pub line: Option<u64>,
    /// Which of the path's.
    pub id: ComponentId,
}

impl Session {
    /// Leaves it to far ends whether RTCP goes with RTP: a first offer by ICE says where RTCP is
    /// reached by itself as well.
    ///
    /// # Errors
    /// `MediaError::State` once the session has sockets.
    pub fn negotiate_rtcp_mux(&mut self) -> Result<(), MediaError> {
        if !self.needs_sockets() {
            return Err(MediaError::State(
                "a session that has sockets offers what they are for: say rtcp_mux before"
                    .to_owned(),
            ));
        }
        self.negotiates_rtcp_mux = true;
        Ok(())
    }

    /// The paths, by their lines, that need sockets for RTCP before our next description.
    ///
    /// # Errors
    /// `MediaError::Fault` when no agent can be made for a line.
    pub fn rtcp_without_sockets(&mut self, now: Instant) -> Result<Vec<Option<u64>>, MediaError> {
        let is_ice = matches!(self.transport, Some(Transport::Ice(_)));
        if !is_ice || !(self.negotiates_rtcp_mux || self.has_open_offer()) {
            return Ok(Vec::new());
        }
        self.fit_homes(now)?;
        let agreed = self.offer_answer.negotiated();
        let audio = self.needs_rtcp(agreed.map(|agreed| &agreed.transport));
        let mut needed: Vec<_> = audio.then_some(None).into_iter().collect();
        for line in self.offer_answer.lines() {
            let agreed = line.agreed.as_ref();
            let agreed = agreed.and_then(|agreed| agreed.transport.as_ref());
            needed.extend(self.needs_rtcp(agreed).then_some(Some(line.number)));
        }
        needed.retain(|line| self.ice_of(*line).is_some_and(|ice| !ice.has_rtcp()));
        Ok(needed)
    }

    /// Whether our next description of a path has a component for RTCP: an answer where the peer
    /// wants one, a first offer where that is left to the peer.
    fn needs_rtcp(&self, agreed: Option<&RemoteTransport>) -> bool {
        match agreed {
            Some(RemoteTransport::Ice { remote, .. }) => {
                self.has_open_offer() && remote.rtcp.is_some()
            }
            Some(_) => false,
            None => self.negotiates_rtcp_mux && !self.has_open_offer(),
        }
    }

    /// Gives RTCP of a path the addresses of its own sockets: none where it goes by relays only.
    ///
    /// # Errors
    /// `MediaError::Fault` when no agent can be made.
    pub fn attach_rtcp(
        &mut self,
        now: Instant,
        line: Option<u64>,
        locals: &[SocketAddr],
    ) -> Result<(), MediaError> {
        if let Some(ice) = self.ice_of(line) {
            ice.attach_rtcp(now, locals)?;
            self.note_rtcp_sockets(line, locals);
        }
        Ok(())
    }

    /// All components by ICE, of the audio first: for each of them addresses are gathered.
    pub(crate) fn components(&mut self) -> Vec<ComponentAt> {
        let lines: Vec<_> = self.homes_of_ice().into_iter().map(Some).collect();
        let mut all = Vec::new();
        for line in std::iter::once(None).chain(lines) {
            let Some(ice) = self.ice_of(line) else {
                continue;
            };
            let has_rtcp = ice.has_rtcp();
            let rtcp = has_rtcp.then_some(ComponentId::Rtcp);
            let ids = std::iter::once(ComponentId::Rtp).chain(rtcp);
            all.extend(ids.map(|id| ComponentAt { line, id }));
        }
        all
    }

    /// The component that a socket of ours is for.
    pub(super) fn component_at(&mut self, local: SocketAddr) -> ComponentAt {
        let line = self.line_at(local);
        let ice = self.ice_of(line);
        let id = match ice {
            Some(ice) if ice.is_of_rtcp(local) => ComponentId::Rtcp,
            _ => ComponentId::Rtp,
        };
        ComponentAt { line, id }
    }

    /// The sockets of RTCP's own component of the audio.
    pub(super) fn rtcp_locals(&self) -> &[SocketAddr] {
        match &self.transport {
            Some(Transport::Ice(ice)) => ice.rtcp_locals(),
            _ => &[],
        }
    }

    /// Lets go of what was offered for RTCP, and what it had, where it goes with RTP now: the
    /// addresses of the sockets.
    pub(super) fn take_idle_rtcp(&mut self) -> Vec<SocketAddr> {
        if !self.offer_answer.is_settled() {
            return Vec::new();
        }
        let audio = match &mut self.transport {
            Some(Transport::Ice(ice)) => ice.take_idle_rtcp(),
            _ => None,
        };
        let lines = self.take_idle_rtcp_of_lines();
        audio.into_iter().flatten().chain(lines).collect()
    }

    /// Gives the addresses at relays back that were got for such.
    pub(super) fn close_idle_rtcp_relays(&mut self, now: Instant) {
        if self.relays.is_none() || !self.offer_answer.is_settled() {
            return;
        }
        let mut idle = self.components();
        idle.retain(|at| {
            let ice = self.ice_of(at.line);
            at.id == ComponentId::Rtcp && ice.is_some_and(IceTransport::has_idle_rtcp)
        });
        self.close_relays_of(now, |at| idle.contains(&at));
    }
}
