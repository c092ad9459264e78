use super::*;

fn sender(packet_ms: u32) -> Sender {
    let mut sender = Sender::new(Random::new(1));
    sender
        .configure(SendSettings {
            codec: CodecKind::Pcmu,
            payload_type: 0,
            telephone_event: Some((101, 8000)),
            packet_ms,
            opus: OpusSettings::default(),
            comfort_noise: None,
        })
        .unwrap();
    sender
}

fn run(sender: &mut Sender, frames: usize) -> Vec<RtpHeader> {
    let mut sent = Vec::new();
    for _ in 0..frames {
        sender.pull(|_, _| {});
        sender.send(true, |packet| {
            sent.extend(RtpHeader::parse_untrusted(packet));
            true
        });
    }
    sent
}

#[test]
fn digits_take_the_place_of_audio_in_one_sequence() {
    let mut sender = sender(20);
    let before = run(&mut sender, 2);
    sender.dtmf.as_mut().unwrap().send("5", 0.1, 0.05).unwrap();

    let during = run(&mut sender, 20);

    let sent: Vec<_> = before.iter().chain(&during).collect();
    assert!(
        sent.windows(2)
            .all(|two| two[1].sequence == two[0].sequence.wrapping_add(1))
    );
    assert!(sent.iter().all(|header| header.ssrc == sender.ssrc()));
    let digits: Vec<_> = during
        .iter()
        .filter(|header| header.payload_type == 101)
        .collect();
    assert!(digits.len() >= 6);
    assert!(
        digits
            .iter()
            .all(|header| header.timestamp == digits[0].timestamp)
    );
    assert_eq!(digits.iter().filter(|header| header.marker).count(), 1);
    // Time goes on while a digit sounds.
    let last = during.last().unwrap();
    assert_eq!(last.timestamp.wrapping_sub(before[0].timestamp), 21 * 160);
}

#[test]
fn longer_packets_hold_several_frames() {
    let sent = run(&mut sender(60), 9);
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|header| header.payload.len() == 480));
    assert!(
        sent.windows(2)
            .all(|two| two[1].timestamp.wrapping_sub(two[0].timestamp) == 480)
    );
}

/// Runs frames with their half steps; (moment in ms, header) of what was sent.
fn run_halves(sender: &mut Sender, frames: u32) -> Vec<(u32, RtpHeader)> {
    let mut sent = Vec::new();
    for frame in 1..=frames {
        sender.pull(|_, _| {});
        let mut note = |at: u32, packet: &[u8]| {
            sent.extend(RtpHeader::parse_untrusted(packet).map(|header| (at, header)));
            true
        };
        sender.send(true, |packet| note(frame * 20, packet));
        if sender.has_half() {
            sender.send_half(|packet| note(frame * 20 + 10, packet));
        }
    }
    sent
}

#[test]
fn packets_of_every_length_are_evenly_spaced_and_lose_nothing() {
    for packet_ms in [10_u32, 20, 30, 40, 50, 60] {
        let sent = run_halves(&mut sender(packet_ms), 300);
        let expected = 6000 / packet_ms;
        let count = sent.len() as u32;
        assert!(
            (expected - 1..=expected).contains(&count),
            "{count} of {packet_ms} ms"
        );
        let octets = 8 * packet_ms;
        assert!(sent.iter().all(|(_, h)| h.payload.len() as u32 == octets));
        for two in sent.windows(2) {
            let ((before, first), (after, second)) = (&two[0], &two[1]);
            assert_eq!(after - before, packet_ms, "{packet_ms} ms at {before}");
            assert_eq!(second.timestamp.wrapping_sub(first.timestamp), octets);
            assert_eq!(second.sequence, first.sequence.wrapping_add(1));
        }
    }
}

#[test]
fn opus_makes_packets_of_10_ms() {
    let settings = sender(10).settings.unwrap();
    let mut sender = Sender::new(Random::new(1));
    let (codec, payload_type, telephone_event) = (CodecKind::Opus, 111, None);
    sender
        .configure(SendSettings {
            codec,
            payload_type,
            telephone_event,
            ..settings
        })
        .unwrap();

    let sent = run_halves(&mut sender, 50);

    assert!(sent.len() >= 98, "{}", sent.len());
    for two in sent.windows(2) {
        assert_eq!(two[1].0 - two[0].0, 10);
        assert_eq!(two[1].1.timestamp.wrapping_sub(two[0].1.timestamp), 480);
    }
}

#[test]
fn what_is_dropped_on_purpose_counts_as_sent_and_leaves_a_gap() {
    let mut sender = sender(20);
    sender.set_drop_share(0.5);
    let sent = run(&mut sender, 1000);
    assert!((400..600).contains(&sent.len()), "{}", sent.len());
    assert_eq!(sender.packets(), 1000);
}

#[test]
fn another_clock_keeps_the_digits_that_wait() {
    let mut sender = sender(20);
    sender.digits().unwrap().send("12", 0.1, 0.05).unwrap();
    run(&mut sender, 2);
    let settings = sender.settings.unwrap();

    sender
        .configure(SendSettings {
            codec: CodecKind::Opus,
            payload_type: 111,
            telephone_event: Some((110, 48_000)),
            ..settings
        })
        .unwrap();
    let sent = run(&mut sender, 20);

    let starts: Vec<_> = sent.iter().filter(|header| header.marker).collect();
    assert_eq!(starts.len(), 3, "the second digit, and the voice around it");
    let digits = sent.iter().filter(|header| header.payload_type == 110);
    assert_eq!(digits.count(), 3 + 2 + 5 + 2);
    assert_eq!(sender.digits().unwrap().poll_finished(), Some(1));
}

#[test]
fn digits_nobody_would_understand_are_dropped_and_reported() {
    let mut sender = sender(20);
    sender.digits().unwrap().send("12", 0.1, 0.05).unwrap();
    sender.digits().unwrap().send("3", 0.1, 0.05).unwrap();
    let settings = sender.settings.unwrap();

    sender
        .configure(SendSettings {
            telephone_event: None,
            ..settings
        })
        .unwrap();

    assert!(sender.digits().is_none());
    let dropped = sender.dtmf.as_mut().unwrap();
    assert_eq!(dropped.poll_finished(), Some(1));
    assert_eq!(dropped.poll_finished(), Some(2));
}

#[test]
fn nothing_is_sent_where_only_receiving_was_agreed() {
    let mut sender = sender(20);
    sender.pull(|_, _| {});
    sender.send(false, |_| panic!("a packet left"));
    assert_eq!(sender.packets(), 0);
}

/// Runs frames of a tone, then frames of silence; the header and payload of all that was sent.
fn talk_and_fall_silent(settings: SendSettings) -> Vec<(RtpHeader, usize)> {
    let mut sender = Sender::new(Random::new(1));
    sender.configure(settings).unwrap();
    let tone = crate::player::ToneSource::new(&[440.0], &[], Some(2.0), -12.0).unwrap();
    let source = crate::player::Source::Tone(tone);
    sender
        .player
        .play_at(crate::player::Place::Queue, source)
        .unwrap();
    run(&mut sender, 300)
        .into_iter()
        .map(|header| (header.clone(), header.payload.len()))
        .collect()
}

#[test]
fn silence_becomes_comfort_noise_where_that_is_agreed() {
    let settings = sender(20).settings.unwrap();
    let sent = talk_and_fall_silent(SendSettings {
        comfort_noise: Some(13),
        ..settings
    });

    let noise: Vec<_> = sent.iter().filter(|(h, _)| h.payload_type == 13).collect();
    // Two seconds of tone, 300 ms of hang-over, then a description each 200 ms.
    assert!((17..=20).contains(&noise.len()), "{}", noise.len());
    assert!(
        noise.iter().all(|(_, length)| *length == 1),
        "digital silence has no colour"
    );
    assert!(
        (113..=117).contains(&(sent.len() - noise.len())),
        "{}",
        sent.len()
    );
    for two in sent.windows(2) {
        assert_eq!(two[1].0.sequence, two[0].0.sequence.wrapping_add(1));
    }
    let last = noise.last().unwrap().0.timestamp;
    assert!(last.wrapping_sub(sent[0].0.timestamp) > 285 * 160);
}

#[test]
fn opus_says_once_that_it_falls_silent() {
    let settings = sender(20).settings.unwrap();
    let opus = OpusSettings {
        has_discontinuous_transmission: true,
        ..OpusSettings::default()
    };
    let settings = SendSettings {
        codec: CodecKind::Opus,
        payload_type: 111,
        telephone_event: None,
        opus,
        ..settings
    };

    let sent = talk_and_fall_silent(settings);

    let silent = sent.iter().filter(|(_, length)| *length <= 2).count();
    assert!((1..=12).contains(&silent), "{silent} of {}", sent.len());
    assert!(
        sent.len() < 160,
        "{} packets in 6 s, 2 s of them loud",
        sent.len()
    );
    for two in sent.windows(2) {
        assert_eq!(two[1].0.sequence, two[0].0.sequence.wrapping_add(1));
        if two[1].0.timestamp.wrapping_sub(two[0].0.timestamp) > 960 {
            assert!(two[0].1 <= 2, "a pause is told");
            assert!(two[1].0.marker, "and its end marked");
        }
    }
}

#[test]
fn g722_counts_half_its_samples() {
    let settings = sender(20).settings.unwrap();
    let mut sender = Sender::new(Random::new(1));
    sender
        .configure(SendSettings {
            codec: CodecKind::G722,
            payload_type: 9,
            ..settings
        })
        .unwrap();

    let sent = run(&mut sender, 10);

    assert!(sent.iter().all(|header| header.payload.len() == 160));
    for two in sent.windows(2) {
        assert_eq!(two[1].timestamp.wrapping_sub(two[0].timestamp), 160);
    }
}
