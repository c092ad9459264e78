//! Engines bind sockets for RTCP by itself over ICE, and close those of no use; both ends ours.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::net::IpAddr;

use trivox_media::codec::CodecKind;
use trivox_media::engine::{Engine, EngineSettings, PortRange};
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::{SessionSettings, TransportKind, Value};

const CALLER: &str = "10.0.0.1";
const CALLEE: &str = "10.0.0.2";

fn engine(is_driven: bool) -> Engine {
    let settings = EngineSettings {
        seed: b"apart".to_vec(),
        threads: 1,
        is_driven,
        now: 0.0,
        ports: PortRange { first: 0, last: 0 },
    };
    Engine::new(&settings).unwrap()
}

fn open(engine: &Engine, host: &str) -> u64 {
    let settings = SessionSettings {
        transport: TransportKind::Ice,
        accepts: Vec::new(),
        codecs: vec![CodecKind::Pcmu],
        dtmf: true,
        ptime_ms: 20,
        advertised: None,
    };
    let host: IpAddr = host.parse().unwrap();
    engine.open_session(settings, vec![host]).unwrap()
}

fn without_mux(offer: &str) -> String {
    offer.replace("a=rtcp-mux\r\n", "")
}

/// One exchange, the offer changed on its way; both descriptions.
fn exchange(
    engine: &Engine,
    (from, to): (u64, u64),
    is_restart: bool,
    change: impl Fn(&str) -> String,
) -> [String; 2] {
    let offer = engine.create_offer(from, is_restart).unwrap();
    engine
        .set_remote(to, &change(&offer), DescriptionKind::Offer, "")
        .unwrap();
    let answer = engine.create_answer(to).unwrap();
    engine
        .set_remote(from, &answer, DescriptionKind::Answer, "tag")
        .unwrap();
    [offer, answer]
}

fn number(engine: &Engine, session: u64, name: &str) -> Option<f64> {
    let report = engine.statistics(session).unwrap();
    let found = report.into_iter().find(|(known, _)| *known == name);
    found.and_then(|(_, value)| match value {
        Value::Number(value) => Some(value),
        _ => None,
    })
}

fn negotiating(engine: &Engine) -> (u64, u64) {
    let ends = (open(engine, CALLER), open(engine, CALLEE));
    engine.negotiate_rtcp_mux(ends.0).unwrap();
    ends
}

/// RFC 5761 §5.1.3.
#[test]
fn each_end_has_a_second_socket_where_rtcp_goes_by_itself() {
    let engine = engine(true);
    let (caller, callee) = negotiating(&engine);
    let [_, answer] = exchange(&engine, (caller, callee), false, without_mux);
    assert!(!answer.contains("a=rtcp-mux") && answer.contains("a=rtcp:"));
    engine.advance(15.0);

    assert_eq!(engine.counts().sockets, 4);
    for end in [caller, callee] {
        assert!(number(&engine, end, "packets_received").unwrap() > 700.0);
        assert!(number(&engine, end, "round_trip").is_some());
        assert_eq!(number(&engine, end, "refused_srtp"), Some(0.0));
    }
    engine.close_session(caller);
    engine.close_session(callee);
    assert_eq!(engine.counts().sockets, 0);
}

#[test]
fn the_second_socket_of_an_offer_is_closed_when_the_answer_multiplexes() {
    let engine = engine(true);
    let (caller, callee) = negotiating(&engine);
    let [offer, answer] = exchange(&engine, (caller, callee), false, str::to_owned);
    engine.advance(15.0);

    assert!(offer.contains("a=rtcp-mux") && offer.contains("a=rtcp:"));
    assert!(answer.contains("a=rtcp-mux") && !answer.contains("a=rtcp:"));
    assert_eq!(engine.counts().sockets, 2);
    for end in [caller, callee] {
        assert!(number(&engine, end, "round_trip").is_some());
    }
    let [offer, _] = exchange(&engine, (caller, callee), true, str::to_owned);
    assert!(!offer.contains("a=rtcp:"), "{offer}");
}

#[test]
fn restarts_by_either_end_and_a_change_to_one_component_lose_nothing() {
    let engine = engine(true);
    let (caller, callee) = negotiating(&engine);
    exchange(&engine, (caller, callee), false, without_mux);
    engine.advance(2.0);
    for (round, until) in [4.0, 6.0, 8.0].into_iter().enumerate() {
        let ends = [(caller, callee), (callee, caller)][round % 2];
        let [offer, answer] = exchange(&engine, ends, true, without_mux);
        assert!(offer.contains("a=rtcp:") && answer.contains("a=rtcp:"));
        engine.advance(until);
    }
    assert_eq!(engine.counts().sockets, 4);

    let [_, answer] = exchange(&engine, (callee, caller), false, str::to_owned);
    engine.advance(20.0);

    assert!(answer.contains("a=rtcp-mux"));
    assert_eq!(engine.counts().sockets, 2);
    for end in [caller, callee] {
        assert_eq!(number(&engine, end, "packets_lost"), Some(0.0));
        assert!(number(&engine, end, "packets_received").unwrap() > 950.0);
    }
}

#[test]
fn a_lite_agent_has_both_components_too() {
    let engine = engine(true);
    let (caller, callee) = negotiating(&engine);
    engine.answer_as_lite(callee).unwrap();
    let [_, answer] = exchange(&engine, (caller, callee), false, without_mux);
    engine.advance(40.0);

    assert!(answer.contains("a=ice-lite") && answer.contains("a=rtcp:"));
    for end in [caller, callee] {
        assert!(number(&engine, end, "packets_received").unwrap() > 1900.0);
        assert!(number(&engine, end, "round_trip").is_some());
    }
}

/// Those that answer share the port of RTP; that of RTCP is the call's own.
#[test]
fn real_sockets_are_bound_and_closed_as_virtual_ones_are() {
    let engine = engine(false);
    let ends = [open(&engine, "127.0.0.1"), open(&engine, "127.0.0.1")];
    engine.negotiate_rtcp_mux(ends[0]).unwrap();
    exchange(&engine, (ends[0], ends[1]), false, without_mux);
    assert_eq!(engine.counts().sockets, 4);

    exchange(&engine, (ends[0], ends[1]), false, str::to_owned);
    assert_eq!(engine.counts().sockets, 2);
    ends.into_iter().for_each(|end| engine.close_session(end));
    assert_eq!(engine.counts().sockets, 0);
}
