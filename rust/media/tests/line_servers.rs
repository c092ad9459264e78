//! Addresses at STUN servers and relays of lines with a path of their own.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;
mod turn_server;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use peer::{Lines, World};
use trivox_media::event::EventKind;
use trivox_media::session::components::ComponentAt;
use trivox_media::session::lines::LineKind;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::relays::RelayAt;
use trivox_media::transport::relay::RelayCredentials;
use trivox_media::transport::{ComponentId, Transmit};
use trivox_media::video::VideoCodec;
use turn_server::{TurnServer, seen_as};

const SECOND: &str = "10.0.0.1:1002";
/// Our sockets towards the relay, for the audio and for the line.
const WAYS: [&str; 2] = ["10.0.0.1:1010", "10.0.0.1:1012"];
const RELAYED: [&str; 2] = ["203.0.113.9:50000", "203.0.113.9:50002"];
const TURN: &str = "203.0.113.9:3478";
const STUN: &str = "203.0.113.8:3478";
/// The network sees us by this host, with the ports we have.
const OUTSIDE: &str = "198.51.100.7";
const LIMIT: Duration = Duration::from_secs(5);
const PUSH: u64 = 42;

type Relays = Rc<RefCell<[TurnServer; 2]>>;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
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
                let told = told.filter(|_| !relay.is_dead).into_iter();
                return Some(told.map(|told| answer(at(TURN), way, told)).collect());
            }
        }
        None
    };
    world.servers = Some(Box::new(serve));
    world.locals.extend(WAYS.map(at));
    relays
}

fn relay_at(place: usize, line: Option<u64>) -> RelayAt {
    RelayAt {
        local: at(WAYS[place]),
        server: at(TURN),
        name: "turn".to_owned(),
        credentials: RelayCredentials {
            username: "ann".to_owned(),
            password: "secret".to_owned(),
        },
        component: ComponentAt {
            line,
            id: ComponentId::Rtp,
        },
        is_stream: false,
    }
}

/// A session that offers audio and video and has a relay for each, by a server for each.
fn gathered(peers: &[Lines]) -> (World, Relays, u64) {
    let mut world = World::at(&[peer::LOCAL, SECOND], peers);
    let relays = with_servers(&mut world);
    world.take_video();
    let line = world.session.open_line(LineKind::Video).unwrap();
    world.session.attach_line(line, vec![at(SECOND)]);
    let servers = vec![relay_at(0, None), relay_at(1, Some(line))];
    let stun = [peer::LOCAL, SECOND].map(|own| (at(own), at(STUN)));
    let now = world.now;
    world
        .session
        .gather(now, servers, &stun, Vec::new(), LIMIT)
        .unwrap();
    world.run(Duration::from_secs(1));
    let told: Vec<_> = world
        .events
        .iter()
        .filter(|event| event.kind == EventKind::Gathered)
        .map(|event| event.text.as_str())
        .collect();
    assert_eq!(told, ["4 "], "{told:?}");
    (world, relays, line)
}

fn halves(offer: &str) -> [String; 2] {
    let (head, media) = offer.split_at(offer.find("m=audio").unwrap());
    let (audio, video) = media.split_at(media.find("m=video").unwrap());
    let head: String = head
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("a=group"))
        .collect();
    [(audio, "0"), (video, "1")]
        .map(|(media, mid)| format!("{head}a=group:BUNDLE {mid}\r\n{media}"))
}

/// One description of those of both peers, without a bundle.
fn joined(answers: [String; 2]) -> String {
    let [audio, video] = answers.map(|sdp| {
        let (head, media) = sdp.split_at(sdp.find("m=").unwrap());
        let (own, rest): (Vec<&str>, Vec<&str>) = head
            .lines()
            .filter(|line| !line.starts_with("a=group"))
            .partition(|line| line.starts_with("a=fingerprint"));
        let text = |lines: &[&str]| lines.iter().map(|line| format!("{line}\r\n")).collect();
        let fingerprint: String = text(&own);
        let rest: String = text(&rest);
        (rest, format!("{media}{fingerprint}"))
    });
    format!("{}{}{}", audio.0, audio.1, video.1)
}

/// Audio and video that go by a relay each.
fn connected() -> (World, Relays, u64) {
    let (mut world, relays, line) = gathered(&[Lines::AUDIO, Lines::NONE]);
    world.is_walled = true;
    let now = world.now;
    let [audio, video] = halves(&world.session.create_offer(now, false).unwrap());
    let answers = [
        world.peers[0].answer(now, &audio),
        world.peers[1].answer(now, &video),
    ];
    let answer = joined(answers);
    world
        .session
        .set_remote(now, &answer, DescriptionKind::Answer, "tag")
        .unwrap();
    world.connect();
    (world, relays, line)
}

/// RFC 5764 §3: the end is said by the relays too, before they are given back.
#[test]
fn the_far_end_of_each_line_is_told_of_the_end_by_its_relay() {
    let (mut world, relays, _) = connected();

    let now = world.now;
    world.session.close(now);
    world.run(Duration::from_millis(100));

    let told = world.peers.iter().map(|peer| peer.alerts);
    assert_eq!(told.collect::<Vec<_>>(), [1, 1]);
    let now = world.now;
    assert!(!relays.borrow().iter().any(|relay| relay.is_allocated(now)));
    assert_eq!(world.session.next_deadline(), None, "nothing is left to do");
}

#[test]
fn each_path_has_candidates_at_the_servers_and_goes_by_its_own_relay() {
    let (mut world, relays, line) = gathered(&[Lines::AUDIO, Lines::NONE]);
    world.is_walled = true;
    let now = world.now;
    let offer = world.session.create_offer(now, false).unwrap();
    let [audio, video] = halves(&offer);
    for (half, place, port) in [(&audio, 0, 1000), (&video, 1, 1002)] {
        let relayed = format!(" 203.0.113.9 {} typ relay", at(RELAYED[place]).port());
        assert!(half.contains(&relayed), "{half}");
        assert!(half.contains(&format!(
            " {OUTSIDE} {port} typ srflx raddr 10.0.0.1 rport {port}"
        )));
        assert_eq!(half.matches("a=candidate").count(), 3, "{half}");
    }

    let answers = [
        world.peers[0].answer(now, &audio),
        world.peers[1].answer(now, &video),
    ];
    let answer = joined(answers);
    world
        .session
        .set_remote(now, &answer, DescriptionKind::Answer, "tag")
        .unwrap();
    world.connect();
    let now = world.now;
    world.session.open_frame_push(now, line, PUSH).unwrap();
    for number in 0..10 {
        let (now, pts) = (world.now, f64::from(number) / 25.0);
        let data = [&[0x10u8][..], &[0x55; 400]].concat();
        let target = (line, PUSH);
        world
            .session
            .push_frame(now, target, VideoCodec::Vp8, pts, Default::default(), &data)
            .unwrap();
        world.run(Duration::from_millis(40));
    }
    assert_eq!(world.peers[1].received.len(), 10);
    let (ours, theirs) = world.talk(25);
    assert!(ours >= 24 && theirs >= 24, "{ours} {theirs}");

    // The death of a relay is that of one path, and told.
    relays.borrow_mut()[1].is_dead = true;
    world.events.clear();
    world.run(Duration::from_secs(45));
    assert_eq!(world.count(EventKind::RelayLost), 1);
    assert_eq!(world.count(EventKind::LineFailed), 1);
    assert_eq!(world.count(EventKind::Failed), 0);
    let (ours, theirs) = world.talk(25);
    assert!(ours >= 24 && theirs >= 24, "{ours} {theirs}");
}

#[test]
fn a_relay_for_a_line_that_is_bundled_is_given_back() {
    let (mut world, relays, _) = gathered(&[]);
    let now = world.now;
    assert!(relays.borrow().iter().all(|relay| relay.is_allocated(now)));

    let offer = world.session.create_offer(now, false).unwrap();
    let mut far = World::at(&["10.0.0.2:2000"], &[]);
    far.take_video();
    let answer = far.answer(&offer);
    world
        .session
        .set_remote(now, &answer, DescriptionKind::Answer, "tag")
        .unwrap();
    world.run(Duration::from_secs(1));

    assert!(answer.contains("a=group:BUNDLE 0 1"), "{answer}");
    let now = world.now;
    let relays = relays.borrow();
    assert_eq!(
        [0, 1].map(|place| relays[place].is_allocated(now)),
        [true, false]
    );
}

/// RFC 8839 §4.2.1: what is gathered for a line that comes into a call is in its offer.
#[test]
fn a_line_that_comes_into_a_call_has_candidates_at_the_servers() {
    let mut world = World::at(&[peer::LOCAL, SECOND], &[Lines::AUDIO, Lines::NONE]);
    let relays = with_servers(&mut world);
    world.take_video();
    let now = world.now;
    let offer = world.session.create_offer(now, false).unwrap();
    let answer = world.peers[0].answer(now, &offer);
    let answer = answer.replace("a=group:BUNDLE 0\r\n", "");
    world
        .session
        .set_remote(now, &answer, DescriptionKind::Answer, "tag")
        .unwrap();
    world.run(Duration::from_secs(2));
    assert_eq!(world.count(EventKind::Connected), 1);

    let line = world.session.open_line(LineKind::Video).unwrap();
    world.session.attach_line(line, vec![at(SECOND)]);
    let (now, stun) = (world.now, [(at(SECOND), at(STUN))]);
    world
        .session
        .gather(now, vec![relay_at(1, Some(line))], &stun, Vec::new(), LIMIT)
        .unwrap();
    world.run(Duration::from_secs(1));
    assert_eq!(world.count(EventKind::Gathered), 1);
    let now = world.now;
    let [audio, video] = halves(&world.session.create_offer(now, false).unwrap());
    let told = format!(" {OUTSIDE} 1002 typ srflx raddr 10.0.0.1 rport 1002");
    assert!(video.contains(&told), "{video}");
    assert!(video.contains(" 203.0.113.9 50002 typ relay"), "{video}");
    assert!(video.contains("a=end-of-candidates"), "{video}");

    world.is_walled = true;
    let answers = [
        world.peers[0].answer(now, &audio),
        world.peers[1].answer(now, &video),
    ];
    world
        .session
        .set_remote(now, &joined(answers), DescriptionKind::Answer, "tag")
        .unwrap();
    world.run(Duration::from_secs(2));

    assert!(world.peers[1].is_connected, "by the relay of the line");
    assert!(relays.borrow()[1].is_allocated(world.now));
}
