//! DTLS-SRTP without ICE, against endpoints of the `rtc` crate that behave as old phones do.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The origin of virtual time; helpers.

mod phone;
mod wire;

use std::time::Duration;

use phone::{Call, PEER, PEER_RTCP, REPORT, RTP, Role, at};
use trivox_media::transport::TransportEvent;
use wire::rtp;

#[test]
fn both_roles_connect_and_carry_rtp_and_rtcp_without_extended_master_secret() {
    for role in [Role::Client, Role::Server] {
        let mut call = Call::new(role, true);
        call.run(Duration::from_secs(1));
        assert!(call.transport.is_ready(), "{role:?}");

        assert!(call.transport.send_rtp(call.now, &rtp(1, 7)));
        assert!(call.transport.send_rtcp(call.now, &REPORT));
        call.phone.send(&rtp(2, 8));
        call.run(Duration::from_millis(100));

        assert_eq!(call.phone.rtp, [rtp(1, 7)], "{role:?}");
        assert_eq!(call.phone.rtcp, [REPORT.to_vec()], "{role:?}");
        let expected = [TransportEvent::Connected, TransportEvent::Rtp(rtp(2, 8))];
        assert_eq!(call.events, expected, "{role:?}");
    }
}

#[test]
fn a_hello_that_overtakes_the_answer_need_not_be_sent_again() {
    for has_mux in [true, false] {
        let mut call = Call::unanswered(Role::Client, has_mux);
        call.run(Duration::from_millis(20));
        assert!(!call.transport.is_ready());

        call.answer();
        call.run(Duration::from_millis(50));

        assert!(call.transport.is_ready(), "rtcp-mux {has_mux}");
        assert!(call.transport.send_rtcp(call.now, &REPORT));
        call.run(Duration::from_millis(10));
        assert_eq!(call.phone.rtcp, [REPORT.to_vec()], "rtcp-mux {has_mux}");
        assert_eq!(call.transport.counts().refused_source, 0);
    }
}

#[test]
fn before_the_answer_nobody_is_answered_and_one_hello_a_host_is_kept() {
    let mut call = Call::unanswered(Role::Client, true);
    call.phone.is_mute = true;
    for port in 1_000..1_300 {
        let attacker = std::net::SocketAddr::from(([10, 0, 0, 66], port));
        call.inject(attacker, &wire::bad_client_hello());
        call.inject(
            attacker,
            &[&wire::bad_client_hello()[..], &[0; 2048]].concat(),
        );
    }
    assert_eq!(call.transport.poll_transmit(), None);
    assert_eq!(call.transport.next_deadline(), None);
    assert_eq!(call.transport.counts().refused_source, 300);

    // The phone's own hello is kept beside theirs, and no later one displaces it.
    call.phone.is_mute = false;
    call.phone.start_again(call.now);
    call.run(Duration::from_millis(20));
    for host in 70..100 {
        let stranger = std::net::SocketAddr::from(([10, 0, 0, host], 1_000));
        call.inject(stranger, &wire::bad_client_hello());
    }
    assert_eq!(call.transport.counts().refused_source, 300 + 27);
    call.answer();
    call.run(Duration::from_millis(50));

    assert!(call.transport.is_ready());
    assert_eq!(call.sent_elsewhere, 0);
}

#[test]
fn an_early_hello_from_elsewhere_is_judged_by_its_certificate() {
    let mut call = Call::unanswered(Role::Client, true);
    call.phone.is_translated = true;
    call.run(Duration::from_millis(20));
    call.answer();
    call.run(Duration::from_millis(50));
    assert!(call.transport.is_ready());

    let mut call = Call::unanswered(Role::Client, true);
    call.replace_phone_by_stranger();
    call.run(Duration::from_millis(20));
    call.answer();
    call.run(Duration::from_secs(5));
    assert!(!call.transport.is_ready());
    assert!(call.events.is_empty(), "{:?}", call.events);
}

#[test]
fn without_rtcp_mux_the_second_socket_has_a_handshake_of_its_own() {
    for role in [Role::Client, Role::Server] {
        let mut call = Call::new(role, false);
        call.run(Duration::from_secs(1));
        assert!(call.transport.send_rtcp(call.now, &REPORT));
        call.run(Duration::from_millis(100));

        assert_eq!(call.phone.rtcp, [REPORT.to_vec()], "{role:?}");
        assert_eq!(call.phone.rtcp_came_to, Some(at(PEER_RTCP)), "{role:?}");
    }
}

/// RFC 8122 §6.2.
#[test]
fn another_certificate_than_that_of_the_description_is_refused_in_both_roles() {
    for role in [Role::Client, Role::Server] {
        let mut call = Call::with_fingerprint(role, "AB:".repeat(31) + "AB");
        call.run(Duration::from_secs(2));

        assert!(!call.transport.is_ready(), "{role:?}");
        assert!(!call.transport.send_rtp(call.now, &rtp(1, 1)));
        let [TransportEvent::Failed(why)] = &call.events[..] else {
            panic!("{role:?}: {:?}", call.events);
        };
        assert!(why.contains("fingerprint"), "{why}");
    }
}

#[test]
fn stronger_hashes_are_checked_as_well() {
    for hash in [&ring::digest::SHA384, &ring::digest::SHA512] {
        let mut call = Call::with_hash(Role::Client, hash);
        call.run(Duration::from_secs(1));

        assert!(call.transport.is_ready(), "{hash:?}");
    }
}

#[test]
fn a_flood_of_hellos_and_alerts_from_elsewhere_disturbs_no_set_up() {
    let hello = wire::bad_client_hello();
    let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40];
    for round in 0..20 {
        let role = if round % 2 == 0 {
            Role::Client
        } else {
            Role::Server
        };
        let mut call = Call::new(role, true);
        for n in 0..300 {
            for port in [1_000 + n % 7, 2_000 + n] {
                let attacker = std::net::SocketAddr::from(([10, 0, 0, 66], port));
                call.inject(attacker, &hello);
                call.inject(attacker, &alert);
            }
            // An alert from the peer's own address is as easily forged.
            call.inject(at(PEER), &alert);
            call.run(Duration::from_millis(1));
        }
        assert!(call.transport.is_ready(), "round {round}");
        assert!(call.sent_elsewhere <= 4 * 8, "{}", call.sent_elsewhere);
    }
}

#[test]
fn an_established_call_survives_alerts_and_hellos_that_look_like_its_peers() {
    let mut call = Call::new(Role::Client, true);
    call.run(Duration::from_secs(1));
    let close = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0];
    for _ in 0..100 {
        call.inject(at(PEER), &close);
        call.inject(at(PEER), &wire::bad_client_hello());
        call.run(Duration::from_millis(10));
    }
    call.phone.send(&rtp(2, 8));
    call.run(Duration::from_secs(60));

    assert!(call.transport.is_ready());
    assert_eq!(call.events.last(), Some(&TransportEvent::Rtp(rtp(2, 8))));
}

#[test]
fn a_phone_behind_a_nat_is_known_by_its_certificate() {
    let mut call = Call::new(Role::Client, true);
    call.phone.is_translated = true;
    call.run(Duration::from_secs(1));
    assert!(call.transport.is_ready());

    assert!(call.transport.send_rtp(call.now, &rtp(1, 7)));
    call.run(Duration::from_millis(50));

    assert_eq!(call.phone.rtp, [rtp(1, 7)]);
}

#[test]
fn a_stranger_cannot_finish_a_handshake() {
    let mut call = Call::new(Role::Client, true);
    call.replace_phone_by_stranger();
    call.run(Duration::from_secs(5));

    assert!(!call.transport.is_ready());
    assert!(call.events.is_empty(), "{:?}", call.events);
    let waits = call.transport.next_deadline().unwrap();
    assert!(waits > call.now, "the phone itself may still come");
}

#[test]
fn a_peer_that_never_begins_fails_after_thirty_seconds() {
    let mut call = Call::new(Role::Client, true);
    call.phone.is_mute = true;
    call.run(Duration::from_secs(29));
    assert!(call.events.is_empty());

    call.run(Duration::from_secs(2));

    assert!(matches!(&call.events[..], [TransportEvent::Failed(why)] if why.contains("30 s")));
}

#[test]
fn a_phone_that_starts_again_is_keyed_again() {
    let mut call = Call::new(Role::Client, true);
    call.run(Duration::from_secs(1));
    call.phone.start_again(call.now);
    call.run(Duration::from_secs(1));

    call.phone.send(&rtp(2, 9));
    assert!(call.transport.send_rtp(call.now, &rtp(1, 7)));
    call.run(Duration::from_millis(50));

    assert_eq!(call.phone.rtp, [rtp(1, 7)]);
    assert_eq!(call.events.last(), Some(&TransportEvent::Rtp(rtp(2, 9))));
}

#[test]
fn a_close_notify_of_the_peer_ends_the_keys_and_ours_is_sent() {
    let mut call = Call::new(Role::Client, true);
    call.run(Duration::from_secs(1));

    call.transport.close(call.now);

    let sent = call.transport.poll_transmit().unwrap();
    assert_eq!((sent.local, sent.data[0]), (at(RTP), 21));
    assert!(!call.transport.is_ready());
}

#[test]
fn a_close_notify_is_no_failure_of_the_call() {
    let mut call = Call::new(Role::Client, true);
    call.run(Duration::from_secs(40));

    call.phone.close(call.now);
    call.run(Duration::from_secs(40));

    assert!(!call.transport.is_ready());
    assert_eq!(call.events, [TransportEvent::Connected]);
}
