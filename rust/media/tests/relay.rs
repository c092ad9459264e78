//! An allocation at a relay, from its beginning to its end, in virtual time.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The origin of virtual time.

mod turn_server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::stun::message::{
    METHOD_ALLOCATE, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION, METHOD_REFRESH,
};
use trivox_media::transport::Identity;
use trivox_media::transport::relay::{Relay, RelayCredentials, RelayEvent, RelaySettings};
use turn_server::{MAPPED, RELAYED, TurnServer};

const PEER: &str = "192.0.2.5:7000";
const STUN: [u8; 20] = [0; 20];
const MEDIA: [u8; 13] = [0x80; 13];

struct World {
    now: Instant,
    server: TurnServer,
    relay: Relay,
    events: Vec<RelayEvent>,
}

impl World {
    fn new(password: &str) -> Self {
        Self::over(password, false)
    }

    fn over(password: &str, is_stream: bool) -> Self {
        let now = Instant::now();
        let settings = RelaySettings {
            is_stream,
            credentials: RelayCredentials {
                username: "ann".to_owned(),
                password: password.to_owned(),
            },
            local: "198.51.100.7".parse().unwrap(),
        };
        let identity = Arc::new(Identity::generate().unwrap());
        Self {
            now,
            server: TurnServer::new(now, "ann", "secret"),
            relay: Relay::new(now, identity, settings),
            events: Vec::new(),
        }
    }

    fn allocated() -> Self {
        let mut world = Self::new("secret");
        world.run(0.1);
        assert!(world.relay.relayed().is_some());
        world.events.clear();
        world
    }

    fn exchange(&mut self) {
        while let Some(message) = self.relay.poll_transmit() {
            if let Some(answer) = self.server.take(self.now, &message) {
                self.relay.handle_message(self.now, &answer);
            }
        }
        self.events
            .extend(std::iter::from_fn(|| self.relay.poll_event()));
    }

    fn run(&mut self, seconds: f64) {
        let until = self.now + Duration::from_secs_f64(seconds);
        self.exchange();
        while let Some(due) = self.relay.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.relay.handle_timeout(self.now);
            self.exchange();
        }
        self.now = until;
    }

    fn send(&mut self, data: &[u8]) {
        self.relay.send(self.now, PEER.parse().unwrap(), data);
        self.exchange();
    }

    fn lost(&self) -> Option<&str> {
        self.events.iter().find_map(|event| match event {
            RelayEvent::Lost(why) => Some(why.as_str()),
            _ => None,
        })
    }
}

#[test]
fn over_a_stream_nothing_is_asked_twice() {
    let mut world = World::over("secret", true);
    world.server.is_dead = true;
    let mut asked = 0;
    for _ in 0..80 {
        asked += usize::from(world.relay.poll_transmit().is_some());
        world.run(0.1);
    }

    assert_eq!(asked, 1);
    assert_eq!(world.lost(), Some("it does not answer"));
}

#[test]
fn the_end_of_a_stream_is_told_by_what_carries_it_alone() {
    let words = b"\xc0it has closed the connection";
    let mut world = World::over("secret", true);
    world.run(0.1);
    world.relay.handle_message(world.now, words);
    world.exchange();
    assert_eq!(world.lost(), Some("it has closed the connection"));

    let mut world = World::allocated();
    world.relay.handle_message(world.now, words);
    world.exchange();
    assert_eq!(world.lost(), None);
    assert_eq!(world.relay.refused(), 1);
}

#[test]
fn a_relay_that_names_another_is_over() {
    let other = "198.51.100.99:3478".parse().unwrap();
    let mut world = World::new("secret");
    world.server.alternate = Some(other);
    world.run(0.1);

    assert_eq!(world.events, [RelayEvent::Redirected(other)]);
    assert!(world.relay.is_over());
}

#[test]
fn an_allocation_begins_with_a_challenge() {
    let mut world = World::new("secret");
    world.run(0.1);

    let begun = RelayEvent::Allocated {
        relayed: RELAYED.parse().unwrap(),
        mapped: Some(MAPPED.parse().unwrap()),
    };
    assert_eq!(world.events, [begun]);
    assert_eq!(
        world.server.log,
        [(METHOD_ALLOCATE, 401), (METHOD_ALLOCATE, 0)]
    );
}

#[test]
fn a_wrong_password_is_told_at_once_and_not_tried_again() {
    let mut world = World::new("wrong");
    world.run(60.0);

    assert_eq!(
        world.lost(),
        Some("it does not take the user name and password")
    );
    assert_eq!(world.server.asked(METHOD_ALLOCATE), 2);
    let settings = RelayCredentials {
        username: "ann".to_owned(),
        password: "wrong".to_owned(),
    };
    assert!(!format!("{settings:?}").contains("wrong"));
}

#[test]
fn an_allocation_is_refreshed_a_minute_before_its_end_for_hours() {
    let mut world = World::allocated();
    world.run(539.0);
    assert_eq!(world.server.asked(METHOD_REFRESH), 0);
    world.run(4.0 * 3600.0);

    assert!(world.server.is_allocated(world.now));
    assert_eq!(world.events, []);
    assert!((26..=27).contains(&world.server.asked(METHOD_REFRESH)));
}

#[test]
fn a_stale_nonce_costs_one_more_request_and_nothing_else() {
    let mut world = World::allocated();
    world.server.nonce_life = Duration::from_secs(100);
    for _ in 0..360 {
        world.send(&MEDIA);
        world.run(10.0);
    }

    assert_eq!(world.lost(), None);
    assert!(world.server.is_allocated(world.now));
    let stale = world.server.log.iter().filter(|(_, code)| *code == 438);
    assert!(stale.count() >= 6);
    assert_eq!(world.server.relayed.len(), 360);
}

#[test]
fn a_dead_relay_is_noticed_seven_and_a_half_seconds_after_a_doubt() {
    let mut world = World::allocated();
    world.run(100.0);
    world.server.is_dead = true;
    world.relay.probe(world.now);
    world.run(7.4);
    assert_eq!(world.lost(), None);
    world.run(0.2);

    assert_eq!(world.lost(), Some("it does not answer"));
    assert_eq!(world.relay.relayed(), None);
    assert_eq!(world.relay.next_deadline(), None);
}

#[test]
fn a_relay_that_dies_without_a_doubt_is_noticed_by_its_next_refresh() {
    let mut world = World::allocated();
    world.server.is_dead = true;
    world.run(548.0);

    assert_eq!(world.lost(), Some("it does not answer"));
}

#[test]
fn a_relay_that_never_answers_is_given_up() {
    let mut world = World::new("secret");
    world.server.is_dead = true;
    world.run(7.6);

    assert_eq!(world.lost(), Some("it does not answer"));
}

#[test]
fn a_relay_that_was_started_anew_says_that_the_allocation_is_gone() {
    let mut world = World::allocated();
    world.server = TurnServer::new(world.now, "ann", "secret");
    world.relay.probe(world.now);
    world.run(1.0);

    assert!(world.lost().is_some_and(|why| why.contains("437")));
}

#[test]
fn what_waits_for_a_permission_leaves_in_order_when_it_is_there() {
    let mut world = World::allocated();
    for number in 0..3 {
        world
            .relay
            .send(world.now, PEER.parse().unwrap(), &[0, number, 0, 0]);
    }
    world.exchange();

    let sent: Vec<_> = world
        .server
        .relayed
        .iter()
        .map(|(_, data, _)| data[1])
        .collect();
    assert_eq!(sent, [0, 1, 2]);
    assert_eq!(world.server.asked(METHOD_CREATE_PERMISSION), 1);
}

#[test]
fn media_goes_by_a_channel_and_checks_by_none() {
    let mut world = World::allocated();
    world.send(&STUN);
    world.send(&STUN);
    assert_eq!(world.server.asked(METHOD_CHANNEL_BIND), 0);
    world.send(&MEDIA);
    world.send(&MEDIA);

    let by_channel: Vec<_> = world.server.relayed.iter().map(|sent| sent.2).collect();
    assert_eq!(by_channel, [false, false, false, true]);
    assert_eq!(world.server.relayed[3].1, MEDIA);
}

#[test]
fn data_of_a_peer_arrives_with_and_without_a_channel() {
    let mut world = World::allocated();
    world.send(&STUN);
    let plain = world.server.sent_by(world.now, PEER, b"one").unwrap();
    world.relay.handle_message(world.now, &plain);
    world.send(&MEDIA);
    let short = world.server.sent_by(world.now, PEER, b"two").unwrap();
    assert_eq!(short[0], 0x40);
    world.relay.handle_message(world.now, &short);
    world.exchange();

    let peer = PEER.parse().unwrap();
    let data = |text: &[u8]| RelayEvent::Data(peer, text.to_vec());
    assert_eq!(world.events, [data(b"one"), data(b"two")]);
}

#[test]
fn permission_and_channel_live_as_long_as_they_are_used() {
    let mut world = World::allocated();
    for _ in 0..150 {
        world.send(&MEDIA);
        world.run(20.0);
        assert!(world.server.permits(world.now, PEER));
    }

    assert_eq!(world.server.relayed.len(), 150);
    assert_eq!(world.server.asked(METHOD_CHANNEL_BIND), 7);
}

#[test]
fn what_is_not_used_expires_and_is_asked_for_again_when_it_is() {
    let mut world = World::allocated();
    world.send(&MEDIA);
    world.run(1000.0);
    assert!(!world.server.permits(world.now, PEER));
    let before = world.server.asked(METHOD_CREATE_PERMISSION);
    world.send(&MEDIA);

    assert_eq!(world.server.asked(METHOD_CREATE_PERMISSION), before + 1);
    assert!(world.server.permits(world.now, PEER));
    assert_eq!(world.server.relayed.len(), 2);
}

#[test]
fn a_forbidden_peer_is_not_asked_for_with_every_packet() {
    let mut world = World::allocated();
    world.server.forbidden = Some("192.0.2.5".parse().unwrap());
    for _ in 0..100 {
        world.send(&MEDIA);
        world.run(0.02);
    }

    assert_eq!(world.server.asked(METHOD_CREATE_PERMISSION), 1);
    assert_eq!(world.lost(), None);
    assert_eq!(world.server.relayed, []);
}

#[test]
fn without_channels_media_goes_in_indications() {
    let mut world = World::allocated();
    world.server.has_channels = false;
    for _ in 0..100 {
        world.send(&MEDIA);
        world.run(0.02);
    }

    assert_eq!(world.server.relayed.len(), 100);
    assert_eq!(world.server.asked(METHOD_CHANNEL_BIND), 1);
}

#[test]
fn a_description_full_of_addresses_gets_thirty_two_permissions() {
    let mut world = World::allocated();
    for host in 0..200_u8 {
        let peer = format!("192.0.2.{host}:7000").parse().unwrap();
        world.relay.send(world.now, peer, &STUN);
        world.exchange();
    }

    assert_eq!(world.server.asked(METHOD_CREATE_PERMISSION), 32);
}

#[test]
fn nonsense_and_what_nobody_asked_for_is_counted() {
    let mut world = World::allocated();
    for data in [&b"x"[..], &[0x40, 0, 0, 1, 9], &[0x7f; 40], &[0; 20]] {
        world.relay.handle_message(world.now, data);
    }
    world.exchange();

    assert_eq!(world.events, []);
    assert_eq!(world.relay.refused(), 4);
}

#[test]
fn closing_gives_the_address_back() {
    let mut world = World::allocated();
    world.relay.close(world.now);
    world.exchange();

    assert!(!world.server.is_allocated(world.now));
    assert_eq!(world.events, []);
}
