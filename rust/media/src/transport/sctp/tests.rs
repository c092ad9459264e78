//! A far end whose packets are made by hand, and does what none should.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::time::{Duration, Instant};

use super::guard::parameters;
use super::packet::{Chunk, DATA, FORWARD_TSN, INIT, INIT_ACK, Packet, RE_CONFIG, SACK};
use super::{Association, Content, SctpEvent, WINDOW};

const ABORT: u8 = 6;
const COOKIE_ECHO: u8 = 10;
const BEGIN: u8 = 2;
const END: u8 = 1;
const WHOLE: u8 = BEGIN | END;
const BINARY: u32 = 53;

/// An association of ours that serves, and the far end by hand.
struct Hand {
    own: Association,
    now: Instant,
    tag: u32,
    /// The next TSN of the far end.
    tsn: u32,
    /// What ours has sent since it was looked at.
    sent: Vec<Packet>,
}

impl Hand {
    /// Shakes hands, with chunks that begin at `tsn`.
    fn new(tsn: u32) -> Self {
        #[allow(clippy::disallowed_methods, reason = "any moment will do")]
        let now = Instant::now();
        let own = Association::new(now, false);
        let mut hand = Self {
            own,
            now,
            tag: 0,
            tsn,
            sent: Vec::new(),
        };
        hand.give(hand.init());
        let answer = hand.sent.pop().unwrap();
        assert_eq!(answer.chunks[0].kind(), INIT_ACK);
        hand.tag = answer.chunks[0].number(0).unwrap();
        let cookie = Chunk::new(RE_CONFIG, 0, &answer.chunks[0].value()[16..]);
        let (_, cookie) = parameters(&cookie).find(|(kind, _)| *kind == 7).unwrap();
        hand.give_chunks(vec![Chunk::new(COOKIE_ECHO, 0, &cookie[4..])]);
        assert!(hand.own.is_connected());
        assert_eq!(hand.own.poll_event(), Some(SctpEvent::Connected));
        hand.sent.clear();
        hand
    }

    fn init(&self) -> Packet {
        let mut value = 0x0badcafe_u32.to_be_bytes().to_vec();
        value.extend(1_000_000_u32.to_be_bytes());
        value.extend([0xff; 4]);
        value.extend(self.tsn.to_be_bytes());
        // Supported extensions: RE-CONFIG and FORWARD TSN (RFC 5061 §4.2.7).
        value.extend([0x80, 0x08, 0, 6, RE_CONFIG, FORWARD_TSN, 0, 0]);
        Packet::new(0, vec![Chunk::new(INIT, 0, &value)])
    }

    fn give(&mut self, packet: Packet) {
        self.own.handle_packet(self.now, &packet.write());
        self.collect();
    }

    fn give_chunks(&mut self, chunks: Vec<Chunk>) {
        self.give(Packet::new(self.tag, chunks));
    }

    fn collect(&mut self) {
        while let Some(bytes) = self.own.poll_transmit() {
            self.sent.push(Packet::read_untrusted(&bytes).unwrap());
        }
    }

    /// Lets time go by.
    fn wait(&mut self, seconds: f64) {
        let until = self.now + Duration::from_secs_f64(seconds);
        while let Some(due) = self.own.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.own.handle_timeout(self.now);
            self.collect();
        }
        self.now = until;
    }

    /// A chunk of data with the next TSN.
    fn data(&mut self, stream: u16, order: u16, flags: u8, data: &[u8]) -> Chunk {
        let mut value = self.tsn.to_be_bytes().to_vec();
        self.tsn = self.tsn.wrapping_add(1);
        value.extend(stream.to_be_bytes());
        value.extend(order.to_be_bytes());
        value.extend(BINARY.to_be_bytes());
        value.extend(data);
        Chunk::new(DATA, flags, &value)
    }

    fn send(&mut self, stream: u16, order: u16, flags: u8, data: &[u8]) {
        let chunk = self.data(stream, order, flags, data);
        self.give_chunks(vec![chunk]);
    }

    fn ask_reset(&mut self, number: u32, last: u32, stream: u16) {
        let mut value = vec![0, 13, 0, 18];
        for word in [number, 0, last] {
            value.extend(word.to_be_bytes());
        }
        value.extend(stream.to_be_bytes());
        self.give_chunks(vec![Chunk::new(RE_CONFIG, 0, &value)]);
    }

    fn sent_of(&self, kind: u8) -> Vec<&Chunk> {
        let chunks = self.sent.iter().flat_map(|packet| &packet.chunks);
        chunks.filter(|chunk| chunk.kind() == kind).collect()
    }

    /// Results of our answers to requests for a reset.
    fn answers(&self) -> Vec<u32> {
        let all = self.sent_of(RE_CONFIG).into_iter().flat_map(parameters);
        let answers = all.filter(|(kind, _)| *kind == 16);
        let results = answers.map(|(_, answer)| answer[8..12].try_into().unwrap());
        results.map(u32::from_be_bytes).collect()
    }

    /// Our own requests for a reset.
    fn requests(&self) -> usize {
        let all = self.sent_of(RE_CONFIG).into_iter().flat_map(parameters);
        all.filter(|(kind, _)| *kind == 13).count()
    }

    /// The room our last SACK tells, and the TSN up to which all has come.
    fn told(&self) -> (u32, u32) {
        let last = *self.sent_of(SACK).last().unwrap();
        (last.number(4).unwrap(), last.number(0).unwrap())
    }

    fn read_all(&mut self, stream: u16) -> usize {
        let count = std::iter::from_fn(|| self.own.read(self.now, stream)).count();
        self.collect();
        count
    }
}

#[test]
fn numbers_of_chunks_wrap() {
    for first in [0, u32::MAX - 1, u32::MAX] {
        let mut hand = Hand::new(first);

        for order in 0..5 {
            hand.send(1, order, WHOLE, &[7]);
        }
        hand.wait(1.0);

        assert_eq!(hand.read_all(1), 5);
        assert_eq!(hand.told().1, first.wrapping_add(4));
    }
}

#[test]
fn a_jump_forward_is_small_or_none() {
    let mut hand = Hand::new(100);
    for far in [0x7fff_0000_u32, 70_000] {
        let to = (100 + far).to_be_bytes();
        hand.give_chunks(vec![Chunk::new(FORWARD_TSN, 0, &to)]);
    }
    assert_eq!(hand.own.refused(), 2);

    hand.give_chunks(vec![Chunk::new(FORWARD_TSN, 0, &104_u32.to_be_bytes())]);
    hand.wait(1.0);

    assert_eq!(hand.told().1, 104);
}

#[test]
fn a_message_without_end_ends_the_association() {
    let mut hand = Hand::new(1);
    hand.send(1, 0, BEGIN, &[0; 1100]);
    let mut count = 1;
    while hand.own.is_connected() && count < 10_000 {
        // What was dropped comes again.
        hand.wait(0.25);
        hand.tsn = hand.told().1.wrapping_add(1);
        hand.send(1, 0, 0, &[0; 1100]);
        count += 1;
    }

    assert!(count < 2100, "{count} chunks were kept");
    assert!(matches!(hand.own.poll_event(), Some(SctpEvent::Lost(_))));
    assert_eq!(hand.sent_of(ABORT).len(), 1);
}

#[test]
fn messages_that_nobody_reads_are_kept_up_to_a_bound() {
    let mut hand = Hand::new(1);
    for order in 0..5000 {
        hand.send(1, order, WHOLE, &[7]);
    }
    hand.wait(1.0);
    let kept = hand.read_all(1);
    assert!((1024..=2048).contains(&kept), "{kept} were kept");
    assert!(hand.own.is_connected());

    // What was dropped comes again, and is taken now.
    hand.tsn = hand.told().1.wrapping_add(1);
    for order in kept..kept + 100 {
        hand.send(1, order as u16, WHOLE, &[7]);
    }

    assert_eq!(hand.read_all(1), 100);
}

#[test]
fn chunks_far_ahead_are_not_kept() {
    let mut hand = Hand::new(1);
    // Each second one is missing, and each is read at once.
    for _ in 0..10_000 {
        hand.tsn = hand.tsn.wrapping_add(1);
        hand.send(1, 0, WHOLE | 4, &[7]);
        hand.read_all(1);
    }

    assert!(hand.own.refused() >= 10_000 - 4096);
    assert!(hand.own.is_connected());
}

#[test]
fn what_is_not_known_ends_nothing() {
    let mut hand = Hand::new(1);
    let unknown = [5, 9, 0x0f, 0x40, 0x80, 0x81, 0xc1, 0xff];

    for kind in unknown {
        let data = hand.data(1, u16::from(kind), WHOLE | 4, &[kind]);
        hand.give_chunks(vec![Chunk::new(kind, 0, &[0, 1, 0, 4]), data]);
    }

    // After an unknown kind below 0x80 the rest of the packet is not looked at (RFC 9260 §3.2).
    assert_eq!(hand.read_all(1), unknown.len() - 2);
    assert!(hand.own.is_connected());
}

#[test]
fn a_flood_of_resets_is_bounded() {
    let mut hand = Hand::new(1);

    for number in 0..1000 {
        hand.ask_reset(number, 5000, 1);
    }
    assert_eq!(hand.answers(), [6; 8]);

    hand.sent.clear();
    for _ in 0..100 {
        hand.send(1, 0, WHOLE | 4, &[7]);
    }
    assert!(hand.answers().len() <= 800);
    assert!(hand.own.is_connected());
}

#[test]
fn a_reset_that_comes_again_is_answered_and_not_done_again() {
    let mut hand = Hand::new(1);
    hand.send(1, 0, WHOLE, &[7]);
    hand.read_all(1);

    for _ in 0..3 {
        hand.ask_reset(9, 1, 1);
    }

    assert_eq!(hand.own.poll_event(), Some(SctpEvent::Reset(1)));
    assert_eq!(hand.own.poll_event(), None);
    assert_eq!(hand.answers(), [1; 3]);
}

#[test]
fn our_reset_is_repeated_until_it_is_answered() {
    let mut hand = Hand::new(1);
    hand.send(1, 0, WHOLE, &[7]);
    hand.read_all(1);
    hand.ask_reset(9, 1, 1);
    assert_eq!(hand.requests(), 1);

    hand.wait(8.0);
    assert_eq!(hand.requests(), 4);

    let request = hand.sent_of(RE_CONFIG)[0].clone();
    let requests: Vec<_> = parameters(&request).collect();
    let number = hand
        .sent_of(RE_CONFIG)
        .into_iter()
        .flat_map(parameters)
        .find(|(kind, _)| *kind == 13)
        .map(|(_, asked)| asked[4..8].to_vec());
    assert!(!requests.is_empty());
    let mut answer = vec![0, 16, 0, 12];
    answer.extend(number.unwrap());
    answer.extend(1_u32.to_be_bytes());
    hand.give_chunks(vec![Chunk::new(RE_CONFIG, 0, &answer)]);
    hand.sent.clear();
    hand.wait(100.0);
    assert_eq!(hand.requests(), 0);
}

#[test]
fn what_comes_on_a_closed_stream_takes_no_room() {
    let mut hand = Hand::new(1);
    hand.send(1, 0, WHOLE, &[7]);
    hand.own.reset(hand.now, 1);
    hand.collect();

    for order in 1..3000 {
        hand.send(1, order, WHOLE, &[7; 1000]);
    }
    hand.wait(1.0);

    assert_eq!(hand.told(), (WINDOW, 3000));
    assert!(hand.own.readable().is_empty());

    hand.ask_reset(9, 3000, 1);
    assert_eq!(hand.own.poll_event(), Some(SctpEvent::Reset(1)));
}

#[test]
fn streams_that_no_channel_has_are_acknowledged_and_not_kept() {
    let mut hand = Hand::new(1);
    for stream in [1024, 40_000, u16::MAX] {
        for order in 0..700 {
            hand.send(stream, order, WHOLE, &[7; 1000]);
        }
    }
    hand.send(3, 0, WHOLE, &[]);
    hand.wait(1.0);

    assert_eq!(hand.told(), (WINDOW, 2101));
    assert!(hand.own.readable().is_empty());
}

#[test]
fn who_reads_after_a_full_window_says_so_at_once() {
    let mut hand = Hand::new(1);
    for order in 0..600 {
        hand.send(1, order, WHOLE, &[7; 1000]);
    }
    hand.wait(1.0);
    assert!(hand.told().0 < 2000, "{:?}", hand.told());
    hand.sent.clear();

    assert_eq!(hand.read_all(1), 525);

    assert!(hand.told().0 >= WINDOW / 4);
}

#[test]
fn a_second_init_is_answered_as_the_first() {
    let mut hand = Hand::new(1);
    let mut again = hand.init();
    again.tag = 0;
    hand.tsn = 1;

    hand.give(again);

    assert_eq!(hand.sent_of(INIT_ACK).len(), 1);
    assert_eq!(hand.sent_of(INIT_ACK)[0].number(0), Some(hand.tag));
    hand.send(1, 0, WHOLE, &[7]);
    assert_eq!(hand.read_all(1), 1);
}

#[test]
fn packets_that_are_none_are_counted() {
    let mut hand = Hand::new(1);
    let chunk = hand.data(1, 0, WHOLE, &[7; 2100]);
    let long = Packet::new(hand.tag, vec![chunk]).write();

    for bytes in [&b"nothing"[..], &[0; 64], &long] {
        hand.own.handle_packet(hand.now, bytes);
    }

    assert_eq!(hand.own.refused(), 3);
}

#[test]
fn what_is_read_is_what_was_sent() {
    let mut hand = Hand::new(1);
    hand.send(1, 0, BEGIN, b"one ");
    hand.send(1, 0, END, b"message");

    let message = hand.own.read(hand.now, 1).unwrap();

    assert_eq!(message.content, Content::Binary);
    assert_eq!(message.data, b"one message");
}
