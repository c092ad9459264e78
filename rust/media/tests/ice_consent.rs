//! The far end's consent to be sent to (RFC 7675), in memory and in virtual time.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The origin of virtual time; helpers.

mod wire;

use std::time::Duration;

use rtc::crypto::default_provider;
use rtc::stun::attributes::{ATTR_ICE_CONTROLLED, ATTR_ICE_CONTROLLING, ATTR_USERNAME};
use rtc::stun::error_code::{ErrorCode, ErrorCodeAttribute};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{
    BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, Message, MessageType, TransactionId,
};
use trivox_media::random::Random;
use trivox_media::transport::{IceState, TransportEvent};
use wire::{Pair, rtp};

/// Two sides that have found each other, the offerer controlling.
fn connected() -> Pair {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    assert!(pair.is_connected());
    pair
}

/// The offerer's next request for consent, which does not arrive.
fn asked(pair: &mut Pair) -> Message {
    loop {
        pair.now += Duration::from_millis(100);
        pair.offerer.handle_timeout(pair.now);
        while let Some(sent) = pair.offerer.poll_transmit() {
            if sent.data.first() != Some(&0) {
                continue;
            }
            let mut message = Message {
                raw: sent.data,
                ..Message::default()
            };
            message.decode().unwrap();
            if message.typ == BINDING_REQUEST {
                return message;
            }
        }
    }
}

/// Gives the offerer an answer from the far end of its path.
fn answer(pair: &mut Pair, to: &Message, typ: MessageType, code: u16, password: &str) {
    let provider = default_provider().unwrap();
    let mut message = Message::new();
    message
        .build(&[
            Box::new(typ),
            Box::new(TransactionId(to.transaction_id.0)),
            Box::new(ErrorCodeAttribute {
                code: ErrorCode(code),
                reason: Vec::new(),
            }),
            Box::new(MessageIntegrity::new_short_term_integrity_with_provider(
                password.to_owned(),
                provider.crypto(),
            )),
            Box::new(FINGERPRINT),
        ])
        .unwrap();
    let (local, from) = ("10.0.0.1:1000", "10.0.0.2:2000");
    let (local, from) = (local.parse().unwrap(), from.parse().unwrap());
    let now = pair.now;
    pair.offerer.handle_datagram(now, local, from, &message.raw);
}

#[test]
fn lost_consent_stops_sending_within_half_a_minute() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    pair.is_cut = true;
    pair.run(Duration::from_secs(20));
    assert_eq!(
        pair.offerer_events.last_ice_state(),
        Some(IceState::Disconnected)
    );
    pair.run(Duration::from_secs(16));

    assert_eq!(pair.offerer_events.last_ice_state(), Some(IceState::Failed));
    assert!(pair.offerer_events.failure().is_some());
    assert!(!pair.offerer.send_rtp(pair.now, &rtp(1, 1)));
}

#[test]
fn media_says_that_the_peer_is_there_and_is_no_consent() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    pair.drops_stun = true;
    for number in 0..28 {
        assert!(pair.offerer.send_rtp(pair.now, &rtp(1, number)));
        assert!(pair.answerer.send_rtp(pair.now, &rtp(2, number)));
        pair.run(Duration::from_secs(1));
    }
    let silent = TransportEvent::IceState(IceState::Disconnected);
    assert!(!pair.answerer_events.all().contains(&silent));
    pair.run(Duration::from_secs(8));

    assert_eq!(pair.offerer_events.last_ice_state(), Some(IceState::Failed));
    assert!(!pair.offerer.send_rtp(pair.now, &rtp(1, 99)));
}

#[test]
fn a_quiet_call_asks_for_consent_every_five_seconds_or_so() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(5));
    let before = pair.checks_sent_by_the_answerer();
    pair.run(Duration::from_secs(600));

    let asked = pair.checks_sent_by_the_answerer() - before;
    assert!((100..=150).contains(&asked), "{asked}");
    assert_eq!(
        pair.answerer_events.last_ice_state(),
        Some(IceState::Connected)
    );
    assert!(pair.is_connected());
}

/// RFC 7675 §5.1, in a quarter of an hour without media: nothing but consent says that the far end is there.
#[test]
fn consent_outlives_lines_that_lose_a_fifth_and_three_tenths_each_way() {
    for (loss, seed) in [(0.2, 1), (0.2, 2), (0.2, 3), (0.3, 4), (0.3, 5), (0.3, 6)] {
        let mut pair = connected();
        (pair.loss, pair.chance) = (loss, Random::new(seed));
        pair.run(Duration::from_secs(900));

        assert_eq!(pair.offerer_events.failure(), None, "{loss} {seed}");
        assert_eq!(pair.answerer_events.failure(), None, "{loss} {seed}");
        pair.loss = 0.0;
        assert!(pair.offerer.send_rtp(pair.now, &rtp(1, 1)));
        assert!(pair.answerer.send_rtp(pair.now, &rtp(2, 2)));
        pair.run(Duration::from_millis(10));
        assert_eq!(pair.answerer_events.rtp(), [rtp(1, 1)]);
        assert_eq!(pair.offerer_events.rtp(), [rtp(2, 2)]);
    }
}

#[test]
fn an_unanswered_request_is_repeated_until_one_is_answered() {
    let mut pair = connected();
    let first = asked(&mut pair);
    let before = pair.now;
    let ids: Vec<_> = (0..10).map(|_| asked(&mut pair).transaction_id).collect();
    assert_eq!(pair.now - before, Duration::from_secs(5));
    assert!(!ids.contains(&first.transaction_id));

    let password = pair.descriptions().1.password;
    answer(&mut pair, &first, BINDING_SUCCESS, 0, &password);
    let answered = pair.now;
    asked(&mut pair);
    assert!(pair.now - answered >= Duration::from_secs(4));
}

#[test]
fn an_answer_that_is_not_signed_is_no_consent() {
    let mut pair = connected();
    let first = asked(&mut pair);
    let refused = pair.offerer.counts().refused_stun;
    answer(
        &mut pair,
        &first,
        BINDING_SUCCESS,
        0,
        "somebody else's password",
    );
    answer(
        &mut pair,
        &first,
        BINDING_ERROR,
        403,
        "somebody else's password",
    );

    assert_eq!(pair.offerer.counts().refused_stun, refused + 2);
    let before = pair.now;
    asked(&mut pair);
    assert_eq!(pair.now - before, Duration::from_millis(500));
}

/// RFC 7675 §5.2.
#[test]
fn consent_that_is_withdrawn_ends_sending_at_once() {
    let mut pair = connected();
    let first = asked(&mut pair);
    let password = pair.descriptions().1.password;
    answer(&mut pair, &first, BINDING_ERROR, 403, &password);

    assert!(!pair.offerer.is_ready());
    assert!(!pair.offerer.send_rtp(pair.now, &rtp(1, 1)));
}

/// RFC 8445 §7.2.5.1.
#[test]
fn a_role_conflict_is_answered_in_the_other_role_at_once() {
    let mut pair = connected();
    let first = asked(&mut pair);
    assert!(first.contains(ATTR_ICE_CONTROLLING));
    let password = pair.descriptions().1.password;
    let before = pair.now;
    answer(&mut pair, &first, BINDING_ERROR, 487, &password);

    let second = asked(&mut pair);
    assert_eq!(pair.now - before, Duration::from_millis(100));
    assert!(second.contains(ATTR_ICE_CONTROLLED));
    assert!(pair.offerer.is_ready());
}

/// RFC 7675 §5.1: on the path before, as long as media goes there.
#[test]
fn consent_is_asked_and_given_while_ice_begins_anew() {
    let mut pair = connected();
    let (ours, theirs) = pair.descriptions();
    pair.run(Duration::from_secs(100));
    let answer = pair.begin_restart();
    let states = pair.offerer_events.all().len();
    for number in 0..25 {
        pair.run(Duration::from_secs(1));
        assert!(pair.offerer.send_rtp(pair.now, &rtp(1, number)));
        assert!(pair.answerer.send_rtp(pair.now, &rtp(2, number)));
    }
    pair.run(Duration::from_millis(10));
    let request = asked(&mut pair);
    let name = format!("{}:{}", theirs.ufrag, ours.ufrag);
    assert_eq!(request.get(ATTR_USERNAME).unwrap(), name.as_bytes());
    assert_eq!(pair.offerer.counts().refused_stun, 0);
    assert_eq!(pair.answerer.counts().refused_stun, 0);
    let told = &pair.offerer_events.all()[states..];
    assert!(
        !told
            .iter()
            .any(|event| matches!(event, TransportEvent::IceState(_)))
    );

    pair.finish_restart(&answer);
    pair.run(Duration::from_secs(1));
    for events in [&pair.offerer_events, &pair.answerer_events] {
        assert_eq!(events.last_ice_state(), Some(IceState::Connected));
        assert_eq!(events.failure(), None);
    }
    assert_eq!(pair.answerer_events.rtp().len(), 25);
    assert_eq!(pair.offerer_events.rtp().len(), 25);
}

#[test]
fn a_path_that_is_left_for_another_is_given_up_half_a_minute_after_its_last_answer() {
    let mut pair = connected();
    pair.is_cut = true;
    pair.run(Duration::from_secs(20));
    pair.restart(true);
    assert!(pair.answerer.send_rtp(pair.now, &rtp(2, 1)));
    pair.run(Duration::from_secs(11));

    for side in [&mut pair.offerer, &mut pair.answerer] {
        assert!(!side.send_rtp(pair.now, &rtp(2, 2)));
    }
    assert_eq!(pair.offerer_events.failure(), None);
    assert_eq!(pair.answerer_events.failure(), None);

    pair.is_cut = false;
    pair.run(Duration::from_secs(2));
    assert!(pair.is_connected());
    assert!(pair.answerer.send_rtp(pair.now, &rtp(2, 3)));
    pair.run(Duration::from_millis(10));
    assert_eq!(pair.offerer_events.rtp(), [rtp(2, 3)]);
}

/// A browser that offers a restart changes its role, and with it, at times, the pair it sends on.
#[test]
fn while_ice_begins_anew_media_may_come_from_any_address_that_had_proved_itself() {
    let mut pair = Pair::new(&["10.0.0.1:1000", "10.0.0.1:1001"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    let path = pair.answerer_path().unwrap();
    let both = ["10.0.0.1:1000", "10.0.0.1:1001"];
    let other = both.into_iter().find(|one| *one != path.to_string());
    let other = other.unwrap();
    pair.begin_restart();
    pair.offerer.send_rtp(pair.now, &rtp(1, 1));
    let sent = std::iter::from_fn(|| pair.offerer.poll_transmit());
    let media = sent.map(|one| one.data).find(|data| data[0] > 127).unwrap();
    let refused = pair.answerer.counts();

    pair.give_answerer(other, &media);
    pair.give_answerer("10.0.0.9:9", &media);

    assert_eq!(pair.answerer_events.rtp(), [rtp(1, 1)]);
    assert_eq!(
        pair.answerer.counts().refused_source,
        refused.refused_source + 1
    );
    // It is asked for consent from there, too; a stranger with the same words is not answered.
    let check = pair.check_by_the_offerer(true);
    pair.give_answerer(other, &check);
    assert_eq!(pair.answerer.counts().refused_stun, refused.refused_stun);
    assert_eq!(pair.answerer_path(), Some(path));
}
