//! Candidates that come after the descriptions (RFC 8838, RFC 8840).
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The origin of virtual time; helpers.

mod browser;
mod turn_server;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use browser::Browser;
use trivox_media::codec::CodecKind;
use trivox_media::event::EventKind;
use trivox_media::random::Random;
use trivox_media::session::components::ComponentAt;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::relays::RelayAt;
use trivox_media::session::{Session, SessionSettings, TransportKind};
use trivox_media::transport::relay::RelayCredentials;
use trivox_media::transport::{ComponentId, IceTransport, Identity, RemoteIce, Transmit, Trickled};
use turn_server::{RELAYED, TurnServer};
use wire::remote_of;

const NEAR: &str = "10.0.0.1:1000";
const FAR: &str = "10.0.0.2:2000";

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn session(now: Instant) -> Session {
    let settings = SessionSettings {
        transport: TransportKind::Ice,
        accepts: Vec::new(),
        codecs: vec![CodecKind::Opus],
        dtmf: true,
        ptime_ms: 20,
        advertised: None,
    };
    let identity = Arc::new(Identity::generate().unwrap());
    let mut session = Session::new(1, settings, identity, now, Random::new(7));
    session.attach(now, &[at(NEAR)]).unwrap();
    session
}

/// A call of ours with a peer connection that tells its candidates later.
struct Call {
    now: Instant,
    session: Session,
    browser: Browser,
    is_connected: bool,
}

impl Call {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            now,
            session: session(now),
            browser: Browser::new(now, at(FAR)),
            is_connected: false,
        }
    }

    /// What a page sends of its description in an INFO request.
    fn fragment(description: &str, candidate: &str) -> String {
        let credentials = description
            .lines()
            .filter(|line| line.starts_with("a=ice-ufrag:") || line.starts_with("a=ice-pwd:"));
        let credentials: Vec<&str> = credentials.take(2).collect();
        let mid = description.lines().find(|line| line.starts_with("a=mid:"));
        format!(
            "{}\r\nm=audio 9 RTP/AVP 0\r\n{}\r\n{candidate}",
            credentials.join("\r\n"),
            mid.unwrap()
        )
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now += Duration::from_millis(1);
            self.session.tick(self.now);
            self.browser.handle_timeout(self.now);
            for Transmit { local, to, data } in
                std::iter::from_fn(|| self.session.poll_transmit()).collect::<Vec<_>>()
            {
                if to == self.browser.local {
                    self.browser.handle_datagram(self.now, local, &data);
                }
            }
            for Transmit { local, to, data } in self.browser.drain() {
                if to == at(NEAR) {
                    self.session.input(self.now, to, local, &data);
                }
            }
            while let Some(event) = self.session.poll_event() {
                self.is_connected |= event.kind == EventKind::Connected;
            }
        }
    }
}

/// The description without candidates, and the lines that were taken out.
fn split(description: &str) -> (String, String) {
    let lines = || description.split_inclusive('\n');
    let is_later =
        |line: &&str| line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates");
    let kept = lines().filter(|line| !is_later(line));
    (kept.collect(), lines().filter(is_later).collect())
}

/// RFC 8838 §11: they are paired and checked as those of the description.
#[test]
fn a_call_connects_by_candidates_that_come_after_the_offer() {
    let mut call = Call::new();
    let (offer, later) = split(&call.browser.offer(call.now, false));
    call.browser.is_silent = true;
    call.session
        .set_remote(call.now, &offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = call.session.create_answer(call.now).unwrap();
    let (answer, ours) = split(&answer);
    assert!(ours.contains(" 1000 typ host"), "{ours}");
    call.browser.take_answer(call.now, answer);
    call.run(Duration::from_secs(3));
    assert!(!call.is_connected, "neither knows where the other is");

    let fragment = Call::fragment(&offer, &later);
    let taken = call.session.take_fragment_untrusted(call.now, &fragment);
    assert_eq!(taken.unwrap(), Trickled::Taken);
    call.browser.is_silent = false;
    call.run(Duration::from_secs(2));

    assert!(call.is_connected);
    assert!(call.browser.is_connected);
}

#[test]
fn a_peer_connection_takes_our_fragments() {
    let mut call = Call::new();
    call.session.trickle(true);
    let offer = call.session.create_offer(call.now, false).unwrap();
    assert!(!offer.contains("a=end-of-candidates"), "{offer}");
    let (offer, _) = split(&offer);
    let answer = call.browser.answer(call.now, offer);
    let (answer, _) = split(&answer);
    call.session
        .set_remote(call.now, &answer, DescriptionKind::Answer, "")
        .unwrap();
    call.run(Duration::from_secs(1));
    assert!(!call.is_connected);

    let fragment = call.session.fragment();
    for line in fragment.lines() {
        if let Some(candidate) = line.strip_prefix("a=candidate:") {
            call.browser
                .take_candidate(&format!("candidate:{candidate}"));
        }
    }
    call.run(Duration::from_secs(2));

    assert!(fragment.contains("a=mid:0\r\n"), "{fragment}");
    assert!(call.is_connected && call.browser.is_connected);
}

fn transport() -> (Instant, IceTransport, RemoteIce) {
    let now = Instant::now();
    let made = |address: &str| {
        let identity = Arc::new(Identity::generate().unwrap());
        IceTransport::new(now, identity, &[at(address)]).unwrap()
    };
    let mut remote = remote_of(&made(FAR).description());
    remote.has_more_to_come = true;
    (now, made(NEAR), remote)
}

fn host(number: u16) -> String {
    format!(
        "{number} 1 udp 2130706431 10.0.9.9 {} typ host",
        3000 + number
    )
}

/// Datagrams that leave in so much time, by the ports they go to.
fn sent(now: Instant, ice: IceTransport, duration: Duration) -> Vec<u16> {
    let mut transport = trivox_media::transport::Transport::Ice(Box::new(ice));
    let mut ports = Vec::new();
    for step in 0..duration.as_millis() as u64 {
        transport.handle_timeout(now + Duration::from_millis(step));
        while let Some(transmit) = transport.poll_transmit() {
            ports.push(transmit.to.port());
        }
    }
    ports
}

#[test]
fn checks_are_left_for_candidates_that_come_late() {
    let (now, mut ice, mut remote) = transport();
    remote.candidates = (0..20).map(host).collect();
    ice.set_remote(now, &remote, true, false).unwrap();
    let mut transport = trivox_media::transport::Transport::Ice(Box::new(ice));
    let mut early = 0;
    for step in 0..3000 {
        transport.handle_timeout(now + Duration::from_millis(step));
        early += std::iter::from_fn(|| transport.poll_transmit()).count();
    }
    assert_eq!(early, 50);

    let trivox_media::transport::Transport::Ice(mut ice) = transport else {
        unreachable!("it was made of one");
    };
    let now = now + Duration::from_secs(3);
    let late = host(99);
    let taken = ice.trickle(now, &remote.ufrag, [late.as_str()].into_iter(), true);
    assert_eq!(taken, Trickled::Taken);
    let ports = sent(now, *ice, Duration::from_secs(3));

    assert!(ports.contains(&3099));
    assert_eq!(ports.len(), 50, "a hundred in all");
}

#[test]
fn a_generation_has_64_candidates_and_the_rest_is_counted() {
    let (now, mut ice, remote) = transport();
    ice.set_remote(now, &remote, true, false).unwrap();
    for number in 0..500 {
        let text = host(number);
        ice.trickle(now, &remote.ufrag, [text.as_str()].into_iter(), false);
        // Each fragment repeats those before it.
        ice.trickle(now, &remote.ufrag, [host(1).as_str()].into_iter(), false);
    }
    ice.trickle(now, &remote.ufrag, ["nonsense"].into_iter(), false);
    let transport = trivox_media::transport::Transport::Ice(Box::new(ice));

    // One is that of the description.
    assert_eq!(transport.counts().refused_candidates, 500 - 63 + 1);
}

#[test]
fn candidates_of_an_old_generation_are_dropped_and_counted() {
    let (now, mut ice, remote) = transport();
    ice.set_remote(now, &remote, true, false).unwrap();
    let mut restarted = remote.clone();
    restarted.ufrag = "another".to_owned();
    let one = host(1);
    let later = ice.trickle(now, "another", [one.as_str()].into_iter(), false);
    ice.set_remote(now, &restarted, true, false).unwrap();
    let old = ice.trickle(now, &remote.ufrag, [one.as_str()].into_iter(), false);
    let new = ice.trickle(now, "another", [one.as_str()].into_iter(), false);
    let transport = trivox_media::transport::Transport::Ice(Box::new(ice));

    assert_eq!(
        [later, old, new],
        [Trickled::Unknown, Trickled::Old, Trickled::Taken]
    );
    assert_eq!(transport.counts().refused_candidates, 1);
}

#[test]
fn who_is_told_that_candidates_may_come_says_it_too() {
    let now = Instant::now();
    let offer = session(now).create_offer(now, false).unwrap();
    assert!(offer.contains("a=ice-options:ice2 trickle\r\n"), "{offer}");
    assert!(offer.contains("a=end-of-candidates\r\n"), "{offer}");

    let answer = |offer: &str| {
        let mut session = session(now);
        session
            .set_remote(now, offer, DescriptionKind::Offer, "")
            .unwrap();
        session.create_answer(now).unwrap()
    };

    assert!(answer(&offer).contains("a=ice-options:ice2 trickle\r\n"));
    let plain = offer.replace(" trickle", "");
    assert!(answer(&plain).contains("a=ice-options:ice2\r\n"));
}

#[test]
fn what_is_about_another_line_of_the_call_is_passed_over() {
    let mut call = Call::new();
    let (offer, later) = split(&call.browser.offer(call.now, false));
    call.session
        .set_remote(call.now, &offer, DescriptionKind::Offer, "")
        .unwrap();
    call.session.create_answer(call.now).unwrap();
    let other = Call::fragment(&offer, &later).replace("a=mid:", "a=mid:not-");
    let mut session = call.session;

    let taken = session.take_fragment_untrusted(call.now, &other).unwrap();
    assert_eq!(taken, Trickled::Taken);
    session.tick(call.now + Duration::from_secs(1));

    assert_eq!(session.poll_transmit(), None);
}

fn relay() -> RelayAt {
    RelayAt {
        local: at("10.0.0.1:3000"),
        server: at("198.51.100.1:3478"),
        name: "relay".to_owned(),
        credentials: RelayCredentials {
            username: "ann".to_owned(),
            password: "secret".to_owned(),
        },
        component: ComponentAt {
            line: None,
            id: ComponentId::Rtp,
        },
        is_stream: false,
    }
}

/// RFC 8840 §4.3: a branch that is not heard at the moment may win.
#[test]
fn a_relay_found_while_another_branch_is_heard_is_every_branchs() {
    let now = Instant::now();
    let mut caller = session(now);
    caller.trickle(true);
    let offer = caller.create_offer(now, false).unwrap();
    caller
        .gather(now, vec![relay()], &[], Vec::new(), Duration::from_secs(5))
        .unwrap();
    let [first, second] = [(); 2].map(|()| {
        let mut callee = session(now);
        let offered = callee.set_remote(now, &offer, DescriptionKind::Offer, "");
        offered.unwrap();
        callee.create_answer(now).unwrap()
    });
    for (tag, answer) in [("a", &first), ("b", &second)] {
        let heard = caller.set_remote(now, answer, DescriptionKind::Provisional, tag);
        heard.unwrap();
    }
    let mut server = TurnServer::new(now, "ann", "secret");
    while let Some(Transmit { local, to, data }) = caller.poll_transmit() {
        if to == relay().server
            && let Some(said) = server.take(now, &data)
        {
            caller.input(now, local, to, &said);
        }
    }
    let won = caller.set_remote(now, &first, DescriptionKind::Answer, "a");
    won.unwrap();

    let relayed: SocketAddr = RELAYED.parse().unwrap();
    let relayed = format!("{} {} typ relay", relayed.ip(), relayed.port());
    let offer = caller.create_offer(now, false).unwrap();
    assert!(offer.contains(&relayed), "{offer}");
}

/// RFC 8840 §4.1.1: port 9 of no address stands for what is not known yet.
#[test]
fn an_offer_without_candidates_names_no_address() {
    let now = Instant::now();
    let made = |trickles: bool| {
        let mut caller = session(now);
        caller.attach(now, &[]).unwrap();
        if trickles {
            caller.trickle(true);
        }
        caller.create_offer(now, false)
    };

    let offer = made(true).unwrap();
    assert!(offer.contains("c=IN IP4 0.0.0.0\r\n"), "{offer}");
    assert!(offer.contains("m=audio 9 "), "{offer}");
    assert!(!offer.contains("a=candidate:"), "{offer}");
    assert!(!offer.contains("a=rtcp:"), "{offer}");
    assert!(made(false).is_err());
}
