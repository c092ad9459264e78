mod pushed;

use super::*;
use crate::wav::WavWriter;
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("trivox-player-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

fn silence(seconds: f64) -> Source {
    Source::Silence(SilenceSource::new(seconds).unwrap())
}

fn tone(seconds: f64) -> Source {
    Source::Tone(ToneSource::new(&[440.0], &[], Some(seconds), -10.0).unwrap())
}

fn run(player: &mut Player, rate_hz: u32, frames: usize) -> Vec<i16> {
    let mut heard = Vec::new();
    let mut frame = vec![0; (rate_hz / 50) as usize];
    for _ in 0..frames {
        player.pull(rate_hz, false, &mut frame);
        heard.extend_from_slice(&frame);
    }
    heard
}

fn loudest(samples: &[i16]) -> u16 {
    samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0)
}

#[test]
fn sources_wait_their_turn_and_report_what_was_sent() {
    let mut player = Player::new();
    let first = player.play(tone(0.1)).unwrap();
    let second = player.play(silence(0.05)).unwrap();
    let third = player.play(tone(0.1)).unwrap();

    let heard = run(&mut player, 8_000, 20);

    assert!(loudest(&heard[..800]) > 9_000);
    assert_eq!(loudest(&heard[810..1_190]), 0);
    assert!(loudest(&heard[1_200..2_000]) > 9_000);
    assert_eq!(loudest(&heard[2_000..]), 0);
    let ended: Vec<_> = std::iter::from_fn(|| player.poll_ended()).collect();
    assert_eq!(
        ended.iter().map(|e| e.playback).collect::<Vec<_>>(),
        [first, second, third]
    );
    assert!((ended[0].seconds - 0.1).abs() < 1e-9);
    assert!((ended[1].seconds - 0.05).abs() < 1e-9);
}

#[test]
fn a_file_plays_whole_at_another_rate_and_in_a_loop() {
    let path = path("loop.wav");
    let samples: Vec<i16> = (0..1_600).map(|n| (n * 10) as i16).collect();
    WavWriter::create(&path, 16_000, 1)
        .unwrap()
        .write(&samples)
        .unwrap();
    let mut player = Player::new();
    player.play(Source::File(Box::new(
        FileSource::open(&path, false, 0.05).unwrap(),
    )));
    run(&mut player, 48_000, 10);
    let once = player.poll_ended().unwrap();
    player.play(Source::File(Box::new(
        FileSource::open(&path, true, 0.0).unwrap(),
    )));

    let heard = run(&mut player, 16_000, 20);

    // 50 ms and the millisecond the filter holds back.
    assert!((once.seconds - 0.051).abs() < 0.0005, "{}", once.seconds);
    assert_eq!(heard[..1_600], samples[..]);
    assert_eq!(heard[1_600..3_200], samples[..]);
    assert_eq!(player.poll_ended(), None);
}

#[test]
fn stopping_returns_the_seconds_really_sent() {
    let mut player = Player::new();
    let running = player.play(tone(5.0)).unwrap();
    let waiting = player.play(tone(5.0)).unwrap();
    run(&mut player, 48_000, 7);

    assert!((player.stop(running).unwrap() - 0.14).abs() < 1e-9);
    assert_eq!(player.stop(waiting), Some(0.0));
    assert_eq!(player.stop(running), None);
    assert_eq!(loudest(&run(&mut player, 48_000, 3)), 0);
    assert_eq!(player.poll_ended(), None);
}

#[test]
fn a_cadence_switches_the_tone_on_and_off() {
    let mut player = Player::new();
    let cadence = [(0.1, 0.2)];
    let ring = ToneSource::new(&[440.0, 480.0], &cadence, None, -13.0).unwrap();
    player.play(Source::Tone(ring));

    let heard = run(&mut player, 8_000, 30);

    for start in [0, 2_400] {
        assert!(loudest(&heard[start..start + 800]) > 5_000);
        assert_eq!(loudest(&heard[start + 800..start + 2_400]), 0);
    }
}

#[test]
fn a_tone_has_the_level_asked_for() {
    let mut player = Player::new();
    player.play(Source::Tone(
        ToneSource::new(&[1_000.0], &[], None, -20.0).unwrap(),
    ));

    let heard = run(&mut player, 8_000, 10);

    assert!((crate::level::level_dbov(&heard[800..]) - -20.0).abs() < 0.1);
}

#[test]
fn bad_sources_are_typed_errors() {
    assert!(matches!(
        ToneSource::new(&[], &[], None, -10.0),
        Err(SourceError::Tone)
    ));
    assert!(matches!(
        ToneSource::new(&[440.0], &[(0.0, 0.0)], None, -10.0),
        Err(SourceError::Tone)
    ));
    assert!(matches!(
        ToneSource::new(&[440.0], &[], None, 3.0),
        Err(SourceError::Tone)
    ));
    assert!(matches!(
        SilenceSource::new(f64::NAN),
        Err(SourceError::Duration)
    ));
    let path = path("start.wav");
    WavWriter::create(&path, 8_000, 1)
        .unwrap()
        .write(&[0; 800])
        .unwrap();
    assert!(matches!(
        FileSource::open(&path, false, 0.2),
        Err(SourceError::Start { .. })
    ));
}

#[test]
fn a_change_of_rate_in_the_middle_keeps_time() {
    let mut player = Player::new();
    let playback = player.play(tone(0.2)).unwrap();
    run(&mut player, 8_000, 5);

    run(&mut player, 48_000, 6);

    let ended = player.poll_ended().unwrap();
    assert_eq!(ended.playback, playback);
    assert!((ended.seconds - 0.2).abs() < 0.001, "{}", ended.seconds);
}

#[test]
fn a_source_placed_beside_sounds_with_the_queue_and_ends_by_itself() {
    let mut player = Player::new();
    player.play(silence(1.0)).unwrap();
    let beside = player.play_at(Place::Beside, tone(0.1)).unwrap();

    let heard = run(&mut player, 8_000, 10);

    assert!(loudest(&heard[..800]) > 9_000);
    assert_eq!(loudest(&heard[810..]), 0);
    assert_eq!(player.poll_ended().unwrap().playback, beside);
    assert_eq!((player.poll_ended(), player.playbacks()), (None, 1));
}

#[test]
fn music_is_heard_on_hold_only_and_alone_while_the_rest_runs_on() {
    let mut player = Player::new();
    player.play(tone(0.1)).unwrap();
    let music = player.play_at(Place::Hold, tone(0.2)).unwrap();
    player.set_mix(false, false);
    assert!(loudest(&run(&mut player, 8_000, 1)) > 9_000);

    player.set_mix(false, true);
    let mut frame = vec![0; 160];
    player.pull(8_000, true, &mut frame);
    assert!(loudest(&frame) > 3_000, "muted, the music is heard");
    run(&mut player, 8_000, 5);
    player.set_mix(false, false);
    let after = run(&mut player, 8_000, 2);

    assert_eq!(loudest(&after), 0, "the queue has run on unheard");
    assert_eq!(player.playbacks(), 1);
    let seconds = player.stop(music).unwrap();
    assert!((seconds - 0.12).abs() < 1e-9, "{seconds}");
}

#[test]
fn with_its_own_sources_silent_only_what_is_beside_is_heard() {
    let mut player = Player::new();
    player.play(tone(1.0)).unwrap();
    player.set_mix(true, false);
    assert_eq!(loudest(&run(&mut player, 8_000, 2)), 0);
    player.play_at(Place::Beside, tone(1.0)).unwrap();
    assert!(loudest(&run(&mut player, 8_000, 2)) > 9_000);
}

#[test]
fn a_file_read_ahead_plays_whole_and_a_late_disk_is_silence_not_the_end() {
    let path = path("ahead.wav");
    let samples: Vec<i16> = (0..40_000).map(|n| (n % 1_000) as i16 + 1).collect();
    let mut writer = WavWriter::create(&path, 16_000, 1).unwrap();
    writer.write(&samples).unwrap();
    drop(writer);
    let reader = FileReader::start().unwrap();
    let mut source = reader.read_ahead(FileSource::open(&path, false, 0.0).unwrap());

    let mut heard = Vec::new();
    let mut late = 0;
    for _ in 0..100_000 {
        let before = heard.len();
        source.read(320, &mut heard).unwrap();
        late += heard[before..]
            .iter()
            .filter(|sample| **sample == 0)
            .count();
        if heard.len() - before < 320 {
            break;
        }
        if late > 0 {
            std::thread::yield_now();
        }
    }

    heard.retain(|sample| *sample != 0);
    assert_eq!(heard, samples);
}

#[test]
fn a_file_on_a_slow_disk_holds_up_nobody_who_begins_to_play_it() {
    let path = path("slow.wav");
    let mut writer = WavWriter::create(&path, 16_000, 1).unwrap();
    writer.write(&[7; 4_000]).unwrap();
    drop(writer);
    let reader = FileReader::start().unwrap();
    let open = || FileSource::open(&path, false, 0.0).unwrap();
    // The thread waits for the shelf of another file, as it would for a disk.
    let other = reader.read_ahead(open());
    let held = other.hold();

    let mut source = reader.read_ahead(open());
    let mut heard = Vec::new();
    source.read(320, &mut heard).unwrap();
    assert_eq!(heard, [0; 320], "what is late is silence");

    drop(held);
    while heard.len() < 50_000_000 && !heard.ends_with(&[7]) {
        source.read(320, &mut heard).unwrap();
        std::thread::yield_now();
    }
    assert_eq!(heard.last(), Some(&7));
}

#[test]
fn a_loop_over_a_file_in_which_nothing_can_be_decoded_ends() {
    // Ogg Opus that claims a second, and whose one packet of sound is none.
    let path = path("claims.ogg");
    let mut data = Vec::new();
    let mut writer = ogg::PacketWriter::new(&mut data);
    let head = [
        b"OpusHead\x01\x01\0\0".as_slice(),
        &[0x80, 0x3e, 0, 0, 0, 0, 0],
    ]
    .concat();
    let page = ogg::PacketWriteEndInfo::EndPage;
    writer.write_packet(head, 1, page, 0).unwrap();
    writer
        .write_packet(b"OpusTags".as_slice(), 1, page, 0)
        .unwrap();
    let end = ogg::PacketWriteEndInfo::EndStream;
    writer.write_packet(b"".as_slice(), 1, end, 48_000).unwrap();
    drop(writer);
    std::fs::write(&path, data).unwrap();
    let mut file = FileSource::open(&path, true, 0.0).unwrap();

    let mut heard = Vec::new();
    file.read(960, &mut heard).unwrap();

    assert_eq!((file.seconds(), heard.len()), (1.0, 0));
}
