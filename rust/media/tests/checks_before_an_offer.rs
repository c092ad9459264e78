//! A peer that begins a restart checks, and changes its role, before its offer is here.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The origin of virtual time; helpers.

mod wire;

use std::time::Duration;

use rtc::crypto::default_provider;
use rtc::ice::attributes::control::{AttrControlled, AttrControlling};
use rtc::ice::attributes::priority::PriorityAttr;
use rtc::stun::attributes::{ATTR_ICE_CONTROLLED, ATTR_ICE_CONTROLLING, ATTR_USERNAME};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_REQUEST, Message, Setter, TransactionId};
use rtc::stun::textattrs::TextAttribute;
use trivox_media::transport::Transmit;
use wire::{Pair, rtp};

const ELSEWHERE: &str = "10.0.0.2:2999";

/// Two sides that have found each other, the offerer controlling.
fn connected() -> Pair {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    pair.negotiate(false);
    pair.run(Duration::from_secs(1));
    assert!(pair.is_connected());
    pair
}

/// A check of the answerer's with its credentials, or those of a restart.
fn check(pair: &Pair, ufrag: Option<&str>, controls: bool) -> Vec<u8> {
    let (ours, theirs) = pair.descriptions();
    let ufrag = ufrag.unwrap_or(&theirs.ufrag);
    let name = TextAttribute::new(ATTR_USERNAME, format!("{}:{ufrag}", ours.ufrag));
    let provider = default_provider().unwrap();
    let integrity =
        MessageIntegrity::new_short_term_integrity_with_provider(ours.password, provider.crypto());
    let role: Box<dyn Setter> = if controls {
        Box::new(AttrControlling(u64::MAX))
    } else {
        Box::new(AttrControlled(u64::MAX))
    };
    let mut message = Message::new();
    message
        .build(&[
            Box::new(BINDING_REQUEST),
            Box::new(TransactionId::new()),
            Box::new(name),
            role,
            Box::new(PriorityAttr(1)),
            Box::new(integrity),
            Box::new(FINGERPRINT),
        ])
        .unwrap();
    message.raw
}

/// What the offerer sends after it has got a check from there.
fn after(pair: &mut Pair, from: &str, data: &[u8]) -> Vec<Transmit> {
    let (now, local) = (pair.now, "10.0.0.1:1000".parse().unwrap());
    let from = from.parse().unwrap();
    pair.offerer.handle_datagram(now, local, from, data);
    std::iter::from_fn(|| pair.offerer.poll_transmit()).collect()
}

/// Whether it is the answer to a check.
fn is_answer(transmit: &Transmit) -> bool {
    transmit.data.starts_with(&[1, 1])
}

#[test]
fn a_check_before_the_offer_of_a_restart_disturbs_nothing() {
    let mut pair = connected();
    let early = check(&pair, Some("restart"), true);
    assert_eq!(after(&mut pair, ELSEWHERE, &early), []);
    for number in 0..10 {
        assert!(pair.answerer.send_rtp(pair.now, &rtp(2, number)));
        pair.run(Duration::from_millis(20));
    }
    assert_eq!(pair.offerer_events.rtp().len(), 10);

    // The offer takes our credentials away from it: an answer now would be to nobody.
    let sent = pair.offer_to_the_offerer("restart");
    assert!(!sent.iter().any(is_answer));
    assert_eq!(pair.offerer.counts().refused_stun, 0);
}

/// RFC 8445 §7.3: what is checked before the first description is answered with it.
#[test]
fn checks_before_the_first_description_are_kept_and_bounded() {
    let mut pair = Pair::new(&["10.0.0.1:1000"], &["10.0.0.2:2000"]);
    for port in 3000..3100 {
        let early = check(&pair, None, true);
        assert_eq!(after(&mut pair, &format!("10.0.0.2:{port}"), &early), []);
    }

    let theirs = pair.descriptions().1.ufrag;
    let sent = pair.offer_to_the_offerer(&theirs);

    assert_eq!(sent.iter().filter(|one| is_answer(one)).count(), 16);
}

#[test]
fn a_peer_that_has_changed_its_role_is_given_the_other_one() {
    let mut pair = connected();
    let claim = check(&pair, None, true);
    let sent = after(&mut pair, "10.0.0.2:2000", &claim);
    assert!(is_answer(&sent[0]), "it is refused");
    assert_eq!(sent[0].data[8..20], claim[8..20]);
    let mut asked = Vec::new();
    while asked.is_empty() {
        pair.now += Duration::from_millis(100);
        pair.offerer.handle_timeout(pair.now);
        asked.extend(std::iter::from_fn(|| pair.offerer.poll_transmit()));
    }

    let mut request = Message {
        raw: asked[0].data.clone(),
        ..Message::default()
    };
    request.decode().unwrap();
    assert!(request.contains(ATTR_ICE_CONTROLLED));
    assert!(!request.contains(ATTR_ICE_CONTROLLING));
}
