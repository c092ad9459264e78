//! A session of ours and peer connections of the `rtc` crate, with a network between, in virtual
//! time. A session has one peer, or one for each m-line where nothing is bundled.
#![allow(dead_code, clippy::disallowed_methods, clippy::unwrap_used)] // Helpers of tests.

mod connection;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[allow(unused_imports, reason = "not each file of tests looks at packets")]
pub(crate) use connection::{Heard, Lines, Peer};
use trivox_media::codec::CodecKind;
use trivox_media::event::{Event, EventKind};
use trivox_media::random::Random;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::{Session, SessionSettings, TransportKind, Value};
use trivox_media::transport::{Identity, Transmit};
use trivox_media::video::VideoCodec;

pub(crate) const DELAY: Duration = Duration::from_millis(2);
pub(crate) const LOCAL: &str = "10.0.0.1:1000";
pub(crate) const STRANGER: &str = "10.0.0.66:6000";

/// What stands in the network beside the peers; None for a datagram that is not for it.
pub(crate) type Servers = Box<dyn FnMut(Instant, &Transmit) -> Option<Vec<Transmit>>>;

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) session: Session,
    pub(crate) peers: Vec<Peer>,
    pub(crate) events: Vec<Event>,
    /// Share of RTP and RTCP that is lost, both ways.
    pub(crate) loss: f64,
    /// Datagrams that were sent to somebody who is none of the peers.
    pub(crate) astray: usize,
    pub(crate) servers: Option<Servers>,
    /// Nothing passes between the sockets of the session and the peers directly.
    pub(crate) is_walled: bool,
    pub(crate) locals: Vec<SocketAddr>,
    random: Random,
    flight: VecDeque<(Instant, Transmit)>,
}

impl World {
    /// A session with audio alone, and a peer that has these lines.
    pub(crate) fn new(lines: Lines) -> Self {
        Self::at(&[LOCAL], &[lines])
    }

    /// A session at these addresses, with a peer for each of these.
    pub(crate) fn at(locals: &[&str], peers: &[Lines]) -> Self {
        let now = Instant::now();
        let settings = SessionSettings {
            transport: TransportKind::Ice,
            accepts: Vec::new(),
            codecs: vec![CodecKind::Opus, CodecKind::Pcmu],
            dtmf: true,
            ptime_ms: 20,
            advertised: None,
        };
        let identity = Arc::new(Identity::generate().unwrap());
        let mut session = Session::new(1, settings, identity, now, Random::new(7));
        let locals: Vec<SocketAddr> = locals.iter().map(|at| at.parse().unwrap()).collect();
        session.attach(now, &locals[..1]).unwrap();
        let address = |number: usize| format!("10.0.0.2:{}", 2000 + number);
        let peers = peers
            .iter()
            .enumerate()
            .map(|(number, lines)| Peer::new(now, address(number).parse().unwrap(), *lines))
            .collect();
        Self {
            now,
            session,
            peers,
            events: Vec::new(),
            loss: 0.0,
            astray: 0,
            servers: None,
            is_walled: false,
            locals,
            random: Random::new(11),
            flight: VecDeque::new(),
        }
    }

    /// A session with several candidates.
    pub(crate) fn with_candidates(locals: &[&str]) -> Self {
        let mut world = Self::at(locals, &[Lines::AUDIO]);
        world.session.attach(world.now, &world.locals).unwrap();
        world
    }

    pub(crate) fn take_video(&mut self) {
        let codecs = vec![VideoCodec::Vp8, VideoCodec::H264];
        self.session.prepare_video(codecs, true);
    }

    pub(crate) fn peer(&mut self) -> &mut Peer {
        &mut self.peers[0]
    }

    /// Takes an offer and gives the answer.
    pub(crate) fn answer(&mut self, offer: &str) -> String {
        let now = self.now;
        self.session
            .set_remote(now, offer, DescriptionKind::Offer, "")
            .unwrap();
        self.session.create_answer(now).unwrap()
    }

    /// The peer offers, its offer changed on the way; returns the answer.
    pub(crate) fn peer_offers(&mut self, change: impl Fn(String) -> String) -> String {
        let now = self.now;
        let offer = change(self.peer().offer(now));
        let answer = self.answer(&offer);
        self.peer().take_answer(now, answer.clone());
        answer
    }

    /// We offer; returns the peer's answer.
    pub(crate) fn we_offer(&mut self) -> String {
        let now = self.now;
        let offer = self.session.create_offer(now, false).unwrap();
        let answer = self.peer().answer(now, &offer);
        self.session
            .set_remote(now, &answer, DescriptionKind::Answer, "tag")
            .unwrap();
        answer
    }

    pub(crate) fn connect(&mut self) {
        self.run(Duration::from_secs(2));
        assert!(self.peers.iter().all(|peer| peer.is_connected));
        assert_eq!(self.count(EventKind::Connected), 1);
    }

    /// The peer says so many packets, 20 ms apart; returns how many each side has heard.
    pub(crate) fn talk(&mut self, packets: usize) -> (u64, usize) {
        let before = (self.number("packets_received"), self.heard_by_peers());
        for _ in 0..packets {
            let now = self.now;
            for peer in &mut self.peers {
                peer.say(now);
            }
            self.run(Duration::from_millis(20));
        }
        let received = self.number("packets_received") - before.0;
        (received as u64, self.heard_by_peers() - before.1)
    }

    fn heard_by_peers(&self) -> usize {
        let audio = |peer: &Peer| peer.received.iter().filter(|one| one.is_audio()).count();
        self.peers.iter().map(audio).sum()
    }

    pub(crate) fn count(&self, kind: EventKind) -> usize {
        let is_kind = |event: &&Event| event.kind == kind;
        self.events.iter().filter(is_kind).count()
    }

    pub(crate) fn number(&self, name: &str) -> f64 {
        let report = self.session.statistics();
        match report.iter().find(|(known, _)| *known == name) {
            Some((_, Value::Number(value))) => *value,
            other => panic!("{name} is {other:?}"),
        }
    }

    /// A stranger's datagram arrives.
    pub(crate) fn inject(&mut self, data: &[u8]) {
        let (local, from) = (self.locals[0], STRANGER.parse().unwrap());
        self.session.input(self.now, local, from, data);
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.drain();
        // The far end may name a past deadline again and again: time moves on regardless.
        while self.now < end {
            let arrival = self.flight.front().map(|(at, _)| *at);
            let peers = self.peers.iter_mut().filter_map(Peer::next_deadline);
            let timers = peers.chain(arrival).chain(self.session.next_deadline());
            let next = timers.min().unwrap_or(end);
            self.now = next.max(self.now + Duration::from_micros(100)).min(end);
            self.deliver();
            self.session.tick(self.now);
            for peer in &mut self.peers {
                peer.handle_timeout(self.now);
            }
            self.drain();
        }
    }

    fn deliver(&mut self) {
        while self.flight.front().is_some_and(|(at, _)| *at <= self.now) {
            let Some((_, datagram)) = self.flight.pop_front() else {
                return;
            };
            let mut servers = self.servers.as_mut();
            let told = servers
                .as_mut()
                .and_then(|servers| servers(self.now, &datagram));
            if let Some(answers) = told {
                let at = self.now + DELAY;
                let answers = answers.into_iter().map(|answer| (at, answer));
                self.flight.extend(answers);
                continue;
            }
            let Transmit { local, to, data } = datagram;
            let is_of_peer = |at: SocketAddr| self.peers.iter().any(|peer| peer.local == at);
            let ours = [local, to].map(|at| self.locals.contains(&at));
            if self.is_walled && (ours[0] && is_of_peer(to) || ours[1] && is_of_peer(local)) {
                continue;
            }
            if self.locals.contains(&to) {
                self.session.input(self.now, to, local, &data);
            } else if let Some(peer) = self.peers.iter_mut().find(|peer| peer.local == to) {
                peer.handle_datagram(self.now, local, &data);
            } else {
                self.astray += 1;
            }
        }
    }

    fn drain(&mut self) {
        let at = self.now + DELAY;
        let ours = std::iter::from_fn(|| self.session.poll_transmit());
        let mut sent: Vec<Transmit> = ours.collect();
        for peer in &mut self.peers {
            sent.extend(peer.drain());
        }
        for datagram in sent {
            let is_media = datagram.data.first().is_some_and(|byte| byte >> 6 == 2);
            if !(is_media && self.random.unit() < self.loss) {
                self.flight.push_back((at, datagram));
            }
        }
        while let Some(event) = self.session.poll_event() {
            self.events.push(event);
        }
    }
}
