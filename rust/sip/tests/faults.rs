//! What is wrong costs one transaction: a panic inside, whatever was handled, and foreign responses.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use trivox_sip::{Address, Event, EventKind, Message, Origin, Outgoing, Reply, Settings, SipCore};

fn peer() -> Address {
    Address {
        host: "192.0.2.2".into(),
        port: 5060,
    }
}

fn core() -> SipCore {
    let mut core = SipCore::new(b"seed", Settings::default());
    core.open_flow(1, "udp");
    core
}

fn receive(core: &mut SipCore, text: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let data = text.replace('\n', "\r\n");
    core.receive_datagram(1, data.as_bytes(), Origin::Known(&peer()), 0.0, &mut events);
    events
}

fn request(method: &str) -> String {
    format!(
        "{method} sip:a@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\n\
         From: <sip:b@b>;tag=r\nTo: <sip:a@a>\nCall-ID: d\nCSeq: 1 {method}\nMax-Forwards: 70\n\
         Contact: <sip:b@192.0.2.2>\n\n"
    )
}

fn send(core: &mut SipCore, method: &str, token: i64) -> (u64, String) {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let outgoing = Outgoing {
        method,
        uri: b"sip:b@b",
        flow: 1,
        destination: peer(),
        sent_by: "192.0.2.1",
        headers: vec![
            header("Call-ID", "c"),
            header("From", "<sip:a@a>;tag=f"),
            header("To", "<sip:b@b>"),
            header("CSeq", &format!("{token} {method}")),
        ],
        body: b"",
    };
    let id = core.request(&outgoing, token, 0.0).unwrap();
    let sent = core.take_output().pop().unwrap();
    let message = Message::parse(&sent.data).unwrap();
    let branch = message.top_via().unwrap().branch().to_vec();
    (id, String::from_utf8(branch).unwrap())
}

fn response(method: &str, number: i64, branch: &str, status: u16) -> String {
    format!(
        "SIP/2.0 {status} X\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\n\
         From: <sip:a@a>;tag=f\nTo: <sip:b@b>;tag=t\nCall-ID: c\nCSeq: {number} {method}\n\n"
    )
}

fn count(core: &SipCore, name: &str) -> u64 {
    let all = core.statistics();
    all.iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn a_request_that_panicked_is_answered_500_and_a_new_one_is_taken() {
    for method in ["INVITE", "OPTIONS"] {
        let mut core = core();
        core.inject_fault(1);
        let first = receive(&mut core, &request(method));
        assert!(first.iter().all(|event| event.kind != EventKind::Request));
        let sent = core.take_output().pop().unwrap();
        assert_eq!(Message::parse(&sent.data).unwrap().status(), 500);
        assert_eq!(count(&core, "transactions"), 0);

        let second = receive(&mut core, &request(method));

        assert_eq!(second[0].kind, EventKind::Request);
        assert_eq!(count(&core, "panics"), 1);
    }
}

#[test]
fn a_response_that_panicked_fails_its_request_and_no_other() {
    let mut core = core();
    let (one, branch) = send(&mut core, "INVITE", 1);
    let (other, other_branch) = send(&mut core, "INVITE", 2);
    core.inject_fault(1);

    let failed = receive(&mut core, &response("INVITE", 1, &branch, 200));
    let good = receive(&mut core, &response("INVITE", 2, &other_branch, 200));

    assert_eq!(failed.len(), 1);
    assert_eq!(
        (failed[0].kind, failed[0].transaction, failed[0].token),
        (EventKind::TransportError, one, 1)
    );
    assert_eq!(
        (good[0].kind, good[0].transaction),
        (EventKind::Response, other)
    );
}

#[test]
fn a_timer_that_panicked_keeps_no_other_from_running() {
    let mut core = core();
    for number in 1..=3 {
        send(&mut core, "OPTIONS", number);
    }
    core.inject_fault(2);
    let mut events = Vec::new();

    while let Some(deadline) = core.next_deadline() {
        events.extend(core.handle_timeout(deadline));
    }

    let mut kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    kinds.sort_by_key(|kind| *kind as u8);
    let (timeout, error) = (EventKind::Timeout, EventKind::TransportError);
    assert!(kinds == [timeout, timeout, error] || kinds == [error, timeout, timeout]);
    assert_eq!(count(&core, "transactions"), 0);
}

#[test]
fn an_answer_that_panicked_tells_the_one_who_answered() {
    let mut core = core();
    let invite = receive(&mut core, &request("INVITE"))[0].transaction;
    let reply = Reply {
        status: 200,
        reason: b"OK",
        headers: Vec::new(),
        body: b"",
        to_tag: "t",
        token: 9,
    };
    core.inject_fault(1);

    let done = core.command(0.0, |core| core.respond(invite, &reply, 0.0));

    assert!(done.is_none());
    let told = core.handle_timeout(0.0);
    assert_eq!(
        (told[0].kind, told[0].transaction),
        (EventKind::AckTimeout, invite)
    );
    assert_eq!(count(&core, "transactions"), 0);
}

#[test]
fn a_copy_of_an_invite_that_panicked_ends_the_call_on_both_sides() {
    let mut core = core();
    let invite = receive(&mut core, &request("INVITE"))[0].transaction;
    core.inject_fault(1);

    let told = receive(&mut core, &request("INVITE"));

    let event = (told[0].kind, told[0].transaction);
    assert_eq!(event, (EventKind::Cancel, invite));
    let sent = core.take_output().pop().unwrap();
    assert_eq!(Message::parse(&sent.data).unwrap().status(), 500);
}

#[test]
fn a_response_with_another_from_tag_makes_no_dialog() {
    let mut core = core();
    let (_, branch) = send(&mut core, "INVITE", 1);
    let good = response("INVITE", 1, &branch, 200);

    for (ours, theirs) in [("tag=f", "tag=g"), ("Call-ID: c", "Call-ID: d")] {
        let wrong = good.replace(ours, theirs);
        assert!(receive(&mut core, &wrong).is_empty());
    }

    assert_eq!((count(&core, "dialogs"), count(&core, "dropped")), (0, 2));
    assert_eq!(receive(&mut core, &good)[0].kind, EventKind::Response);
}
