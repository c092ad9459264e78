//! Two sessions of one engine: over loopback sockets in real time, and driven in virtual time.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use rustix::event::{Timespec, poll};
use trivox_media::MediaError;
use trivox_media::codec::CodecKind;
use trivox_media::engine::{Engine, EngineSettings, PortRange};
use trivox_media::event::{Event, EventKind};
use trivox_media::link::LinkSettings;
use trivox_media::random::Random;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::{SessionSettings, TransportKind, Value};

fn engine(is_driven: bool) -> Engine {
    let ports = PortRange { first: 0, last: 0 };
    let seed = b"rust".to_vec();
    Engine::new(&EngineSettings {
        seed,
        threads: 1,
        is_driven,
        now: 0.0,
        ports,
    })
    .unwrap()
}

fn open(engine: &Engine, transport: TransportKind, host: &str) -> u64 {
    let codecs = vec![CodecKind::Opus, CodecKind::Pcmu];
    let settings = SessionSettings {
        transport,
        accepts: Vec::new(),
        codecs,
        dtmf: true,
        ptime_ms: 20,
        advertised: None,
    };
    let host: IpAddr = host.parse().unwrap();
    engine.open_session(settings, vec![host]).unwrap()
}

fn connect(engine: &Engine, transport: TransportKind, hosts: [&str; 2]) -> [u64; 2] {
    let [caller, callee] = hosts.map(|host| open(engine, transport, host));
    let offer = engine.create_offer(caller, false).unwrap();
    engine
        .set_remote(callee, &offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = engine.create_answer(callee).unwrap();
    engine
        .set_remote(caller, &answer, DescriptionKind::Answer, "tag")
        .unwrap();
    [caller, callee]
}

fn number(engine: &Engine, session: u64, name: &str) -> f64 {
    let report = engine.statistics(session).unwrap();
    match report.iter().find(|(known, _)| *known == name) {
        Some((_, Value::Number(value))) => *value,
        other => panic!("{name} is {other:?}"),
    }
}

/// Drains until an event is there, at most ten seconds.
fn wait_for(engine: &Engine, seen: &mut Vec<Event>, wanted: impl Fn(&Event) -> bool) {
    for _ in 0..500 {
        seen.extend(engine.drain(100));
        if seen.iter().any(&wanted) {
            return;
        }
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        let _ = poll(&mut [], Some(&timeout));
    }
    panic!("the event never came: {seen:?}");
}

fn exchange(transport: TransportKind) {
    let engine = engine(false);
    let [caller, callee] = connect(&engine, transport, ["127.0.0.1", "127.0.0.1"]);
    let mut seen = Vec::new();
    for session in [caller, callee] {
        wait_for(&engine, &mut seen, |event| {
            event.session == session && event.kind == EventKind::FirstRtp
        });
    }
    engine
        .command(caller, |session, _| session.send_dtmf("7", 0.06, 0.05))
        .unwrap();
    wait_for(&engine, &mut seen, |event| {
        event.session == callee && event.kind == EventKind::Dtmf && event.text == "7"
    });
    assert!(number(&engine, callee, "packets_received") > 2.0);

    engine.close_session(caller);
    engine.close_session(callee);

    let counts = engine.counts();
    assert_eq!((counts.sessions, counts.sockets, counts.ports), (0, 0, 0));
}

#[test]
fn plain_sessions_talk_over_loopback() {
    exchange(TransportKind::Plain);
}

#[test]
fn sessions_with_keys_of_descriptions_talk_over_loopback() {
    exchange(TransportKind::Sdes);
}

#[test]
fn dtls_sessions_without_ice_talk_over_loopback() {
    exchange(TransportKind::Dtls);
}

#[test]
fn ice_sessions_talk_over_loopback() {
    exchange(TransportKind::Ice);
}

#[test]
fn a_driven_call_of_a_minute_is_heard_without_concealment() {
    let engine = engine(true);
    let [caller, callee] = connect(&engine, TransportKind::Ice, ["10.0.0.1", "10.0.0.2"]);
    engine.advance(60.0);

    for session in [caller, callee] {
        let sent = number(&engine, session, "packets_sent");
        assert!((2980.0..=3001.0).contains(&sent), "{sent}");
        assert_eq!(number(&engine, session, "packets_lost"), 0.0);
        assert_eq!(number(&engine, session, "concealed"), 0.0);
    }
}

#[test]
fn a_bad_link_is_survived_and_counted() {
    let engine = engine(true);
    let settings = LinkSettings {
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(30),
        loss: 0.1,
        duplicate: 0.05,
    };
    engine.set_link(settings);
    let [caller, callee] = connect(&engine, TransportKind::Ice, ["10.0.0.1", "10.0.0.2"]);
    engine.advance(60.0);

    let events = engine.drain(1000);
    for session in [caller, callee] {
        let connected =
            |event: &&Event| event.session == session && event.kind == EventKind::Connected;
        assert_eq!(events.iter().filter(connected).count(), 1);
        let loss = number(&engine, session, "loss");
        assert!((0.05..=0.15).contains(&loss), "{loss}");
        let round_trip = number(&engine, session, "round_trip");
        assert!((0.06..=0.13).contains(&round_trip), "{round_trip}");
    }
}

#[test]
fn a_panic_ends_one_session_and_no_other() {
    let engine = engine(true);
    let [caller, callee] = connect(&engine, TransportKind::Plain, ["10.0.0.1", "10.0.0.2"]);
    engine.advance(1.0);

    let fault = engine.command(caller, |session, _| {
        session.fault();
        Ok(())
    });
    engine.advance(2.0);

    assert!(matches!(fault, Err(MediaError::Fault(_))));
    let failed = |event: &&Event| event.kind == EventKind::Failed;
    let events = engine.drain(1000);
    assert_eq!(
        events
            .iter()
            .filter(failed)
            .map(|event| event.session)
            .collect::<Vec<_>>(),
        [caller]
    );
    assert!(number(&engine, callee, "packets_sent") > 90.0);
    engine.close_session(caller);
    assert_eq!(engine.counts().sessions, 1);
}

#[test]
fn recordings_of_a_driven_engine_are_on_disk_when_stopped() {
    let engine = engine(true);
    let [caller, _] = connect(&engine, TransportKind::Plain, ["10.0.0.1", "10.0.0.2"]);
    let path = std::env::temp_dir().join(format!("trivox-engine-{}.wav", std::process::id()));
    let recording = engine
        .start_recording(caller, &path, "both", "wav")
        .unwrap();
    engine.advance(2.0);

    let seconds = engine.stop_recording(caller, recording).unwrap();

    let size = std::fs::metadata(&path).unwrap().len();
    std::fs::remove_file(&path).unwrap();
    assert!((seconds - 2.0).abs() < 1e-3);
    assert_eq!(size, 44 + 2 * 2 * 32_000);
    let bad = engine.start_recording(caller, Path::new("/nowhere/r.wav"), "both", "wav");
    assert!(matches!(bad, Err(MediaError::File(_))));
}

#[test]
fn no_datagram_whatever_it_holds_ends_a_session() {
    let engine = engine(true);
    let mut random = Random::new(1);
    for transport in [TransportKind::Plain, TransportKind::Ice] {
        let [caller, callee] = connect(&engine, transport, ["10.0.0.1", "10.0.0.2"]);
        engine.advance(engine.next_deadline().unwrap() + 1.0);
        let firsts = [0x80, 0x81, 0x90, 0xa0, 0x9f, 0xbf, 0x00, 0x01, 20, 22, 63];
        for _ in 0..20_000 {
            let length = random.bits() as usize % 120;
            let mut data: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
            if let Some(first) = data.first_mut() {
                *first = firsts[random.bits() as usize % firsts.len()];
            }
            // Ports are given out in order: these are the sessions' own and their peers'.
            let port = |random: &mut Random| 10_000 + (random.bits() % 6) as u16;
            let local = format!("10.0.0.1:{}", port(&mut random)).parse().unwrap();
            let from = format!("10.0.0.2:{}", port(&mut random)).parse().unwrap();
            let input = |session: &mut trivox_media::session::Session, now| {
                session.input(now, local, from, &data);
                Ok(())
            };
            engine.command(caller, input).unwrap();
        }
        engine.advance(engine.next_deadline().unwrap() + 2.0);
        let failed = |event: &Event| event.kind == EventKind::Failed;
        assert!(
            !std::iter::repeat_with(|| engine.drain(1000))
                .take_while(|events| !events.is_empty())
                .flatten()
                .any(|event| failed(&event))
        );
        let before = number(&engine, callee, "packets_received");
        engine.advance(engine.next_deadline().unwrap() + 1.0);
        assert!(number(&engine, callee, "packets_received") > before + 45.0);
        engine.close_session(caller);
        engine.close_session(callee);
    }
}
