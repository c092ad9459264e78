//! What one source may bring, in virtual time: its share of the room, and strangers in dialogs.
use super::tests::{Gate, request};
use crate::core::{Address, Reply};

fn from(host: &str) -> Address {
    Address {
        host: host.into(),
        port: 5060,
    }
}

/// INVITEs of a source; how many of them came in at once.
fn invites(gate: &mut Gate, host: &str, numbers: std::ops::Range<usize>) -> usize {
    let source = from(host);
    numbers
        .map(|number| gate.receive_from(&request("INVITE", number, ""), &source))
        .sum()
}

/// From which hosts requests come in with the next turns.
fn admitted(gate: &mut Gate, turns: usize) -> Vec<String> {
    let mut hosts = Vec::new();
    for _ in 0..turns {
        gate.now += 0.01;
        let events = gate.core.admit(gate.now);
        hosts.extend(events.iter().map(|event| event.source.host.to_string()));
    }
    hosts
}

#[test]
fn who_brings_little_takes_a_place_of_who_brings_much() {
    let mut gate = Gate::new(|settings| settings.waiting = 40);
    invites(&mut gate, "203.0.113.1", 0..500);

    invites(&mut gate, "203.0.113.2", 500..505);
    let hosts = admitted(&mut gate, 10);

    let little = hosts.iter().filter(|host| *host == "203.0.113.2").count();
    assert_eq!((little, hosts.len()), (5, 40));
    // Those that lost their places are answered like any that found none.
    let refused = gate
        .sent()
        .iter()
        .filter(|text| text.contains(" 503 "))
        .count();
    assert_eq!(refused, 200);
}

#[test]
fn nobody_loses_a_place_to_a_call_that_the_rate_refuses() {
    let mut gate = Gate::new(|settings| {
        settings.waiting = 40;
        settings.calls_per_second = 58.0;
    });
    invites(&mut gate, "203.0.113.1", 0..500);

    let refused = gate.count("refused_by_load");
    invites(&mut gate, "203.0.113.2", 500..505);

    // Two calls are left of this second: they take a place each, and the other three none.
    assert_eq!(gate.count("refused_by_load") - refused, 2);
    assert_eq!(gate.count("refused_by_rate"), 3);
    assert_eq!(gate.core.waiting(), 40);
}

/// RFC 6357 §8.
#[test]
fn nobody_gets_more_than_a_share_by_coming_late() {
    let mut gate = Gate::new(|settings| settings.waiting = 40);
    invites(&mut gate, "203.0.113.1", 0..500);

    invites(&mut gate, "203.0.113.2", 500..1000);
    let hosts = admitted(&mut gate, 10);

    let second = hosts.iter().filter(|host| *host == "203.0.113.2").count();
    assert_eq!((second, hosts.len()), (20, 40));
}

#[test]
fn neighbours_in_one_ipv6_network_share_a_share() {
    let mut gate = Gate::new(|settings| settings.waiting = 40);
    for number in 0..500 {
        invites(
            &mut gate,
            &format!("2001:db8::{number:x}"),
            number..number + 1,
        );
    }

    invites(&mut gate, "2001:db8:1::1", 500..510);
    let hosts = admitted(&mut gate, 10);

    let other = hosts.iter().filter(|host| *host == "2001:db8:1::1").count();
    assert_eq!((other, hosts.len()), (10, 40));
}

#[test]
fn sources_of_unlimited_networks_have_no_limit() {
    let mut gate = Gate::new(|settings| settings.requests_per_source = 2.0);
    gate.core
        .exempt_sources(&[(from("198.51.100.0").host.parse().expect("an address"), 24)]);

    let known = invites(&mut gate, "198.51.100.7", 0..10);
    let strange = invites(&mut gate, "203.0.113.1", 10..14);

    assert_eq!((known, strange), (10, 2));
    assert_eq!((gate.count("bans"), gate.count("sources")), (1, 1));
}

#[test]
fn strangers_in_dialogs_are_looked_at_a_few_times_a_second_and_dialogs_always() {
    let mut gate = Gate::new(|settings| {
        settings.strangers_per_second = 5.0;
        settings.refusals_per_second = 10;
    });
    gate.core.bind(b"c1", b"ours", b"f1", 7);

    let invented: usize = (100..200)
        .map(|number| gate.receive(&request("BYE", number, ";tag=invented")))
        .sum();
    let own = gate.receive(&request("BYE", 1, ";tag=ours"));
    let question = gate.receive(&request("OPTIONS", 2, ";tag=invented"));

    assert_eq!((invented, own, question), (5, 1, 1));
    // RFC 3261 §12.2.2: what matches no dialog is answered 481; beyond the budget, not at all.
    let answers = gate.sent();
    assert_eq!(answers.len(), 10);
    assert!(answers.iter().all(|text| text.starts_with("SIP/2.0 481 ")));
    assert_eq!(gate.count("refused_strangers"), 95);
    assert_eq!(gate.count("refusals_dropped"), 85);
}

#[test]
fn a_notify_of_no_dialog_is_not_refused_but_heard_again() {
    let mut gate = Gate::new(|settings| settings.strangers_per_second = 1.0);
    gate.receive(&request("BYE", 1, ";tag=invented"));

    let first = gate.receive(&request("NOTIFY", 2, ";tag=new"));
    gate.now += 1.0;
    let again = gate.receive(&request("NOTIFY", 2, ";tag=new"));

    // RFC 6665 §4.1.4: it may come before the answer to the SUBSCRIBE.
    assert_eq!((first, again), (0, 1));
    assert!(gate.sent().is_empty());
}

#[test]
fn a_repeated_bye_of_a_stranger_is_absorbed_and_counts_once() {
    let mut gate = Gate::new(|settings| settings.strangers_per_second = 2.0);
    let bye = request("BYE", 1, ";tag=invented");
    gate.receive(&bye);
    let id = gate.core.counter;
    let gone = Reply {
        status: 481,
        reason: b"Gone",
        headers: Vec::new(),
        body: b"",
        to_tag: "",
        token: 0,
    };
    gate.core
        .respond(id, &gone, gate.now)
        .expect("it is well made");

    for _ in 0..10 {
        gate.receive(&bye);
    }

    assert_eq!(gate.receive(&request("BYE", 2, ";tag=invented")), 1);
    assert_eq!(gate.count("refused_strangers"), 0);
}
