use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::offer_answer::DescriptionKind;
use super::super::packet::RtpHeader;
use super::super::{SessionSettings, TransportKind};
use super::*;
use crate::codec::CodecKind;
use crate::random::Random;
use crate::transport::Identity;

const FAR: &str = "192.0.2.9:4000";

/// A session whose far end is this test, at `FAR`, with PCMU as 0 and digits as 101.
fn session(id: u64, port: u16, now: Instant) -> (Session, SocketAddr) {
    let settings = SessionSettings {
        transport: TransportKind::Plain,
        accepts: Vec::new(),
        codecs: vec![CodecKind::Pcmu],
        dtmf: true,
        ptime_ms: 20,
        advertised: None,
    };
    let identity = Arc::new(Identity::generate().unwrap());
    let mut session = Session::new(id, settings, identity, now, Random::new(id));
    let local: SocketAddr = format!("192.0.2.1:{port}").parse().unwrap();
    session
        .attach(
            now,
            &[local, format!("192.0.2.1:{}", port + 1).parse().unwrap()],
        )
        .unwrap();
    let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    session
        .set_remote(now, offer, DescriptionKind::Offer, "")
        .unwrap();
    session.create_answer(now).unwrap();
    session.tick(now);
    (session, local)
}

fn bridged(now: Instant) -> [(Session, SocketAddr); 2] {
    let mut sessions = [session(1, 5000, now), session(2, 6000, now)];
    let lanes = [Arc::new(Lane::default()), Arc::new(Lane::default())];
    for (own, (session, _)) in sessions.iter_mut().enumerate() {
        let (out, into) = (Arc::clone(&lanes[own]), Arc::clone(&lanes[1 - own]));
        let peer = [2, 1][own];
        session
            .join_bridge(BridgeEnd::new(peer, out, into))
            .unwrap();
        session.tick(now + Duration::from_millis(20));
        while session.poll_transmit().is_some() {}
    }
    sessions
}

fn packet(payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let header = RtpHeader {
        marker: false,
        payload_type,
        sequence,
        timestamp,
        ssrc: 7,
        payload: 0..0,
    };
    let mut packet = Vec::new();
    header.write(payload, &mut packet);
    packet
}

/// What a session sends as RTP at a moment.
fn sent(session: &mut Session, now: Instant) -> Vec<(RtpHeader, Vec<u8>)> {
    session.tick(now);
    let datagrams = std::iter::from_fn(|| session.poll_transmit());
    let headers = datagrams.filter_map(|datagram| {
        let header = RtpHeader::parse_untrusted(&datagram.data)?;
        let is_rtp = !(64..96).contains(&header.payload_type);
        let payload = datagram.data[header.payload.clone()].to_vec();
        is_rtp.then_some((header, payload))
    });
    headers.collect()
}

#[test]
fn payloads_pass_bit_by_bit_at_once_with_numbers_of_our_own() {
    let start = crate::shard::now();
    let [(mut one, local), (mut other, _)] = bridged(start);
    let far: SocketAddr = FAR.parse().unwrap();
    let payload = |n: u16| -> Vec<u8> { (0..160).map(|i| (i * 31 + u32::from(n)) as u8).collect() };
    let mut passed = Vec::new();
    for (n, sequence) in [65_534, 65_535, 1, 0, 1].into_iter().enumerate() {
        // Between two frames of the grid: what arrives does not wait for it.
        let now = start + Duration::from_millis(25 + n as u64);
        let arrived = packet(0, sequence, u32::from(sequence) * 160, &payload(sequence));
        one.input(now, local, far, &arrived);
        let wakes = std::iter::from_fn(|| one.poll_wake()).collect::<Vec<_>>();
        assert_eq!(wakes, [2]);
        passed.extend(sent(&mut other, now));
    }

    let numbers: Vec<u16> = passed
        .iter()
        .map(|(header, _)| header.sequence.wrapping_sub(passed[0].0.sequence))
        .collect();
    assert_eq!(
        numbers,
        [0, 1, 3, 2],
        "a copy is not sent, a loss stays one"
    );
    let payloads: Vec<&Vec<u8>> = passed.iter().map(|(_, payload)| payload).collect();
    let expected = [65_534, 65_535, 1, 0].map(payload);
    assert_eq!(payloads, expected.iter().collect::<Vec<_>>());
    assert!(passed.iter().all(|(header, _)| header.ssrc == other.ssrc()));
    let step = passed[1].0.timestamp.wrapping_sub(passed[0].0.timestamp);
    assert_eq!(step, 160);
}

#[test]
fn while_packets_pass_no_frame_of_our_own_is_sent_and_after_a_pause_there_is_silence() {
    let start = crate::shard::now();
    let [(mut one, local), (mut other, _)] = bridged(start);
    let far: SocketAddr = FAR.parse().unwrap();
    let mut numbers = Vec::new();
    for n in 0..100_u16 {
        let now = start + Duration::from_millis(45 + 20 * u64::from(n));
        if n < 20 {
            let arrived = packet(0, n, u32::from(n) * 160, &[n as u8; 160]);
            one.input(now, local, far, &arrived);
        }
        one.tick(now);
        numbers.extend(sent(&mut other, now).into_iter().map(|(header, _)| header));
    }

    // A frame of our own, 20 passed on, 500 ms of nothing, then a frame each 20 ms.
    assert!((76..=77).contains(&numbers.len()), "{}", numbers.len());
    let spurts: Vec<usize> = (1..numbers.len()).filter(|n| numbers[*n].marker).collect();
    assert_eq!(spurts, [1, 21]);
    for two in numbers.windows(2) {
        assert_eq!(two[1].sequence, two[0].sequence.wrapping_add(1));
        let step = two[1].timestamp.wrapping_sub(two[0].timestamp);
        assert!((160..8000).contains(&step), "{step}");
    }
}

#[test]
fn digits_pass_as_the_packets_they_are() {
    let start = crate::shard::now();
    let [(mut one, local), (mut other, _)] = bridged(start);
    let far: SocketAddr = FAR.parse().unwrap();
    let mut passed = Vec::new();
    for n in 0..5_u16 {
        let now = start + Duration::from_millis(25 + 4 * u64::from(n));
        let is_end = if n > 1 { 0x8a } else { 0x0a };
        let arrived = packet(101, n, 800, &[5, is_end, 3, 0x20]);
        one.input(now, local, far, &arrived);
        passed.extend(sent(&mut other, now));
    }
    let events: Vec<_> = passed
        .iter()
        .map(|(header, payload)| (header.payload_type, payload[0], header.timestamp))
        .collect();
    assert_eq!(events, [(101, 5, events[0].2); 5]);
    assert!(matches!(&other.joined, Joined::Bridge(end) if end.into.take_digit().is_none()));
}

#[test]
fn a_relay_hears_a_session_whose_packets_would_pass() {
    let start = crate::shard::now();
    let [(mut one, local), _] = bridged(start);
    let far: SocketAddr = FAR.parse().unwrap();
    let feed = crate::player::Feed::relay(8_000);
    one.tap(feed.clone()).unwrap();
    for n in 0..20_u16 {
        let now = start + Duration::from_millis(45 + 20 * u64::from(n));
        let arrived = packet(0, n, u32::from(n) * 160, &[n as u8; 160]);
        one.input(now, local, far, &arrived);
        one.tick(now);
    }

    assert!(feed.queued() > 0.05, "{}", feed.queued());
}
