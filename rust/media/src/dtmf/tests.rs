use super::*;
use std::time::{Duration, Instant};

const FRAME: Duration = Duration::from_millis(20);

struct Line {
    sender: DtmfSender,
    receiver: DtmfReceiver,
    now: Instant,
    timestamp: u32,
    ticks: u32,
    packets: usize,
    digits: String,
    durations: Vec<f64>,
}

impl Line {
    #[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn new(clock_rate_hz: u32) -> Self {
        Self {
            sender: DtmfSender::new(clock_rate_hz),
            receiver: DtmfReceiver::new(clock_rate_hz),
            now: Instant::now(),
            timestamp: u32::MAX - 1_000,
            ticks: clock_rate_hz / 50,
            packets: 0,
            digits: String::new(),
            durations: Vec::new(),
        }
    }

    fn run(&mut self, frames: usize, mut passes: impl FnMut(usize, &DtmfPacket) -> usize) {
        for _ in 0..frames {
            if let Some(packet) = self.sender.tick(self.timestamp, self.ticks) {
                for _ in 0..passes(self.packets, &packet) {
                    assert!(
                        self.receiver
                            .push(self.now, packet.timestamp, &packet.payload)
                    );
                }
                self.packets += 1;
            }
            self.receiver.handle_timeout(self.now);
            while let Some(event) = self.receiver.poll() {
                if let ReceivedDtmf::Ended { digit, duration } = event {
                    self.digits.push(digit);
                    self.durations.push(duration);
                }
            }
            self.timestamp = self.timestamp.wrapping_add(self.ticks);
            self.now += FRAME;
        }
    }
}

#[test]
fn every_digit_arrives_once_at_any_clock_rate() {
    for clock_rate_hz in [8_000, 16_000, 48_000] {
        let mut line = Line::new(clock_rate_hz);
        line.sender.send("0123456789*#abcd", 0.1, 0.07).unwrap();

        line.run(400, |_, _| 1);

        assert_eq!(line.digits, "0123456789*#ABCD");
        assert!(line.durations.iter().all(|&d| (d - 0.1).abs() < 1e-9));
        assert!(!line.sender.is_busy());
    }
}

/// RFC 4733 §2.5.1.4.
#[test]
fn an_event_grows_under_one_timestamp_and_ends_three_times() {
    let mut sender = DtmfSender::new(8_000);
    sender.send("5", 0.06, 0.05).unwrap();

    let packets: Vec<_> = (0..10).filter_map(|n| sender.tick(n * 160, 160)).collect();

    let events: Vec<_> = packets
        .iter()
        .filter_map(|p| TelephoneEvent::parse(&p.payload))
        .collect();
    assert_eq!(
        events.iter().map(|e| e.duration).collect::<Vec<_>>(),
        [160, 320, 480, 480, 480]
    );
    assert_eq!(
        events.iter().map(|e| e.is_end).collect::<Vec<_>>(),
        [false, false, true, true, true]
    );
    assert_eq!(
        packets.iter().map(|p| p.marker).collect::<Vec<_>>(),
        [true, false, false, false, false]
    );
    assert!(packets.iter().all(|p| p.timestamp == 0));
}

#[test]
fn loss_and_duplication_leave_each_digit_once() {
    for seed in 0..50_usize {
        let mut line = Line::new(8_000);
        line.sender.send("42#42#7701", 0.12, 0.1).unwrap();

        // Every third packet is lost, every fifth comes twice, at a shifted phase for each seed.
        line.run(300, |n, _| match n + seed {
            k if k % 3 == 0 => 0,
            k if k % 5 == 0 => 2,
            _ => 1,
        });

        assert_eq!(line.digits, "42#42#7701", "seed {seed}");
    }
}

#[test]
fn lost_end_packets_time_out() {
    let mut line = Line::new(8_000);
    line.sender.send("9", 0.1, 0.1).unwrap();

    line.run(30, |_, packet| {
        usize::from(!TelephoneEvent::parse(&packet.payload).unwrap().is_end)
    });

    assert_eq!(line.digits, "9");
    assert!((line.durations[0] - 0.08).abs() < 1e-9);
}

#[test]
fn a_lone_end_packet_still_is_a_digit() {
    let mut line = Line::new(8_000);
    line.sender.send("3", 0.1, 0.1).unwrap();

    line.run(30, |n, _| usize::from(n == 6));

    assert_eq!(line.digits, "3");
}

#[test]
fn a_long_tone_goes_on_in_segments_and_is_one_digit() {
    let mut line = Line::new(48_000);
    line.sender.send("8", 4.0, 0.1).unwrap();

    line.run(300, |_, _| 1);

    assert_eq!(line.digits, "8");
    assert!(
        (line.durations[0] - 4.0).abs() < 1e-9,
        "{}",
        line.durations[0]
    );
}

#[test]
fn a_comma_pauses_two_seconds() {
    let mut sender = DtmfSender::new(8_000);
    sender.send("1,2", 0.1, 0.1).unwrap();

    let starts: Vec<u32> = (0..200)
        .filter(|n| {
            sender
                .tick(n * 160, 160)
                .is_some_and(|packet| packet.marker)
        })
        .collect();

    // 5 ticks of tone, 2 further end packets, 5 of gap, 100 of pause.
    assert_eq!(starts, [0, 112]);
}

#[test]
fn requests_are_sent_in_order_and_reported() {
    let mut line = Line::new(8_000);
    let first = line.sender.send("1", 0.1, 0.1).unwrap();
    let second = line.sender.send("2", 0.1, 0.1).unwrap();

    line.run(40, |_, _| 1);

    assert_eq!(line.digits, "12");
    assert_eq!(line.sender.poll_finished(), Some(first));
    assert_eq!(line.sender.poll_finished(), Some(second));
    assert_eq!(line.sender.poll_finished(), None);
}

#[test]
fn cancelling_drops_digits_not_begun_and_finishes_the_one_that_sounds() {
    let mut line = Line::new(8_000);
    let sending = line.sender.send("123", 0.1, 0.1).unwrap();
    line.run(2, |_, _| 1);

    line.sender.cancel(sending);
    line.run(60, |_, _| 1);

    assert_eq!(line.digits, "1");
    assert_eq!(line.sender.poll_finished(), Some(sending));
    assert_eq!(line.sender.poll_finished(), None);
}

#[test]
fn wrong_digits_and_timings_are_refused_whole() {
    let mut sender = DtmfSender::new(8_000);

    assert_eq!(sender.send("12x", 0.1, 0.1), Err(DtmfError::Digit('x')));
    assert_eq!(sender.send("1", 0.0, 0.1), Err(DtmfError::Timing));
    assert_eq!(sender.send("1", f64::NAN, 0.1), Err(DtmfError::Timing));
    assert_eq!(
        sender.send(&"1".repeat(2_000), 0.1, 0.1),
        Err(DtmfError::Full)
    );
    assert!(!sender.is_busy());
}

/// RFC 4734 §2.
#[test]
fn payloads_that_are_no_digit_are_told_apart() {
    let mut line = Line::new(8_000);

    assert!(!line.receiver.push(line.now, 1, &[1, 2, 3]));
    assert!(!line.receiver.push(line.now, 1, &[32, 0, 0, 160]));
    assert_eq!(line.receiver.poll(), None);
}

#[test]
fn a_tone_without_end_is_bounded() {
    let mut line = Line::new(8_000);
    let longest = TelephoneEvent {
        event: 1,
        is_end: false,
        volume: 10,
        duration: u16::MAX,
    };
    let mut timestamp = 0_u32;
    for _ in 0..70_000 {
        line.receiver.push(line.now, timestamp, &longest.to_bytes());
        timestamp = timestamp.wrapping_add(u32::from(u16::MAX));
    }

    let end = TelephoneEvent {
        is_end: true,
        ..longest
    };
    line.receiver.push(line.now, timestamp, &end.to_bytes());

    assert_eq!(
        line.receiver.poll(),
        Some(ReceivedDtmf::Started { digit: '1' })
    );
    assert!(matches!(
        line.receiver.poll(),
        Some(ReceivedDtmf::Ended { digit: '1', .. })
    ));
    assert_eq!(line.receiver.poll(), None);
}

#[test]
fn a_digit_is_heard_half_a_turn_of_the_timestamp_after_the_last_one() {
    let now = crate::shard::now();
    let mut receiver = DtmfReceiver::new(48_000);
    let end = [5, 0x8a, 0x12, 0xc0];
    receiver.push(now, 0, &end);
    let later = now + Duration::from_secs(13 * 3600);

    receiver.push(later, 13 * 3600 * 48_000, &end);

    let ended = |event: &ReceivedDtmf| matches!(event, ReceivedDtmf::Ended { digit: '5', .. });
    let heard: Vec<_> = std::iter::from_fn(|| receiver.poll()).collect();
    assert_eq!(heard.iter().filter(|event| ended(event)).count(), 2);
}
