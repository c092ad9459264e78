//! The transport of an ICE session: one component, or two where RTCP does not go with RTP
//! (RFC 8445 §2, RFC 5761 §5.1.3).
//!
//! Each component has an agent, a path, consent, a gate and a DTLS association of its own
//! (RFC 5764 §4.1); credentials and certificate are the same. What is told is of both together:
//! they are connected when both are, and the end of one is the end of the other (RFC 8445 §8.1.2).

mod flow;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::super::{IceState, Identity};
use super::{
    Carries, Component, GatheredCandidate, GatheredKind, IceDescription, RemoteIce,
    RtcpDescription, Trickled,
};
use crate::MediaError;

/// Which component of a stream (RFC 8839 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentId {
    /// RTP's, and RTCP's where both share one.
    Rtp,
    /// RTCP's own.
    Rtcp,
}

impl ComponentId {
    /// Its number in candidates.
    pub fn number(self) -> u16 {
        match self {
            Self::Rtp => 1,
            Self::Rtcp => 2,
        }
    }

    /// Whether the value of an `a=candidate` is of this component.
    pub fn has_untrusted(self, candidate: &str) -> bool {
        let number = candidate.split_ascii_whitespace().nth(1);
        number.is_some_and(|number| number.parse() == Ok(self.number()))
    }
}

/// One session's ICE, DTLS and SRTP.
pub struct IceTransport {
    rtp: Component,
    rtcp: Option<Box<Rtcp>>,
}

/// RTCP's own component: offered, and then agreed on or of no use.
struct Rtcp {
    component: Component,
    is_agreed: bool,
    /// Of RTP's component and of this one.
    states: [IceState; 2],
    /// Of both together.
    told: Option<IceState>,
}

impl Rtcp {
    fn new(component: Component, rtp: IceState) -> Self {
        Self {
            component,
            is_agreed: false,
            states: [rtp, IceState::Checking],
            told: None,
        }
    }

    /// Notes the state of a component; that of both, if it is another one by that.
    fn note(&mut self, id: ComponentId, state: IceState) -> Option<IceState> {
        self.states[usize::from(id.number() - 1)] = state;
        let worst = [IceState::Failed, IceState::Disconnected, IceState::Checking];
        let mut worst = worst.into_iter();
        let both = worst
            .find(|state| self.states.contains(state))
            .unwrap_or(IceState::Connected);
        (self.told.replace(both) != Some(both)).then_some(both)
    }
}

impl IceTransport {
    /// Makes one with a host candidate per local address, each that of a bound socket.
    ///
    /// # Errors
    /// `MediaError::Fault` when no agent can be made.
    pub fn new(
        now: Instant,
        identity: Arc<Identity>,
        locals: &[SocketAddr],
    ) -> Result<Self, MediaError> {
        Ok(Self {
            rtp: Component::new(now, identity, locals, None, Carries::Both)?,
            rtcp: None,
        })
    }

    /// Makes the transport anew for another fork of the same offer: what the offer said is kept,
    /// all that the first fork answered is not.
    ///
    /// # Errors
    /// `MediaError::Fault` when no agent can be made.
    pub fn fork(&self, now: Instant) -> Result<Self, MediaError> {
        let own = self.rtcp.as_ref().map(|own| own.component.fork(now));
        let own = own.transpose()?;
        Ok(Self {
            rtp: self.rtp.fork(now)?,
            rtcp: own.map(|own| Box::new(Rtcp::new(own, IceState::Checking))),
        })
    }

    /// Gives RTCP a component of its own, with a host candidate per address: for an offer that
    /// leaves it to the peer whether RTCP goes with RTP, or for a peer that has said it does not.
    ///
    /// # Errors
    /// `MediaError::Fault` when no agent can be made.
    pub fn attach_rtcp(&mut self, now: Instant, locals: &[SocketAddr]) -> Result<(), MediaError> {
        let (identity, own) = (self.rtp.identity.clone(), Some(self.rtp.live.clone()));
        let mut component = Component::new(now, identity, locals, own, Carries::Rtcp)?;
        // Both are lite, or neither is.
        let may_become = self.rtp.remote_ufrag.is_none() || self.rtp.lite.is_some();
        component.may_be_lite = self.rtp.may_be_lite && may_become;
        let rtp = match self.rtp.path() {
            Some(_) => IceState::Connected,
            None => IceState::Checking,
        };
        self.rtcp = Some(Box::new(Rtcp::new(component, rtp)));
        Ok(())
    }

    /// Whether RTCP has a component of its own, or may get one.
    pub fn has_rtcp(&self) -> bool {
        self.rtcp.is_some()
    }

    /// The sockets of RTCP's component.
    pub fn rtcp_locals(&self) -> &[SocketAddr] {
        self.rtcp.as_ref().map_or(&[], |own| &own.component.locals)
    }

    /// Whether RTCP's component is there and of no use, as nothing is agreed for it.
    pub(crate) fn has_idle_rtcp(&mut self) -> bool {
        self.rtcp.as_ref().is_some_and(|own| !own.is_agreed)
    }

    /// Lets go of RTCP's component if it is of no use: the addresses of its sockets.
    pub fn take_idle_rtcp(&mut self) -> Option<Vec<SocketAddr>> {
        let idle = self.rtcp.take_if(|own| !own.is_agreed)?;
        Some(idle.component.locals)
    }

    /// Whether a socket, or an address at a relay, is of RTCP's component.
    pub fn is_of_rtcp(&self, local: SocketAddr) -> bool {
        let own = self.rtcp.as_ref();
        own.is_some_and(|own| own.component.is_at(local))
    }

    /// RTCP's own component, if that is agreed on.
    fn apart(&self) -> Option<&Component> {
        let own = self.rtcp.as_ref().filter(|own| own.is_agreed);
        own.map(|own| &own.component)
    }

    fn apart_mut(&mut self) -> Option<&mut Component> {
        let own = self.rtcp.as_mut().filter(|own| own.is_agreed);
        own.map(|own| &mut own.component)
    }

    fn component(&mut self, id: ComponentId) -> Option<&mut Component> {
        match id {
            ComponentId::Rtp => Some(&mut self.rtp),
            ComponentId::Rtcp => self.rtcp.as_mut().map(|own| &mut own.component),
        }
    }

    /// What an answer says: the credentials in force.
    pub fn description(&self) -> IceDescription {
        let mut own = self.rtp.describe(false);
        own.rtcp = self.apart().map(described);
        own
    }

    /// What an offer says: the credentials of a prepared restart, if there is one.
    pub fn offered_description(&self) -> IceDescription {
        let mut own = self.rtp.describe(true);
        let rtcp = self.rtcp.as_ref();
        own.rtcp = rtcp.map(|rtcp| described(&rtcp.component));
        own
    }

    /// Prepares an ICE restart: the next offer has new credentials, all else stays as it is.
    ///
    /// # Errors
    /// `MediaError::Fault` when the agent does not take it.
    pub fn prepare_restart(&mut self) -> Result<(), MediaError> {
        self.rtp.prepare_restart(None)?;
        let shared = self.rtp.prepared.clone();
        match &mut self.rtcp {
            Some(own) => own.component.prepare_restart(shared),
            None => Ok(()),
        }
    }

    /// Forgets a prepared restart: its offer was refused, and the next one says what is in force.
    pub fn cancel_restart(&mut self) {
        self.rtp.cancel_restart();
        if let Some(own) = &mut self.rtcp {
            own.component.cancel_restart();
        }
    }

    /// Takes the peer's description; `is_offer` says whose it is, `is_dtls_client` what we are.
    ///
    /// A peer that asks for a component of RTCP's own where there is none gets RTCP with RTP.
    ///
    /// # Errors
    /// `MediaError::Negotiation` for a description without fingerprint, `MediaError::State` after
    /// the end.
    pub fn set_remote(
        &mut self,
        now: Instant,
        remote: &RemoteIce,
        is_offer: bool,
        is_dtls_client: bool,
    ) -> Result<(), MediaError> {
        if self.is_dead() {
            return Err(MediaError::State("the transport has ended".to_owned()));
        }
        let how = (is_offer, is_dtls_client);
        let apart = remote.rtcp.as_ref().filter(|_| self.rtcp.is_some());
        self.rtp.carries = match apart {
            Some(_) => Carries::Rtp,
            None => Carries::Both,
        };
        self.rtp
            .set_remote(now, (remote, &remote.candidates), how, None)?;
        let Some(own) = &mut self.rtcp else {
            return Ok(());
        };
        let was_agreed = std::mem::replace(&mut own.is_agreed, apart.is_some());
        match apart {
            Some(candidates) => {
                let shared = Some(self.rtp.live.clone());
                own.component
                    .set_remote(now, (remote, candidates), how, shared)
            }
            None if was_agreed => {
                // Nothing goes there any more, and it has consent from nobody.
                own.component.close(now);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Takes candidates of the peer, the values of `a=candidate` without `candidate:`, and whether
    /// they are the last ones of their generation, which `ufrag` names.
    pub fn trickle<'a>(
        &mut self,
        now: Instant,
        ufrag: &str,
        candidates: impl Iterator<Item = &'a str>,
        is_end: bool,
    ) -> Trickled {
        let Some(apart) = self.apart_mut() else {
            return self.rtp.trickle(now, ufrag, candidates, is_end);
        };
        let (rtcp, rtp): (Vec<_>, Vec<_>) =
            candidates.partition(|value| ComponentId::Rtcp.has_untrusted(value));
        apart.trickle(now, ufrag, rtcp.into_iter(), is_end);
        self.rtp.trickle(now, ufrag, rtp.into_iter(), is_end)
    }

    /// Answers as a lite agent: the first offer of a far end that is none makes this one lite.
    pub fn answer_as_lite(&mut self) {
        self.rtp.answer_as_lite();
    }

    /// Adds a gathered candidate: the next description names it, and checks go by it from now on.
    ///
    /// # Errors
    /// `MediaError::Fault` when the agent does not take it.
    pub fn add_gathered(
        &mut self,
        id: ComponentId,
        candidate: GatheredCandidate,
    ) -> Result<(), MediaError> {
        self.component(id)
            .map_or(Ok(()), |component| component.add_gathered(candidate))
    }

    /// What was gathered and is there yet.
    pub fn gathered(&self, id: ComponentId) -> &[GatheredCandidate] {
        match (id, &self.rtcp) {
            (ComponentId::Rtp, _) => self.rtp.gathered(),
            (ComponentId::Rtcp, Some(own)) => own.component.gathered(),
            (ComponentId::Rtcp, None) => &[],
        }
    }

    /// A relay is gone: its address is named no more. Media that went by it has no way until ICE
    /// is restarted, and the state says so at once.
    pub fn lose_gathered(&mut self, address: SocketAddr) {
        self.rtp.lose_gathered(address);
        if let Some(own) = &mut self.rtcp {
            own.component.lose_gathered(address);
        }
    }

    /// The path of media: local socket and remote address.
    pub fn path(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.rtp.path()
    }

    /// The path of RTCP, if it has a component of its own.
    pub fn rtcp_path(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.apart().and_then(Component::path)
    }

    /// The user name fragment of the credentials before those in force, if they may still be named.
    pub fn former_ufrag(&self) -> Option<&str> {
        self.rtp.former_ufrag()
    }
}

impl Component {
    /// Whether a socket, or an address at a relay, is its own.
    fn is_at(&self, local: SocketAddr) -> bool {
        let mut gathered = self.gathered().iter();
        self.locals.contains(&local)
            || gathered.any(|one| one.kind == GatheredKind::Relayed && one.address == local)
    }
}

fn described(component: &Component) -> RtcpDescription {
    RtcpDescription {
        candidates: component.locals.clone(),
        gathered: component.gathered().to_vec(),
    }
}
