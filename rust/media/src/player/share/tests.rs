//! What many hear of one source, and how often it is encoded.

use super::super::{Place, Player, SilenceSource, ToneSource};
use super::*;
use crate::codec::{CodecKind, OpusSettings};
use std::sync::Barrier;

fn encoding(codec: CodecKind) -> Encoding {
    let opus = OpusSettings::default();
    Encoding { codec, opus }
}

fn tone(seconds: Option<f64>) -> Share {
    let tone = ToneSource::new(&[440.0], &[], seconds, -12.0).unwrap();
    Share::new(Source::Tone(tone))
}

fn player(share: &Share) -> Player {
    let mut player = Player::new();
    player.play_at(Place::Beside, Source::Shared(share.reader()));
    player
}

/// 20 ms of a player at 48 kHz, and what is sent of it.
fn pull(player: &mut Player) -> (Vec<i16>, Option<Arc<[u8]>>) {
    let mut frame = vec![0; 960];
    player.pull(48_000, false, &mut frame);
    (frame, player.shared_payload(encoding(CodecKind::Opus)))
}

#[test]
fn all_hear_the_same_and_it_is_encoded_once() {
    let share = tone(None);
    let mut players: Vec<_> = (0..5).map(|_| player(&share)).collect();
    for _ in 0..50 {
        let (first, payload) = pull(&mut players[0]);
        let payload = payload.unwrap();
        for other in &mut players[1..] {
            let (frame, own) = pull(other);
            assert_eq!(frame, first);
            assert!(Arc::ptr_eq(&own.unwrap(), &payload));
        }
    }
    assert_eq!(share.encoded(), 50);
}

#[test]
fn who_joins_hears_the_newest_frame_and_pushes_nobody_forward() {
    let share = tone(None);
    let mut first = player(&share);
    let begun: Vec<_> = (0..10).map(|_| pull(&mut first).0).collect();
    let mut late: Vec<_> = (0..20).map(|_| player(&share)).collect();

    let heard: Vec<_> = late.iter_mut().map(|one| pull(one).0).collect();

    assert!(heard.iter().all(|frame| *frame == begun[9]));
    let next = pull(&mut first).0;
    assert!(late.iter_mut().all(|one| pull(one).0 == next));
    assert_eq!(share.encoded(), 11);
}

#[test]
fn who_is_behind_hears_what_was_kept_and_then_skips() {
    let share = tone(None);
    let (mut first, mut slow) = (player(&share), player(&share));
    pull(&mut first);
    pull(&mut slow);
    let missed: Vec<_> = (0..5).map(|_| pull(&mut first)).collect();
    for (frame, payload) in missed {
        let (heard, own) = pull(&mut slow);
        assert_eq!(heard, frame);
        assert_eq!(own, payload);
    }

    let missed: Vec<_> = (0..100).map(|_| pull(&mut first).0).collect();

    assert_eq!(pull(&mut slow).0, missed[100 - KEPT]);
    assert_eq!(share.encoded(), 106);
}

#[test]
fn another_rate_is_made_once_too() {
    let share = tone(None);
    let mut players = [player(&share), player(&share)];
    let law = encoding(CodecKind::Pcmu);
    let mut heard = Vec::new();
    for _ in 0..20 {
        for player in &mut players {
            let mut frame = vec![0; 160];
            player.pull(8_000, false, &mut frame);
            heard.push((frame, player.shared_payload(law).unwrap()));
        }
    }
    assert!(heard.chunks(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(share.encoded(), 20);
}

#[test]
fn one_that_does_not_play_it_alone_encodes_by_itself() {
    let share = tone(None);
    let mut both = player(&share);
    let (frame, payload) = pull(&mut both);
    assert!(payload.is_some() && frame.iter().any(|sample| *sample != 0));
    let silence = SilenceSource::new(0.03).unwrap();
    both.play_at(Place::Queue, Source::Silence(silence));
    assert!(pull(&mut both).1.is_none());
    assert!(pull(&mut both).1.is_none());
    assert!(pull(&mut both).1.is_some());
    both.set_mix(false, true);
    assert!(pull(&mut both).1.is_none(), "on hold without music");
    let mut frame = vec![0; 960];
    both.set_mix(false, false);
    both.pull(48_000, true, &mut frame);
    assert!(
        both.shared_payload(encoding(CodecKind::Opus)).is_none(),
        "muted"
    );
}

#[test]
fn it_ends_for_all_with_its_source() {
    let share = tone(Some(0.11));
    let (mut first, mut late) = (player(&share), player(&share));
    pull(&mut first);
    for _ in 0..8 {
        pull(&mut first);
        pull(&mut late);
    }
    let heard = |player: &mut Player| player.poll_ended().map(|ended| ended.seconds);
    assert!((heard(&mut first).unwrap() - 0.11).abs() < 1e-9);
    assert!((heard(&mut late).unwrap() - 0.09).abs() < 1e-9);
    assert!(share.is_over());
    let mut after = player(&share);
    pull(&mut after);
    assert!(heard(&mut after).unwrap().abs() < 1e-9);
}

#[test]
fn it_is_over_when_the_last_has_left() {
    let share = tone(None);
    assert!(!share.is_over());
    let (mut first, second) = (player(&share), player(&share));
    pull(&mut first);
    drop(first);
    assert!(!share.is_over());
    drop(second);
    assert!(share.is_over());
}

#[test]
fn many_threads_hear_one_source() {
    let share = tone(Some(2.0));
    let pace = Arc::new(Barrier::new(4));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let mut player = player(&share);
            let pace = pace.clone();
            std::thread::spawn(move || {
                let mut heard = |_| {
                    pace.wait();
                    pull(&mut player)
                };
                (0..100).map(&mut heard).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut heard = threads.into_iter().map(|thread| thread.join().unwrap());
    let first = heard.next().unwrap();
    assert!(first.iter().all(|(_, payload)| payload.is_some()));
    assert!(heard.all(|other| other == first));
    assert_eq!(share.encoded(), 100);
}
