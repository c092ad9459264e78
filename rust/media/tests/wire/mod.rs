//! Two transports and the wire between them.
// Each test file uses a part of it; it sets the origin of virtual time.
#![allow(dead_code, clippy::disallowed_methods, clippy::unwrap_used)]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::stun::attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType, RawAttribute};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, TransactionId};
use rtc::stun::textattrs::TextAttribute;
use trivox_media::random::Random;
use trivox_media::transport::{
    IceDescription, IceState, IceTransport, Identity, RemoteIce, Transmit, Transport,
    TransportEvent,
};

const DELAY: Duration = Duration::from_millis(2);

/// An RTP packet with a payload of twenty bytes.
pub(crate) fn rtp(ssrc: u32, sequence_number: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence_number.to_be_bytes());
    packet.extend((u32::from(sequence_number) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0x55; 20]);
    packet
}

/// A request without credentials that claims a role against ours with the winning tie-breaker.
pub(crate) fn forged_role_conflict(controlled: bool) -> Vec<u8> {
    let mut message = vec![0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
    message.extend([7; 12]);
    let (kind, tie) = if controlled { (0x29, 0) } else { (0x2a, 255) };
    message.extend([0x80, kind, 0, 8]);
    message.extend([tie; 8]);
    message
}

/// The record and handshake header of a ClientHello, with nothing sensible in it.
pub(crate) fn bad_client_hello() -> Vec<u8> {
    let mut record = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60];
    record.extend([1, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 48]);
    record.extend([254, 253]);
    record.extend([0x41; 46]);
    record
}

/// What one side has reported.
#[derive(Default)]
pub(crate) struct Events(Vec<TransportEvent>);

impl Events {
    pub(crate) fn all(&self) -> &[TransportEvent] {
        &self.0
    }

    pub(crate) fn rtp(&self) -> Vec<Vec<u8>> {
        let packets = self.0.iter().filter_map(|event| match event {
            TransportEvent::Rtp(packet) => Some(packet.clone()),
            _ => None,
        });
        packets.collect()
    }

    pub(crate) fn connected(&self) -> usize {
        let connected = |event: &&TransportEvent| **event == TransportEvent::Connected;
        self.0.iter().filter(connected).count()
    }

    pub(crate) fn failure(&self) -> Option<&str> {
        self.0.iter().find_map(|event| match event {
            TransportEvent::Failed(reason) => Some(reason.as_str()),
            _ => None,
        })
    }

    pub(crate) fn last_ice_state(&self) -> Option<IceState> {
        self.0.iter().rev().find_map(|event| match event {
            TransportEvent::IceState(state) => Some(*state),
            _ => None,
        })
    }
}

pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) offerer: Transport,
    pub(crate) answerer: Transport,
    pub(crate) offerer_events: Events,
    pub(crate) answerer_events: Events,
    /// What the offerer is told of the answerer, and the other way round.
    pub(crate) offerer_remote: RemoteIce,
    pub(crate) answerer_remote: RemoteIce,
    pub(crate) role_conflicts_sent: usize,
    pub(crate) is_cut: bool,
    /// STUN is lost, all else arrives.
    pub(crate) drops_stun: bool,
    /// This share of all datagrams is lost, by the chance below.
    pub(crate) loss: f64,
    pub(crate) chance: Random,
    checks_sent_by_the_answerer: usize,
    offerer_locals: Vec<SocketAddr>,
    answerer_locals: Vec<SocketAddr>,
    flight: VecDeque<(Instant, Transmit)>,
    sent: Vec<SocketAddr>,
    /// What somebody on the path has seen of DTLS, SRTP and SRTCP.
    pub(crate) overheard: Vec<Vec<u8>>,
    /// The state of a random generator; 0: every datagram arrives as it was sent, and alone.
    pub(crate) mutations: u64,
    pub(crate) is_flooded: bool,
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn ice(transport: &Transport) -> &IceTransport {
    match transport {
        Transport::Ice(ice) => ice,
        _ => panic!("not an ICE transport"),
    }
}

fn ice_mut(transport: &mut Transport) -> &mut IceTransport {
    match transport {
        Transport::Ice(ice) => ice,
        _ => panic!("not an ICE transport"),
    }
}

pub(crate) fn remote_of(description: &IceDescription) -> RemoteIce {
    let line = |(n, address): (usize, &SocketAddr)| {
        let (ip, port) = (address.ip(), address.port());
        format!("{n} 1 udp {} {ip} {port} typ host", 2_130_706_431 - n)
    };
    RemoteIce {
        ufrag: description.ufrag.clone(),
        password: description.password.clone(),
        candidates: description
            .candidates
            .iter()
            .enumerate()
            .map(line)
            .collect(),
        fingerprints: vec![description.fingerprint.clone()],
        is_lite: description.is_lite,
        has_more_to_come: false,
        rtcp: None,
    }
}

fn transport(now: Instant, locals: &[SocketAddr]) -> Transport {
    let identity = Arc::new(Identity::generate().unwrap());
    Transport::Ice(Box::new(IceTransport::new(now, identity, locals).unwrap()))
}

impl Pair {
    pub(crate) fn new(offerer: &[&str], answerer: &[&str]) -> Self {
        let now = Instant::now();
        let (offerer_locals, answerer_locals) = (addresses(offerer), addresses(answerer));
        let offerer = transport(now, &offerer_locals);
        let answerer = transport(now, &answerer_locals);
        Self {
            now,
            offerer_remote: remote_of(&ice(&answerer).description()),
            answerer_remote: remote_of(&ice(&offerer).description()),
            offerer,
            answerer,
            offerer_events: Events::default(),
            answerer_events: Events::default(),
            role_conflicts_sent: 0,
            is_cut: false,
            drops_stun: false,
            loss: 0.0,
            chance: Random::new(1),
            checks_sent_by_the_answerer: 0,
            offerer_locals,
            answerer_locals,
            flight: VecDeque::new(),
            sent: Vec::new(),
            overheard: Vec::new(),
            mutations: 0,
            is_flooded: false,
        }
    }

    /// The answerer becomes a lite agent; the offerer does not know it yet.
    pub(crate) fn become_lite(&mut self) {
        ice_mut(&mut self.answerer).answer_as_lite();
        self.negotiate_one_side();
    }

    /// The answerer is a lite agent; it tells the offerer once it has seen the offer.
    pub(crate) fn negotiate_lite(&mut self) {
        self.become_lite();
        self.offerer_remote = remote_of(&ice(&self.answerer).description());
        self.negotiate_other_side();
    }

    pub(crate) fn negotiate(&mut self, offerer_is_client: bool) {
        ice_mut(&mut self.answerer)
            .set_remote(self.now, &self.answerer_remote, true, !offerer_is_client)
            .unwrap();
        ice_mut(&mut self.offerer)
            .set_remote(self.now, &self.offerer_remote, false, offerer_is_client)
            .unwrap();
    }

    /// Only the answerer knows the other yet.
    pub(crate) fn negotiate_one_side(&mut self) {
        ice_mut(&mut self.answerer)
            .set_remote(self.now, &self.answerer_remote, true, true)
            .unwrap();
    }

    pub(crate) fn negotiate_other_side(&mut self) {
        ice_mut(&mut self.offerer)
            .set_remote(self.now, &self.offerer_remote, false, false)
            .unwrap();
    }

    /// Datagrams either side has sent to a host, arrived or not.
    pub(crate) fn sent_to(&self, host: &str) -> usize {
        let host: std::net::IpAddr = host.parse().unwrap();
        self.sent.iter().filter(|to| to.ip() == host).count()
    }

    /// Binding requests of the answerer.
    pub(crate) fn checks_sent_by_the_answerer(&self) -> usize {
        self.checks_sent_by_the_answerer
    }

    /// Where the answerer sends media.
    pub(crate) fn answerer_path(&self) -> Option<SocketAddr> {
        ice(&self.answerer).path().map(|(_, remote)| remote)
    }

    /// A check with the offerer's credentials.
    pub(crate) fn check_by_the_offerer(&self, nominates: bool) -> Vec<u8> {
        let (ours, theirs) = (&self.answerer_remote.ufrag, &self.offerer_remote.ufrag);
        let provider = rtc::crypto::default_provider().unwrap();
        let mut message = Message::new();
        // An unknown comprehension-optional attribute stands in for a nomination that is none.
        let typ = if nominates {
            ATTR_USE_CANDIDATE
        } else {
            AttrType(0xffee)
        };
        message
            .build(&[
                Box::new(BINDING_REQUEST),
                Box::new(TransactionId::new()),
                Box::new(TextAttribute::new(
                    ATTR_USERNAME,
                    format!("{theirs}:{ours}"),
                )),
                Box::new(RawAttribute {
                    typ,
                    ..Default::default()
                }),
                Box::new(MessageIntegrity::new_short_term_integrity_with_provider(
                    self.offerer_remote.password.clone(),
                    provider.crypto(),
                )),
            ])
            .unwrap();
        message.raw
    }

    /// Gives the answerer a datagram; what it sends arrives, and is answered, where it should.
    pub(crate) fn give_answerer(&mut self, from: &str, data: &[u8]) {
        let from = from.parse().unwrap();
        let local = self.answerer_locals[0];
        self.answerer.handle_datagram(self.now, local, from, data);
        self.drain();
    }

    /// Gives the answerer a datagram, and answers the checks that it sends to where it came from.
    pub(crate) fn give_answerer_and_answer(&mut self, from: &str, data: &[u8]) {
        let from = from.parse().unwrap();
        let local = self.answerer_locals[0];
        self.answerer.handle_datagram(self.now, local, from, data);
        while let Some(sent) = self.answerer.poll_transmit() {
            let mut check = Message {
                raw: sent.data,
                ..Message::default()
            };
            let is_stun = sent.to == from && check.decode().is_ok();
            if is_stun && check.typ == BINDING_REQUEST {
                let answer = self.success_by_the_offerer(&check);
                self.answerer
                    .handle_datagram(self.now, local, from, &answer);
            }
        }
    }

    fn success_by_the_offerer(&self, check: &Message) -> Vec<u8> {
        let provider = rtc::crypto::default_provider().unwrap();
        let mut message = Message::new();
        message
            .build(&[
                Box::new(BINDING_SUCCESS),
                Box::new(TransactionId(check.transaction_id.0)),
                Box::new(MessageIntegrity::new_short_term_integrity_with_provider(
                    self.answerer_remote.password.clone(),
                    provider.crypto(),
                )),
                Box::new(FINGERPRINT),
            ])
            .unwrap();
        message.raw
    }

    /// One side offers new credentials, the other answers.
    pub(crate) fn restart(&mut self, by_offerer: bool) {
        let now = self.now;
        let (one, other) = if by_offerer {
            (&mut self.offerer, &mut self.answerer)
        } else {
            (&mut self.answerer, &mut self.offerer)
        };
        ice_mut(one).prepare_restart().unwrap();
        let offer = remote_of(&ice(one).offered_description());
        ice_mut(other).set_remote(now, &offer, true, false).unwrap();
        let answer = remote_of(&ice(other).description());
        ice_mut(one).set_remote(now, &answer, false, false).unwrap();
    }

    /// The offerer offers new credentials; its answer is still on its way.
    pub(crate) fn begin_restart(&mut self) -> RemoteIce {
        let now = self.now;
        ice_mut(&mut self.offerer).prepare_restart().unwrap();
        let offer = remote_of(&ice(&self.offerer).offered_description());
        ice_mut(&mut self.answerer)
            .set_remote(now, &offer, true, false)
            .unwrap();
        remote_of(&ice(&self.answerer).description())
    }

    /// The answerer offers a restart with that user name fragment; what the offerer then sends.
    pub(crate) fn offer_to_the_offerer(&mut self, ufrag: &str) -> Vec<Transmit> {
        let mut offer = self.offerer_remote.clone();
        ufrag.clone_into(&mut offer.ufrag);
        ice_mut(&mut self.offerer)
            .set_remote(self.now, &offer, true, false)
            .unwrap();
        std::iter::from_fn(|| self.offerer.poll_transmit()).collect()
    }

    /// The answer arrives.
    pub(crate) fn finish_restart(&mut self, answer: &RemoteIce) {
        ice_mut(&mut self.offerer)
            .set_remote(self.now, answer, false, false)
            .unwrap();
    }

    /// Another far end takes the call over in the same dialog, with a second answer.
    pub(crate) fn take_over(&mut self, answerer: &str) {
        self.answerer_locals = addresses(&[answerer]);
        self.answerer = transport(self.now, &self.answerer_locals);
        self.offerer_remote = remote_of(&ice(&self.answerer).description());
        self.negotiate(false);
    }

    /// Another far end answers the offerer's first offer.
    pub(crate) fn fork(&mut self, answerer: &str) {
        self.answerer_locals = addresses(&[answerer]);
        self.answerer = transport(self.now, &self.answerer_locals);
        self.offerer_remote = remote_of(&ice(&self.answerer).description());
        let fork = ice(&self.offerer).fork(self.now).unwrap();
        self.offerer = Transport::Ice(Box::new(fork));
        self.negotiate(false);
    }

    pub(crate) fn descriptions(&self) -> (IceDescription, IceDescription) {
        (
            ice(&self.offerer).description(),
            ice(&self.answerer).description(),
        )
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.offerer.is_ready() && self.answerer.is_ready()
    }

    /// Gives both sides a datagram from somewhere else.
    pub(crate) fn inject(&mut self, from: &str, data: &[u8]) {
        let from = from.parse().unwrap();
        let (one, other) = (self.offerer_locals[0], self.answerer_locals[0]);
        self.offerer.handle_datagram(self.now, one, from, data);
        self.answerer.handle_datagram(self.now, other, from, data);
        self.drain();
    }

    /// Lets the time pass, with every timer and datagram at its moment.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.drain();
        loop {
            let timers = [self.offerer.next_deadline(), self.answerer.next_deadline()];
            let arrival = self.flight.front().map(|(at, _)| *at);
            let next = timers.into_iter().chain([arrival]).flatten().min();
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            self.deliver();
            self.offerer.handle_timeout(self.now);
            self.answerer.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn deliver(&mut self) {
        while self.flight.front().is_some_and(|(at, _)| *at <= self.now) {
            let Some((_, datagram)) = self.flight.pop_front() else {
                return;
            };
            // Half of the calls get several bad copies of everything, half one now and then: an
            // unprotected handshake is seldom completed amid the former.
            let copies = match self.mutations {
                0 => 0,
                state if self.is_flooded => 1 + state % 8,
                state => u64::from(state % 6 == 0),
            };
            for _ in 0..copies {
                let mutated = self.mutated(&datagram);
                self.hand_over(mutated);
            }
            self.mutations = self.mutations.rotate_left(7);
            self.hand_over(datagram);
        }
    }

    fn mutated(&mut self, datagram: &Transmit) -> Transmit {
        let mut random = |bound: usize| {
            self.mutations ^= self.mutations << 13;
            self.mutations ^= self.mutations >> 7;
            self.mutations ^= self.mutations << 17;
            (self.mutations % bound as u64) as usize
        };
        let mut mutated = datagram.clone();
        for _ in 0..=random(4) {
            let length = mutated.data.len();
            match random(4) {
                0 => mutated.data.truncate(1 + random(length)),
                1 => mutated.data.push(random(256) as u8),
                _ => mutated.data[random(length)] = random(256) as u8,
            }
        }
        mutated
    }

    fn hand_over(&mut self, Transmit { local, to, data }: Transmit) {
        if self.offerer_locals.contains(&to) {
            self.offerer.handle_datagram(self.now, to, local, &data);
        } else if self.answerer_locals.contains(&to) {
            self.answerer.handle_datagram(self.now, to, local, &data);
        }
    }

    fn drain(&mut self) {
        let sides = [
            (&mut self.offerer, &mut self.offerer_events),
            (&mut self.answerer, &mut self.answerer_events),
        ];
        for (side, events) in sides {
            while let Some(datagram) = side.poll_transmit() {
                if datagram.data.starts_with(&[1, 0x11]) {
                    self.role_conflicts_sent += 1;
                }
                self.sent.push(datagram.to);
                if datagram.data.starts_with(&[0, 1])
                    && self.answerer_locals.contains(&datagram.local)
                {
                    self.checks_sent_by_the_answerer += 1;
                }
                // A copied check is authentic, and is answered (RFC 8445 §19.4).
                if datagram.data.first().is_some_and(|first| *first > 3) {
                    self.overheard.push(datagram.data.clone());
                }
                let is_stun = datagram.data.first().is_some_and(|first| *first < 4);
                let is_lost = self.loss > 0.0 && self.chance.unit() < self.loss;
                if !(self.is_cut || is_lost || self.drops_stun && is_stun) {
                    self.flight.push_back((self.now + DELAY, datagram));
                }
            }
            events.0.extend(std::iter::from_fn(|| side.poll_event()));
        }
    }
}
