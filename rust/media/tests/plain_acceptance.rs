//! A far end of bare RTP, written out here: what a trunk or a desk phone does, and what we answer.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The origin of virtual time; helpers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trivox_media::codec::{CodecKind, Encoder, OpusSettings};
use trivox_media::random::Random;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::packet::RtpHeader;
use trivox_media::session::{Session, SessionSettings, TransportKind, Value};
use trivox_media::transport::Identity;

const RTP: &str = "192.0.2.1:4000";
const RTCP: &str = "192.0.2.1:4001";
const PEER: &str = "192.0.2.2:5000";
const PEER_RTCP: &str = "192.0.2.2:5001";
/// No mid, no BUNDLE, no rtcp-mux, no direction, no rtpmap of static types.
const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n\
    m=audio 5000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// One stream of the far end.
struct Stream {
    codec: CodecKind,
    ssrc: u32,
    ptime_ms: u32,
}

fn session(now: Instant) -> Session {
    let settings = SessionSettings {
        transport: TransportKind::Plain,
        accepts: Vec::new(),
        codecs: vec![CodecKind::Pcmu, CodecKind::Pcma],
        dtmf: true,
        ptime_ms: 20,
        advertised: None,
    };
    let identity = Arc::new(Identity::generate().unwrap());
    let mut session = Session::new(1, settings, identity, now, Random::new(7));
    session.attach(now, &[at(RTP), at(RTCP)]).unwrap();
    session
}

struct Call {
    now: Instant,
    session: Session,
    /// Our description.
    ours: String,
    sequence: u16,
    timestamp: u32,
    /// RTP we sent.
    rtp: Vec<(Instant, Vec<u8>)>,
    /// RTCP we sent, and between which ports.
    rtcp: Vec<(Instant, Vec<u8>)>,
}

impl Call {
    /// The far end has offered.
    fn new(more: &str) -> Self {
        let now = Instant::now();
        let mut session = session(now);
        let offer = format!("{OFFER}{more}");
        session
            .set_remote(now, &offer, DescriptionKind::Offer, "")
            .unwrap();
        let answer = session.create_answer(now).unwrap();
        Self::begun(now, session, answer)
    }

    /// The far end has answered with all codecs we offered.
    fn answered() -> Self {
        let now = Instant::now();
        let mut session = session(now);
        let offer = session.create_offer(now, false).unwrap();
        session
            .set_remote(now, OFFER, DescriptionKind::Answer, "")
            .unwrap();
        Self::begun(now, session, offer)
    }

    fn begun(now: Instant, session: Session, ours: String) -> Self {
        Self {
            now,
            session,
            ours,
            sequence: 1000,
            timestamp: 5000,
            rtp: Vec::new(),
            rtcp: Vec::new(),
        }
    }

    /// Lets time pass, and the far end send meanwhile.
    fn run(&mut self, duration: Duration, stream: &Stream) {
        let end = self.now + duration;
        let pace = Duration::from_millis(stream.ptime_ms.into());
        let mut encoder = Encoder::new(stream.codec, &OpusSettings::default()).unwrap();
        let mut next = self.now;
        while self.now < end {
            if next <= self.now {
                self.send(&mut encoder, stream);
                next += pace;
            }
            self.session.tick(self.now);
            self.take();
            let due = self.session.next_deadline().unwrap_or(next);
            self.now = due.max(self.now + Duration::from_micros(1)).min(next);
        }
    }

    fn send(&mut self, encoder: &mut Encoder, stream: &Stream) {
        let ticks = 8 * stream.ptime_ms;
        let samples = vec![6000; ticks as usize];
        let mut payload = Vec::new();
        encoder.encode(&samples, &mut payload).unwrap();
        let header = RtpHeader {
            marker: false,
            payload_type: if stream.codec == CodecKind::Pcma {
                8
            } else {
                0
            },
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: stream.ssrc,
            payload: 0..0,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(ticks);
        let mut packet = Vec::new();
        header.write(&payload, &mut packet);
        self.session.input(self.now, at(RTP), at(PEER), &packet);
    }

    fn take(&mut self) {
        while let Some(sent) = self.session.poll_transmit() {
            match (sent.local == at(RTP), sent.to == at(PEER)) {
                (true, true) => self.rtp.push((self.now, sent.data)),
                (false, false) => {
                    assert_eq!((sent.local, sent.to), (at(RTCP), at(PEER_RTCP)));
                    self.rtcp.push((self.now, sent.data));
                }
                _ => panic!("from {} to {}", sent.local, sent.to),
            }
        }
        while self.session.poll_event().is_some() {}
    }

    fn numbers(&self) -> BTreeMap<&'static str, f64> {
        let figures = self.session.statistics().into_iter();
        let numbers = figures.filter_map(|(name, value)| match value {
            Value::Number(number) => Some((name, number)),
            Value::Word(_) | Value::Address(_) => None,
        });
        numbers.collect()
    }
}

fn stream(codec: CodecKind, ssrc: u32, ptime_ms: u32) -> Stream {
    Stream {
        codec,
        ssrc,
        ptime_ms,
    }
}

fn word(packet: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes(packet[offset..offset + 4].try_into().unwrap())
}

/// The types of the packets of a compound, each with its bytes.
fn parts(mut compound: &[u8]) -> Vec<(u8, &[u8])> {
    let mut parts = Vec::new();
    while !compound.is_empty() {
        let length = 4 * (usize::from(u16::from_be_bytes([compound[2], compound[3]])) + 1);
        let (part, rest) = compound.split_at(length);
        parts.push((part[1], part));
        compound = rest;
    }
    parts
}

#[test]
fn an_offer_without_mid_and_bundle_is_answered_in_its_own_dialect() {
    let call = Call::new("");

    for absent in [
        "a=mid",
        "a=group",
        "a=rtcp-mux",
        "a=ice",
        "a=fingerprint",
        "a=msid",
    ] {
        assert!(!call.ours.contains(absent), "{absent} in {}", call.ours);
    }
    assert!(
        call.ours.contains("m=audio 4000 RTP/AVP 0"),
        "{}",
        call.ours
    );
}

#[test]
fn reports_come_at_the_interval_of_rfc_3550_and_say_what_was_sent_and_heard() {
    let mut call = Call::new("");
    let begin = call.now;
    call.run(Duration::from_secs(300), &stream(CodecKind::Pcmu, 7, 20));

    let times: Vec<_> = call.rtcp.iter().map(|(at, _)| *at).collect();
    let gaps: Vec<_> = times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64())
        .collect();
    let first = (times[0] - begin).as_secs_f64();
    assert!((1.0..=3.1).contains(&first), "{first}");
    assert!(gaps.iter().all(|gap| (2.0..=6.2).contains(gap)), "{gaps:?}");
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    assert!((4.3..=5.5).contains(&mean), "{mean}");
    for (at, compound) in &call.rtcp {
        let parts = parts(compound);
        let kinds: Vec<_> = parts.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [200, 202], "a sender report and a name");
        let report = parts[0].1;
        let before = call.rtp.iter().filter(|(sent, _)| sent <= at).count();
        assert_eq!(
            (word(report, 20), word(report, 24)),
            (before as u32, before as u32 * 160)
        );
        let heard = (at.duration_since(begin).as_secs_f64() / 0.02) as u32;
        assert_eq!(
            (word(report, 28), word(report, 32)),
            (7, 0),
            "of their source, none lost"
        );
        assert!(
            word(report, 36).abs_diff(1000 + heard) <= 1,
            "the highest number"
        );
    }
}

#[test]
fn who_has_sent_says_goodbye_and_who_has_not_does_not() {
    let mut silent = Call::new("");
    let end = silent.now;
    silent.session.close(end);
    silent.take();
    assert!(silent.rtcp.is_empty());

    let mut call = Call::new("");
    call.run(Duration::from_millis(500), &stream(CodecKind::Pcmu, 7, 20));
    assert!(call.rtcp.is_empty(), "too early for a report");
    let end = call.now;
    call.session.close(end);
    call.take();

    let [(at, compound)] = &call.rtcp[..] else {
        panic!("one compound, not {}", call.rtcp.len());
    };
    let kinds: Vec<_> = parts(compound).iter().map(|(kind, _)| *kind).collect();
    assert_eq!((*at, kinds), (end, vec![200, 202, 203]));
    assert_eq!(
        word(compound, 4),
        word(compound, compound.len() - 4),
        "of our source"
    );
}

#[test]
fn a_goodbye_that_anybody_could_have_written_ends_nothing() {
    let mut call = Call::new("");
    call.run(Duration::from_secs(1), &stream(CodecKind::Pcmu, 7, 20));
    let before = call.numbers()["packets_received"];
    let bye = [0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 203, 0, 1, 0, 0, 0, 7];
    call.session.input(call.now, at(RTCP), at(PEER_RTCP), &bye);
    call.run(Duration::from_secs(1), &stream(CodecKind::Pcmu, 7, 20));

    assert_eq!(call.numbers()["packets_received"], before + 50.0);
}

#[test]
fn the_payload_type_may_change_from_one_packet_to_the_next() {
    let mut call = Call::answered();
    for codec in [CodecKind::Pcmu, CodecKind::Pcma, CodecKind::Pcmu] {
        call.run(Duration::from_secs(1), &stream(codec, 7, 20));
        let level = call.numbers()["level_received_dbov"];
        assert!(level > -20.0, "{codec:?} is heard at {level}");
    }

    let numbers = call.numbers();
    assert_eq!(numbers["packets_received"], 150.0);
    assert_eq!(
        (numbers["packets_lost"], numbers["packets_malformed"]),
        (0.0, 0.0)
    );
}

#[test]
fn another_source_is_heard_and_reported_in_place_of_the_one_before() {
    let mut call = Call::new("");
    call.run(Duration::from_secs(10), &stream(CodecKind::Pcmu, 7, 20));
    (call.sequence, call.timestamp) = (60_000, 12);
    call.run(Duration::from_secs(10), &stream(CodecKind::Pcmu, 8, 20));

    let numbers = call.numbers();
    // Without SRTP anybody can write another source: three packets in a row are its proof.
    assert_eq!(numbers["packets_received"], 998.0);
    assert_eq!(
        (numbers["refused_source"], numbers["packets_lost"]),
        (2.0, 0.0)
    );
    assert!(numbers["level_received_dbov"] > -20.0);
    let (_, last) = call.rtcp.last().unwrap();
    assert_eq!(word(last, 28), 8);
}

#[test]
fn packets_of_10_to_60_ms_are_heard_without_a_gap() {
    for ptime_ms in [10, 20, 30, 40, 50, 60] {
        let mut call = Call::new("");
        call.run(
            Duration::from_secs(6),
            &stream(CodecKind::Pcmu, 7, ptime_ms),
        );

        let numbers = call.numbers();
        assert_eq!(numbers["packets_lost"], 0.0);
        assert_eq!(numbers["concealed_last_second"], 0.0, "{ptime_ms} ms");
        assert!(numbers["level_received_dbov"] > -20.0, "{ptime_ms} ms");
    }
}

#[test]
fn packets_are_as_long_as_the_far_end_asks_and_leave_evenly() {
    for made in [10, 20, 30, 40, 50, 60] {
        let mut call = Call::new(&format!("a=ptime:{made}\r\n"));
        call.run(Duration::from_secs(3), &stream(CodecKind::Pcmu, 7, 20));

        let stamps: Vec<_> = call.rtp.iter().map(|(_, packet)| word(packet, 4)).collect();
        assert!(
            call.rtp
                .iter()
                .all(|(_, packet)| packet.len() == 12 + 8 * made)
        );
        let steps = stamps.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
        assert!(
            steps.into_iter().all(|step| step == 8 * made as u32),
            "{made} ms"
        );
        let gap = Duration::from_millis(made as u64);
        let mut pairs = call.rtp.windows(2);
        let is_even = |pair: &[(Instant, Vec<u8>)]| {
            let between = pair[1].0 - pair[0].0;
            between.abs_diff(gap) < Duration::from_millis(1)
        };
        assert!(pairs.all(is_even), "{made} ms");
        // The first leaves when its frames are there.
        let sent_ms = stamps.len() * made;
        assert!(sent_ms.abs_diff(3000) <= 60, "{} packets", stamps.len());
    }
}
