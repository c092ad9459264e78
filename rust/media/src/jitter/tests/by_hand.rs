//! Numbers and timestamps that no ordinary sender would send, packet by packet.
use super::*;

/// A buffer driven packet by packet.
struct Hand {
    buffer: JitterBuffer,
    now: Instant,
    heard: Vec<i16>,
}

impl Hand {
    fn new() -> Self {
        let decoder = Decoder::new(CodecKind::Pcmu).unwrap();
        let buffer = JitterBuffer::new(decoder, JitterSettings::default());
        Self {
            buffer,
            now: origin(),
            heard: Vec::new(),
        }
    }

    fn send(&mut self, ssrc: u32, sequence: u16, timestamp: u32) {
        self.buffer
            .push(self.now, ssrc, sequence, timestamp, &[0x90; 160]);
    }

    fn pull(&mut self) -> Frame {
        let frame = self.buffer.pull(self.now, &mut self.heard);
        self.now += Duration::from_millis(20);
        frame
    }

    fn talk(&mut self, frames: u32, sequence: u16, timestamp: u32) {
        for n in 0..frames {
            self.send(
                1,
                sequence.wrapping_add(n as u16),
                timestamp.wrapping_add(n * 160),
            );
            self.pull();
        }
    }
}

#[test]
fn telephone_events_in_the_sequence_are_no_loss() {
    for lost_events in [0..0, 3..5, 0..1, 7..8] {
        let mut hand = Hand::new();
        hand.talk(50, 0, 0);
        for n in 0..8_u16 {
            if !lost_events.contains(&n) {
                hand.buffer.push_other(hand.now, 1, 50 + n, 8_000);
            }
            hand.pull();
        }

        hand.talk(50, 58, 58 * 160);

        let statistics = hand.buffer.statistics();
        assert_eq!(statistics.missing, 0, "{lost_events:?}");
        assert_eq!(statistics.concealed_samples, 0, "{lost_events:?}");
    }
}

#[test]
fn a_pause_of_the_sender_is_silence_and_keeps_the_delay() {
    let mut hand = Hand::new();
    hand.talk(50, 0, 0);
    let before = hand.buffer.statistics().delay;
    let frames: Vec<Frame> = (0..100).map(|_| hand.pull()).collect();

    hand.talk(50, 50, 150 * 160);

    assert!(frames[20..].iter().all(|frame| frame.silent_samples == 160));
    assert_eq!(hand.buffer.statistics().concealed_samples, 0);
    assert_eq!(hand.buffer.statistics().missing, 0);
    assert!((hand.buffer.statistics().delay - before).abs() < 0.021);
}

#[test]
fn timestamps_that_stand_still_in_a_pause_are_accepted() {
    let mut hand = Hand::new();
    hand.talk(50, 0, 0);
    for _ in 0..50 {
        hand.pull();
    }
    hand.talk(20, 50, 50 * 160);
    let mut frame = Frame::default();

    for n in 0..300_u32 {
        hand.send(1, 70 + n as u16, (70 + n) * 160);
        frame = hand.pull();
    }

    assert_eq!(frame, Frame::default());
    assert!(
        hand.buffer.statistics().delay < 0.08,
        "{}",
        hand.buffer.statistics().delay
    );
}

#[test]
fn another_ssrc_or_numbering_begins_anew() {
    let mut hand = Hand::new();
    hand.talk(50, 0, 0);
    for n in 0..50_u32 {
        hand.send(2, (40_000 + n) as u16, 900_000 + n * 160);
        hand.pull();
    }
    hand.talk(50, 9, 77);
    let end = hand.pull();

    assert_eq!(hand.buffer.statistics().late, 0);
    assert_eq!(hand.buffer.statistics().missing, 0);
    assert_eq!(end.silent_samples, 0);
}

#[test]
fn a_far_number_is_believed_the_second_time() {
    let mut hand = Hand::new();
    hand.talk(50, 0, 0);
    hand.send(1, 30_000, 4_000_000);
    hand.talk(50, 50, 8_000);
    assert_eq!(hand.buffer.statistics().missing, 0);

    hand.talk(100, 30_000, 9_000_000);

    assert_eq!(hand.pull(), Frame::default());
}

#[test]
fn a_flood_is_bounded() {
    let mut hand = Hand::new();
    for n in 0..10_000_u32 {
        hand.send(1, n as u16, n * 160);
    }

    assert_eq!(hand.buffer.waiting(), 64);
    assert_eq!(hand.buffer.statistics().discarded, 10_000 - 64);
    hand.pull();
}

#[test]
fn packets_that_do_not_decode_are_concealed_and_counted() {
    let mut hand = Hand::new();
    hand.talk(20, 0, 0);
    hand.buffer.push(hand.now, 1, 20, 3_200, &[]);
    hand.pull();
    hand.talk(20, 21, 21 * 160);

    assert_eq!(hand.buffer.statistics().undecodable, 1);
    assert_eq!(hand.buffer.statistics().concealed_samples, 160);
}

#[test]
fn packets_of_any_length_are_pulled_as_twenty_milliseconds() {
    for ptime_ms in [10_u32, 30, 40, 60] {
        let mut hand = Hand::new();
        let mut sent = 0_u32;
        for pull in 0..500_u32 {
            while sent * ptime_ms <= pull * 20 {
                let payload = vec![0x90; 8 * ptime_ms as usize];
                hand.buffer
                    .push(hand.now, 1, sent as u16, sent * 8 * ptime_ms, &payload);
                sent += 1;
            }
            hand.pull();
        }

        assert_eq!(
            hand.buffer.statistics().concealed_samples,
            0,
            "{ptime_ms} ms"
        );
        assert_eq!(hand.heard.len(), 500 * 160);
    }
}

#[test]
fn any_packets_in_any_order_are_survived() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut hand = Hand::new();
        for _ in 0..300 {
            let sequence =
                (random.unit() * 70_000.0) as u16 & if seed % 2 == 0 { 0xff } else { 0xffff };
            let timestamp = (random.unit() * 4e9) as u32 >> (random.unit() * 24.0) as u32;
            match (random.unit() * 4.0) as u32 {
                0 => hand.buffer.push_other(hand.now, 1, sequence, timestamp),
                1 => hand.buffer.push(hand.now, 1, sequence, timestamp, &[]),
                2 => hand.send((random.unit() * 1.2) as u32, sequence, timestamp),
                _ => {
                    hand.pull();
                }
            }
        }
    }
}
