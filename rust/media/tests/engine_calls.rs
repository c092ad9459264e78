//! What happens in a call after it is set up: hold, restart, other formats, digits, strangers.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::net::IpAddr;

use rustix::event::{Timespec, poll};
use trivox_media::MediaError;
use trivox_media::codec::CodecKind;
use trivox_media::engine::{Engine, EngineSettings, PortRange};
use trivox_media::event::{Event, EventKind};
use trivox_media::link::LinkSettings;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::packet::RtpHeader;
use trivox_media::session::{SessionSettings, TransportKind, Value};

fn settings(is_driven: bool, ports: PortRange) -> EngineSettings {
    EngineSettings {
        seed: b"calls".to_vec(),
        threads: 1,
        is_driven,
        now: 0.0,
        ports,
    }
}

fn driven() -> Engine {
    Engine::new(&settings(true, PortRange { first: 0, last: 0 })).unwrap()
}

fn live(first: u16, last: u16) -> Result<Engine, MediaError> {
    Engine::new(&settings(false, PortRange { first, last }))
}

fn open(engine: &Engine, transport: TransportKind, codecs: &[CodecKind], hosts: &[&str]) -> u64 {
    let settings = SessionSettings {
        transport,
        accepts: Vec::new(),
        codecs: codecs.to_vec(),
        dtmf: true,
        ptime_ms: 20,
        advertised: None,
    };
    let hosts: Vec<IpAddr> = hosts.iter().map(|host| host.parse().unwrap()).collect();
    engine.open_session(settings, hosts).unwrap()
}

/// One exchange of descriptions, the offer changed on its way.
fn exchange(engine: &Engine, from: u64, to: u64, restart: bool, change: impl Fn(String) -> String) {
    let offer = change(engine.create_offer(from, restart).unwrap());
    engine
        .set_remote(to, &offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = engine.create_answer(to).unwrap();
    engine
        .set_remote(from, &answer, DescriptionKind::Answer, "tag")
        .unwrap();
}

fn pair(engine: &Engine, transport: TransportKind, codec: CodecKind) -> [u64; 2] {
    let [caller, callee] =
        ["10.0.0.1", "10.0.0.2"].map(|host| open(engine, transport, &[codec], &[host]));
    exchange(engine, caller, callee, false, |offer| offer);
    [caller, callee]
}

fn number(engine: &Engine, session: u64, name: &str) -> f64 {
    let report = engine.statistics(session).unwrap();
    match report.iter().find(|(known, _)| *known == name) {
        Some((_, Value::Number(value))) => *value,
        other => panic!("{name} is {other:?}"),
    }
}

fn events(engine: &Engine) -> Vec<Event> {
    std::iter::repeat_with(|| engine.drain(1000))
        .take_while(|events| !events.is_empty())
        .flatten()
        .collect()
}

/// Waits for real time to bring something about, at most ten seconds.
fn wait_until(is_true: impl Fn() -> bool) {
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: 10_000_000,
    };
    let is_seen = (0..1000).any(|_| is_true() || poll(&mut [], Some(&timeout)).is_err());
    assert!(is_seen, "it never came about");
}

fn packet(payload_type: u8, ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let header = RtpHeader {
        marker: false,
        payload_type,
        sequence,
        timestamp: u32::from(sequence) * 160,
        ssrc,
        payload: 0..0,
    };
    let mut packet = Vec::new();
    header.write(payload, &mut packet);
    packet
}

/// Gives a datagram to the RTP port of the first session of its kind on a driven engine.
fn inject(engine: &Engine, session: u64, local: &str, from: &str, data: &[u8]) {
    let (local, from) = (local.parse().unwrap(), from.parse().unwrap());
    engine
        .command(session, |session, now| {
            session.input(now, local, from, data);
            Ok(())
        })
        .unwrap();
}

#[test]
fn calls_come_up_over_a_line_that_loses_from_the_first_packet_on() {
    // Waits that double leave a handshake five tries: at 20 % some 3 of 6,000 run out of 30 s.
    for (loss, most_failed) in [(0.05, 0), (0.2, 2)] {
        let failed = (0..200).filter(|seed| !comes_up(loss, *seed));
        assert!(failed.count() <= most_failed, "at {loss}");
    }
}

/// Tells whether a call over ICE and one over DTLS alone are connected within 30 s; who is not must
/// have been told so.
fn comes_up(loss: f64, seed: u32) -> bool {
    let ports = PortRange { first: 0, last: 0 };
    let seed = seed.to_be_bytes().to_vec();
    let engine = Engine::new(&EngineSettings {
        seed: seed.clone(),
        ..settings(true, ports)
    });
    let engine = engine.unwrap();
    engine.set_link(LinkSettings {
        loss,
        delay: std::time::Duration::from_millis(10),
        ..LinkSettings::default()
    });
    for transport in [TransportKind::Ice, TransportKind::Dtls] {
        pair(&engine, transport, CodecKind::Pcmu);
    }
    let mut told = Vec::new();
    let count = |told: &[Event], kind| told.iter().filter(|one| one.kind == kind).count();
    let mut now = 0.0;
    while now < 30.0 && count(&told, EventKind::Connected) < 4 {
        now += 0.5;
        engine.advance(now);
        told.extend(events(&engine));
    }

    let connected = count(&told, EventKind::Connected);
    assert!(connected == 4 || now >= 30.0, "{loss} {seed:?}: {told:?}");
    connected == 4
}

#[test]
fn a_lite_answer_says_so_and_carries_media_through_re_offers() {
    let engine = driven();
    let [caller, callee] = ["10.0.0.1", "10.0.0.2"]
        .map(|host| open(&engine, TransportKind::Ice, &[CodecKind::Pcmu], &[host]));
    engine.answer_as_lite(callee).unwrap();
    let offer = engine.create_offer(caller, false).unwrap();
    engine
        .set_remote(callee, &offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = engine.create_answer(callee).unwrap();
    engine
        .set_remote(caller, &answer, DescriptionKind::Answer, "tag")
        .unwrap();
    engine.advance(2.0);

    assert!(!offer.contains("a=ice-lite"));
    let session = answer.split("m=").next().unwrap();
    assert!(session.contains("\r\na=ice-lite\r\n"), "{answer}");
    assert!(!answer.contains("typ relay") && answer.contains("typ host"));
    let before = number(&engine, callee, "packets_received");
    assert!(before > 50.0, "{before}");
    let turns = [
        (3.0, callee, true),
        (4.0, caller, true),
        (5.0, callee, false),
    ];
    for (until, from, restart) in turns {
        let to = caller + callee - from;
        exchange(&engine, from, to, restart, |offer| {
            assert_eq!(offer.contains("a=ice-lite"), from == callee);
            offer
        });
        engine.advance(until);
    }
    let since = number(&engine, callee, "packets_received") - before;
    assert!((149.0..=151.0).contains(&since), "{since}");
    assert_eq!(number(&engine, caller, "packets_lost"), 0.0);
    assert!(engine.answer_as_lite(callee).is_err());
}

#[test]
fn hold_and_resume_by_the_far_end_work_five_times_without_a_lost_packet() {
    for direction in ["sendonly", "inactive"] {
        for transport in [TransportKind::Plain, TransportKind::Ice] {
            let engine = driven();
            let [caller, callee] = pair(&engine, transport, CodecKind::Pcmu);
            let mut now = 2.0;
            engine.advance(now);
            for _ in 0..5 {
                let held = |offer: String| offer.replace("a=sendrecv", &format!("a={direction}"));
                exchange(&engine, caller, callee, false, held);
                now += 0.2;
                engine.advance(now);
                let sent = number(&engine, callee, "packets_sent");
                now += 8.0;
                engine.advance(now);
                assert_eq!(number(&engine, callee, "packets_sent"), sent);

                exchange(&engine, caller, callee, false, |offer| offer);
                now += 1.0;
                engine.advance(now);
                let resumed = number(&engine, callee, "packets_sent") - sent;
                assert!((49.0..=51.0).contains(&resumed), "{resumed}");
            }
            assert_eq!(number(&engine, caller, "packets_lost"), 0.0);
            assert_eq!(number(&engine, caller, "packets_malformed"), 0.0);
        }
    }
}

#[test]
fn a_long_hold_is_no_media_timeout() {
    let engine = driven();
    let [caller, callee] = pair(&engine, TransportKind::Plain, CodecKind::Pcmu);
    engine.advance(2.0);
    let inactive = |offer: String| offer.replace("a=sendrecv", "a=inactive");
    exchange(&engine, caller, callee, false, inactive);
    // A far end that is silent in every way while it holds, RTCP too.
    engine.set_link(LinkSettings {
        loss: 1.0,
        ..LinkSettings::default()
    });
    engine.advance(60.0);
    engine.set_link(LinkSettings::default());
    exchange(&engine, caller, callee, false, |offer| offer);

    engine.advance(65.0);

    let timeouts = events(&engine)
        .into_iter()
        .filter(|event| event.kind == EventKind::MediaTimeout && event.session == callee);
    assert_eq!(timeouts.count(), 0);
}

#[test]
fn ice_restarts_by_either_side_lose_no_packet() {
    let engine = driven();
    let [caller, callee] = pair(&engine, TransportKind::Ice, CodecKind::Pcmu);
    engine.advance(2.0);
    for (count, (from, to)) in [(caller, callee), (callee, caller)]
        .into_iter()
        .cycle()
        .take(6)
        .enumerate()
    {
        exchange(&engine, from, to, true, |offer| offer);
        engine.advance(3.0 + count as f64);
    }

    for session in [caller, callee] {
        assert_eq!(number(&engine, session, "packets_lost"), 0.0);
        assert!(number(&engine, session, "packets_received") > 390.0);
        assert_eq!(number(&engine, session, "concealed"), 0.0);
    }
    let failed = |event: &Event| event.kind == EventKind::Failed;
    assert!(!events(&engine).iter().any(failed));
}

#[test]
fn every_format_of_an_answer_may_arrive() {
    let engine = driven();
    let both = [CodecKind::Pcmu, CodecKind::Pcma];
    let caller = open(&engine, TransportKind::Plain, &both, &["10.0.0.1"]);
    engine.create_offer(caller, false).unwrap();
    let answer = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 0 8\r\n";
    engine
        .set_remote(caller, answer, DescriptionKind::Answer, "tag")
        .unwrap();

    for sequence in 0..20 {
        let payload_type = if sequence < 10 { 0 } else { 8 };
        let data = packet(payload_type, 7, sequence, &[0x55; 160]);
        inject(&engine, caller, "10.0.0.1:10000", "10.0.0.2:4000", &data);
        engine.advance(0.02 * f64::from(sequence + 1));
    }
    // The same octet is loud in µ-law and silence in A-law.
    assert!(number(&engine, caller, "level_received_dbov") < -60.0);
    assert_eq!(number(&engine, caller, "packets_received"), 20.0);
    assert_eq!(number(&engine, caller, "packets_malformed"), 0.0);
}

#[test]
fn digits_cross_with_both_clocks_and_their_duration() {
    for (transport, codec) in [
        (TransportKind::Plain, CodecKind::Pcmu),
        (TransportKind::Ice, CodecKind::Opus),
    ] {
        let engine = driven();
        let sessions = pair(&engine, transport, codec);
        engine.advance(1.0);
        for session in sessions {
            engine
                .command(session, |session, _| session.send_dtmf("1#", 0.1, 0.06))
                .unwrap();
        }
        engine.advance(3.0);

        let heard = events(&engine);
        for session in sessions {
            let digits: Vec<(&str, f64)> = heard
                .iter()
                .filter(|event| event.session == session && event.kind == EventKind::Dtmf)
                .map(|event| (event.text.as_str(), event.number))
                .collect();
            assert_eq!(digits, [("1", 0.1), ("#", 0.1)], "{codec:?}");
            assert_eq!(number(&engine, session, "packets_lost"), 0.0);
        }
    }
}

#[test]
fn digits_are_agreed_with_a_far_end_that_knows_one_clock_only() {
    let engine = driven();
    let callee = open(
        &engine,
        TransportKind::Plain,
        &[CodecKind::Opus],
        &["10.0.0.1"],
    );
    let offer = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 96 101\r\na=rtpmap:96 opus/48000/2\r\n\
        a=rtpmap:101 telephone-event/8000\r\n";
    engine
        .set_remote(callee, offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = engine.create_answer(callee).unwrap();
    assert!(
        answer.contains("a=rtpmap:101 telephone-event/8000"),
        "{answer}"
    );

    let mut end = packet(101, 7, 1, &[5, 0x8a, 3, 0x20]);
    end[1] |= 0x80;
    inject(&engine, callee, "10.0.0.1:10000", "10.0.0.2:4000", &end);
    engine.advance(0.1);

    let digit = events(&engine)
        .into_iter()
        .find(|event| event.kind == EventKind::Dtmf)
        .unwrap();
    assert_eq!((digit.text.as_str(), digit.number), ("5", 0.1));
}

#[test]
fn a_stranger_is_not_heard_and_gets_nothing() {
    let engine = driven();
    let [caller, callee] = pair(&engine, TransportKind::Plain, CodecKind::Pcmu);
    engine.advance(2.0);
    let received = number(&engine, caller, "packets_received");
    for sequence in 0..500 {
        let data = packet(0, 7, sequence, &[0; 160]);
        inject(&engine, caller, "10.0.0.1:10000", "10.6.6.6:4000", &data);
    }
    engine.advance(4.0);

    assert_eq!(number(&engine, caller, "refused_source"), 500.0);
    let more = number(&engine, caller, "packets_received") - received;
    assert!((99.0..=101.0).contains(&more), "{more}");
    assert!(number(&engine, caller, "level_received_dbov") < -60.0);
    assert_eq!(number(&engine, callee, "packets_lost"), 0.0);
}

#[test]
fn a_report_of_a_time_we_never_sent_is_no_round_trip() {
    let engine = driven();
    let [caller, _] = pair(&engine, TransportKind::Plain, CodecKind::Pcmu);
    engine.advance(2.0);
    let ssrc = engine
        .command(caller, |session, _| Ok(session.ssrc()))
        .unwrap();
    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
    report.extend(ssrc.to_be_bytes());
    report.extend([0; 12]);
    report.extend(0x1234_5678_u32.to_be_bytes());
    report.extend([0; 4]);

    inject(&engine, caller, "10.0.0.1:10001", "10.0.0.2:10001", &report);

    let report = engine.statistics(caller).unwrap();
    assert!(report.iter().any(|(name, _)| *name == "remote_loss"));
    assert!(!report.iter().any(|(name, _)| *name == "round_trip"));
}

#[test]
fn an_address_that_cannot_be_bound_leaves_no_socket_behind() {
    let engine = live(0, 0).unwrap();
    let hosts = ["127.0.0.1", "192.0.2.77"];
    let session = open(&engine, TransportKind::Ice, &[CodecKind::Pcmu], &hosts);

    for _ in 0..3 {
        let offer = engine.create_offer(session, false);
        assert!(matches!(offer, Err(MediaError::System { .. })));
    }

    assert_eq!(engine.counts().sockets, 0);
}

#[test]
fn a_range_of_ports_holds_at_least_one_pair_and_no_port_zero() {
    for (first, last) in [(0, 9), (20_000, 19_000), (20_001, 20_001), (20_000, 20_000)] {
        assert!(matches!(live(first, last), Err(MediaError::Argument(_))));
    }
    assert!(live(1, 65_535).is_ok());
}

#[test]
fn what_no_session_can_have_sent_for_is_counted() {
    let engine = live(0, 0).unwrap();
    let codecs = [CodecKind::Pcmu];
    let caller = open(&engine, TransportKind::Ice, &codecs, &["127.0.0.1"]);
    let callee = open(&engine, TransportKind::Ice, &codecs, &["127.0.0.1"]);
    let offer = engine.create_offer(caller, false).unwrap();
    engine
        .set_remote(callee, &offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = engine.create_answer(callee).unwrap();
    let line = answer
        .lines()
        .find(|line| line.starts_with("a=candidate"))
        .unwrap();
    let port: u16 = line.split(' ').nth(5).unwrap().parse().unwrap();

    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..100 {
        socket.send_to(&[0x80; 40], ("127.0.0.1", port)).unwrap();
    }

    wait_until(|| engine.counts().datagrams_unrouted == 100);
}

#[test]
fn several_local_addresses_of_both_families_are_offered_and_used() {
    let engine = live(0, 0).unwrap();
    let has_ipv6 = std::net::UdpSocket::bind("[::1]:0").is_ok();
    let last = if has_ipv6 { "::1" } else { "127.0.0.3" };
    let hosts = ["127.0.0.1", "127.0.0.2", last];
    let codecs = [CodecKind::Pcmu];
    let caller = open(&engine, TransportKind::Ice, &codecs, &hosts);
    // This one can be reached at the last address alone.
    let callee = open(&engine, TransportKind::Ice, &codecs, &[last]);
    let offer = engine.create_offer(caller, false).unwrap();
    assert_eq!(offer.matches("a=candidate:").count(), 3, "{offer}");
    engine
        .set_remote(callee, &offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = engine.create_answer(callee).unwrap();
    engine
        .set_remote(caller, &answer, DescriptionKind::Answer, "tag")
        .unwrap();

    wait_until(|| {
        [caller, callee]
            .iter()
            .all(|one| number(&engine, *one, "packets_received") > 3.0)
    });
}
