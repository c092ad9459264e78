//! Offers that are refused, and forks that agree on different things: what is in force then.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use trivox_media::codec::CodecKind;
use trivox_media::engine::{Engine, EngineSettings, PortRange};
use trivox_media::session::offer_answer::DescriptionKind::{Answer, Offer, Provisional};
use trivox_media::session::{Session, SessionSettings, TransportKind, Value};

use TransportKind::{Ice, Plain, Sdes};

fn engine() -> Engine {
    Engine::new(&EngineSettings {
        seed: b"changes".to_vec(),
        threads: 1,
        is_driven: true,
        now: 0.0,
        ports: PortRange { first: 0, last: 0 },
    })
    .unwrap()
}

fn open(engine: &Engine, kind: TransportKind, accepts: &[TransportKind], last: u8) -> u64 {
    let settings = SessionSettings {
        transport: kind,
        accepts: accepts.to_vec(),
        codecs: vec![CodecKind::Pcmu],
        dtmf: true,
        ptime_ms: 20,
        advertised: None,
    };
    let host = std::net::IpAddr::from([10, 0, 0, last]);
    engine.open_session(settings, vec![host]).unwrap()
}

fn number(engine: &Engine, session: u64, name: &str) -> f64 {
    let report = engine.statistics(session).unwrap();
    match report.iter().find(|(known, _)| *known == name) {
        Some((_, Value::Number(value))) => *value,
        other => panic!("{name} is {other:?}"),
    }
}

fn answer(engine: &Engine, session: u64, offer: &str) -> String {
    engine.set_remote(session, offer, Offer, "").unwrap();
    engine.create_answer(session).unwrap()
}

fn rollback(engine: &Engine, session: u64) {
    let run = |open: &mut Session, _| {
        open.rollback();
        Ok(())
    };
    engine.command(session, run).unwrap();
}

fn line<'a>(sdp: &'a str, start: &str) -> &'a str {
    sdp.lines().find(|line| line.starts_with(start)).unwrap()
}

#[test]
fn forks_may_each_take_the_offered_keys_or_leave_them() {
    for (first, second) in [(Plain, Sdes), (Sdes, Plain)] {
        let engine = engine();
        let caller = open(&engine, Sdes, &[Plain], 1);
        let callees = [(first, 2), (second, 3)].map(|(kind, last)| open(&engine, kind, &[], last));
        let offer = engine.create_offer(caller, false).unwrap();
        let answers = callees.map(|callee| answer(&engine, callee, &offer));
        // The first is heard, then the second; then the first again, and it is the one that answers.
        let turns = [(0, Provisional), (1, Provisional), (0, Answer)];
        for (now, (fork, kind)) in (1..).zip(turns) {
            let name = ["a", "b"][fork];
            engine
                .set_remote(caller, &answers[fork], kind, name)
                .unwrap();
            let heard = number(&engine, callees[fork], "packets_received");
            engine.advance(f64::from(now));
            let more = number(&engine, callees[fork], "packets_received") - heard;

            assert!(more > 40.0, "{first:?} first, {name} hears {more}");
            assert_eq!(number(&engine, callees[fork], "refused_srtp"), 0.0);
        }
    }
}

#[test]
fn a_refused_offer_of_the_peer_changes_neither_transport_nor_address() {
    let engine = engine();
    let caller = open(&engine, Sdes, &[Plain], 1);
    let callee = open(&engine, Sdes, &[Plain], 2);
    let offer = engine.create_offer(caller, false).unwrap();
    let agreed = answer(&engine, callee, &offer);
    engine.set_remote(caller, &agreed, Answer, "tag").unwrap();
    engine.advance(1.0);
    let bare = "v=0\r\no=- 9 9 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 0\r\n";

    engine.set_remote(callee, bare, Offer, "tag").unwrap();
    rollback(&engine, callee);
    let before = number(&engine, caller, "packets_received");
    engine.advance(2.0);

    assert!(number(&engine, caller, "packets_received") - before > 45.0);
    let next = engine.create_offer(callee, false).unwrap();
    assert_eq!(line(&next, "a=crypto:"), line(&agreed, "a=crypto:"));
    assert!(engine.create_answer(caller).is_err());
}

#[test]
fn a_refused_restart_is_not_offered_again_unasked() {
    let engine = engine();
    let [caller, callee] = [1, 2].map(|last| open(&engine, Ice, &[], last));
    let offer = engine.create_offer(caller, false).unwrap();
    let agreed = answer(&engine, callee, &offer);
    engine.set_remote(caller, &agreed, Answer, "tag").unwrap();
    engine.advance(1.0);

    let restart = engine.create_offer(caller, true).unwrap();
    rollback(&engine, caller);
    let next = engine.create_offer(caller, false).unwrap();

    assert_ne!(line(&restart, "a=ice-ufrag"), line(&offer, "a=ice-ufrag"));
    assert_eq!(line(&next, "a=ice-ufrag"), line(&offer, "a=ice-ufrag"));
    let agreed = answer(&engine, callee, &next);
    engine.set_remote(caller, &agreed, Answer, "tag").unwrap();
    engine.advance(3.0);
    assert_eq!(number(&engine, callee, "packets_lost"), 0.0);
    assert!(number(&engine, callee, "packets_received") > 120.0);
}

#[test]
fn a_refused_restart_of_the_peer_leaves_the_path_as_it_was() {
    let engine = engine();
    let [caller, callee] = [1, 2].map(|last| open(&engine, Ice, &[], last));
    let offer = engine.create_offer(caller, false).unwrap();
    let agreed = answer(&engine, callee, &offer);
    engine.set_remote(caller, &agreed, Answer, "tag").unwrap();
    engine.advance(1.0);

    let restart = engine.create_offer(caller, true).unwrap();
    engine.set_remote(callee, &restart, Offer, "tag").unwrap();
    rollback(&engine, callee);
    rollback(&engine, caller);
    engine.advance(40.0);
    let next = engine.create_offer(callee, false).unwrap();

    assert_eq!(line(&next, "a=ice-ufrag"), line(&agreed, "a=ice-ufrag"));
    assert_eq!(number(&engine, caller, "packets_lost"), 0.0);
    assert!(number(&engine, caller, "packets_received") > 1900.0);
}
