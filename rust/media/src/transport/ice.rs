//! ICE, DTLS and SRTP over the session's sockets (RFC 8445, RFC 5763, RFC 3711).

mod components;
mod consent;
mod early_checks;
mod former;
mod gathered;
mod lite;
mod media;
mod negotiation;
mod pace;
mod path;
mod trickle;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::ice::Agent;
use rtc::ice::agent::Event;
use rtc::ice::agent::agent_config::AgentConfig;
use rtc::ice::candidate::CandidateType;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::ice::state::ConnectionState;
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};

use super::dtls::{Dtls, Identity};
use super::gate::Gate;
use super::srtp::Srtp;
use super::{Transmit, TransportCounts, TransportEvent, stun};
use crate::MediaError;

pub use components::{ComponentId, IceTransport};
use consent::Consent;
use early_checks::EarlyCheck;
use former::Former;
pub use gathered::{GatheredCandidate, GatheredKind};
use lite::Lite;
pub use negotiation::{IceDescription, RemoteIce, RtcpDescription};
use pace::FAST_CHECKS;
pub use trickle::Trickled;

/// Checks per pair: half a second of fast ones and fifteen seconds of slow ones.
const CHECKS_PER_PAIR: u16 = 100;
/// Checks to addresses that have proved nothing, so that a description cannot aim us at others.
/// An honest peer checks too, and is let through the gate by that.
const UNPROVEN_CHECKS: u16 = 100;

/// A way by a relay is taken when none without has been found for so long.
const RELAY_WAIT: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Default)]
struct Credentials {
    ufrag: String,
    password: String,
}

/// What goes by a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carries {
    /// RTP and RTCP (RFC 5761).
    Both,
    Rtp,
    Rtcp,
}

/// One component: an agent, the path it finds, and what is agreed by DTLS on it.
struct Component {
    identity: Arc<Identity>,
    carries: Carries,
    locals: Vec<SocketAddr>,
    gathered: Vec<GatheredCandidate>,
    agent: Agent,
    /// What requests are authenticated with: not the agent's, which shows a prepared restart's.
    live: Credentials,
    prepared: Option<Credentials>,
    early_checks: Vec<EarlyCheck>,
    may_be_lite: bool,
    /// Present where the far end alone checks; the agent has nothing to do then.
    lite: Option<Lite>,
    remote_ufrag: Option<String>,
    remote_password: String,
    consent: Option<Consent>,
    /// What the path was found with, while ICE looks for another one, and shortly after.
    former: Option<Former>,
    /// Those of the peer's descriptions before the one in force.
    former_ufrags: Vec<String>,
    gate: Gate,
    dtls: Option<Dtls>,
    srtp: Option<Box<Srtp>>,
    /// Local socket and remote address media goes between; kept while ICE restarts.
    path: Option<(SocketAddr, SocketAddr)>,
    unproven_checks: u16,
    /// How many of them may have been sent by now.
    allowed_checks: u16,
    checking_since: Option<Instant>,
    last_tick: Option<Instant>,
    /// The agent has been ticked since it is connected.
    is_settled: bool,
    transmits: VecDeque<Transmit>,
    events: VecDeque<TransportEvent>,
    counts: TransportCounts,
    is_ended: bool,
    /// It has ended for want of a path alone: ICE may begin anew.
    is_lost: bool,
}

impl Component {
    /// Makes one with a host candidate per local address, each that of a bound socket; without
    /// credentials it makes its own.
    fn new(
        now: Instant,
        identity: Arc<Identity>,
        locals: &[SocketAddr],
        credentials: Option<Credentials>,
        carries: Carries,
    ) -> Result<Self, MediaError> {
        let (local_ufrag, local_pwd) =
            credentials.map_or_else(Default::default, |own| (own.ufrag, own.password));
        let config = AgentConfig {
            local_ufrag,
            local_pwd,
            multicast_dns_mode: MulticastDnsMode::Disabled,
            candidate_types: vec![CandidateType::Host, CandidateType::Relay],
            check_interval: FAST_CHECKS,
            max_binding_requests: Some(CHECKS_PER_PAIR),
            prflx_acceptance_min_wait: Some(Duration::ZERO),
            srflx_acceptance_min_wait: Some(Duration::ZERO),
            relay_acceptance_min_wait: Some(if locals.is_empty() {
                Duration::ZERO
            } else {
                RELAY_WAIT
            }),
            ..AgentConfig::default()
        };
        let agent = Agent::new(now, Arc::new(config), identity.provider.clone())
            .map_err(|error| ice_fault(&error))?;
        let live = credentials_of(&agent);
        let mut component = Self {
            identity,
            carries,
            locals: locals.to_vec(),
            gathered: Vec::new(),
            agent,
            live,
            prepared: None,
            early_checks: Vec::new(),
            may_be_lite: false,
            lite: None,
            remote_ufrag: None,
            remote_password: String::new(),
            consent: None,
            former: None,
            former_ufrags: Vec::new(),
            gate: Gate::default(),
            dtls: None,
            srtp: None,
            path: None,
            unproven_checks: 0,
            allowed_checks: UNPROVEN_CHECKS,
            checking_since: None,
            last_tick: None,
            is_settled: false,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            counts: TransportCounts::default(),
            is_ended: false,
            is_lost: false,
        };
        component.add_local_candidates()?;
        Ok(component)
    }

    /// Makes it anew for another fork of the same offer: what the offer said is kept (credentials,
    /// candidates, certificate), all that the first fork answered is not.
    fn fork(&self, now: Instant) -> Result<Self, MediaError> {
        let (identity, own) = (self.identity.clone(), Some(self.live.clone()));
        let carries = match self.carries {
            Carries::Rtcp => Carries::Rtcp,
            Carries::Both | Carries::Rtp => Carries::Both,
        };
        let mut fork = Self::new(now, identity, &self.locals, own, carries)?;
        fork.gathered.clone_from(&self.gathered);
        fork.add_local_candidates()?;
        Ok(fork)
    }

    /// Its number in candidates (RFC 8445 §5.1.1.1 and RFC 8839 §5.1).
    fn number(&self) -> u16 {
        match self.carries {
            Carries::Both | Carries::Rtp => ComponentId::Rtp.number(),
            Carries::Rtcp => ComponentId::Rtcp.number(),
        }
    }

    fn handle_datagram(&mut self, now: Instant, local: SocketAddr, from: SocketAddr, data: &[u8]) {
        if self.is_ended {
            return;
        }
        match data.first() {
            Some(0..=3) => self.handle_stun(now, local, from, data),
            Some(20..=63 | 128..=191) if !self.is_admitted(from) => {
                self.counts.refused_source += 1;
            }
            Some(20..=63) => self.handle_dtls(now, local, from, data),
            Some(128..=191) => self.handle_srtp(now, data),
            _ => self.counts.malformed += 1,
        }
    }

    fn is_admitted(&self, from: SocketAddr) -> bool {
        self.gate.admits(from) || self.path.is_some_and(|(_, remote)| remote == from)
    }

    fn handle_stun(&mut self, now: Instant, local: SocketAddr, from: SocketAddr, data: &[u8]) {
        let crypto = self.identity.provider.clone();
        let admitted = stun::admit(data, &self.live.ufrag, &self.live.password, crypto.crypto());
        let Some(admitted) = admitted else {
            let is_taken = self.take_early_check(local, from, data)
                || self.take_former_check(now, (local, from), data);
            self.counts.refused_stun += u64::from(!is_taken);
            return;
        };
        if self.lite.is_some() {
            return self.take_lite(now, (local, from), data, admitted);
        }
        if let stun::Admitted::Request { controls, .. } = admitted {
            if self.keep_foreign_check(local, from, data) || self.is_one_too_many(from) {
                return;
            }
            self.yield_role(controls);
        }
        if self.take_consent(now, (local, from), data, admitted) {
            return;
        }
        let message = TaggedBytesMut {
            now,
            transport: TransportContext {
                local_addr: local,
                peer_addr: from,
                transport_protocol: TransportProtocol::UDP,
                ecn: None,
            },
            message: data.into(),
        };
        if self.agent.handle_read(message).is_err() {
            self.counts.refused_stun += 1;
        }
        let waiting = self.transmits.len();
        self.drain(now);
        // The agent stays with its first pair; a controlling peer may nominate another one later.
        // It grants that of a pair alone on which a check of ours was answered: whoever repeats
        // what others have signed from an address of its own gets no media.
        let nominates = matches!(
            admitted,
            stun::Admitted::Request {
                use_candidate: true,
                ..
            }
        );
        let mut sent = self.transmits.iter().skip(waiting);
        let is_granted = sent.any(|one| one.to == from && stun::is_success_to(&one.data, data));
        if nominates && is_granted && !self.agent.role() && self.path.is_some() {
            self.follow(now, (local, from));
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    fn next_deadline(&self) -> Option<Instant> {
        if self.is_ended {
            return None;
        }
        let dtls = self.dtls.as_ref().and_then(Dtls::next_deadline);
        let consent = self.consent.as_ref().map(Consent::deadline);
        let all = [self.agent_deadline(), dtls, consent];
        all.into_iter().flatten().min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.is_ended {
            return;
        }
        if !self.tick_lite(now) && self.agent_deadline().is_some_and(|at| at <= now) {
            self.last_tick = Some(now);
            self.is_settled = self.agent.state() == ConnectionState::Connected;
            self.agent.handle_timeout(now).ok();
            self.drain(now);
        }
        self.tick_consent(now);
        if self.is_ended {
            return;
        }
        let outcome = self.dtls.as_mut().map(|dtls| dtls.handle_timeout(now));
        if let Some(path) = self.path {
            self.send_dtls(path);
        }
        if let Some(outcome) = outcome {
            self.act_on(outcome);
        }
    }

    /// Takes what the agent has to send and to say.
    fn drain(&mut self, now: Instant) {
        while let Some(message) = self.agent.poll_write() {
            let to = message.transport.peer_addr;
            if stun::is_success(&message.message) {
                self.gate.admit(to);
            } else if stun::is_request(&message.message) && !self.is_admitted(to) {
                if self.unproven_checks >= self.allowed_checks {
                    continue;
                }
                self.unproven_checks += 1;
            }
            let local = message.transport.local_addr;
            if stun::is_request(&message.message) && self.asks_again(local, to) {
                continue;
            }
            self.transmits.push_back(Transmit {
                local,
                to,
                data: message.message.into(),
            });
        }
        while let Some(tagged) = self.agent.poll_event() {
            match tagged.event {
                Event::SelectedCandidatePairChange(local, remote) => {
                    self.select(now, local.base_addr(), remote.addr());
                }
                Event::ConnectionStateChange(state) => self.report(state),
                _ => {}
            }
        }
    }

    fn counts(&self) -> TransportCounts {
        self.counts
    }
}

fn credentials_of(agent: &Agent) -> Credentials {
    let own = agent.get_local_credentials();
    Credentials {
        ufrag: own.ufrag.clone(),
        password: own.pwd.clone(),
    }
}

fn ice_fault(error: &dyn std::fmt::Display) -> MediaError {
    MediaError::Fault(format!("ICE: {error}"))
}
