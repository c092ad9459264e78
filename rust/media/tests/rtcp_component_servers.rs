//! Addresses at STUN servers and relays of RTCP's own ICE component.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod apart;
mod turn_server;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use apart::{PEER_RTCP, PEER_RTP, RTCP, RTP, World, at};
use trivox_media::session::components::ComponentAt;
use trivox_media::session::relays::RelayAt;
use trivox_media::transport::relay::RelayCredentials;
use trivox_media::transport::{ComponentId, Transmit};
use turn_server::{TurnServer, seen_as};

/// Our sockets towards the relay, of RTP and of RTCP.
const WAYS: [&str; 2] = ["10.0.0.1:1010", "10.0.0.1:1012"];
const RELAYED: [&str; 2] = ["203.0.113.9:50000", "203.0.113.9:50002"];
const TURN: &str = "203.0.113.9:3478";
const STUN: &str = "203.0.113.8:3478";
/// The network sees us by this host, with the ports we have.
const OUTSIDE: &str = "198.51.100.7";
const IDS: [ComponentId; 2] = [ComponentId::Rtp, ComponentId::Rtcp];

type Relays = Rc<RefCell<[TurnServer; 2]>>;

fn relay_at(place: usize) -> RelayAt {
    RelayAt {
        local: at(WAYS[place]),
        server: at(TURN),
        name: "turn".to_owned(),
        credentials: RelayCredentials {
            username: "ann".to_owned(),
            password: "secret".to_owned(),
        },
        component: ComponentAt {
            line: None,
            id: IDS[place],
        },
        is_stream: false,
    }
}

/// A relay for each of two sockets, and a STUN server.
fn with_servers(world: &mut World) -> Relays {
    let made = |place: usize| {
        let mut server = TurnServer::new(world.now, "ann", "secret");
        server.gives = [at(RELAYED[place]), at(WAYS[place])];
        server
    };
    let relays: Relays = Rc::new(RefCell::new([made(0), made(1)]));
    let own = Rc::clone(&relays);
    let serve = move |now, datagram: &Transmit| {
        let Transmit { local, to, data } = datagram;
        let answer = |local, to, data| Transmit { local, to, data };
        if *to == at(STUN) {
            let seen = SocketAddr::new(OUTSIDE.parse().unwrap(), local.port());
            return Some(vec![answer(*to, *local, seen_as(data, seen))]);
        }
        for (place, relay) in own.borrow_mut().iter_mut().enumerate() {
            let (way, relayed) = (at(WAYS[place]), at(RELAYED[place]));
            if (*local, *to) == (way, at(TURN)) {
                let told = relay.take(now, data).into_iter();
                let mut sent: Vec<_> = told.map(|told| answer(*to, way, told)).collect();
                let on = std::mem::take(&mut relay.relayed).into_iter();
                sent.extend(on.map(|(peer, data, _)| answer(relayed, peer, data)));
                return Some(sent);
            }
            if *to == relayed {
                let told = relay.sent_by(now, &local.to_string(), data);
                return Some(
                    told.into_iter()
                        .map(|told| answer(at(TURN), way, told))
                        .collect(),
                );
            }
        }
        None
    };
    world.servers = Some(Box::new(serve));
    world.locals.extend(WAYS.map(at));
    relays
}

/// A session that leaves it to its far end where RTCP goes, with a relay for both components.
fn gathered() -> (World, Relays) {
    let mut world = World::new(&[PEER_RTP, PEER_RTCP]);
    let relays = with_servers(&mut world);
    world.session.negotiate_rtcp_mux().unwrap();
    world.attach();
    assert!(world.bind_rtcp());
    let stun = [RTP, RTCP].map(|own| (at(own), at(STUN)));
    let servers = vec![relay_at(0), relay_at(1)];
    let (now, limit) = (world.now, Duration::from_secs(5));
    world
        .session
        .gather(now, servers, &stun, Vec::new(), limit)
        .unwrap();
    world.run(Duration::from_secs(1));
    (world, relays)
}

#[test]
fn rtcp_has_candidates_at_the_servers_and_goes_by_its_own_relay() {
    let (mut world, relays) = gathered();
    world.is_walled = true;
    let offer = world.we_offer(false);

    let line = |part: &str| offer.lines().find(|line| line.contains(part)).unwrap();
    for gathered in [
        " 198.51.100.7 4500 typ srflx",
        " 203.0.113.9 50002 typ relay",
    ] {
        assert!(line(gathered).contains(" 2 udp "), "{offer}");
    }
    world.connect();
    let ssrc = world.session.ssrc();
    for _ in 0..600 {
        world.far.say();
        world.run(Duration::from_millis(20));
    }
    world.far.report(world.now, 1, ssrc);
    world.run(Duration::from_millis(50));

    assert!(world.far.rtp.len() > 500);
    assert!(!world.far.rtcp.is_empty());
    assert!(world.far.rtcp.iter().all(|(to, _)| *to == at(PEER_RTCP)));
    assert!(world.number("round_trip").is_some());
    let own = relays.borrow();
    assert!(own[0].permits(world.now, PEER_RTP) && own[1].permits(world.now, PEER_RTCP));
}

#[test]
fn a_relay_for_rtcp_that_goes_with_rtp_is_given_back() {
    let (mut world, relays) = gathered();
    world.we_offer(true);
    world.connect();

    let is_allocated = |place: usize| relays.borrow()[place].is_allocated(world.now);
    assert!(is_allocated(0));
    assert!(!is_allocated(1));
}
