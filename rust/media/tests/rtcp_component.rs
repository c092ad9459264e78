//! RTCP on a component of its own by ICE, against a far end of the `rtc` crate's modules that does
//! not multiplex (RFC 5761 §5.1.3, RFC 8445, RFC 5764 §4.1).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod apart;

use std::time::Duration;

use apart::{FarEnd, PEER_RTCP, PEER_RTP, RTCP, RTP, STRANGER, World, at};
use trivox_media::event::EventKind;

const BOTH: [&str; 2] = [PEER_RTP, PEER_RTCP];

/// A far end that has offered two components, connected.
fn called() -> World {
    let mut world = World::new(&BOTH);
    world.attach();
    world.far_end_offers();
    world.connect();
    world
}

/// The far end talks for some seconds, and reports by a component each second.
fn talk(world: &mut World, seconds: usize, component: usize) {
    let ssrc = world.session.ssrc();
    for _ in 0..seconds {
        for _ in 0..50 {
            world.far.say();
            world.run(Duration::from_millis(20));
        }
        world.far.report(world.now, component, ssrc);
    }
    world.run(Duration::from_millis(50));
}

fn came_to(far: &FarEnd, socket: &str) -> usize {
    far.rtcp.iter().filter(|(to, _)| *to == at(socket)).count()
}

fn candidates(sdp: &str, component: u16) -> usize {
    let of_component = |line: &&str| {
        let value = line.strip_prefix("a=candidate:");
        value.and_then(|value| value.split(' ').nth(1)) == Some(&component.to_string())
    };
    sdp.lines().filter(of_component).count()
}

/// RFC 3605 §2.1: two components where the offer has two and no rtcp-mux, both named.
#[test]
fn an_offer_of_two_components_is_answered_with_two() {
    let mut world = World::new(&BOTH);
    world.attach();
    let answer = world.far_end_offers();

    assert!(!answer.contains("a=rtcp-mux"), "{answer}");
    assert!(
        answer.contains("\r\na=rtcp:4500 IN IP4 10.0.0.1\r\n"),
        "{answer}"
    );
    assert_eq!((candidates(&answer, 1), candidates(&answer, 2)), (1, 1));
    world.connect();
    assert_eq!(world.states(), ["checking", "connected"]);
}

/// RFC 5761 §5.1.3: RTP never goes by the second component, RTCP by nothing else.
#[test]
fn rtcp_goes_by_its_own_component_both_ways() {
    let mut world = called();
    talk(&mut world, 12, 1);

    assert!(world.far.rtp.len() > 500);
    assert!(came_to(&world.far, PEER_RTCP) >= 2);
    assert_eq!(came_to(&world.far, PEER_RTP), 0);
    assert!(world.number("packets_received").unwrap() >= 600.0);
    let trip = world.number("round_trip").unwrap();
    assert!((0.003..0.1).contains(&trip), "{trip}");
    let ours = world.sent.iter().filter(|sent| sent.local == at(RTCP));
    assert!(ours.clone().count() > 5);
    assert!(ours.clone().all(|sent| sent.to == at(PEER_RTCP)));
}

/// RFC 5764 §4.1: each component has keys of its own.
#[test]
fn reports_by_the_component_of_rtp_are_not_taken() {
    let mut world = called();
    talk(&mut world, 12, 0);

    assert_eq!(world.number("round_trip"), None);
    assert!(world.number("refused_srtp").unwrap() >= 1.0);
}

/// A component is taken by its own ICE check only, whoever is known on the other.
#[test]
fn a_strangers_rtcp_is_refused_and_ends_nothing() {
    let mut world = called();
    let mut bye = vec![0x81, 203, 0, 1, 0, 0, 0, 7];
    bye.extend([0; 14]);
    let before = world.number("refused_source").unwrap();

    for from in [STRANGER, PEER_RTP, "10.0.0.2:6001"] {
        for _ in 0..100 {
            world.inject(RTCP, from, &bye);
        }
    }
    world.inject(RTCP, PEER_RTCP, &bye);
    talk(&mut world, 12, 1);

    assert_eq!(world.number("refused_source").unwrap() - before, 300.0);
    assert_eq!(world.number("refused_srtp"), Some(1.0));
    assert_eq!(world.count(EventKind::Failed), 0);
    assert!(world.number("round_trip").is_some());
    let to_strangers = |to: &str| world.sent.iter().filter(|sent| sent.to == at(to)).count();
    assert_eq!(to_strangers(STRANGER), 0);
    assert_eq!(to_strangers("10.0.0.2:6001"), 0);
}

/// What hellos of others do to a handshake that has not begun.
#[test]
fn hellos_and_alerts_of_others_disturb_no_set_up_of_rtcp() {
    let mut world = World::new(&BOTH);
    world.attach();
    world.far_end_offers();
    let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40];
    for _ in 0..200 {
        world.inject(RTCP, STRANGER, &alert);
        world.inject(RTCP, PEER_RTP, &alert);
        world.run(Duration::from_millis(1));
    }

    world.connect();
    assert_eq!(world.count(EventKind::Failed), 0);
}

/// RFC 8445 §8.1.2: a stream is there when all of its components are.
#[test]
fn a_call_is_not_connected_before_rtcp_is() {
    let mut world = World::new(&BOTH);
    world.attach();
    world.far.silent = vec![at(PEER_RTCP)];
    world.far_end_offers();
    world.run(Duration::from_secs(2));
    assert_eq!(world.count(EventKind::Connected), 0);

    world.far.silent.clear();
    world.connect();
    assert_eq!(world.states(), ["checking", "connected"]);
}

#[test]
fn rtcp_that_finds_no_path_is_told_of_as_the_end_of_all() {
    let mut world = World::new(&BOTH);
    world.attach();
    world.far.silent = vec![at(PEER_RTCP)];
    world.far_end_offers();
    world.run(Duration::from_secs(60));

    let failed = world.events.iter();
    let failed: Vec<_> = failed
        .filter(|event| event.kind == EventKind::Failed)
        .collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].text.starts_with("RTCP: "), "{}", failed[0].text);
    assert_eq!(world.states().last(), Some(&"failed"));
    let sent = world.sent.len();
    world.run(Duration::from_secs(10));
    assert_eq!(world.sent.len(), sent);
}

/// RFC 7675 §5.1: each component has consent of its own.
#[test]
fn consent_that_is_lost_for_rtcp_alone_ends_sending_by_both() {
    let mut world = called();
    world.far.silent = vec![at(PEER_RTCP)];
    world.events.clear();
    world.run(Duration::from_secs(12));
    assert_eq!(world.states(), ["disconnected"]);

    world.run(Duration::from_secs(28));

    assert_eq!(world.states(), ["disconnected", "failed"]);
    assert_eq!(world.count(EventKind::Failed), 1);
    let sent = world.sent.len();
    world.run(Duration::from_secs(10));
    assert_eq!(world.sent.len(), sent);
}

#[test]
fn rtcp_that_is_silent_for_a_while_is_a_path_that_comes_back() {
    let mut world = called();
    world.far.silent = vec![at(PEER_RTCP)];
    world.events.clear();
    world.run(Duration::from_secs(12));
    world.far.silent.clear();
    world.run(Duration::from_secs(8));

    assert_eq!(world.states(), ["disconnected", "connected"]);
    assert_eq!(world.count(EventKind::Failed), 0);
}

/// RFC 8839 §4.4.1.1.1: both components begin anew, with the same credentials.
#[test]
fn a_restart_of_the_far_end_is_of_both_components() {
    let mut world = called();
    let answer = world.far_end_restarts(&["10.0.0.2:7000", "10.0.0.2:7501"], false);
    assert_eq!((candidates(&answer, 1), candidates(&answer, 2)), (1, 1));
    world.run(Duration::from_secs(2));
    world.far.rtp.clear();
    world.far.rtcp.clear();
    talk(&mut world, 12, 1);

    assert!(world.far.rtp.len() > 500);
    assert!(came_to(&world.far, "10.0.0.2:7501") >= 2);
    assert_eq!(came_to(&world.far, "10.0.0.2:7000"), 0);
    assert_eq!(world.count(EventKind::Failed), 0);
}

#[test]
fn a_far_end_may_begin_to_multiplex_in_a_later_offer() {
    let mut world = called();
    let answer = world.far_end_restarts(&[PEER_RTP], true);
    assert!(answer.contains("a=rtcp-mux"));
    assert!(!answer.contains("a=rtcp:"));
    assert_eq!(candidates(&answer, 2), 0);
    world.run(Duration::from_secs(2));
    world.far.rtcp.clear();
    talk(&mut world, 12, 0);

    assert!(came_to(&world.far, PEER_RTP) >= 2);
    assert!(world.number("round_trip").is_some());
}

#[test]
fn a_far_end_may_end_multiplexing_in_a_later_offer() {
    let mut world = World::new(&[PEER_RTP]);
    world.attach();
    let offer = world.far.description("actpass", true);
    let answer = world.answer(&offer);
    world.far.take(world.now, &answer, true);
    world.connect();

    let answer = world.far_end_restarts(&BOTH, false);
    assert_eq!(candidates(&answer, 2), 1);
    world.run(Duration::from_secs(2));
    world.far.rtcp.clear();
    talk(&mut world, 12, 1);

    assert!(came_to(&world.far, PEER_RTCP) >= 2);
    assert_eq!(came_to(&world.far, PEER_RTP), 0);
    assert!(world.number("round_trip").is_some());
}

/// RFC 5761 §5.1.3: who does not take rtcp-mux finds the second component in our offer.
#[test]
fn an_offer_that_negotiates_falls_back_to_two_components() {
    let mut world = World::new(&BOTH);
    world.session.negotiate_rtcp_mux().unwrap();
    world.attach();
    let offer = world.we_offer(false);

    assert!(offer.contains("a=rtcp-mux"));
    assert!(offer.contains("a=rtcp:4500 IN IP4 10.0.0.1"));
    assert_eq!((candidates(&offer, 1), candidates(&offer, 2)), (1, 1));
    world.connect();
    talk(&mut world, 12, 1);
    assert!(came_to(&world.far, PEER_RTCP) >= 2);
    assert_eq!(came_to(&world.far, PEER_RTP), 0);
    assert!(world.number("round_trip").is_some());
}

#[test]
fn an_offer_that_negotiates_lets_go_of_the_second_component_when_rtcp_goes_with_rtp() {
    let mut world = World::new(&BOTH);
    world.session.negotiate_rtcp_mux().unwrap();
    world.attach();
    world.we_offer(true);

    world.connect();
    talk(&mut world, 12, 0);
    assert!(came_to(&world.far, PEER_RTP) >= 2);
    assert!(world.number("round_trip").is_some());
    assert!(world.sent.iter().all(|sent| sent.local == at(RTP)));
    assert!(world.session.negotiate_rtcp_mux().is_err());
}

/// As ever: an offer of one component is heard by a far end that would rather have two.
#[test]
fn an_offer_of_one_component_carries_rtcp_whatever_the_answer_says() {
    let mut world = World::new(&BOTH);
    world.attach();
    let offer = world.we_offer(false);

    assert_eq!((candidates(&offer, 1), candidates(&offer, 2)), (1, 0));
    assert!(!offer.contains("a=rtcp:"));
    world.run(Duration::from_secs(2));
    assert_eq!(world.count(EventKind::Connected), 1);
    talk(&mut world, 12, 0);
    assert!(came_to(&world.far, PEER_RTP) >= 2);
}

/// RFC 8838 §11: candidates of the second component come by themselves too.
#[test]
fn candidates_of_rtcp_may_come_later() {
    let mut world = World::new(&BOTH);
    world.attach();
    let whole = world.far.description("actpass", false);
    let is_later = |line: &&str| line.starts_with("a=candidate");
    let mut offer: Vec<&str> = whole.lines().filter(|line| !is_later(line)).collect();
    offer.push("a=ice-options:trickle");
    let answer = world.answer(&(offer.join("\r\n") + "\r\n"));
    assert_eq!((candidates(&answer, 1), candidates(&answer, 2)), (1, 1));
    world.far.silent = BOTH.map(at).to_vec();
    world.far.take(world.now, &answer, true);
    world.run(Duration::from_millis(200));

    let named = whole.lines().filter(|line| line.starts_with("a=ice-"));
    let later = whole.lines().filter(is_later);
    let line = std::iter::once("m=audio 9 RTP/AVP 0");
    let fragment: Vec<&str> = named.chain(line).chain(later).collect();
    world
        .session
        .take_fragment_untrusted(world.now, &(fragment.join("\r\n") + "\r\n"))
        .unwrap();
    world.run(Duration::from_millis(100));

    let checked = |to: &str| world.sent.iter().any(|sent| sent.to == at(to));
    assert!(checked(PEER_RTP) && checked(PEER_RTCP));
    world.far.silent.clear();
    world.connect();
}

#[test]
fn a_second_component_of_a_far_end_that_multiplexes_is_left_alone() {
    let mut world = World::new(&BOTH);
    world.attach();
    let offer = world.far.description("actpass", true);
    world.far.keep(1);
    let answer = world.answer(&offer);
    world.far.take(world.now, &answer, true);
    world.connect();

    assert!(answer.contains("a=rtcp-mux"));
    assert_eq!(candidates(&answer, 2), 0);
    assert!(world.sent.iter().all(|sent| sent.to != at(PEER_RTCP)));
}
