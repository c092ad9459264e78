//! Strangers who send all they can think of to the open ports of a call, from its first moment on:
//! hellos, alerts, checks, RTP and RTCP, made up or copied from the call itself.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The origin of virtual time; helpers.

mod phone;
mod wire;

use std::time::Duration;

use phone::{Call, Role, at};
use trivox_media::random::Random;
use trivox_media::transport::TransportEvent;
use wire::{Pair, rtp};

const STRANGER: &str = "10.0.0.66";
const SEEDS: u64 = 12;

/// A datagram that is no more than its author can make without the secrets of the call.
fn sprayed(random: &mut Random, overheard: &[Vec<u8>]) -> Vec<u8> {
    let pick = |random: &mut Random, bound: usize| (random.bits() % bound as u64) as usize;
    let mut data = match pick(random, 8) {
        0 => wire::bad_client_hello(),
        1 => vec![21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40], // fatal: handshake_failure
        // close_notify, of the epoch that is encrypted
        2 => vec![21, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0],
        3 => wire::forged_role_conflict(random.bits().is_multiple_of(2)),
        4 => rtp(random.bits() as u32, random.bits() as u16),
        5 => vec![0x81, 203, 0, 1, 0, 0, 0, 1], // BYE
        6 => (0..1 + pick(random, 100))
            .map(|_| random.bits() as u8)
            .collect(),
        _ if overheard.is_empty() => Vec::new(),
        _ => overheard[pick(random, overheard.len())].clone(),
    };
    if random.bits().is_multiple_of(4) && !data.is_empty() {
        let place = pick(random, data.len());
        data[place] ^= random.bits() as u8;
    }
    data
}

/// Lets the time pass in steps, each with a few datagrams of strangers.
fn spray(pair: &mut Pair, random: &mut Random, steps: usize) {
    for _ in 0..steps {
        for port in 0..3 {
            let data = sprayed(random, &pair.overheard);
            pair.inject(&format!("{STRANGER}:{}", 6000 + port), &data);
        }
        pair.run(Duration::from_millis(5));
    }
}

/// Both sides send so many packets, amid the spray.
fn talk(pair: &mut Pair, random: &mut Random, numbers: std::ops::Range<u16>) {
    for number in numbers {
        assert!(pair.offerer.send_rtp(pair.now, &rtp(1, number)));
        assert!(pair.answerer.send_rtp(pair.now, &rtp(2, number)));
        spray(pair, random, 2);
    }
}

#[test]
fn a_spray_at_ice_ports_changes_no_call_and_is_never_answered() {
    for seed in 0..SEEDS {
        let mut random = Random::new(seed);
        let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
        spray(&mut pair, &mut random, 10);
        pair.negotiate(seed % 2 == 0);
        spray(&mut pair, &mut random, 60);
        assert!(pair.is_connected(), "seed {seed}");

        talk(&mut pair, &mut random, 0..40);
        pair.restart(seed % 3 == 0);
        talk(&mut pair, &mut random, 40..80);
        pair.run(Duration::from_millis(100));

        let expected = |ssrc| (0..80).map(|number| rtp(ssrc, number)).collect::<Vec<_>>();
        assert_eq!(pair.answerer_events.rtp(), expected(1), "seed {seed}");
        assert_eq!(pair.offerer_events.rtp(), expected(2), "seed {seed}");
        for events in [&pair.offerer_events, &pair.answerer_events] {
            let is_report = |event: &TransportEvent| matches!(event, TransportEvent::Rtcp(_));
            assert!(!events.all().iter().any(is_report), "seed {seed}");
            assert_eq!(events.failure(), None, "seed {seed}");
            assert_eq!(events.connected(), 1, "seed {seed}");
        }
        assert_eq!(pair.sent_to(STRANGER), 0, "seed {seed}");
        assert_eq!(
            pair.answerer_path(),
            Some(at("10.0.0.1:1000")),
            "seed {seed}"
        );
        assert!(pair.offerer.counts().refused_source > 100, "seed {seed}");
        assert!(pair.offerer.counts().refused_stun > 10, "seed {seed}");
    }
}

#[test]
fn a_spray_at_dtls_ports_without_ice_changes_no_call() {
    for seed in 0..SEEDS {
        let mut random = Random::new(seed);
        let role = if seed % 2 == 0 {
            Role::Client
        } else {
            Role::Server
        };
        let mut call = Call::new(role, seed % 3 != 0);
        for step in 0..60 {
            let data = sprayed(&mut random, &[]);
            call.inject(at(&format!("{STRANGER}:{}", 6000 + step % 3)), &data);
            call.run(Duration::from_millis(20));
        }
        assert!(call.transport.is_ready(), "seed {seed}");

        for number in 0..40 {
            assert!(call.transport.send_rtp(call.now, &rtp(1, number)));
            call.phone.send(&rtp(2, number));
            let data = sprayed(&mut random, &[]);
            call.inject(at(&format!("{STRANGER}:{}", 6000 + number % 3)), &data);
            call.run(Duration::from_millis(20));
        }

        let expected = |ssrc| (0..40).map(|number| rtp(ssrc, number)).collect::<Vec<_>>();
        assert_eq!(call.phone.rtp, expected(1), "seed {seed}");
        assert!(call.sent_elsewhere <= 4 * 8, "{}", call.sent_elsewhere);
        let heard = call.events.iter().filter_map(|event| match event {
            TransportEvent::Rtp(packet) => Some(packet.clone()),
            TransportEvent::Connected => None,
            other => panic!("seed {seed}: {other:?}"),
        });
        assert_eq!(heard.collect::<Vec<_>>(), expected(2), "seed {seed}");
    }
}
