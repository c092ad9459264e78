//! STUN keep-alives on UDP flows (RFC 5626 §4.4.2, §8).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use trivox_sip::{Address, Event, EventKind, Origin, Output, Settings, SipCore};

const HOSTS: [&str; 2] = ["192.0.2.2", "2001:db8::2"];

fn at(host: &str, port: u16) -> Address {
    Address {
        host: host.into(),
        port,
    }
}

fn core(transport: &str) -> SipCore {
    let mut core = SipCore::new(b"seed", Settings::default());
    core.open_flow(1, transport);
    core
}

fn take(core: &mut SipCore, data: &[u8], source: &Address, now: f64) -> Vec<Event> {
    let mut events = Vec::new();
    core.receive_datagram(1, data, Origin::Known(source), now, &mut events);
    events
}

fn only(outputs: Vec<Output>) -> Output {
    assert_eq!(outputs.len(), 1);
    outputs.into_iter().next().unwrap()
}

/// A ping to a server at `host`, and the answer of a core that sees it from `seen`.
fn exchange(near: &mut SipCore, host: &str, seen: &Address, repeats: bool) -> (Vec<u8>, Vec<u8>) {
    near.ping(7, 1, at(host, 5060), repeats);
    let ping = only(near.take_output());
    assert_eq!(ping.destination, at(host, 5060));
    let mut far = core("udp");
    assert!(take(&mut far, &ping.data, seen, 0.0).is_empty());
    let answer = only(far.take_output());
    assert_eq!(&answer.destination, seen);
    (ping.data, answer.data)
}

/// RFC 5626 §4.4.2.
#[test]
fn a_ping_is_answered_with_where_it_came_from_and_a_move_is_told() {
    for host in HOSTS {
        let mut near = core("udp");
        let mut moves = Vec::new();
        for port in [5060, 5060, 5061, 5061] {
            let (_, answer) = exchange(&mut near, host, &at(host, port), false);
            let event = take(&mut near, &answer, &at(host, 5060), 0.0)
                .pop()
                .unwrap();
            assert_eq!((event.kind, event.token), (EventKind::Pong, 7));
            moves.push(event.status);
        }
        assert_eq!(moves, [0, 0, 1, 0]);
    }
}

#[test]
fn a_repetition_is_the_same_request_and_a_new_ping_is_not() {
    let mut near = core("udp");
    let seen = at("192.0.2.1", 5060);
    let (first, _) = exchange(&mut near, HOSTS[0], &seen, false);
    let (again, _) = exchange(&mut near, HOSTS[0], &seen, true);
    let (second, old) = exchange(&mut near, HOSTS[0], &seen, false);

    assert_eq!(first, again);
    assert_ne!(first, second);
    near.ping(7, 1, at(HOSTS[0], 5060), false);
    assert!(take(&mut near, &old, &at(HOSTS[0], 5060), 0.0).is_empty());
}

#[test]
fn an_answer_from_elsewhere_or_for_nothing_of_ours_is_dropped() {
    let mut near = core("udp");
    let (_, answer) = exchange(&mut near, HOSTS[0], &at("192.0.2.1", 9), false);

    assert!(take(&mut near, &answer, &at("192.0.2.66", 5060), 0.0).is_empty());
    let mut cut = answer.clone();
    cut.truncate(24);
    assert!(take(&mut near, &cut, &at(HOSTS[0], 5060), 0.0).is_empty());
    near.forget_ping(7);
    assert!(take(&mut near, &answer, &at(HOSTS[0], 5060), 0.0).is_empty());
    assert!(near.take_output().is_empty());
}

#[test]
fn what_asks_for_more_than_a_keep_alive_is_dropped() {
    let mut near = core("udp");
    near.ping(7, 1, at(HOSTS[0], 5060), false);
    let ping = only(near.take_output()).data;
    let mut far = core("udp");
    // USERNAME must be understood, SOFTWARE need not be.
    for (kind, answers) in [([0x00, 0x06], 0), ([0x80, 0x22], 1)] {
        let mut asked = ping.clone();
        asked[3] = 8;
        asked.extend_from_slice(&[kind[0], kind[1], 0, 2, b'a', b'b', 0, 0]);
        take(&mut far, &asked, &at("192.0.2.1", 1), 0.0);
        assert_eq!(far.take_output().len(), answers);
    }
    let mut long = ping.clone();
    long.push(0);
    take(&mut far, &long, &at("192.0.2.1", 1), 0.0);
    assert!(far.take_output().is_empty());
}

#[test]
fn answers_are_bounded_by_the_second() {
    let mut near = core("udp");
    near.ping(7, 1, at(HOSTS[0], 5060), false);
    let ping = only(near.take_output()).data;
    let mut far = core("udp");
    let mut flood = |now: f64| {
        for port in 1..=1500 {
            take(&mut far, &ping, &at("192.0.2.1", port), now);
        }
        far.take_output().len()
    };

    assert_eq!([flood(5.0), flood(5.9), flood(6.0)], [1000, 0, 1000]);
}

#[test]
fn on_a_connection_it_is_no_stun() {
    let mut near = core("udp");
    near.ping(7, 1, at(HOSTS[0], 5060), false);
    let ping = only(near.take_output()).data;
    let mut far = core("ws");
    take(&mut far, &ping, &at("192.0.2.1", 1), 0.0);

    assert!(far.take_output().is_empty());
}

#[test]
fn any_mutation_is_survived() {
    let mut near = core("udp");
    let (ping, answer) = exchange(&mut near, HOSTS[1], &at(HOSTS[1], 9), false);
    for original in [ping, answer] {
        for index in 0..original.len() {
            for value in [0, 1, 0x20, 0x7F, 0xFF] {
                let mut data = original.clone();
                data[index] = value;
                take(&mut near, &data, &at(HOSTS[1], 5060), 0.0);
                data.truncate(index);
                take(&mut near, &data, &at(HOSTS[1], 5060), 0.0);
            }
        }
    }
}
