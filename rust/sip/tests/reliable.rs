//! Provisional responses sent reliably: repeated by the core until PRACK (RFC 3262 §3).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use trivox_sip::{Address, Event, EventKind, Origin, Reply, Settings, SipCore};

fn peer() -> Address {
    Address {
        host: "192.0.2.2".into(),
        port: 5060,
    }
}

fn receive(core: &mut SipCore, text: &str, now: f64) -> Vec<Event> {
    let mut events = Vec::new();
    let data = text.replace('\n', "\r\n");
    let from = peer();
    core.receive_datagram(1, data.as_bytes(), Origin::Known(&from), now, &mut events);
    events
}

fn request(method: &str, cseq: u32, to: &str, more: &str) -> String {
    format!(
        "{method} sip:a@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{cseq}\n\
         From: <sip:b@b>;tag=r\nTo: <sip:a@a>{to}\nCall-ID: d\nCSeq: {cseq} {method}\n\
         Max-Forwards: 70\nContact: <sip:b@192.0.2.2>\n{more}\n"
    )
}

fn reply(core: &mut SipCore, id: u64, status: u16, serial: Option<&str>, now: f64) -> bool {
    let headers = serial.map(|value| ("RSeq".to_owned(), value.as_bytes().to_vec()));
    let reply = Reply {
        status,
        reason: b"Reason",
        headers: headers.into_iter().collect(),
        body: b"",
        to_tag: "t",
        token: 9,
    };
    core.respond(id, &reply, now).unwrap()
}

/// A core with an INVITE whose 183 was sent reliably at 0, and its transaction.
fn ringing(transport: &str) -> (SipCore, u64) {
    let mut core = SipCore::new(b"seed", Settings::default());
    core.open_flow(1, transport);
    let id = receive(&mut core, &request("INVITE", 1, "", ""), 0.0)[0].transaction;
    assert!(reply(&mut core, id, 183, Some("77"), 0.0));
    core.take_output();
    (core, id)
}

/// The times of what is sent until `end`, and the events.
fn run(core: &mut SipCore, end: f64) -> (Vec<f64>, Vec<EventKind>) {
    let (mut times, mut kinds) = (Vec::new(), Vec::new());
    while let Some(at) = core.next_deadline().filter(|&at| at <= end) {
        kinds.extend(core.handle_timeout(at).iter().map(|event| event.kind));
        times.extend(core.take_output().iter().map(|_| at));
    }
    (times, kinds)
}

fn prack(core: &mut SipCore, rack: &str, now: f64) -> Vec<Event> {
    let more = format!("RAck: {rack}\n");
    receive(core, &request("PRACK", 2, ";tag=t", &more), now)
}

#[test]
fn it_is_repeated_at_doubled_intervals_on_any_transport_until_64_t1() {
    for transport in ["udp", "tcp"] {
        let (mut core, id) = ringing(transport);

        let (times, kinds) = run(&mut core, 100.0);

        assert_eq!(times, [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]);
        assert_eq!(kinds, [EventKind::AckTimeout]);
        // The INVITE still wants its final response (RFC 3262 §3: a 5xx).
        assert!(reply(&mut core, id, 504, None, 100.0));
    }
}

#[test]
fn its_prack_stops_it_and_goes_up_with_the_calls_token() {
    let (mut core, id) = ringing("udp");
    run(&mut core, 1.0);

    let events = prack(&mut core, "77 1 INVITE", 1.0);

    assert_eq!(events.len(), 1);
    assert_eq!((events[0].method.as_str(), events[0].token), ("PRACK", 9));
    assert!(
        run(&mut core, 30.0).0.iter().all(|&at| at > 3.0),
        "a late 100 for the PRACK only"
    );
    assert!(reply(&mut core, id, 180, None, 30.0));
}

#[test]
fn a_prack_for_something_else_stops_nothing() {
    for rack in [
        "78 1 INVITE",
        "77 2 INVITE",
        "x 1 INVITE",
        "",
        "+77 1 INVITE",
    ] {
        let (mut core, _) = ringing("udp");

        let events = prack(&mut core, rack, 0.1);

        assert_eq!(events.len(), 1, "{rack}");
        assert_eq!(run(&mut core, 0.6).0, [0.5], "{rack}");
    }
}

#[test]
fn the_next_one_waits_for_the_prack_and_a_final_response_does_not() {
    let (mut core, id) = ringing("udp");

    assert!(!reply(&mut core, id, 183, Some("78"), 0.1));
    assert!(!reply(&mut core, id, 180, None, 0.1));
    assert_eq!(prack(&mut core, "77 1 INVITE", 0.1).len(), 1);
    assert!(reply(&mut core, id, 183, Some("78"), 0.1));
    core.take_output();
    assert!(reply(&mut core, id, 486, None, 0.1));
    assert_eq!(core.take_output().len(), 1);

    // From now on the final response is repeated.
    assert_eq!(run(&mut core, 0.7).0, [0.6]);
}

#[test]
fn the_invite_again_gets_the_reliable_response_and_a_cancel_is_told() {
    let (mut core, _) = ringing("udp");

    assert!(receive(&mut core, &request("INVITE", 1, "", ""), 0.1).is_empty());
    let again = core.take_output();
    let cancel = receive(&mut core, &request("CANCEL", 1, "", ""), 0.2);

    assert!(again[0].data.starts_with(b"SIP/2.0 183"));
    assert_eq!(cancel[0].kind, EventKind::Cancel);
}

#[test]
fn nothing_is_left_of_it_at_the_end() {
    let (mut core, id) = ringing("udp");
    reply(&mut core, id, 486, None, 0.1);

    run(&mut core, 100.0);

    let live: u64 = core
        .statistics()
        .iter()
        .filter(|(name, _)| ["transactions", "dialogs", "timers"].contains(name))
        .map(|(_, count)| count)
        .sum();
    assert_eq!(live, 0);
}
