//! Rooms, heard at the far ends of their members, in virtual time with the real codecs.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod tones;

use std::path::PathBuf;

use tones::{Call, World};
use trivox_media::MediaError;
use trivox_media::codec::CodecKind;
use trivox_media::engine::rooms::MemberSettings;
use trivox_media::event::EventKind;
use trivox_media::wav::WavReader;

use CodecKind::{L16, Opus, Pcma, Pcmu};

const TONES: [f64; 4] = [440.0, 700.0, 1100.0, 1900.0];

/// A room whose members sound at -20 dBov, each its own tone.
fn room(codecs: &[CodecKind]) -> (World, u64, Vec<Call>) {
    let mut world = World::new();
    let room = world.engine.open_room().unwrap();
    let calls: Vec<Call> = codecs.iter().map(|codec| world.plain(*codec)).collect();
    for (call, hz) in calls.iter().zip(TONES) {
        world.sound(*call, hz, -20.0);
        add(&world, room, *call, MemberSettings::default());
    }
    world.run(1.0);
    (world, room, calls)
}

fn add(world: &World, room: u64, call: Call, settings: MemberSettings) {
    world.engine.add_member(room, call.ours, settings).unwrap();
}

fn set(world: &World, room: u64, call: Call, settings: MemberSettings) {
    world.engine.set_member(room, call.ours, settings).unwrap();
}

/// Levels that are expected, None for what must not be heard.
fn check(levels: &[Vec<f64>], expected: &[&[Option<f64>]]) {
    for (row, expected) in levels.iter().zip(expected) {
        for (level, expected) in row.iter().zip(*expected) {
            let is_right = match expected {
                Some(dbov) => (level - dbov).abs() < 1.0,
                None => *level < -50.0,
            };
            assert!(is_right, "{levels:?}");
        }
    }
}

#[test]
fn members_of_any_codec_hear_the_others_and_not_themselves() {
    let (mut world, _, calls) = room(&[Opus, Pcmu, Pcma, L16]);
    let levels = world.levels(&calls, &TONES);
    let on = Some(-20.0);
    check(
        &levels,
        &[
            &[None, on, on, on],
            &[on, None, on, on],
            &[on, on, None, on],
            &[on, on, on, None],
        ],
    );
    assert_eq!(world.engine.counts().frames_dropped, 0);
}

#[test]
fn gains_mute_and_deaf_do_what_they_say() {
    let (mut world, room, calls) = room(&[Pcmu; 3]);
    let plain = MemberSettings::default();
    set(
        &world,
        room,
        calls[0],
        MemberSettings {
            gain_db: -12.0,
            ..plain
        },
    );
    set(
        &world,
        room,
        calls[1],
        MemberSettings {
            is_muted: true,
            ..plain
        },
    );
    set(
        &world,
        room,
        calls[2],
        MemberSettings {
            is_deaf: true,
            gain_db: 6.0,
            ..plain
        },
    );
    world.run(0.5);

    let levels = world.levels(&calls, &TONES[..3]);

    let (quiet, loud) = (Some(-32.0), Some(-14.0));
    check(
        &levels,
        &[
            &[None, None, loud],
            &[quiet, None, loud],
            &[None, None, None],
        ],
    );
    let refused = world.engine.set_member(
        room,
        calls[0].ours,
        MemberSettings {
            gain_db: 60.0,
            ..plain
        },
    );
    assert!(matches!(refused, Err(MediaError::Argument(_))));
}

#[test]
fn a_supervisor_hears_all_and_is_heard_by_one() {
    let (mut world, room, calls) = room(&[Pcmu; 3]);
    let whisper = MemberSettings {
        whispers_to: Some(calls[0].ours),
        ..MemberSettings::default()
    };
    set(&world, room, calls[2], whisper);
    world.run(0.6);

    let on = Some(-20.0);
    let levels = world.levels(&calls, &TONES[..3]);
    check(
        &levels,
        &[&[None, on, on], &[on, None, None], &[on, on, None]],
    );

    set(
        &world,
        room,
        calls[2],
        MemberSettings {
            is_muted: true,
            ..MemberSettings::default()
        },
    );
    world.run(0.6);
    let levels = world.levels(&calls, &TONES[..3]);
    check(
        &levels,
        &[&[None, on, None], &[on, None, None], &[on, on, None]],
    );
}

#[test]
fn the_active_speaker_is_who_is_loudest_for_a_while() {
    let mut world = World::new();
    let room = world.engine.open_room().unwrap();
    let calls = [Pcmu, Opus, Pcmu].map(|codec| world.plain(codec));
    for call in calls {
        add(&world, room, call, MemberSettings::default());
    }
    world.run(1.0);
    let first = world.sound(calls[0], 440.0, -20.0);
    world.run(1.0);
    let second = world.sound(calls[1], 700.0, -10.0);
    world.run(1.0);
    world.stop(calls[0].far, first);
    world.run(1.0);
    world.stop(calls[1].far, second);
    world.run(2.0);

    let told = world
        .events
        .iter()
        .filter(|event| event.kind == EventKind::ActiveSpeaker);
    let speakers: Vec<(u64, u64)> = told
        .map(|event| (event.session, event.number as u64))
        .collect();
    assert_eq!(
        speakers,
        [(room, calls[0].ours), (room, calls[1].ours), (room, 0)]
    );
}

#[test]
fn a_recording_has_all_and_lasts_as_long_as_it_ran() {
    let (mut world, room, calls) = room(&[Pcmu, Opus]);
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("room.wav");
    let recording = world.engine.record_room(room, &path, "wav").unwrap();
    world.run(2.0);
    let seconds = world.engine.stop_room_recording(room, recording).unwrap();
    world.run(0.1);

    assert!((seconds - 2.0).abs() < 0.05, "{seconds}");
    let mut samples = Vec::new();
    let mut reader = WavReader::open(&path).unwrap();
    reader.seek(1.0).unwrap();
    reader.read_mono(8000, &mut samples).unwrap();
    let half: Vec<i16> = samples.iter().copied().step_by(2).collect();
    for hz in &TONES[..2] {
        let level = tones::tone_dbov(&half, *hz);
        assert!((level + 20.0).abs() < 1.0, "{hz}: {level}");
    }
    let ended = |event: &&trivox_media::event::Event| {
        event.kind == EventKind::RecordingEnded && event.session == room
    };
    assert!(world.events.iter().any(|event| ended(&event)));
    let _ = calls;
}

#[test]
fn what_a_member_plays_itself_is_heard_by_its_far_end_alone() {
    let (mut world, _, calls) = room(&[Opus; 3]);
    let playback = world.play(calls[0].ours, 1500.0, -25.0);
    world.run(0.5);
    let tones = [TONES[1], 1500.0];
    let levels = world.levels(&calls, &tones);
    assert!(
        (levels[0][1] + 25.0).abs() < 1.0 && (levels[0][0] + 20.0).abs() < 1.0,
        "{levels:?}"
    );
    assert!(levels[1][1] < -60.0 && levels[2][1] < -60.0, "{levels:?}");

    world.stop(calls[0].ours, playback);
    world.run(0.5);
    assert!(world.level(calls[0], 1500.0) < -60.0);
}

#[test]
fn members_come_and_go_by_any_way_and_nobody_else_is_disturbed() {
    let (mut world, room, calls) = room(&[Pcmu, Opus]);
    let mut state = 7_u32;
    let mut guests: Vec<Call> = Vec::new();
    for _ in 0..60 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let codec = [Pcmu, Opus, L16][(state >> 20) as usize % 3];
        match (state >> 28, guests.is_empty()) {
            (0..6, _) | (_, true) => {
                let guest = world.plain(codec);
                add(&world, room, guest, MemberSettings::default());
                guests.push(guest);
            }
            (way, false) => {
                let guest = guests.swap_remove((state >> 8) as usize % guests.len());
                match way {
                    6..9 => world.engine.remove_member(room, guest.ours),
                    9..12 => {
                        let panic = world
                            .engine
                            .command(guest.ours, |open, _| -> Result<(), _> {
                                open.fault();
                                Ok(())
                            });
                        assert!(panic.is_err());
                    }
                    _ => {}
                }
                world.engine.close_session(guest.ours);
                world.engine.close_session(guest.far);
            }
        }
        world.run(0.1);
        if (world.now as u32).is_multiple_of(2) {
            continue;
        }
        let levels = world.levels(&calls, &TONES[..2]);
        check(&levels, &[&[None, Some(-20.0)], &[Some(-20.0), None]]);
    }

    assert_eq!(world.engine.counts().members, 2 + guests.len());
    for call in guests.iter().chain(&calls) {
        world.engine.close_session(call.ours);
        world.engine.close_session(call.far);
    }
    world.run(0.1);
    assert_eq!(world.engine.counts().members, 0);
    world.engine.close_room(room);
    let counts = world.engine.counts();
    assert_eq!(
        (
            counts.sessions,
            counts.rooms,
            counts.ports,
            counts.playbacks
        ),
        (0, 0, 0, 0)
    );
    assert_eq!(world.engine.next_deadline(), None);
}

#[test]
fn a_call_is_in_one_room_or_bridge_at_a_time() {
    let (mut world, room, calls) = room(&[Pcmu, Pcmu]);
    let other = world.engine.open_room().unwrap();
    let second = world
        .engine
        .add_member(other, calls[0].ours, MemberSettings::default());
    assert!(matches!(second, Err(MediaError::State(_))), "{second:?}");
    let bridge = world.engine.bridge(calls[0].ours, calls[1].ours);
    assert!(matches!(bridge, Err(MediaError::State(_))), "{bridge:?}");

    world.engine.close_room(room);
    world.engine.bridge(calls[0].ours, calls[1].ours).unwrap();
    world.run(0.5);
    assert!((world.level(calls[1], TONES[0]) + 20.0).abs() < 1.0);
}

#[test]
fn a_panic_in_a_room_ends_the_room_and_no_call() {
    let (mut world, room, calls) = room(&[Pcmu, Pcmu]);
    assert!(world.engine.fault_room(room).is_err());
    world.play(calls[0].ours, 1500.0, -25.0);
    world.run(0.5);

    assert!((world.level(calls[0], 1500.0) + 25.0).abs() < 1.0);
    let failed = |event: &&trivox_media::event::Event| {
        event.kind == EventKind::Failed && event.session == room
    };
    assert!(world.events.iter().any(|event| failed(&event)));
    world.engine.close_room(room);
    world.engine.bridge(calls[0].ours, calls[1].ours).unwrap();
}
