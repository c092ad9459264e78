//! ICE over IPv6, alone and beside IPv4.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The origin of virtual time; helpers.

mod wire;

use std::time::Duration;

use trivox_media::codec::CodecKind;
use trivox_media::engine::{Engine, EngineSettings, PortRange};
use trivox_media::session::offer_answer::DescriptionKind::{Answer, Offer};
use trivox_media::session::{SessionSettings, TransportKind, Value};
use wire::{Pair, rtp};

const DUAL: [&[&str]; 2] = [
    &["[2001:db8::1]:1000", "10.0.0.1:1000"],
    &["[2001:db8::2]:2000", "10.0.0.2:2000"],
];

fn connected(one: &[&str], other: &[&str]) -> Pair {
    let mut pair = Pair::new(one, other);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    assert!(pair.is_connected(), "{one:?} {other:?}");
    assert!(pair.offerer.send_rtp(pair.now, &rtp(1, 7)));
    pair.run(Duration::from_millis(10));
    assert_eq!(pair.answerer_events.rtp(), [rtp(1, 7)]);
    pair
}

#[test]
fn two_sides_with_ipv6_alone_connect() {
    let pair = connected(&["[::1]:1000"], &["[::1]:2000"]);

    assert_eq!(pair.answerer_path(), Some("[::1]:1000".parse().unwrap()));
}

#[test]
fn both_families_connect_by_either_and_ask_only_addresses_of_their_own() {
    connected(DUAL[0], DUAL[1]);
    for (alone, path) in [
        (&["[2001:db8::1]:1000"], "[2001:db8::1]:1000"),
        (&["10.0.0.1:1000"], "10.0.0.1:1000"),
    ] {
        let pair = connected(alone, DUAL[1]);
        assert_eq!(pair.answerer_path(), Some(path.parse().unwrap()));
        let other = if path.starts_with('[') {
            "10.0.0.2"
        } else {
            "2001:db8::2"
        };
        assert_eq!(pair.sent_to(other), 0);
    }
}

#[test]
fn a_path_over_ipv6_is_restarted_by_either_side() {
    let mut pair = connected(&DUAL[0][..1], &DUAL[1][..1]);
    for round in 0..4 {
        pair.restart(round % 2 == 0);
        pair.run(Duration::from_secs(1));
        assert!(pair.is_connected());
    }
    pair.offerer.send_rtp(pair.now, &rtp(1, 8));
    pair.run(Duration::from_millis(10));

    assert_eq!(pair.answerer_events.rtp(), [rtp(1, 7), rtp(1, 8)]);
}

#[test]
fn no_more_than_64_addresses_of_a_peer_are_asked() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    let victim = |n| format!("{n} 1 udp {n} 10.0.99.{} {} typ host", n % 250, 3000 + n);
    pair.offerer_remote.candidates = (1..=200).map(victim).collect();
    pair.is_cut = true;
    pair.negotiate(false);
    pair.run(Duration::from_secs(5));

    let asked = (0..250).filter(|last| pair.sent_to(&format!("10.0.99.{last}")) > 0);
    assert_eq!(asked.count(), 64);
}

#[test]
fn a_session_on_ipv6_says_so_and_is_heard_over_every_transport() {
    for kind in ["plain", "sdes", "dtls", "ice"] {
        let transport = TransportKind::from_name(kind).unwrap();
        let engine = Engine::new(&EngineSettings {
            seed: b"six".to_vec(),
            threads: 1,
            is_driven: true,
            now: 0.0,
            ports: PortRange { first: 0, last: 0 },
        })
        .unwrap();
        let [caller, callee] = ["2001:db8::1", "2001:db8::2"].map(|host| {
            let settings = SessionSettings {
                transport,
                accepts: Vec::new(),
                codecs: vec![CodecKind::Pcmu],
                dtmf: true,
                ptime_ms: 20,
                advertised: None,
            };
            let hosts = vec![host.parse().unwrap()];
            engine.open_session(settings, hosts).unwrap()
        });
        let offer = engine.create_offer(caller, false).unwrap();
        assert!(offer.contains("c=IN IP6 2001:db8::1\r\n"), "{offer}");
        assert_eq!(
            offer.contains(" udp 2130706431 2001:db8::1 "),
            kind == "ice",
            "{offer}"
        );
        engine.set_remote(callee, &offer, Offer, "").unwrap();
        let answer = engine.create_answer(callee).unwrap();
        engine.set_remote(caller, &answer, Answer, "tag").unwrap();
        engine.advance(2.0);

        for session in [caller, callee] {
            let report = engine.statistics(session).unwrap();
            let received = report.iter().find(|(name, _)| *name == "packets_received");
            assert!(
                matches!(received, Some((_, Value::Number(count))) if *count > 80.0),
                "{kind} {received:?}"
            );
        }
    }
}
