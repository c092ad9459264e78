//! Relays of a live engine on loopback: over streams, and sent on from one to another.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Real sockets, real time.

mod turn_server;

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rtc::dtls::crypto::Certificate;
use rustix::event::{Timespec, poll};
use trivox_media::codec::CodecKind;
use trivox_media::engine::gathering::{Gathering, RelayServer};
use trivox_media::engine::{Engine, EngineSettings, PortRange};
use trivox_media::event::{Event, EventKind};
use trivox_media::relay_streams::{RelayWay, TrustedRoots};
use trivox_media::session::{SessionSettings, TransportKind};
use trivox_media::transport::relay::{Framing, RelayCredentials};
use turn_server::TurnServer;

const LOOPBACK: &str = "127.0.0.1:0";

struct World {
    engine: Engine,
    session: u64,
    events: Vec<Event>,
}

impl World {
    fn new() -> Self {
        let engine = Engine::new(&EngineSettings {
            seed: b"streams".to_vec(),
            threads: 1,
            is_driven: false,
            now: 0.0,
            ports: PortRange { first: 0, last: 0 },
        });
        let engine = engine.unwrap();
        let host: IpAddr = [127, 0, 0, 1].into();
        let settings = SessionSettings {
            transport: TransportKind::Ice,
            accepts: Vec::new(),
            codecs: vec![CodecKind::Pcmu],
            dtmf: false,
            ptime_ms: 20,
            advertised: None,
        };
        let session = engine.open_session(settings, vec![host]).unwrap();
        Self {
            engine,
            session,
            events: Vec::new(),
        }
    }

    fn gather(&mut self, address: SocketAddr, way: RelayWay) -> String {
        let credentials = RelayCredentials {
            username: "ann".to_owned(),
            password: "secret".to_owned(),
        };
        let relay = RelayServer {
            address,
            name: "relay".to_owned(),
            credentials,
            way,
        };
        let gathering = Gathering {
            relays: vec![relay],
            stun: Vec::new(),
            is_offer: true,
            limit: Duration::from_secs(30),
        };
        self.engine.gather(self.session, gathering).unwrap();
        self.wait_for(EventKind::Gathered)
    }

    /// The text of the first event of a kind, which comes within half a minute.
    fn wait_for(&mut self, kind: EventKind) -> String {
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: 10_000_000,
        };
        for _ in 0..3000 {
            self.events.extend(self.engine.drain(100));
            if let Some(event) = self.events.iter().find(|event| event.kind == kind) {
                return event.text.clone();
            }
            poll(&mut [], Some(&pause)).ok();
        }
        panic!("{kind:?} never came: {:?}", self.events);
    }
}

/// A relay that takes one connection; how many requests it had is told at its end.
fn over_tcp() -> (SocketAddr, Receiver<TcpStream>, Receiver<usize>) {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap();
    let (connected, connections) = channel();
    let (ended, ends) = channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        connected.send(stream.try_clone().unwrap()).unwrap();
        let mut server = TurnServer::new(Instant::now(), "ann", "secret");
        let (mut framing, mut chunk) = (Framing::default(), [0; 1000]);
        while let Ok(count) = stream.read(&mut chunk)
            && count > 0
        {
            framing.push(&chunk[..count]);
            while let Ok(Some(message)) = framing.next_untrusted() {
                let answer = server.take(Instant::now(), &message).unwrap_or_default();
                // In two pieces, as streams may have it.
                let (one, other) = answer.split_at(answer.len() / 2);
                // Nobody waits for the last one.
                stream.write_all(one).ok();
                stream.write_all(other).ok();
            }
        }
        ended.send(server.log.len()).unwrap();
    });
    (address, connections, ends)
}

/// A relay over UDP; it sends everybody to another one, if there is one.
fn over_udp(alternate: Option<SocketAddr>) -> SocketAddr {
    answering(UdpSocket::bind(LOOPBACK).unwrap(), alternate)
}

fn answering(socket: UdpSocket, alternate: Option<SocketAddr>) -> SocketAddr {
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut server = TurnServer::new(Instant::now(), "ann", "secret");
        server.alternate = alternate;
        let mut chunk = [0; 2000];
        while let Ok((count, from)) = socket.recv_from(&mut chunk) {
            if let Some(answer) = server.take(Instant::now(), &chunk[..count]) {
                socket.send_to(&answer, from).ok();
            }
        }
    });
    address
}

/// RFC 8656 §3.1: the way to a relay may be a stream.
#[test]
fn a_relay_over_tcp_is_asked_told_of_and_given_back() {
    let mut world = World::new();
    let (address, _connections, ends) = over_tcp();

    assert_eq!(world.gather(address, RelayWay::Tcp), "1 ");
    let offer = world.engine.create_offer(world.session, false).unwrap();
    assert!(offer.contains(" 203.0.113.9 49152 typ relay "), "{offer}");
    world.engine.close_session(world.session);

    // A request that is challenged, the same with its proof, and the one that ends it.
    assert_eq!(ends.recv_timeout(Duration::from_secs(30)), Ok(3));
}

#[test]
fn a_relay_is_given_back_when_the_media_go_without_ice() {
    let mut world = World::new();
    let socket = UdpSocket::bind(LOOPBACK).unwrap();
    let address = socket.local_addr().unwrap();
    let (told, states) = channel();
    std::thread::spawn(move || {
        let mut server = TurnServer::new(Instant::now(), "ann", "secret");
        let mut chunk = [0; 2000];
        while let Ok((count, from)) = socket.recv_from(&mut chunk) {
            let answer = server.take(Instant::now(), &chunk[..count]);
            socket.send_to(&answer.unwrap_or_default(), from).ok();
            told.send(server.is_allocated(Instant::now())).ok();
        }
    });
    assert_eq!(world.gather(address, RelayWay::Udp), "1 ");

    let (session, plain) = (world.session, TransportKind::Plain);
    let changed = world.engine.change_transport(session, plain, Vec::new());
    changed.unwrap();
    let offer = world.engine.create_offer(session, false).unwrap();

    assert!(offer.contains("RTP/AVP "), "{offer}");
    let after = || states.recv_timeout(Duration::from_secs(30)).unwrap();
    // It is challenged, proves itself, and gives back.
    assert_eq!([after(), after(), after()], [false, true, false]);
}

#[test]
fn a_stream_that_ends_is_the_end_of_its_relay() {
    let mut world = World::new();
    let (address, connections, _ends) = over_tcp();
    world.gather(address, RelayWay::Tcp);

    let stream = connections.recv_timeout(Duration::from_secs(30)).unwrap();
    stream.shutdown(Shutdown::Both).unwrap();

    let why = world.wait_for(EventKind::RelayLost);
    assert_eq!(why, "relay: it has closed the connection");
}

#[test]
fn where_nobody_listens_there_is_no_relay() {
    let mut world = World::new();
    let closed = TcpListener::bind(LOOPBACK).unwrap().local_addr().unwrap();

    let said = world.gather(closed, RelayWay::Tcp);

    assert!(
        said.starts_with("0 relay: it cannot be connected to: "),
        "{said}"
    );
}

#[test]
fn what_does_not_prove_its_name_gets_no_password() {
    let mut world = World::new();
    let (address, _connections, ends) = over_tcp();
    let provider = rtc::crypto::default_provider().unwrap();
    let names = vec!["relay.test".to_owned()];
    let own = Certificate::generate_self_signed(names, provider.crypto()).unwrap();
    let roots = TrustedRoots::new(vec![own.certificate[0].to_vec()]).unwrap();
    assert!(TrustedRoots::new(Vec::new()).is_err());

    let said = world.gather(address, RelayWay::Tls("relay.test".to_owned(), roots));

    assert!(said.starts_with("0 relay: "), "{said}");
    world.engine.close_session(world.session);
    assert_eq!(ends.recv_timeout(Duration::from_secs(30)), Ok(0));
}

#[test]
fn a_relay_that_names_another_is_followed() {
    let mut world = World::new();
    let last = over_udp(None);
    let first = over_udp(Some(over_udp(Some(last))));

    assert_eq!(world.gather(first, RelayWay::Udp), "1 ");
}

/// RFC 8489 §10: who has sent us on is not asked again.
#[test]
fn relays_that_name_each_other_are_not_followed_for_ever() {
    let mut world = World::new();
    let one = UdpSocket::bind(LOOPBACK).unwrap();
    let here = one.local_addr().unwrap();
    let other = over_udp(Some(here));
    answering(one, Some(other));

    let said = world.gather(here, RelayWay::Udp);

    assert_eq!(
        said,
        format!("0 relay: it sends us to {here}, which is not tried")
    );
}
