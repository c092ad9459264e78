//! Two ICE transports of ours against each other, in memory and in virtual time.
#![allow(clippy::disallowed_methods)] // The origin of virtual time.

mod wire;

use std::time::Duration;

use trivox_media::transport::{IceState, TransportEvent};
use wire::{Pair, rtp};

#[test]
fn both_dtls_roles_connect_and_carry_rtp_both_ways() {
    for offerer_is_client in [false, true] {
        let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
        pair.negotiate(offerer_is_client);
        pair.run(Duration::from_secs(1));

        assert!(pair.is_connected());
        assert!(pair.offerer.send_rtp(pair.now, &rtp(1, 7)));
        assert!(pair.answerer.send_rtp(pair.now, &rtp(2, 8)));
        pair.run(Duration::from_millis(10));

        assert_eq!(pair.answerer_events.rtp(), [rtp(1, 7)]);
        assert_eq!(pair.offerer_events.rtp(), [rtp(2, 8)]);
    }
}

#[test]
fn set_up_takes_less_than_a_fifth_of_a_second_of_protocol_time() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_millis(200));

    assert!(pair.is_connected());
}

#[test]
fn no_candidates_on_one_side_connects_by_the_others_checks() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.answerer_remote.candidates.clear();
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));

    assert!(pair.is_connected());
}

/// RFC 8839 §5.1.
#[test]
fn names_are_passed_over_as_candidates() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.answerer_remote.candidates =
        vec!["1 1 udp 2113937151 7a3f-name.local 50000 typ host".to_owned()];
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));

    assert!(pair.is_connected());
}

#[test]
fn several_addresses_on_both_sides_connect() {
    let mut pair = Pair::new(
        &["127.0.0.1:1000", "10.0.0.1:1000"],
        &["192.0.2.9:2000", "10.0.0.2:2000"],
    );
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));

    assert!(pair.is_connected());
}

#[test]
fn a_wrong_fingerprint_is_refused_by_both_dtls_roles() {
    for offerer_is_client in [false, true] {
        let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
        pair.offerer_remote.fingerprints = vec!["00:11:22".to_owned()];
        pair.negotiate(offerer_is_client);
        pair.run(Duration::from_secs(1));

        assert!(
            pair.offerer_events
                .failure()
                .is_some_and(|why| why.contains("fingerprint"))
        );
        assert!(!pair.offerer.is_ready());
        assert!(!pair.offerer.send_rtp(pair.now, &rtp(1, 1)));
    }
}

#[test]
fn a_forged_role_conflict_is_dropped() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    for controlled in [true, false] {
        let forged = wire::forged_role_conflict(controlled);
        pair.inject("10.0.0.66:6", &forged);
    }
    pair.run(Duration::from_secs(1));

    assert!(pair.is_connected());
    assert_eq!(pair.offerer.counts().refused_stun, 2);
    assert_eq!(pair.answerer.counts().refused_stun, 2);
    assert_eq!(pair.role_conflicts_sent, 0);
}

#[test]
fn a_flood_of_bad_dtls_from_elsewhere_disturbs_no_set_up() {
    let hello = wire::bad_client_hello();
    let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40];
    for round in 0..20 {
        let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
        pair.negotiate(round % 2 == 0);
        for _ in 0..300 {
            pair.inject("10.0.0.66:6", &hello);
            pair.inject("10.0.0.66:7", &alert);
            pair.run(Duration::from_millis(1));
        }
        assert!(pair.is_connected(), "round {round}");
    }
}

#[test]
fn a_restart_by_either_side_loses_nothing() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    let mut sent = 0;
    for round in 0..4_u16 {
        let before = pair.descriptions();
        pair.restart(round % 2 == 0);
        assert_ne!(before, pair.descriptions());
        for _ in 0..50 {
            sent += 1;
            assert!(pair.offerer.send_rtp(pair.now, &rtp(1, sent)));
            assert!(pair.answerer.send_rtp(pair.now, &rtp(2, sent)));
            pair.run(Duration::from_millis(20));
        }
    }

    assert_eq!(pair.answerer_events.rtp().len(), usize::from(sent));
    assert_eq!(pair.offerer_events.rtp().len(), usize::from(sent));
    assert_eq!(pair.offerer_events.connected(), 1);
}

#[test]
fn a_check_that_overtakes_the_answer_to_a_restart_is_answered_at_once() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    let states = pair.answerer_events.all().len();
    let answer = pair.begin_restart();
    pair.run(Duration::from_millis(100));

    assert_eq!(pair.offerer.counts().refused_stun, 0);
    assert!(
        pair.answerer_events.all()[states..]
            .iter()
            .all(|event| !matches!(event, TransportEvent::Failed(_)))
    );
    for number in 0..10 {
        assert!(pair.answerer.send_rtp(pair.now, &rtp(2, number)));
        pair.run(Duration::from_millis(20));
    }
    assert_eq!(pair.offerer_events.rtp().len(), 10);

    pair.finish_restart(&answer);
    pair.run(Duration::from_millis(30));
    assert_eq!(
        pair.offerer_events.last_ice_state(),
        Some(IceState::Connected)
    );
    assert!(pair.is_connected());
}

#[test]
fn a_check_with_other_credentials_than_those_offered_is_refused() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    pair.begin_restart();
    let before = pair.answerer.counts().refused_stun;
    let old = pair.check_by_the_offerer(true);
    pair.give_answerer("10.0.0.9:9", &old);

    assert_eq!(pair.answerer.counts().refused_stun, before + 1);
}

#[test]
fn close_says_so_and_the_peer_stops_sending() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));

    pair.offerer.close(pair.now);
    pair.run(Duration::from_millis(10));

    assert!(!pair.answerer.send_rtp(pair.now, &rtp(2, 1)));
}

#[test]
fn bad_srtp_is_counted_and_ends_nothing() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    for n in 0..1000 {
        pair.inject("10.0.0.2:2000", &rtp(9, n));
    }
    pair.answerer.send_rtp(pair.now, &rtp(2, 1));
    pair.run(Duration::from_millis(10));

    assert_eq!(pair.offerer.counts().refused_srtp, 1000);
    assert_eq!(pair.offerer_events.rtp(), [rtp(2, 1)]);
}

#[test]
fn a_fork_answers_the_same_offer_with_another_certificate() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    let before = pair.descriptions().0;

    pair.fork("10.0.0.3:3000");
    pair.run(Duration::from_secs(1));

    assert_eq!(before, pair.descriptions().0);
    assert!(pair.is_connected());
    assert!(
        !pair
            .offerer_events
            .all()
            .contains(&TransportEvent::IceState(IceState::Failed))
    );
}

#[test]
fn a_description_cannot_aim_more_than_a_hundred_checks_at_others() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    let victim = |n| format!("{n} 1 udp 1 10.0.0.99 {} typ host", 3000 + n);
    pair.offerer_remote.candidates = (0..20).map(victim).collect();
    pair.is_cut = true;
    pair.negotiate(false);
    pair.run(Duration::from_secs(40));

    assert!(pair.sent_to("10.0.0.99") > 20);
    assert!(pair.sent_to("10.0.0.99") <= 100);
}

#[test]
fn a_late_peer_connects_after_our_checks_are_spent() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.is_cut = true;
    pair.negotiate_one_side();
    pair.run(Duration::from_secs(8));
    pair.is_cut = false;
    pair.negotiate_other_side();
    pair.run(Duration::from_secs(2));

    assert!(pair.is_connected());
}

#[test]
fn a_later_nomination_by_the_controlling_peer_is_followed() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.answerer_path(), Some("10.0.0.1:1000".parse().unwrap()));

    let (check, nomination) = (
        pair.check_by_the_offerer(false),
        pair.check_by_the_offerer(true),
    );
    pair.give_answerer_and_answer("10.0.0.1:1111", &check);
    assert_eq!(pair.answerer_path(), Some("10.0.0.1:1000".parse().unwrap()));
    pair.give_answerer("10.0.0.1:1111", &nomination);

    assert_eq!(pair.answerer_path(), Some("10.0.0.1:1111".parse().unwrap()));
}

#[test]
fn checks_that_another_repeats_from_its_own_address_move_nothing() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));

    for nominates in [false, true, true] {
        let overheard = pair.check_by_the_offerer(nominates);
        pair.give_answerer("10.0.0.9:1111", &overheard);
    }

    assert_eq!(pair.answerer_path(), Some("10.0.0.1:1000".parse().unwrap()));
}

#[test]
fn a_check_repeated_from_many_ports_makes_a_bounded_number_of_pairs() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));

    for port in 3_000..4_000 {
        let overheard = pair.check_by_the_offerer(false);
        pair.give_answerer(&format!("10.0.0.9:{port}"), &overheard);
    }

    assert!(pair.sent_to("10.0.0.9") < 200);
    assert_eq!(pair.answerer.counts().refused_stun, 1_000 - 32);
    assert_eq!(pair.answerer_path(), Some("10.0.0.1:1000".parse().unwrap()));
}

#[test]
fn what_is_appended_to_a_signed_check_is_refused() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    let mut check = pair.check_by_the_offerer(false);
    pair.give_answerer_and_answer("10.0.0.1:1111", &check);
    assert_eq!(pair.answerer.counts().refused_stun, 0);

    // USE-CANDIDATE, without a value.
    check.extend([0, 0x25, 0, 0]);
    let length = u16::try_from(check.len() - 20).unwrap();
    check[2..4].copy_from_slice(&length.to_be_bytes());
    pair.give_answerer("10.0.0.1:1111", &check);

    assert_eq!(pair.answerer.counts().refused_stun, 1);
    assert_eq!(pair.answerer_path(), Some("10.0.0.1:1000".parse().unwrap()));
}

#[test]
fn sequence_numbers_wrap_under_loss_without_further_loss() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    let numbers = || (0..400).map(|n| 65_336_u16.wrapping_add(n));
    for number in numbers() {
        pair.is_cut = number % 20 == 0;
        pair.offerer.send_rtp(pair.now, &rtp(1, number));
        pair.run(Duration::from_millis(1));
    }
    pair.is_cut = false;
    pair.run(Duration::from_millis(10));

    let arrived = numbers().filter(|number| number % 20 != 0).count();
    assert_eq!(pair.answerer_events.rtp().len(), arrived);
    assert_eq!(pair.answerer.counts().refused_srtp, 0);
}

#[test]
fn a_replayed_packet_is_heard_once() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    pair.offerer.send_rtp(pair.now, &rtp(1, 1));
    let packet = pair.offerer.poll_transmit().unwrap().data;
    for _ in 0..10 {
        pair.give_answerer("10.0.0.1:1000", &packet);
    }

    assert_eq!(pair.answerer_events.rtp(), [rtp(1, 1)]);
    assert_eq!(pair.answerer.counts().refused_srtp, 9);
}

#[test]
fn a_second_answer_from_another_far_end_moves_the_call_there() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    let before = pair.descriptions().0;

    pair.take_over("10.0.0.3:3000");
    pair.run(Duration::from_secs(1));
    pair.answerer.send_rtp(pair.now, &rtp(2, 1));
    pair.run(Duration::from_millis(10));

    assert_eq!(before, pair.descriptions().0);
    assert!(pair.is_connected());
    assert_eq!(pair.offerer_events.rtp(), [rtp(2, 1)]);
}

#[test]
fn mutated_datagrams_of_the_peer_itself_never_panic() {
    let mut connected = 0;
    for seed in 1..=100 {
        let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
        pair.mutations = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed);
        pair.is_flooded = seed % 4 < 2;
        pair.negotiate(seed % 2 == 0);
        pair.run(Duration::from_secs(3));
        pair.offerer.send_rtp(pair.now, &rtp(1, 1));
        pair.offerer
            .send_rtcp(pair.now, &[0x80, 201, 0, 1, 0, 0, 0, 1]);
        pair.run(Duration::from_secs(1));
        pair.offerer.close(pair.now);
        pair.run(Duration::from_secs(1));
        connected += usize::from(pair.answerer_events.connected() > 0);
    }

    assert!(connected > 0, "the mutations never let a set-up through");
}
