use super::*;

fn sender(packet_ms: u32) -> Sender {
    let mut sender = Sender::new(Random::new(1));
    sender
        .configure(SendSettings {
            codec: CodecKind::Pcmu,
            payload_type: 0,
            telephone_event: Some((101, 8000)),
            packet_ms,
            has_forward_error_correction: false,
            greatest_bitrate_bps: None,
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
