//! What a client transaction sends and takes, at exact times.
use super::*;

#[test]
fn client_invite_repeats_by_timer_a_and_ends_by_timer_b() {
    let mut bench = Bench::new("udp");
    bench.request("INVITE");
    bench.branch();
    let (sent, events) = bench.run(100.0);
    assert_eq!(times(&sent), [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]);
    assert_eq!(events, [(32.0, EventKind::Timeout)]);
    assert!(bench.is_idle());
}

#[test]
fn client_invite_over_tcp_is_sent_once() {
    let mut bench = Bench::new("tcp");
    bench.request("INVITE");
    bench.branch();
    assert_eq!(bench.run(100.0), (vec![], vec![(32.0, EventKind::Timeout)]));
    assert!(bench.is_idle());
}

#[test]
fn provisional_response_stops_both_timers_of_an_invite() {
    let mut bench = Bench::new("udp");
    bench.request("INVITE");
    let branch = bench.branch();
    let events = bench.answer(&branch, "INVITE", 180, "t");
    assert_eq!(
        (events.len(), events[0].token, events[0].status),
        (1, 7, 180)
    );
    assert!(bench.answer(&branch, "INVITE", 180, "t").is_empty());
    assert_eq!(bench.answer(&branch, "INVITE", 180, "other").len(), 1);
    assert_eq!(bench.run(500.0), (vec![], vec![]));
    assert_eq!(bench.core.dialogs.len(), 2);
}

#[test]
fn flood_of_early_dialogs_is_bounded_and_does_not_hide_the_final_response() {
    let mut bench = Bench::new("udp");
    bench.request("INVITE");
    let branch = bench.branch();
    for number in 0..200 {
        bench.answer(&branch, "INVITE", 180, &format!("t{number}"));
    }
    assert_eq!(bench.core.dialogs.len(), 64);
    assert_eq!(bench.answer(&branch, "INVITE", 200, "last").len(), 1);
}

#[test]
fn further_provisional_response_with_another_body_is_news() {
    let mut bench = Bench::new("udp");
    bench.request("INVITE");
    let branch = bench.branch();
    let mut answer = |body: &str| {
        bench.receive(&format!(
            "SIP/2.0 183 X\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\nFrom: <sip:a@a>;tag=f\n\
             To: <sip:b@b>;tag=t\nCall-ID: c\nCSeq: 1 INVITE\n\n{body}"
        ))
    };
    assert_eq!(answer("").len(), 1);
    assert_eq!(answer("sdp").len(), 1);
    assert!(answer("sdp").is_empty());
}

#[test]
fn finished_transactions_keep_only_what_they_may_send_again() {
    let mut bench = Bench::new("udp");
    let invite = bench.receive(&peer_request("INVITE", "i", ""))[0].transaction;
    bench.reply(invite, 200);
    assert!(!bench.core.transactions[&invite].last.is_empty());
    bench.receive(&peer_request("ACK", "other", "t"));
    bench.core.take_output();
    let options = bench.request("OPTIONS");
    let branch = bench.branch();
    bench.answer(&branch, "OPTIONS", 200, "t");

    for id in [invite, options] {
        assert!(bench.core.transactions[&id].last.is_empty());
    }
}

#[test]
fn client_acknowledges_each_copy_of_a_failure_until_timer_d() {
    let mut bench = Bench::new("udp");
    bench.request("INVITE");
    let branch = bench.branch();
    bench.answer(&branch, "INVITE", 180, "t");
    assert_eq!(bench.answer(&branch, "INVITE", 486, "t").len(), 1);
    let ack = Message::parse(&bench.core.take_output()[0].data).expect("an ACK");
    assert_eq!(
        (ack.method(), ack.tag(HeaderName::To)),
        (&b"ACK"[..], &b"t"[..])
    );
    assert_eq!(ack.top_via().expect("a Via").branch(), branch.as_bytes());
    bench.run(31.9);
    assert!(bench.answer(&branch, "INVITE", 486, "t").is_empty());
    assert_eq!(bench.first_lines(), ["ACK sip:b@b SIP/2.0"]);
    bench.run(32.0);
    assert!(bench.is_idle());
    assert_eq!(bench.core.dialogs.len(), 0);
}

#[test] // RFC 6026 §7.2, Accepted
fn stored_ack_answers_each_repeated_success_until_timer_m() {
    let mut bench = Bench::new("udp");
    let id = bench.request("INVITE");
    let branch = bench.branch();
    assert_eq!(bench.answer(&branch, "INVITE", 200, "t").len(), 1);
    let (method, headers, destination) = ("ACK", Vec::new(), address("192.0.2.7"));
    let (uri, sent_by, body) = (&b"sip:x@x"[..], "192.0.2.1", &b""[..]);
    let ack = Outgoing {
        method,
        uri,
        flow: FLOW,
        destination,
        sent_by,
        headers,
        body,
    };
    bench.core.acknowledge(id, b"t", &ack).expect("valid ACK");
    let first = bench.core.take_output();
    assert!(bench.answer(&branch, "INVITE", 200, "t").is_empty());
    assert_eq!(bench.core.take_output(), first);
    assert_eq!(bench.answer(&branch, "INVITE", 200, "fork").len(), 1);
    bench.run(32.0);
    assert!(bench.is_idle());
    let late = bench.answer(&branch, "INVITE", 200, "t");
    assert_eq!(late[0].kind, EventKind::StrayResponse);
}

#[test]
fn reinvite_whose_answer_is_lost_ends() {
    let mut bench = Bench::new("udp");
    bench.request_to("INVITE", b"<sip:b@b>;tag=t");
    let branch = bench.branch();
    bench.answer(&branch, "INVITE", 100, "t");
    assert_eq!(bench.run(1_000.0).1, [(180.0, EventKind::Timeout)]);
    assert!(bench.is_idle());
}

#[test] // RFC 3261 §17.1.2, RFC 4320 §4.1: told inside, never sent as a 408
fn client_non_invite_repeats_by_timer_e_and_ends_by_timer_f() {
    let mut bench = Bench::new("udp");
    bench.request("OPTIONS");
    bench.branch();
    let (sent, events) = bench.run(100.0);
    assert_eq!(times(&sent), TO_T2);
    assert_eq!(events, [(32.0, EventKind::Timeout)]);
    assert!(bench.is_idle());
}

#[test]
fn shortened_wait_ends_earlier_unless_something_was_heard() {
    for (method, provisional, expected) in [
        ("INVITE", false, vec![(4.0, EventKind::Timeout)]),
        ("OPTIONS", false, vec![(4.0, EventKind::Timeout)]),
        ("INVITE", true, vec![]),
    ] {
        let mut bench = Bench::new("udp");
        let (id, branch) = (bench.request(method), bench.branch());
        if provisional {
            bench.answer(&branch, method, 100, "t");
        }
        bench.core.shorten(id, 4.0, 0.0);
        assert_eq!(bench.run(30.0).1, expected);
    }
}

#[test]
fn provisional_response_slows_a_non_invite_to_t2() {
    let mut bench = Bench::new("udp");
    bench.request("OPTIONS");
    let branch = bench.branch();
    bench.answer(&branch, "OPTIONS", 100, "t");
    let (sent, _) = bench.run(100.0);
    assert_eq!(times(&sent), [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]);
}

#[test]
fn client_non_invite_absorbs_copies_until_timer_k() {
    let mut bench = Bench::new("udp");
    bench.request("BYE");
    let branch = bench.branch();
    assert_eq!(bench.answer(&branch, "BYE", 200, "t").len(), 1);
    assert!(bench.answer(&branch, "BYE", 200, "t").is_empty());
    bench.run(4.9);
    assert!(!bench.is_idle());
    bench.run(5.0);
    assert!(bench.is_idle());
}

#[test]
fn cancel_needs_a_provisional_response_and_shares_the_branch() {
    let mut bench = Bench::new("udp");
    let id = bench.request("INVITE");
    let branch = bench.branch();
    assert_eq!(bench.core.cancel(id, &[], 7, 0.0), Ok(0));
    bench.answer(&branch, "INVITE", 180, "t");
    assert_ne!(bench.core.cancel(id, &[], 7, 0.0), Ok(0));
    assert_eq!(bench.branch(), branch);
    assert_eq!(bench.core.cancel(id, &[], 7, 0.0), Ok(0));
    assert_eq!(
        bench.answer(&branch, "CANCEL", 200, "x")[0].method,
        "CANCEL"
    );
    let (_, events) = bench.run(100.0);
    assert_eq!(events, [(32.0, EventKind::Timeout)]);
    assert!(bench.is_idle());
}
