//! Data channels between sessions of an engine in virtual time.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod channels;

use channels::{World, settings};
use trivox_media::MediaError;
use trivox_media::data::dcep::ChannelSettings;
use trivox_media::data::{MOST_CHANNELS, State};
use trivox_media::event::EventKind;
use trivox_media::session::TransportKind;
use trivox_media::transport::sctp::Reliability;

#[test]
fn text_and_binary_go_both_ways() {
    let mut world = World::new(0.0);
    let [(caller, ours), (callee, theirs)] = world.call(settings("chat"));

    world.send(caller, ours, "hello");
    world.send_bytes(callee, theirs, &[0, 255, 1]);
    world.send(callee, theirs, "");
    world.send_bytes(caller, ours, &[]);
    world.run(1.0);

    assert_eq!(
        world.take(callee, theirs),
        [(true, b"hello".to_vec()), (false, Vec::new())]
    );
    assert_eq!(
        world.take(caller, ours),
        [(false, vec![0, 255, 1]), (true, Vec::new())]
    );
}

#[test]
fn a_description_names_the_line_in_the_bundle() {
    let mut world = World::new(0.0);
    let [caller, callee] = world.pair(TransportKind::Ice);
    world.open(caller, settings("chat")).unwrap();

    let [offer, answer] = world.exchange(caller, callee);

    for (description, port) in [(&offer, "0"), (&answer, "10000")] {
        let line = format!("m=application {port} UDP/DTLS/SCTP webrtc-datachannel\r\n");
        let (_, section) = description.split_once(&line).unwrap();
        assert!(section.contains("a=mid:1\r\n"));
        assert!(section.contains("a=sctp-port:5000\r\n"));
        assert!(section.contains("a=max-message-size:262144\r\n"));
        assert!(description.contains("a=group:BUNDLE 0 1\r\n"));
    }
}

#[test]
fn a_call_without_channels_says_nothing_of_them() {
    let mut world = World::new(0.0);
    let [caller, callee] = world.pair(TransportKind::Ice);

    let descriptions = world.exchange(caller, callee);

    assert!(!descriptions.concat().contains("application"));
}

#[test]
fn the_far_end_learns_how_a_channel_is() {
    let mut world = World::new(0.0);
    let wanted = ChannelSettings {
        protocol: "json".to_owned(),
        is_unordered: true,
        reliability: Reliability::Retransmits(3),
        ..settings("Grüße")
    };

    let [(caller, ours), (callee, theirs)] = world.call(wanted.clone());

    assert_eq!(world.facts(callee, theirs).settings, wanted);
    let streams = [(caller, ours), (callee, theirs)].map(|(s, c)| world.facts(s, c).stream);
    assert_eq!(streams[0], streams[1]);
}

#[test]
fn channels_that_both_agreed_on_need_no_word() {
    let mut world = World::new(0.0);
    let [caller, callee] = world.pair(TransportKind::Ice);
    let negotiated = ChannelSettings {
        negotiated: Some(7),
        ..settings("")
    };
    let channels = [caller, callee].map(|session| {
        let channel = world.open(session, negotiated.clone()).unwrap();
        (session, channel)
    });

    world.exchange(caller, callee);
    world.run(2.0);
    world.send(caller, channels[0].1, "known");
    world.run(1.0);

    assert_eq!(
        world.take(callee, channels[1].1),
        [(true, b"known".to_vec())]
    );
}

#[test]
fn a_channel_opened_later_needs_no_new_line() {
    let mut world = World::new(0.0);
    let [(caller, _), (callee, first)] = world.call(settings("first"));

    let theirs = world.open(callee, settings("second")).unwrap();
    world.run(1.0);

    let second = world.opened(caller).pop().unwrap();
    assert_eq!(world.facts(caller, second).settings.label, "second");
    assert_eq!(world.facts(callee, theirs).state, State::Open);
    assert_ne!(
        world.facts(callee, first).stream,
        world.facts(callee, theirs).stream
    );
}

#[test]
fn either_side_closes_a_channel_after_what_it_said() {
    let mut world = World::new(0.0);
    for closes_first in [true, false] {
        let [one, other] = world.call(settings("short"));
        let [(closer, own), (far, theirs)] = if closes_first {
            [one, other]
        } else {
            [other, one]
        };

        world.send(closer, own, "the last word");
        world.close(closer, own);
        world.run(3.0);

        assert_eq!(world.take(far, theirs), [(true, b"the last word".to_vec())]);
        assert_eq!(world.closed(far), [theirs]);
        assert_eq!(world.closed(closer), [own]);
    }
}

#[test]
fn a_channel_closed_while_the_far_end_sends_stalls_no_other() {
    let mut world = World::new(0.0);
    let [(caller, ours), (callee, theirs)] = world.call(settings("flood"));
    let other = world.open(caller, settings("other")).unwrap();
    world.run(1.0);
    let far_other = world.opened(callee).pop().unwrap();
    while world.try_send(callee, theirs, &[7; 60_000]) {}

    world.close(caller, ours);
    world.run(20.0);
    world.send(callee, far_other, "still there");
    world.run(2.0);

    assert_eq!(world.closed(caller), [ours]);
    assert_eq!(world.closed(callee), [theirs]);
    assert_eq!(world.take(caller, other), [(true, b"still there".to_vec())]);
}

#[test]
fn who_does_not_read_is_sent_no_more() {
    let mut world = World::new(0.0);
    let [(caller, ours), (callee, theirs)] = world.call(settings("slow"));
    let mut sent = 0;
    for _ in 0..200 {
        while world.try_send(caller, ours, &[9; 50_000]) {
            sent += 1;
        }
        world.run(0.5);
    }
    assert!(sent < 40, "{sent} messages are queued somewhere");
    assert_eq!(world.count(caller, EventKind::DataLow), 0);

    // The far end looks for room ever more rarely, once a minute at last.
    let mut read = 0;
    for _ in 0..500 {
        read += world.take(callee, theirs).len();
        world.run(0.5);
    }

    assert_eq!(read, sent);
    assert_eq!(world.count(caller, EventKind::DataLow), 1);
}

#[test]
fn the_greatest_message_arrives_whole_and_a_greater_one_is_refused() {
    let mut world = World::new(0.0);
    let [(caller, ours), (callee, theirs)] = world.call(settings("large"));
    let large: Vec<u8> = (0..256 * 1024).map(|at| (at % 251) as u8).collect();

    world.send_bytes(caller, ours, &large);
    world.run(3.0);
    let refused = world.result(caller, ours, &vec![0; 256 * 1024 + 1]);

    assert_eq!(world.take(callee, theirs), [(false, large)]);
    assert!(matches!(refused, Err(MediaError::Argument(text)) if text.contains("262144")));
}

#[test]
fn what_is_lost_is_sent_again() {
    let mut world = World::new(0.0);
    let [(caller, ours), (callee, theirs)] = world.call(settings("lossy"));
    world.lose(0.1);

    let mut come = Vec::new();
    for number in 0..100_u8 {
        world.send_bytes(caller, ours, &[number; 3000]);
        world.run(0.2);
        come.extend(world.take(callee, theirs));
    }
    until(&mut world, |world| {
        come.extend(world.take(callee, theirs));
        (come.len() >= 100).then_some(())
    });

    let expected: Vec<_> = (0..100_u8).map(|n| (false, vec![n; 3000])).collect();
    assert_eq!(come, expected);
}

#[test]
fn what_need_not_arrive_is_given_up() {
    let mut world = World::new(0.0);
    let loose = ChannelSettings {
        is_unordered: true,
        reliability: Reliability::Retransmits(0),
        ..settings("loose")
    };
    let [(caller, ours), (callee, theirs)] = world.call(loose);
    world.lose(0.2);

    let mut come = Vec::new();
    for number in 0..200_u8 {
        world.send_bytes(caller, ours, &[number; 500]);
        world.run(0.1);
        come.extend(world.take(callee, theirs));
    }
    until(&mut world, |world| {
        (world.facts(caller, ours).unsent == 0).then_some(())
    });
    come.extend(world.take(callee, theirs));

    assert!((1..200).contains(&come.len()), "{} have come", come.len());
}

/// Waits for what is to come: what is lost again and again is sent again ever later, up to three
/// seconds apart (RFC 9260 §6.3.3).
fn until<T>(world: &mut World, mut come: impl FnMut(&mut World) -> Option<T>) -> T {
    for _ in 0..180 {
        world.run(10.0);
        if let Some(value) = come(world) {
            return value;
        }
    }
    panic!("it has not come in half an hour");
}

#[test]
fn channels_open_and_close_over_a_bad_network() {
    let mut world = World::new(0.0);
    let [(caller, _), (callee, _)] = world.call(settings("first"));
    world.lose(0.2);

    for round in 0..3 {
        let before = world.opened(callee).len();
        let ours = world.open(caller, settings(&format!("{round}"))).unwrap();
        let theirs = until(&mut world, |world| {
            world.opened(callee).get(before).copied()
        });
        assert_eq!(
            world.facts(callee, theirs).settings.label,
            format!("{round}")
        );

        world.close(callee, theirs);

        assert_eq!(until(&mut world, |world| world.closed(caller).pop()), ours);
        assert_eq!(
            until(&mut world, |world| world.closed(callee).pop()),
            theirs
        );
    }
}

#[test]
fn who_takes_no_channels_refuses_the_line_or_the_channel() {
    let mut world = World::new(0.0);
    let [caller, callee] = world.pair(TransportKind::Ice);
    world.accept(callee, false);
    let ours = world.open(caller, settings("unwanted")).unwrap();

    let [_, answer] = world.exchange(caller, callee);

    assert!(answer.contains("m=application 0 "));
    assert_eq!(world.closed(caller), [ours]);

    let [(caller, _), (callee, _)] = world.call(settings("wanted"));
    world.accept(callee, false);
    let ours = world.open(caller, settings("unwanted")).unwrap();
    world.run(5.0);
    assert_eq!(world.closed(caller), [ours]);
}

#[test]
fn a_call_has_so_many_channels_and_no_more() {
    let mut world = World::new(0.0);
    let [(caller, _), (callee, _)] = world.call(settings("first"));
    for _ in 1..MOST_CHANNELS {
        world.open(caller, settings("more")).unwrap();
    }

    let refused = world.open(caller, settings("one too many"));

    assert!(matches!(refused, Err(MediaError::Full(_))));
    world.run(2.0);
    assert_eq!(world.opened(callee).len(), MOST_CHANNELS);
}

#[test]
fn a_call_without_ice_has_no_way_for_data() {
    let mut world = World::new(0.0);
    let [caller, _] = world.pair(TransportKind::Dtls);

    let refused = world.open(caller, settings("nowhere"));

    assert!(matches!(refused, Err(MediaError::State(text)) if text.contains("ICE")));
}

#[test]
fn a_restart_of_ice_keeps_channels_open() {
    let mut world = World::new(0.0);
    let [(caller, ours), (callee, theirs)] = world.call(settings("lasting"));

    world.restart(caller, callee);
    world.run(2.0);
    world.send(caller, ours, "after");
    world.run(1.0);

    assert_eq!(world.take(callee, theirs), [(true, b"after".to_vec())]);
}
