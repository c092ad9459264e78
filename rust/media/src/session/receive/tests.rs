use super::*;

fn receiver() -> Receiver {
    let mut receiver = Receiver::new();
    receiver
        .configure(ReceiveSettings {
            formats: vec![(0, CodecKind::Pcmu)],
            telephone_event: Some((101, 8000)),
            comfort_noise: Some(13),
        })
        .unwrap();
    receiver
}

fn packet(payload_type: u8, ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let header = RtpHeader {
        marker: false,
        payload_type,
        sequence,
        timestamp,
        ssrc,
        payload: 0..0,
    };
    let mut packet = Vec::new();
    header.write(payload, &mut packet);
    packet
}

#[test]
fn a_lone_far_sequence_number_is_dropped_and_two_in_a_row_are_a_new_start() {
    let (mut receiver, now) = (receiver(), crate::shard::now());
    for sequence in [10, 11, 40_000, 12, 50_000, 50_001, 50_002] {
        receiver.packet_untrusted(now, &packet(0, 1, sequence, &[0xff; 160]));
    }
    assert_eq!(receiver.malformed(), 2);
    assert_eq!(receiver.totals(), (5, 800, 0));
}

#[test]
fn a_new_source_is_counted_on_top_of_the_old_one() {
    let (mut receiver, now) = (receiver(), crate::shard::now());
    let first = receiver.packet_untrusted(now, &packet(0, 1, 10, &[0xff; 160]));
    receiver.packet_untrusted(now, &packet(0, 1, 13, &[0xff; 160]));
    let other = receiver.packet_untrusted(now, &packet(0, 2, 60_000, &[0xff; 160]));
    assert_eq!((first, other), (Received::First, Received::Other));
    assert_eq!(receiver.totals(), (3, 480, 2));
    assert_eq!(receiver.stream().map(|stream| stream.ssrc), Some(2));
}

#[test]
fn formats_nobody_agreed_on_are_counted_as_malformed() {
    let (mut receiver, now) = (receiver(), crate::shard::now());
    receiver.packet_untrusted(now, &packet(8, 1, 10, &[0xff; 160]));
    receiver.packet_untrusted(now, b"not RTP at all");
    assert_eq!((receiver.malformed(), receiver.totals().0), (2, 0));
}

fn agreed(formats: Vec<(u8, CodecKind)>) -> ReceiveSettings {
    ReceiveSettings {
        formats,
        telephone_event: None,
        comfort_noise: None,
    }
}

/// RFC 3264 §8.3.2.
#[test]
fn what_is_on_its_way_in_the_formats_before_is_heard_until_the_new_ones_come() {
    let (mut receiver, now) = (receiver(), crate::shard::now());
    let hear = |receiver: &mut Receiver, payload_type, sequence| {
        let packet = packet(payload_type, 1, sequence, &[0xff; 160]);
        receiver.packet_untrusted(now, &packet);
    };
    hear(&mut receiver, 0, 10);
    let codecs = [CodecKind::Pcma, CodecKind::G722];
    receiver.configure(agreed(vec![(8, codecs[0])])).unwrap();
    hear(&mut receiver, 0, 11);
    assert_eq!(receiver.codec(), Some(CodecKind::Pcmu));
    hear(&mut receiver, 8, 12);
    assert_eq!(receiver.codec(), Some(CodecKind::Pcma));
    assert_eq!((receiver.totals().0, receiver.unagreed()), (3, 0));

    hear(&mut receiver, 0, 13);
    assert_eq!((receiver.totals().0, receiver.unagreed()), (3, 1));

    // What a number means now is what it means.
    receiver.configure(agreed(vec![(8, codecs[1])])).unwrap();
    hear(&mut receiver, 8, 14);
    assert_eq!(receiver.codec(), Some(CodecKind::G722));
}

#[test]
fn counters_go_on_where_the_codec_changes() {
    let (mut receiver, now) = (receiver(), crate::shard::now());
    let mut at = now;
    for sequence in (10..200).filter(|n| n % 10 != 0) {
        at = now + Duration::from_millis(20) * u32::from(sequence);
        receiver.packet_untrusted(at, &packet(0, 1, sequence, &[0xff; 160]));
        receiver.pull(at);
    }
    let before = receiver.jitter().unwrap().statistics();
    receiver
        .configure(agreed(vec![(9, CodecKind::G722)]))
        .unwrap();
    receiver.packet_untrusted(at, &packet(9, 1, 200, &[0xff; 160]));
    let after = receiver.jitter().unwrap().statistics();

    assert!(before.concealed_samples > 0);
    assert_eq!(after.concealments, before.concealments);
    assert_eq!(after.concealed_samples, 2 * before.concealed_samples);
    assert_eq!(after.samples, 2 * before.samples);
}

/// A key that is never up again would hold back every prompt of the call.
#[test]
fn a_digit_ends_when_its_events_are_agreed_no_more() {
    let (mut receiver, now) = (receiver(), crate::shard::now());
    receiver.packet_untrusted(now, &packet(101, 1, 10, &[5, 10, 3, 0x20]));
    receiver
        .configure(agreed(vec![(0, CodecKind::Pcmu)]))
        .unwrap();
    let heard: Vec<_> = std::iter::from_fn(|| receiver.poll_dtmf()).collect();

    assert!(matches!(
        heard[..],
        [ReceivedDtmf::Started { .. }, ReceivedDtmf::Ended { .. }]
    ));
}

#[test]
fn three_ends_of_a_digit_are_one_digit() {
    let (mut receiver, now) = (receiver(), crate::shard::now());
    for sequence in 10..13 {
        let mut end = packet(101, 1, sequence, &[5, 0x8a, 3, 0x20]);
        end[4..8].copy_from_slice(&1600_u32.to_be_bytes());
        receiver.packet_untrusted(now, &end);
    }
    let heard: Vec<_> = std::iter::from_fn(|| receiver.poll_dtmf()).collect();
    assert_eq!(
        heard,
        [
            ReceivedDtmf::Started { digit: '5' },
            ReceivedDtmf::Ended {
                digit: '5',
                duration: 0.1
            }
        ]
    );
}
