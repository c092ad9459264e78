//! ICE with a lite agent on one side (RFC 8445 §2.5), in memory and in virtual time.
#![allow(clippy::disallowed_methods)] // The origin of virtual time.

mod wire;

use std::time::Duration;

use trivox_media::transport::{IceState, TransportEvent};
use wire::{Pair, rtp};

fn lite_pair() -> Pair {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate_lite();
    pair
}

/// RFC 8445 §2.5: a lite agent answers checks, and its far end controls.
#[test]
fn a_lite_agent_sends_no_check_and_is_connected_by_its_far_end() {
    let mut pair = lite_pair();
    pair.run(Duration::from_secs(1));

    assert!(pair.is_connected());
    assert_eq!(pair.checks_sent_by_the_answerer(), 0);
    assert_eq!(pair.role_conflicts_sent, 0);
    assert_eq!(
        pair.answerer_events.last_ice_state(),
        Some(IceState::Connected)
    );
    assert!(pair.offerer.send_rtp(pair.now, &rtp(1, 7)));
    assert!(pair.answerer.send_rtp(pair.now, &rtp(2, 8)));
    pair.run(Duration::from_millis(10));
    assert_eq!(pair.answerer_events.rtp(), [rtp(1, 7)]);
    assert_eq!(pair.offerer_events.rtp(), [rtp(2, 8)]);
}

#[test]
fn a_lite_agent_goes_where_it_is_nominated_and_nowhere_before() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.become_lite();
    let (check, nomination) = (
        pair.check_by_the_offerer(false),
        pair.check_by_the_offerer(true),
    );

    pair.give_answerer("10.0.0.1:1111", &check);
    assert_eq!(pair.answerer_path(), None);
    pair.give_answerer("10.0.0.1:1111", &nomination);
    assert_eq!(pair.answerer_path(), Some("10.0.0.1:1111".parse().unwrap()));
    pair.give_answerer("10.0.0.1:2222", &nomination);
    assert_eq!(pair.answerer_path(), Some("10.0.0.1:2222".parse().unwrap()));
}

#[test]
fn a_restart_by_either_side_keeps_the_media_and_who_is_lite() {
    let mut pair = lite_pair();
    pair.run(Duration::from_secs(1));
    let mut sent = 0;
    for round in 0..4_u16 {
        pair.restart(round % 2 == 0);
        for _ in 0..50 {
            sent += 1;
            assert!(pair.offerer.send_rtp(pair.now, &rtp(1, sent)));
            assert!(pair.answerer.send_rtp(pair.now, &rtp(2, sent)));
            pair.run(Duration::from_millis(20));
        }
    }

    assert_eq!(pair.answerer_events.rtp().len(), usize::from(sent));
    assert_eq!(pair.offerer_events.rtp().len(), usize::from(sent));
    assert_eq!(pair.checks_sent_by_the_answerer(), 0);
    assert!(pair.descriptions().1.is_lite);
}

#[test]
fn between_two_lite_agents_the_answerer_does_the_checks() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.answerer_remote.is_lite = true;
    pair.become_lite();
    pair.run(Duration::from_secs(1));

    assert!(!pair.descriptions().1.is_lite);
    assert!(pair.checks_sent_by_the_answerer() > 0);
}

#[test]
fn a_lite_far_end_that_offers_is_checked_and_nominated_by_us() {
    let mut pair = lite_pair();
    pair.run(Duration::from_secs(1));

    // Its re-offer with new credentials makes us the answerer, who controls all the same.
    pair.restart(false);
    pair.run(Duration::from_secs(1));

    assert_eq!(
        pair.answerer_events.last_ice_state(),
        Some(IceState::Connected)
    );
    assert_eq!(
        pair.offerer_events.last_ice_state(),
        Some(IceState::Connected)
    );
    assert_eq!(pair.role_conflicts_sent, 0);
}

#[test]
fn a_lite_agent_that_hears_nothing_doubts_and_gives_up() {
    let mut pair = lite_pair();
    pair.run(Duration::from_secs(1));
    pair.is_cut = true;
    pair.run(Duration::from_secs(18));
    assert_eq!(
        pair.answerer_events.last_ice_state(),
        Some(IceState::Disconnected)
    );
    pair.run(Duration::from_secs(14));

    assert_eq!(
        pair.answerer_events.last_ice_state(),
        Some(IceState::Failed)
    );
    let why = pair.answerer_events.failure().unwrap_or_default();
    assert!(why.contains("consent"), "{why}");
    assert!(!pair.answerer.send_rtp(pair.now, &rtp(1, 1)));
}

#[test]
fn a_lite_agent_that_is_never_nominated_gives_up() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.become_lite();
    pair.run(Duration::from_secs(31));

    let why = pair.answerer_events.failure().unwrap_or_default();
    assert!(why.contains("nominated"), "{why}");
}

#[test]
fn authentic_media_keeps_a_lite_agent_as_checks_do() {
    let mut pair = lite_pair();
    pair.run(Duration::from_secs(1));
    pair.drops_stun = true;
    for number in 0..40 {
        assert!(pair.offerer.send_rtp(pair.now, &rtp(1, number)));
        pair.run(Duration::from_millis(500));
    }

    let silent = TransportEvent::IceState(IceState::Disconnected);
    assert!(!pair.answerer_events.all().contains(&silent));
}

#[test]
fn forged_checks_and_answers_do_nothing_to_a_lite_agent() {
    let mut pair = lite_pair();
    for controlled in [true, false] {
        pair.inject("10.0.0.66:6", &wire::forged_role_conflict(controlled));
    }
    let mut answer = wire::forged_role_conflict(true);
    answer[0] = 1;
    pair.inject("10.0.0.66:6", &answer);
    pair.run(Duration::from_secs(1));

    assert!(pair.is_connected());
    assert_eq!(pair.answerer.counts().refused_stun, 3);
}
