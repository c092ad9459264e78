//! A call with the peer connection of the `rtc` crate: what browsers do, done by somebody else.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::time::Duration;

use peer::{DELAY, Lines, World};
use trivox_media::event::EventKind;
use trivox_media::session::Direction;

const ROUNDS: usize = 3;

fn connected() -> World {
    let mut world = World::new(Lines::AUDIO);
    world.peer_offers(|offer| offer);
    world.connect();
    assert!(both_heard(world.talk(50), 50));
    world
}

/// All that was said was heard: theirs is counted, ours is a packet each 20 ms.
fn both_heard((ours, theirs): (u64, usize), packets: u64) -> bool {
    let spread = packets.saturating_sub(2)..=packets + 2;
    spread.contains(&ours) && spread.contains(&(theirs as u64))
}

#[test]
fn every_hold_of_the_far_end_is_answered_and_comes_back() {
    for (offered, answered) in [
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive", "inactive"),
    ] {
        let mut world = connected();
        for round in 0..ROUNDS {
            world.peer().direct(0, offered);
            let answer = world.peer_offers(|offer| offer);
            assert!(answer.contains(&format!("a={answered}\r\n")), "{answer}");
            world.run(Duration::from_millis(100));
            let (_, theirs) = world.talk(25);
            assert_eq!(theirs > 20, offered == "recvonly", "{offered}: {theirs}");

            world.peer().direct(0, "sendrecv");
            let answer = world.peer_offers(|offer| offer);
            assert!(answer.contains("a=sendrecv\r\n"), "{answer}");
            world.run(Duration::from_millis(100));
            let heard = world.talk(25);
            assert!(both_heard(heard, 25), "{offered} {round}: {heard:?}");
        }
    }
}

#[test]
fn every_hold_of_ours_is_answered_and_comes_back() {
    for wish in [
        Direction::SendOnly,
        Direction::ReceiveOnly,
        Direction::Inactive,
    ] {
        let mut world = connected();
        for round in 0..ROUNDS {
            world.session.set_direction(wish);
            // A peer connection stops its line for ever at an offer that says inactive.
            let now = world.now;
            let offer = world.session.create_offer(now, false).unwrap();
            assert!(offer.contains(&format!("a={}\r\n", wish.as_str())));
            let softened = offer.replace("a=inactive", "a=sendonly");
            world.peer().take_offer(now, &softened);
            world.peer().direct(0, wish.reversed().as_str());
            let answer = world.peer().give_answer(now);
            take_answer(&mut world, &answer);
            world.run(Duration::from_millis(100));
            let (_, theirs) = world.talk(25);
            assert_eq!(theirs > 20, wish.sends(), "{wish:?}: {theirs}");

            world.session.set_direction(Direction::SendReceive);
            let now = world.now;
            let offer = world.session.create_offer(now, false).unwrap();
            world.peer().take_offer(now, &offer);
            world.peer().direct(0, "sendrecv");
            let answer = world.peer().give_answer(now);
            take_answer(&mut world, &answer);
            world.run(Duration::from_millis(100));
            let heard = world.talk(25);
            assert!(both_heard(heard, 25), "{wish:?} {round}: {heard:?}");
        }
    }
}

fn take_answer(world: &mut World, answer: &str) {
    use trivox_media::session::offer_answer::DescriptionKind;
    world
        .session
        .set_remote(world.now, answer, DescriptionKind::Answer, "tag")
        .unwrap();
}

#[test]
fn the_hold_address_means_nothing_where_ice_has_found_the_way() {
    let mut world = connected();
    let answer = world.peer_offers(|offer| {
        assert!(offer.contains("c=IN IP4 0.0.0.0\r\n"), "{offer}");
        offer
    });

    assert!(answer.contains("a=sendrecv\r\n"), "{answer}");
    assert!(both_heard(world.talk(25), 25));
}

#[test]
fn an_offer_without_directions_is_for_both_ways() {
    let mut world = World::new(Lines::AUDIO);
    let answer = world.peer_offers(|offer| {
        let bare = offer.replace("a=sendrecv\r\n", "");
        assert_ne!(bare, offer);
        bare
    });
    world.connect();

    assert!(answer.contains("a=sendrecv\r\n"), "{answer}");
    assert!(both_heard(world.talk(50), 50));
}

#[test]
fn a_peer_that_tells_only_a_local_name_is_found_by_its_checks() {
    let mut world = World::new(Lines::AUDIO);
    world.peer_offers(|offer| {
        let named = offer.replace(" 10.0.0.2 2000 ", " c0ffee.local 2000 ");
        assert_ne!(named, offer);
        named
    });
    world.connect();

    assert!(both_heard(world.talk(50), 50));
}

#[test]
fn one_of_several_addresses_of_ours_is_found() {
    let mut world = World::with_candidates(&["10.0.9.1:900", "10.0.0.1:1000", "10.0.8.1:800"]);
    world.peer_offers(|offer| offer);
    world.connect();

    assert!(both_heard(world.talk(50), 50));
}

#[test]
fn offers_that_cross_are_taken_back_and_made_one_after_the_other() {
    let mut world = connected();
    for _ in 0..ROUNDS {
        let now = world.now;
        world.session.create_offer(now, false).unwrap();
        // The far end's came meanwhile: ours is taken back (491), theirs answered, ours made anew.
        world.session.rollback();
        world.peer_offers(|offer| offer);
        world.we_offer();
        let heard = world.talk(25);
        assert!(both_heard(heard, 25), "{heard:?}");
    }
}

#[test]
fn more_lines_than_we_take_are_refused_in_their_places() {
    let mut world = World::new(Lines::AUDIO);
    world.peer().want_lines(4, 3);
    let now = world.now;
    let offer = world.peer().offer(now);
    assert_eq!(offer.matches("m=audio").count(), 5, "{offer}");
    assert_eq!(offer.matches("m=video").count(), 3, "{offer}");
    let answer = world.answer(&offer);
    world.peer().take_answer(now, explained(&answer));
    world.connect();

    let is_line = |line: &&str| line.starts_with("m=");
    let lines: Vec<&str> = answer.lines().filter(is_line).collect();
    let is_refused = |line: &&&str| line.split(' ').nth(1) == Some("0");
    let refused = lines.iter().filter(is_refused).count();
    assert_eq!((lines.len(), refused), (8, 7), "{answer}");
    assert!(both_heard(world.talk(50), 50));
}

/// The peer connection wants to know the formats of refused lines too.
fn explained(answer: &str) -> String {
    let explain = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        ["m=audio", "0", profile, ..] => {
            format!("m=audio 0 {profile} 111\r\na=rtpmap:111 opus/48000/2\r\n")
        }
        ["m=video", "0", profile, ..] => {
            format!("m=video 0 {profile} 96\r\na=rtpmap:96 VP8/90000\r\n")
        }
        _ => format!("{line}\r\n"),
    };
    answer.lines().map(explain).collect()
}

#[test]
fn of_two_clocks_of_digits_that_of_the_codec_is_answered() {
    let mut world = World::new(Lines::AUDIO);
    let answer = world.peer_offers(|offer| {
        assert_eq!(offer.matches("telephone-event").count(), 2, "{offer}");
        offer
    });

    let digits: Vec<&str> = answer
        .lines()
        .filter(|line| line.contains("telephone-event"))
        .collect();
    assert_eq!(digits, ["a=rtpmap:110 telephone-event/48000"]);
}

#[test]
fn digits_come_and_go_at_the_clock_that_was_agreed() {
    for (clock, payload_type) in [(48_000, 110), (8_000, 126)] {
        let mut world = World::new(Lines::with_digits(clock));
        world.peer_offers(|offer| offer);
        world.connect();
        world.talk(10);
        let now = world.now;
        world.peer().press(now, 5, clock);
        world.run(Duration::from_millis(200));
        let heard: Vec<(&str, f64)> = world
            .events
            .iter()
            .filter(|event| event.kind == EventKind::Dtmf)
            .map(|event| (event.text.as_str(), event.number))
            .collect();
        assert_eq!(heard, [("5", 0.1)], "{clock}");

        world.session.send_dtmf("1#", 0.1, 0.06).unwrap();
        world.run(Duration::from_millis(600));
        let is_digit = |packet: &&peer::Heard| packet.payload_type == payload_type;
        let digits: Vec<_> = world.peers[0].received.iter().filter(is_digit).collect();
        let ends = |event: u8| {
            let of = digits.iter().filter(|packet| packet.payload[0] == event);
            of.filter(|packet| packet.payload[1] & 0x80 != 0).count()
        };
        assert_eq!((ends(1), ends(11)), (3, 3), "{clock}");
        assert_eq!(digits.iter().filter(|packet| packet.marker).count(), 2);
        let duration = (clock / 10) as u16;
        assert_eq!(digits.last().unwrap().payload[2..4], duration.to_be_bytes());
    }
}

#[test]
fn the_peers_reports_tell_the_round_trip_and_what_it_has_lost() {
    let mut world = connected();
    world.loss = 0.2;
    world.talk(1000);

    let trip = world.number("round_trip");
    let least = 2.0 * DELAY.as_secs_f64();
    assert!((least - 1e-3..least + 0.03).contains(&trip), "{trip}");
    assert!(world.number("remote_loss") > 0.05);
    assert!(world.number("remote_packets_lost") > 50.0);
    // Seconds, and not units of the clock.
    assert!(world.number("remote_jitter") < 0.05);
    assert!(world.number("jitter") < 0.05);
}

/// What a stranger can make without the secrets of the call, another with each number.
fn forged(number: usize) -> Vec<u8> {
    let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60];
    hello.extend([1, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 48, 254, 253]);
    hello.extend([0x41; 46]);
    let mut check = vec![0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
    check.extend([number as u8; 12]);
    check.extend([0x80, 0x2a, 0, 8]);
    check.extend([255; 8]);
    match number % 6 {
        0 => hello,
        1 => vec![21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40], // fatal: handshake_failure
        2 => vec![21, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0],  // close_notify
        3 => check,
        4 => [&[0x80, 111, 0, number as u8][..], &[0x55; 40]].concat(),
        _ => vec![0x81, 203, 0, 1, 0, 0, 0, 1], // BYE
    }
}

#[test]
fn a_stranger_at_a_thousand_packets_a_second_changes_nothing() {
    for we_offer in [true, false] {
        let mut world = World::new(Lines::AUDIO);
        if we_offer {
            world.we_offer();
        } else {
            world.peer_offers(|offer| offer);
        }
        for number in 0..2000 {
            world.inject(&forged(number));
            world.run(Duration::from_millis(1));
        }
        assert!(world.peers[0].is_connected);
        let sent = world.number("packets_sent");
        let heard = world.peers[0].received.len();
        for number in 0..2000 {
            world.inject(&forged(number));
            world.run(Duration::from_millis(1));
        }

        let sent = (world.number("packets_sent") - sent) as usize;
        assert!(world.peers[0].received.len() - heard + 1 >= sent && sent >= 99);
        assert_eq!(world.count(EventKind::Failed), 0);
        assert_eq!(world.astray, 0);
        assert!(world.number("refused_source") > 1000.0);
    }
}
