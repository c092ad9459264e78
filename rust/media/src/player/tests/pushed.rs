//! What programs push: the queue, how it is cleared, and marks in it.
use super::*;

#[test]
fn pushed_audio_is_mixed_with_what_plays() {
    let mut player = Player::new();
    let mut push = PushSource::new(8_000, 1.0);
    push.send(&[1_000; 160]).unwrap();
    player.add_push(9, push);
    player.play(tone(0.02));
    let mixed = run(&mut player, 8_000, 1);
    let mut alone = Player::new();
    alone.play(tone(0.02));

    let expected: Vec<i16> = run(&mut alone, 8_000, 1)
        .iter()
        .map(|s| s + 1_000)
        .collect();

    assert_eq!(mixed, expected);
}

#[test]
fn a_full_queue_refuses_and_tells_when_there_is_room() {
    let mut player = Player::new();
    player.add_push(4, PushSource::new(16_000, 0.2));
    let push = player.push_source(4).unwrap();
    assert_eq!(push.send(&[1; 1_600]), Ok(0.1));
    assert_eq!(push.send(&[1; 1_600]), Ok(0.2));
    assert_eq!(push.send(&[1; 640]), Err(PushError::Full));

    run(&mut player, 16_000, 1);
    player.confirm(true);
    assert_eq!(player.poll_low(), None);
    run(&mut player, 16_000, 1);
    player.confirm(true);

    assert_eq!(player.poll_low(), Some(4));
    assert_eq!(player.poll_low(), None);
    let queued = player.push_source(4).unwrap().send(&[1; 640]).unwrap();
    assert!((queued - 0.2).abs() < 1e-9, "{queued}");
}

#[test]
fn a_block_longer_than_the_limit_is_taken_whole_once_half_is_left() {
    let mut player = Player::new();
    player.add_push(4, PushSource::new(8_000, 0.2));
    let push = player.push_source(4).unwrap();
    push.send(&[1; 960]).unwrap();
    assert_eq!(push.send(&[1; 8_000]), Err(PushError::Full));

    run(&mut player, 8_000, 1);
    player.confirm(true);

    assert_eq!(player.poll_low(), Some(4));
    let queued = player.push_source(4).unwrap().send(&[1; 8_000]).unwrap();
    assert!((queued - 1.1).abs() < 1e-9, "{queued}");
}

/// Pulls frames, each of which leaves in a packet or not.
fn leave(player: &mut Player, rate_hz: u32, frames: usize, is_sent: bool) -> Vec<i16> {
    let mut all = Vec::new();
    for _ in 0..frames {
        all.extend(run(player, rate_hz, 1));
        player.confirm(is_sent);
    }
    all
}

#[test]
fn clearing_fades_and_returns_what_left_in_packets() {
    let mut player = Player::new();
    let mut push = PushSource::new(8_000, 2.0);
    push.send(&[8_000; 8_000]).unwrap();
    player.add_push(1, push);
    leave(&mut player, 8_000, 10, true);
    leave(&mut player, 8_000, 3, false);
    run(&mut player, 8_000, 1);

    let heard = player.push_source(1).unwrap().clear(0.02);
    let faded = leave(&mut player, 8_000, 2, true);

    assert!((heard - 0.2).abs() < 1e-9, "{heard}");
    assert!(faded[0] > 7_000);
    assert!(faded[..160].windows(2).all(|pair| pair[0] >= pair[1]));
    assert_eq!(loudest(&faded[160..]), 0);
    assert!(player.push_source(1).unwrap().clear(0.0).abs() < 1e-9);
}

#[test]
fn a_fade_has_the_length_asked_for_at_any_rate_and_queue() {
    for (own, line) in [
        (24_000, 8_000),
        (24_000, 48_000),
        (16_000, 16_000),
        (8_000, 48_000),
    ] {
        let mut player = Player::new();
        let mut push = PushSource::new(own, 1.0);
        push.send(&vec![8_000; own as usize]).unwrap();
        player.add_push(1, push);
        leave(&mut player, line, 5, true);

        let heard = player.push_source(1).unwrap().clear(0.02);
        let after = leave(&mut player, line, 2, true);

        assert!((heard - 0.1).abs() < 1e-6, "{own} {line}: {heard}");
        let frame = (line / 50) as usize;
        assert!(after[0] > 7_000, "{own} {line}: {}", after[0]);
        assert_eq!(loudest(&after[frame..]), 0, "{own} {line}");
    }
}

#[test]
fn marks_are_past_when_what_lies_before_them_has_left() {
    for (own, line) in [(8_000, 8_000), (24_000, 48_000), (22_050, 8_000)] {
        let mut player = Player::new();
        let mut push = PushSource::new(own, 1.0);
        push.mark(1).unwrap();
        push.send(&vec![5_000; own as usize / 10]).unwrap();
        push.mark(2).unwrap();
        push.send(&vec![5_000; own as usize / 10]).unwrap();
        push.mark(3).unwrap();
        player.add_push(7, push);
        let mut passed = Vec::new();
        for frame in 1..=12 {
            leave(&mut player, line, 1, true);
            while let Some((_, mark)) = player.poll_mark() {
                passed.push((frame, mark.mark, mark.is_heard));
            }
        }
        assert_eq!(
            passed,
            [(1, 1, true), (5, 2, true), (10, 3, true)],
            "{own} {line}"
        );
    }
}

#[test]
fn marks_behind_what_was_muted_kept_back_or_cleared_are_not_heard() {
    let mut player = Player::new();
    let mut push = PushSource::new(8_000, 1.0);
    for mark in 1..=3 {
        push.send(&[5_000; 160]).unwrap();
        push.mark(mark).unwrap();
    }
    player.add_push(7, push);
    let mut frame = vec![0; 160];
    player.pull(8_000, true, &mut frame);
    player.confirm(true);
    leave(&mut player, 8_000, 1, false);
    player.push_source(7).unwrap().clear(0.0);

    let passed: Vec<_> = std::iter::from_fn(|| player.poll_mark().map(|(_, mark)| mark)).collect();

    assert_eq!(passed.iter().map(|p| p.mark).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(passed.iter().all(|p| !p.is_heard));
    assert!(player.push_source(7).unwrap().clear(0.0).abs() < 1e-9);
}

#[test]
fn running_dry_is_counted() {
    let mut player = Player::new();
    let mut push = PushSource::new(8_000, 1.0);
    push.send(&[1; 200]).unwrap();
    player.add_push(1, push);

    run(&mut player, 8_000, 5);

    assert_eq!(player.push_source(1).unwrap().underruns(), 1);
}
