use std::collections::HashSet;

use super::*;
use crate::session::packet::extension_untrusted;

fn sender() -> VideoSender {
    let mut sender = VideoSender::new(1, 2, 100);
    sender.formats = vec![Format {
        payload_type: 96,
        codec: VideoCodec::Vp8,
        parameters: String::new(),
        retransmission: None,
        feedback: Default::default(),
    }];
    sender.is_allowed = true;
    sender
}

fn packet(sequence: u64, begins_key_frame: bool) -> VideoPacket {
    VideoPacket {
        source: 7,
        sequence,
        timestamp: sequence as u32,
        marker: true,
        codec: VideoCodec::Vp8,
        begins_key_frame,
        orientation: None,
        payload: vec![0x10, 0],
    }
}

/// The numbers that packets of one source leave with.
fn numbers(given: impl Iterator<Item = (u64, bool)>) -> Vec<u16> {
    let (mut sender, now, mut sent) = (sender(), crate::shard::now(), Vec::new());
    for (sequence, is_key) in given {
        sender.send(now, &packet(sequence, is_key), |packet| {
            sent.push(u16::from_be_bytes([packet[2], packet[3]]));
            true
        });
    }
    sent
}

#[test]
fn a_source_that_begins_anew_gets_no_number_twice() {
    let began = (0..3000).map(|number| (0x1_0000 + number, number == 0));
    let anew = (2500..2999).map(|number| (0x1_0000 + number, number % 2 == 0));
    let sent = numbers(began.chain(anew));

    let different: HashSet<u16> = sent.iter().copied().collect();
    assert_eq!((sent.len(), different.len()), (3000, 3000));
}

#[test]
fn a_leap_of_a_source_is_none_of_ours_and_waits_for_a_key_frame() {
    let given = [
        (0x1_0000, true),
        (0x1_0001, false),
        (0x1_9000, false),
        (0x1_9001, true),
        (0x1_9002, false),
        (0x1_0003, false),
        (0x1_0004, true),
    ];

    assert_eq!(numbers(given.into_iter()), [100, 101, 102, 103, 104]);
}

#[test]
fn a_flood_of_requests_is_answered_within_bounds() {
    let (mut sender, start, mut repeated) = (sender(), crate::shard::now(), 0);
    for sequence in 0..1000 {
        sender.send(start, &packet(0x1_0000 + sequence, sequence == 0), |_| true);
    }
    let asked: Vec<u16> = (100..1100).collect();
    for step in 0..60 {
        let now = start + REPEAT_INTERVAL * step;
        sender.repeat(now, &asked, |_| {
            repeated += 1;
            true
        });
    }

    assert_eq!(repeated, 2 * MOST_REPEATS);
}

#[test]
fn another_source_goes_on_with_the_numbers_and_pictures_of_the_one_before() {
    let (mut sender, mut now, mut sent) = (sender(), crate::shard::now(), Vec::new());
    for (source, number) in [(7, 500), (7, 501), (8, 90_000), (8, 90_001), (7, 900)] {
        now += Duration::from_millis(40);
        let is_key = number != 501 && number != 90_001;
        let mut next = packet(number, is_key);
        next.source = source;
        next.timestamp = number as u32 * 3_600;
        next.payload = vec![
            0x90,
            0x80,
            0x80 | (number >> 8) as u8 & 0x7f,
            number as u8,
            0x10,
        ];
        sender.send(now, &next, |bytes| {
            let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
            let timestamp = u32::from(word(4)) << 16 | u32::from(word(6));
            sent.push((word(2), timestamp, word(14) & 0x7fff));
            true
        });
    }

    let steps: Vec<_> = sent
        .windows(2)
        .map(|two| {
            let ticks = two[1].1.wrapping_sub(two[0].1);
            (two[1].0 - two[0].0, ticks, two[1].2 - two[0].2)
        })
        .collect();
    assert_eq!(steps, [(1, 3_600, 1); 4]);
    let figures = sender.figures();
    assert_eq!((figures.frames, figures.key_frames), (5, 3));
}

/// 3GPP TS 26.114 §7.4.5, under the number agreed with this far end.
#[test]
fn pictures_say_how_they_are_turned_in_the_far_ends_own_number() {
    let (mut sender, now, mut sent) = (sender(), crate::shard::now(), Vec::new());
    sender.turned_by = Some(5);
    for (source, sequence, said) in [
        (7, 0, Some(90)),
        (7, 1, None),
        (7, 2, Some(0)),
        (7, 3, Some(180)),
        (8, 9, None),
    ] {
        let packet = VideoPacket {
            source,
            orientation: said.and_then(Orientation::from_degrees),
            ..packet(sequence, matches!(sequence, 0 | 9))
        };
        sender.send(now, &packet, |bytes| {
            sent.push(bytes.to_vec());
            true
        });
    }

    let turned = sent
        .iter()
        .map(|one| extension_untrusted(one, 5).unwrap()[0]);
    assert_eq!(turned.collect::<Vec<_>>(), [1, 1, 0, 2, 0]);
    let head = RtpHeader::parse_untrusted(&sent[0]).unwrap();
    assert_eq!(&sent[0][head.payload], [0x10, 0]);
    let mut again = Vec::new();
    sender.formats[0].retransmission = Some(97);
    sender.repeat(now, &[head.sequence], |bytes| {
        again = bytes.to_vec();
        true
    });
    let repeated = RtpHeader::parse_untrusted(&again).unwrap();
    assert_eq!(again[repeated.payload][2..], [0x10, 0]);
    assert_eq!(extension_untrusted(&again, 5), Some(&[1][..]));
}
