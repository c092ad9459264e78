//! What a server transaction answers and repeats, at exact times.
use super::*;

#[test]
fn server_invite_sends_100_after_200_ms_unless_answered() {
    let mut bench = Bench::new("udp");
    assert_eq!(bench.receive(&peer_request("INVITE", "1", "")).len(), 1);
    let (sent, _) = bench.run(0.3);
    assert_eq!(sent, [(0.2, "SIP/2.0 100 Trying".to_owned())]);
    assert!(bench.receive(&peer_request("INVITE", "1", "")).is_empty());
    assert_eq!(bench.first_lines(), ["SIP/2.0 100 Trying"]);
}

#[test]
fn an_answer_within_200_ms_takes_the_place_of_the_100() {
    let mut bench = Bench::new("udp");
    let id = bench.receive(&peer_request("INVITE", "2", ""))[0].transaction;
    assert!(bench.reply(id, 180));
    bench.first_lines();
    assert_eq!(bench.run(9.0), (vec![], vec![]));
    bench.receive(&peer_request("INVITE", "2", ""));
    assert_eq!(bench.first_lines(), ["SIP/2.0 180 Reason"]);
}

#[test]
fn copy_of_an_invite_that_came_another_way_is_answered_482() {
    let mut bench = Bench::new("udp");
    bench.receive(&peer_request("INVITE", "1", ""));
    assert!(bench.receive(&peer_request("INVITE", "2", "")).is_empty());
    assert_eq!(bench.first_lines(), ["SIP/2.0 482 Loop Detected"]);
}

#[test]
fn success_is_repeated_until_ack_even_over_tcp() {
    for transport in ["udp", "tcp"] {
        let mut bench = Bench::new(transport);
        let id = bench.receive(&peer_request("INVITE", "1", ""))[0].transaction;
        assert!(bench.reply(id, 200));
        assert_eq!(bench.first_lines(), ["SIP/2.0 200 Reason"]);
        let (sent, events) = bench.run(40.0);
        assert_eq!(times(&sent), TO_T2);
        assert_eq!(events, [(32.0, EventKind::AckTimeout)]);
        assert!(bench.is_idle());
    }
}

#[test]
fn ack_ends_the_repetition_and_is_reported_once() {
    let mut bench = Bench::new("udp");
    let id = bench.receive(&peer_request("INVITE", "1", ""))[0].transaction;
    assert!(bench.reply(id, 200));
    assert!(!bench.reply(id, 486));
    bench.first_lines();
    bench.run(0.6);
    let events = bench.receive(&peer_request("ACK", "new", "t"));
    let ack = (events[0].kind, events[0].token, events[0].transaction);
    assert_eq!(ack, (EventKind::Ack, 9, id));
    assert!(bench.receive(&peer_request("ACK", "newer", "t")).is_empty());
    assert!(bench.receive(&peer_request("INVITE", "1", "")).is_empty());
    assert_eq!(bench.run(100.0), (vec![], vec![]));
    assert!(bench.is_idle());
}

#[test]
fn ack_of_a_failure_is_absorbed_until_timer_i() {
    let mut bench = Bench::new("udp");
    let id = bench.receive(&peer_request("INVITE", "1", ""))[0].transaction;
    bench.reply(id, 486);
    bench.first_lines();
    assert!(bench.receive(&peer_request("ACK", "1", "t")).is_empty());
    assert!(bench.receive(&peer_request("INVITE", "1", "")).is_empty());
    assert_eq!(bench.run(4.9), (vec![], vec![]));
    assert!(!bench.is_idle());
    bench.run(5.0);
    assert!(bench.is_idle());
}

#[test]
fn reliable_transports_do_not_linger() {
    let mut bench = Bench::new("tcp");
    let id = bench.receive(&peer_request("OPTIONS", "1", ""))[0].transaction;
    assert!(bench.reply(id, 200));
    assert!(bench.is_idle());
    let id = bench.receive(&peer_request("INVITE", "2", ""))[0].transaction;
    bench.reply(id, 486);
    bench.receive(&peer_request("ACK", "2", "t"));
    assert!(bench.is_idle());
    bench.request("BYE");
    let output = bench.core.take_output().pop().expect("the BYE");
    let bye = Message::parse(&output.data).expect("it parses");
    let branch = String::from_utf8_lossy(bye.top_via().expect("a Via").branch()).into_owned();
    bench.answer(&branch, "BYE", 200, "t");
    assert!(bench.is_idle());
}

#[test]
fn server_non_invite_answers_copies_until_timer_j() {
    let mut bench = Bench::new("udp");
    let id = bench.receive(&peer_request("OPTIONS", "1", ""))[0].transaction;
    assert!(bench.receive(&peer_request("OPTIONS", "1", "")).is_empty());
    assert!(bench.first_lines().is_empty());
    assert!(bench.reply(id, 200));
    bench.first_lines();
    bench.run(31.9);
    assert!(bench.receive(&peer_request("OPTIONS", "1", "")).is_empty());
    assert_eq!(bench.first_lines(), ["SIP/2.0 200 Reason"]);
    bench.run(32.0);
    assert!(bench.is_idle());
}

#[test] // RFC 4320 §4.1
fn server_non_invite_takes_neither_early_1xx_nor_408() {
    let mut bench = Bench::new("udp");
    let id = bench.receive(&peer_request("OPTIONS", "1", ""))[0].transaction;
    assert!(!bench.reply(id, 180));
    assert!(!bench.reply(id, 408));
    let (sent, events) = bench.run(100.0);
    assert_eq!(sent, [(3.5, "SIP/2.0 100 Trying".to_owned())]);
    assert_eq!(events, []);
    assert!(bench.is_idle());
}

#[test]
fn cancel_is_answered_inside_and_reported() {
    let mut bench = Bench::new("udp");
    let id = bench.receive(&peer_request("INVITE", "1", ""))[0].transaction;
    let events = bench.receive(&peer_request("CANCEL", "1", ""));
    assert_eq!(
        (events[0].kind, events[0].transaction),
        (EventKind::Cancel, id)
    );
    assert_eq!(bench.first_lines(), ["SIP/2.0 200 OK"]);
    assert!(bench.receive(&peer_request("CANCEL", "1", "")).is_empty());
    assert_eq!(bench.first_lines(), ["SIP/2.0 200 OK"]);
    bench.reply(id, 487);
    assert!(
        bench
            .receive(&peer_request("CANCEL", "none", ""))
            .is_empty()
    );
    let answers = bench.first_lines();
    assert_eq!(answers[1], "SIP/2.0 481 Call/Transaction Does Not Exist");
}

#[test]
fn answer_to_cancel_has_the_tag_of_the_invites_answers() {
    let mut bench = Bench::new("udp");
    let id = bench.receive(&peer_request("INVITE", "1", ""))[0].transaction;
    bench.reply(id, 180);
    bench.core.take_output();
    bench.receive(&peer_request("CANCEL", "1", ""));
    let answer = Message::parse(&bench.core.take_output()[0].data).expect("it parses");
    assert_eq!(answer.tag(HeaderName::To), b"t");
}

#[test]
fn cancel_after_the_final_response_is_answered_and_not_reported() {
    let mut bench = Bench::new("udp");
    let id = bench.receive(&peer_request("INVITE", "1", ""))[0].transaction;
    bench.reply(id, 200);
    bench.first_lines();
    assert!(bench.receive(&peer_request("CANCEL", "1", "")).is_empty());
    assert_eq!(bench.first_lines(), ["SIP/2.0 200 OK"]);
}

#[test] // RFC 3581 §4
fn answer_goes_to_rport_and_says_so() {
    let mut bench = Bench::new("udp");
    bench.receive(&peer_request("CANCEL", "1", ""));
    let output = bench.core.take_output().pop().expect("an answer");
    assert_eq!(output.destination, address("192.0.2.2"));
    let text = String::from_utf8_lossy(&output.data).into_owned();
    let via = "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1;received=192.0.2.2;rport=5060\r\n";
    assert!(text.contains(via), "{text}");
}
