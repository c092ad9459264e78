//! A TURN allocation (RFC 8656): an address at a relay that sends to us what peers send to it.
//!
//! Sans-I/O: whole messages and `now` go in; messages to the relay, events and the next deadline
//! come out. After every call take `poll_transmit` and `poll_event` until both are empty. What carries the
//! messages, datagrams or a stream, is the owner's business.
//!
//! The client of `rtc` is not used: after a 438 it waits half a lifetime to refresh again, by which
//! the allocation is gone, and it does not say which of its requests was given up.

mod framing;
mod peers;
mod requests;
mod wire;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dtls::Identity;
use peers::{Peers, Wanted, Way};
use requests::{Outcome, Requests};
use wire::{Ask, Granted, Received, Refusal};

pub use framing::{Framing, Malformed};
pub use requests::RelayCredentials;

pub(in crate::transport) use wire::{
    Answer, Received as StunReceived, binding_request, keep_alive, read_untrusted,
};

/// Before an allocation ends it is asked for again (RFC 8656 §8).
const REFRESH_AHEAD: Duration = Duration::from_secs(60);
/// Lifetimes of relays outside of this are taken for its nearer end.
const LIFETIMES: std::ops::RangeInclusive<u32> = 10..=86_400;
/// What a relay grants that does not say (RFC 8656 §7.2).
const DEFAULT_LIFETIME: u32 = 600;
/// Without a word for so long an address translator may forget us (RFC 8445 §11).
const IDLE: Duration = Duration::from_secs(15);

const TRY_ALTERNATE: u16 = 300;
const ALLOCATION_MISMATCH: u16 = 437;

/// Neither STUN nor a channel begins so: what carries a stream tells by it why there is none more.
pub(crate) const STREAM_OVER: u8 = 0xc0;

/// How an allocation is asked for.
#[derive(Debug, Clone)]
pub struct RelaySettings {
    /// Who we are at the relay.
    pub credentials: RelayCredentials,
    /// The address we ask from; the relayed one is to be of its family.
    pub local: IpAddr,
    /// Messages go by a stream, which loses none: no request is sent twice (RFC 8489 §6.2.2).
    pub is_stream: bool,
}

/// What an allocation reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayEvent {
    /// Peers reach us at `relayed`; the relay sees us at `mapped`.
    Allocated {
        /// The address at the relay.
        relayed: SocketAddr,
        /// Ours, as the relay sees it.
        mapped: Option<SocketAddr>,
    },
    /// It has none for us, and names another relay; this one is over (RFC 8489 §10).
    Redirected(SocketAddr),
    /// There is none, or no more; the sentence says why.
    Lost(String),
    /// A peer has sent something.
    Data(SocketAddr, Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Allocating,
    Allocated {
        relayed: SocketAddr,
        refresh: Instant,
        end: Instant,
    },
    Over,
}

/// One allocation at one relay.
pub struct Relay {
    state: State,
    is_stream: bool,
    requests: Requests,
    peers: Peers,
    last_sent: Instant,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<RelayEvent>,
    refused: u64,
}

impl Relay {
    /// Asks for an allocation.
    pub fn new(now: Instant, identity: Arc<Identity>, settings: RelaySettings) -> Self {
        let mut requests = Requests::new(identity, settings.credentials, settings.is_stream);
        requests.ask(now, Ask::Allocate(settings.local));
        let mut relay = Self {
            state: State::Allocating,
            is_stream: settings.is_stream,
            requests,
            peers: Peers::default(),
            last_sent: now,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            refused: 0,
        };
        relay.collect(now);
        relay
    }

    /// The address peers reach us at.
    pub fn relayed(&self) -> Option<SocketAddr> {
        match self.state {
            State::Allocated { relayed, .. } => Some(relayed),
            State::Allocating | State::Over => None,
        }
    }

    /// Whether there is no allocation and never will be.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Messages that made no sense, or that nobody asked for.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes one message of the relay.
    pub fn handle_message(&mut self, now: Instant, data: &[u8]) {
        if self.is_over() {
            return;
        }
        if self.is_stream && data.first() == Some(&STREAM_OVER) {
            return self.lose(&String::from_utf8_lossy(&data[1..]));
        }
        match wire::read_untrusted(data) {
            Some(Received::Answer(id, answer)) => {
                if let Some(outcome) = self.requests.take(now, id, answer, data) {
                    self.act_on(now, outcome);
                }
            }
            Some(Received::Data(peer, payload)) if self.peers.admits(peer.ip()) => {
                self.events.push_back(RelayEvent::Data(peer, payload));
            }
            Some(Received::Channel(number, payload)) => match self.peers.peer_of(number) {
                Some(peer) => self.events.push_back(RelayEvent::Data(peer, payload)),
                None => self.refused += 1,
            },
            Some(Received::Data(..)) | None => self.refused += 1,
        }
        self.collect(now);
    }

    fn act_on(&mut self, now: Instant, outcome: Outcome) {
        match outcome {
            Outcome::Done(Ask::Allocate(local), granted) => self.begin(now, local, &granted),
            Outcome::Done(Ask::Refresh(_), granted) => self.prolong(now, &granted),
            Outcome::Done(Ask::Permission(peer), _) => {
                for (to, data) in self.peers.take_permission(now, peer, true) {
                    self.send(now, to, &data);
                }
            }
            Outcome::Done(Ask::Channel(_, peer), _) => self.peers.take_channel(now, peer, true),
            Outcome::Refused(ask, refusal) => self.take_refusal(now, ask, &refusal),
            Outcome::NotAuthenticated => self.lose("it does not take the user name and password"),
        }
    }

    fn begin(&mut self, now: Instant, local: IpAddr, granted: &Granted) {
        let usable = granted.relayed.filter(|relayed| {
            let ip = relayed.ip();
            ip.is_ipv4() == local.is_ipv4() && !ip.is_unspecified() && relayed.port() != 0
        });
        let Some(relayed) = usable else {
            return self.lose("it gave no address of our family");
        };
        self.live(now, relayed, granted);
        let mapped = granted.mapped;
        self.events
            .push_back(RelayEvent::Allocated { relayed, mapped });
    }

    fn prolong(&mut self, now: Instant, granted: &Granted) {
        if granted.lifetime == Some(0) {
            return self.lose("it has ended the allocation");
        }
        if let Some(relayed) = self.relayed() {
            self.live(now, relayed, granted);
        }
    }

    fn live(&mut self, now: Instant, relayed: SocketAddr, granted: &Granted) {
        let told = granted.lifetime.unwrap_or(DEFAULT_LIFETIME);
        let seconds = told.clamp(*LIFETIMES.start(), *LIFETIMES.end());
        let lifetime = Duration::from_secs(u64::from(seconds));
        let ahead = REFRESH_AHEAD.min(lifetime / 2);
        self.state = State::Allocated {
            relayed,
            refresh: now + (lifetime - ahead),
            end: now + lifetime,
        };
    }

    fn take_refusal(&mut self, now: Instant, ask: Ask, refusal: &Refusal) {
        let is_gone = refusal.code == ALLOCATION_MISMATCH;
        match ask {
            Ask::Allocate(_) if refusal.code == TRY_ALTERNATE && refusal.alternate.is_some() => {
                self.end();
                let elsewhere = refusal.alternate.map(RelayEvent::Redirected);
                self.events.extend(elsewhere);
            }
            Ask::Permission(peer) if !is_gone => {
                self.peers.take_permission(now, peer, false);
            }
            Ask::Channel(_, peer) if !is_gone => self.peers.take_channel(now, peer, false),
            _ => {
                let Refusal { code, reason, .. } = refusal;
                self.lose(&format!("it said {code} {reason}"));
            }
        }
    }

    /// Sends to a peer by way of the relay. What a relay has not let through yet waits a moment.
    pub fn send(&mut self, now: Instant, peer: SocketAddr, data: &[u8]) {
        let is_same_family =
            |relayed: SocketAddr| relayed.is_ipv4() == peer.is_ipv4() && peer.port() != 0;
        if !self.relayed().is_some_and(is_same_family) {
            return;
        }
        match self.peers.way(now, peer, data) {
            Way::Channel(number) => self.transmit(now, wire::channel_data(number, data)),
            Way::Indication => self.transmit(now, wire::send_indication(peer, data)),
            Way::Waits | Way::Barred => {}
        }
        self.collect(now);
    }

    /// Asks whether the relay is still there, as somebody has cause to doubt it.
    pub fn probe(&mut self, now: Instant) {
        let is_asking = self
            .requests
            .is_asking(|ask| matches!(ask, Ask::Refresh(_)));
        if self.relayed().is_some() && !is_asking {
            self.requests.ask(now, Ask::Refresh(DEFAULT_LIFETIME));
            self.collect(now);
        }
    }

    /// Gives the address back; the relay's answer is not waited for.
    pub fn close(&mut self, now: Instant) {
        if self.relayed().is_some() {
            self.requests.tell(Ask::Refresh(0));
            self.collect(now);
        }
        self.end();
    }

    fn lose(&mut self, why: &str) {
        if !self.is_over() {
            self.end();
            self.events.push_back(RelayEvent::Lost(why.to_owned()));
        }
    }

    fn end(&mut self) {
        self.state = State::Over;
        self.requests.clear();
    }

    /// Makes the requests that the peers need, and takes what is to be sent.
    fn collect(&mut self, now: Instant) {
        while let Some(wanted) = self.peers.poll_wanted() {
            let is_asked = self.requests.ask(
                now,
                match wanted {
                    Wanted::Permission(peer) => Ask::Permission(peer),
                    Wanted::Channel(number, peer) => Ask::Channel(number, peer),
                },
            );
            match wanted {
                Wanted::Permission(peer) if !is_asked => {
                    self.peers.take_permission(now, peer, false);
                }
                Wanted::Channel(_, peer) if !is_asked => self.peers.take_channel(now, peer, false),
                _ => {}
            }
        }
        while let Some(message) = self.requests.poll_transmit() {
            self.transmit(now, message);
        }
    }

    fn transmit(&mut self, now: Instant, message: Vec<u8>) {
        self.last_sent = now;
        self.transmits.push_back(message);
    }

    /// The next message for the relay.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<RelayEvent> {
        self.events.pop_front()
    }

    /// When `handle_timeout` wants to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        let (refresh, idle) = match self.state {
            State::Over => return None,
            State::Allocating => (None, None),
            State::Allocated { refresh, end, .. } => {
                let is_asking = self
                    .requests
                    .is_asking(|ask| matches!(ask, Ask::Refresh(_)));
                let idle = self.last_sent + IDLE;
                (Some(if is_asking { end } else { refresh }), Some(idle))
            }
        };
        let others = [self.requests.next_deadline(), self.peers.next_deadline()];
        [refresh, idle].into_iter().chain(others).flatten().min()
    }

    /// Lets timers that are due act; harmless when called early.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_over() {
            return;
        }
        if self.requests.handle_timeout(now) {
            return self.lose("it does not answer");
        }
        self.peers.refresh(now);
        if let State::Allocated { refresh, end, .. } = self.state {
            if end <= now {
                return self.lose("the allocation has ended");
            }
            if refresh <= now {
                self.probe(now);
            }
            if self.last_sent + IDLE <= now {
                self.transmit(now, wire::keep_alive());
            }
        }
        self.collect(now);
    }
}
