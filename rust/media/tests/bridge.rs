//! Bridges between two calls, heard at their far ends, in virtual time with the real codecs.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod tones;

use std::path::PathBuf;

use tones::{Call, World};
use trivox_media::MediaError;
use trivox_media::codec::CodecKind;
use trivox_media::event::EventKind;
use trivox_media::session::{Direction, TransportKind};

fn bridged(one: CodecKind, other: CodecKind) -> (World, [Call; 2], u64) {
    let mut world = World::new();
    let calls = [world.plain(one), world.plain(other)];
    world.sound(calls[0], 440.0, -20.0);
    world.sound(calls[1], 1000.0, -20.0);
    let bridge = world.engine.bridge(calls[0].ours, calls[1].ours).unwrap();
    world.run(1.0);
    (world, calls, bridge)
}

fn is_decoding(world: &World, bridge: u64) -> [bool; 2] {
    let before = world.engine.bridge_figures(bridge).unwrap();
    world.engine.advance(world.now + 0.5);
    let after = world.engine.bridge_figures(bridge).unwrap();
    [0, 1].map(|way| after[way].frames_transcoded > before[way].frames_transcoded)
}

#[test]
fn both_hear_each_other_and_not_themselves_whatever_their_codecs() {
    use CodecKind::{L16, Opus, Pcma, Pcmu};
    for (one, other) in [
        (Pcmu, Pcmu),
        (Opus, Opus),
        (Pcmu, Opus),
        (Pcma, L16),
        (L16, Opus),
    ] {
        let (mut world, calls, bridge) = bridged(one, other);
        let levels = world.levels(&calls, &[440.0, 1000.0]);
        for (heard, own) in [(levels[0][1], levels[0][0]), (levels[1][0], levels[1][1])] {
            assert!(
                (heard + 20.0).abs() < 1.0,
                "{one:?} {other:?}: {heard} dBov"
            );
            assert!(own < -60.0, "{one:?} {other:?} hears itself: {own} dBov");
        }
        assert_eq!(is_decoding(&world, bridge), [one != other; 2]);
        let dropped: u64 = world
            .engine
            .bridge_figures(bridge)
            .unwrap()
            .iter()
            .map(|f| f.dropped)
            .sum();
        assert_eq!(dropped, 0);
    }
}

#[test]
fn over_ice_too_packets_are_passed_on_undecoded() {
    let mut world = World::new();
    let calls = [CodecKind::Opus; 2].map(|codec| world.call(TransportKind::Ice, codec));
    world.run(1.0);
    world.sound(calls[0], 440.0, -20.0);
    let bridge = world.engine.bridge(calls[0].ours, calls[1].ours).unwrap();
    world.run(1.0);

    assert!((world.level(calls[1], 440.0) + 20.0).abs() < 1.0);
    assert_eq!(is_decoding(&world, bridge), [false; 2]);
}

#[test]
fn a_call_bridged_with_itself_hears_itself() {
    let mut world = World::new();
    let call = world.plain(CodecKind::Pcmu);
    world.sound(call, 440.0, -20.0);
    let bridge = world.engine.bridge(call.ours, call.ours).unwrap();
    world.run(1.0);

    assert!((world.level(call, 440.0) + 20.0).abs() < 1.0);
    assert!(world.engine.bridge_figures(bridge).unwrap()[0].packets_passed > 45);
    world.engine.end_bridge(bridge);
    world.run(0.5);
    assert!(world.level(call, 440.0) < -60.0);
}

#[test]
fn who_records_or_plays_has_it_decoded_for_that_long() {
    let (mut world, calls, bridge) = bridged(CodecKind::Pcmu, CodecKind::Pcmu);
    assert_eq!(is_decoding(&world, bridge), [false; 2]);

    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bridge.wav");
    let recording = world
        .engine
        .start_recording(calls[0].ours, &path, "both", "wav")
        .unwrap();
    world.run(0.2);
    assert_eq!(is_decoding(&world, bridge), [true; 2]);
    world.run(0.6);
    world
        .engine
        .stop_recording(calls[0].ours, recording)
        .unwrap();
    world.run(0.2);
    assert_eq!(is_decoding(&world, bridge), [false; 2]);
    world.run(0.6);

    let playback = world.play(calls[0].ours, 2000.0, -25.0);
    world.run(0.2);
    let levels = world.levels(&calls[..1], &[1000.0, 2000.0]);
    assert!((levels[0][0] + 20.0).abs() < 1.0 && (levels[0][1] + 25.0).abs() < 1.0);
    // What is played to the first is no business of the way to the second.
    assert_eq!(is_decoding(&world, bridge), [false, true]);
    world.run(0.6);
    world.stop(calls[0].ours, playback);
    world.run(0.2);
    assert_eq!(is_decoding(&world, bridge), [false; 2]);
}

#[test]
fn a_reoffer_with_another_codec_changes_over_and_back() {
    let mut world = World::new();
    let both = [CodecKind::Opus, CodecKind::Pcmu];
    let calls = [0, 1].map(|_| world.call_of(TransportKind::Plain, &both));
    world.sound(calls[0], 440.0, -20.0);
    let bridge = world.engine.bridge(calls[0].ours, calls[1].ours).unwrap();

    for (left, is_other) in [("opus", false), ("PCMU", true), ("opus", false)] {
        let offer = only(
            &world.engine.create_offer(calls[1].far, false).unwrap(),
            left,
        );
        world.answer(&offer, calls[1].far, calls[1].ours);
        world.run(1.0);
        assert_eq!(is_decoding(&world, bridge), [is_other; 2], "{left}");
        world.run(0.6);
        assert!((world.level(calls[1], 440.0) + 20.0).abs() < 1.0, "{left}");
    }
}

/// An offer without the codecs other than one; digits stay.
fn only(offer: &str, codec: &str) -> String {
    let is_gone = |name: &str| !name.starts_with(codec) && !name.starts_with("telephone-event");
    let gone: Vec<&str> = offer
        .lines()
        .filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' '))
        .filter_map(|(number, name)| is_gone(name).then_some(number))
        .collect();
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        if line.starts_with("m=") {
            let left = words.iter().filter(|word| !gone.contains(*word));
            return left.copied().collect::<Vec<_>>().join(" ");
        }
        line.to_owned()
    };
    let is_of_gone = |line: &&str| {
        let number = line.split([':', ' ']).nth(1).unwrap_or_default();
        let is_format = line.starts_with("a=rtpmap:") || line.starts_with("a=fmtp:");
        is_format && gone.contains(&number)
    };
    let lines = offer.lines().filter(|line| !is_of_gone(line)).map(line);
    lines.map(|line| line + "\r\n").collect()
}

#[test]
fn one_on_hold_hears_nothing_of_the_bridge_and_the_other_hears_silence() {
    let (mut world, calls, _) = bridged(CodecKind::Pcmu, CodecKind::Pcmu);
    let engine = &world.engine;
    engine
        .command(calls[0].ours, |open, _| {
            open.set_direction(Direction::SendOnly);
            open.set_mix(false, true);
            Ok(())
        })
        .unwrap();
    world.exchange(calls[0].ours, calls[0].far);
    world.run(1.0);
    let levels = world.levels(&calls, &[440.0, 1000.0]);
    assert!(levels[0][1] < -60.0 && levels[1][0] < -60.0, "{levels:?}");

    world
        .engine
        .command(calls[0].ours, |open, _| {
            open.set_direction(Direction::SendReceive);
            open.set_mix(false, false);
            Ok(())
        })
        .unwrap();
    world.exchange(calls[0].ours, calls[0].far);
    world.run(1.0);
    let levels = world.levels(&calls, &[440.0, 1000.0]);
    assert!((levels[0][1] + 20.0).abs() < 1.0, "{levels:?}");
    assert!((levels[1][0] + 20.0).abs() < 1.0, "{levels:?}");
}

#[test]
fn a_muted_side_is_not_heard_and_hears() {
    let (mut world, calls, _) = bridged(CodecKind::Pcmu, CodecKind::Pcmu);
    let mute = |world: &World, is_muted| {
        let command = world.engine.command(calls[1].ours, |open, _| {
            open.set_muted(is_muted);
            Ok(())
        });
        command.unwrap();
    };
    mute(&world, true);
    world.run(0.5);
    let levels = world.levels(&calls, &[440.0, 1000.0]);
    assert!(
        (levels[0][1] + 20.0).abs() < 1.0 && levels[1][0] < -60.0,
        "{levels:?}"
    );

    mute(&world, false);
    world.run(0.5);
    assert!((world.level(calls[1], 440.0) + 20.0).abs() < 1.0);
}

#[test]
fn digits_cross_once_each_passed_on_or_made_anew() {
    for other in [CodecKind::Pcmu, CodecKind::Opus] {
        let (mut world, calls, _) = bridged(CodecKind::Pcmu, other);
        world
            .engine
            .command(calls[0].far, |open, _| open.send_dtmf("42#", 0.1, 0.07))
            .unwrap();
        world.run(3.0);

        for session in [calls[0].ours, calls[1].far] {
            let tones = world
                .events
                .iter()
                .filter(|event| event.session == session && event.kind == EventKind::Dtmf);
            let tones: Vec<_> = tones
                .map(|event| (event.text.clone(), event.number))
                .collect();
            assert_eq!(
                tones.iter().map(|t| t.0.as_str()).collect::<String>(),
                "42#",
                "{other:?}"
            );
            assert!(tones.iter().all(|t| (t.1 - 0.1).abs() < 0.021), "{tones:?}");
        }
        assert!((world.level(calls[1], 440.0) + 20.0).abs() < 1.0);
    }
}

#[test]
fn a_call_is_in_one_bridge_at_a_time_and_leaving_gives_its_own_sound_back() {
    let (mut world, calls, bridge) = bridged(CodecKind::Pcmu, CodecKind::Opus);
    let third = world.plain(CodecKind::Pcmu);
    let refused = world.engine.bridge(third.ours, calls[0].ours);
    assert!(matches!(refused, Err(MediaError::State(_))), "{refused:?}");

    world.engine.end_bridge(bridge);
    world.play(calls[0].ours, 2000.0, -25.0);
    world.run(0.5);
    let levels = world.levels(&calls[..1], &[1000.0, 2000.0]);
    assert!(
        levels[0][0] < -60.0 && (levels[0][1] + 25.0).abs() < 1.0,
        "{levels:?}"
    );
    // The refused attempt has left the third free.
    world.engine.bridge(third.ours, calls[0].ours).unwrap();
    assert_eq!(world.engine.counts().bridges, 1);
}

#[test]
fn the_end_or_the_panic_of_one_leaves_the_other_alone_and_well() {
    for is_panic in [false, true] {
        let (mut world, calls, bridge) = bridged(CodecKind::Pcmu, CodecKind::Pcmu);
        if is_panic {
            let fault = world
                .engine
                .command(calls[0].ours, |open, _| -> Result<(), _> {
                    open.fault();
                    Ok(())
                });
            assert!(fault.is_err());
        }
        world.engine.close_session(calls[0].ours);
        world.play(calls[1].ours, 2000.0, -25.0);
        world.run(1.0);

        let levels = world.levels(&calls[1..], &[440.0, 2000.0]);
        assert!(
            levels[0][0] < -60.0 && (levels[0][1] + 25.0).abs() < 1.0,
            "{levels:?}"
        );
        let third = world.plain(CodecKind::Pcmu);
        let next = world.engine.bridge(third.ours, calls[1].ours);
        assert!(next.is_ok(), "{next:?}");
        world.engine.end_bridge(bridge);
        world.engine.end_bridge(next.unwrap());
        assert_eq!(world.engine.counts().bridges, 0);
    }
}
