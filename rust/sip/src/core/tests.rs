//! Virtual-time tests of the four machines: exact times, both transports.
use super::*;
use crate::message::HeaderName;

const FLOW: u64 = 1;

fn address(host: &str) -> Address {
    Address {
        host: host.into(),
        port: 5060,
    }
}

pub(super) type Sent = Vec<(f64, String)>;

pub(super) struct Bench {
    pub(super) core: SipCore,
    pub(super) now: f64,
}

impl Bench {
    pub(super) fn new(transport: &str) -> Self {
        let mut core = SipCore::new(b"seed", Settings::default());
        core.open_flow(FLOW, transport);
        Self { core, now: 0.0 }
    }

    pub(super) fn receive(&mut self, text: &str) -> Vec<Event> {
        let mut events = Vec::new();
        let (data, source) = (text.replace('\n', "\r\n"), address("192.0.2.2"));
        self.core.receive_datagram(
            FLOW,
            data.as_bytes(),
            Origin::Known(&source),
            self.now,
            &mut events,
        );
        events
    }

    fn request(&mut self, method: &str) -> u64 {
        self.request_to(method, b"<sip:b@b>")
    }

    fn request_to(&mut self, method: &str, to: &[u8]) -> u64 {
        let from = ("From".to_owned(), b"<sip:a@a>;tag=f".to_vec());
        let to = ("To".to_owned(), to.to_vec());
        let cseq = ("CSeq".to_owned(), format!("1 {method}").into_bytes());
        let headers = vec![("Call-ID".to_owned(), b"c".to_vec()), from, to, cseq];
        let outgoing = Outgoing {
            method,
            uri: b"sip:b@b",
            flow: FLOW,
            destination: address("192.0.2.2"),
            sent_by: "192.0.2.1",
            headers,
            body: b"",
        };
        self.core
            .request(&outgoing, 7, self.now)
            .expect("valid headers")
    }

    pub(super) fn reply(&mut self, id: u64, status: u16) -> bool {
        let (reason, body, headers) = (&b"Reason"[..], &b""[..], Vec::new());
        let reply = Reply {
            status,
            reason,
            headers,
            body,
            to_tag: "t",
            token: 9,
        };
        self.core
            .respond(id, &reply, self.now)
            .expect("valid reply")
    }

    /// The peer's response to our last request with that method.
    fn answer(&mut self, branch: &str, method: &str, status: u16, tag: &str) -> Vec<Event> {
        self.receive(&format!(
            "SIP/2.0 {status} X\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\n\
             From: <sip:a@a>;tag=f\nTo: <sip:b@b>;tag={tag}\nCall-ID: c\nCSeq: 1 {method}\n\n"
        ))
    }

    pub(super) fn first_lines(&mut self) -> Vec<String> {
        let line = |o: Output| {
            String::from_utf8_lossy(&o.data)
                .lines()
                .next()
                .map(str::to_owned)
        };
        self.core
            .take_output()
            .into_iter()
            .filter_map(line)
            .collect()
    }

    fn branch(&mut self) -> String {
        let output = self.core.take_output();
        let message = Message::parse(&output[0].data).expect("our own message parses");
        String::from_utf8_lossy(message.top_via().expect("a Via").branch()).into_owned()
    }

    /// Run all timers until `end`; the time and start line of each thing sent, and the events.
    pub(super) fn run(&mut self, end: f64) -> (Sent, Vec<(f64, EventKind)>) {
        let (mut sent, mut events) = (Vec::new(), Vec::new());
        while let Some(at) = self.core.next_deadline().filter(|&at| at <= end) {
            self.now = at;
            events.extend(
                self.core
                    .handle_timeout(at)
                    .iter()
                    .map(|event| (at, event.kind)),
            );
            sent.extend(self.first_lines().into_iter().map(|line| (at, line)));
        }
        self.now = end;
        (sent, events)
    }

    pub(super) fn is_idle(&self) -> bool {
        let live = ["transactions", "timers"];
        self.core.transactions.is_empty()
            && self.core.servers.is_empty()
            && self.core.clients.is_empty()
            && self.core.acks.is_empty()
            && self.core.merges.is_empty()
            && self.core.by_flow.is_empty()
            && self
                .core
                .statistics()
                .iter()
                .all(|(name, n)| !live.contains(name) || *n == 0)
    }
}

pub(super) fn peer_request(method: &str, branch: &str, to_tag: &str) -> String {
    let tag = if to_tag.is_empty() {
        String::new()
    } else {
        format!(";tag={to_tag}")
    };
    format!(
        "{method} sip:a@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{branch};rport\n\
         From: <sip:b@b>;tag=remote\nTo: <sip:a@a>{tag}\nCall-ID: d\nCSeq: 1 {method}\n\
         Max-Forwards: 70\n\n"
    )
}

pub(super) fn times(sent: &[(f64, String)]) -> Vec<f64> {
    sent.iter().map(|(at, _)| *at).collect()
}

pub(super) const TO_T2: [f64; 10] = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5];

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

#[test]
fn broken_flow_fails_the_clients_that_wait_on_it() {
    let mut bench = Bench::new("tcp");
    let id = bench.request("INVITE");
    let events = bench.core.close_flow(FLOW, 1.0);
    assert_eq!(
        (events[0].kind, events[0].transaction),
        (EventKind::TransportError, id)
    );
    assert!(bench.is_idle());
    let late = bench.request("OPTIONS");
    assert_eq!(bench.core.next_deadline(), Some(0.0));
    assert_eq!(bench.core.handle_timeout(0.0)[0].transaction, late);
    assert!(bench.is_idle());
}

#[test]
fn too_many_transactions_are_refused_without_state() {
    let mut bench = Bench::new("udp");
    bench.core.settings.max_transactions = 1;
    bench.receive(&peer_request("OPTIONS", "1", ""));
    assert!(bench.receive(&peer_request("INVITE", "2", "")).is_empty());
    let output = bench.core.take_output().pop().expect("a refusal");
    let refusal = Message::parse(&output.data).expect("it parses");
    assert_eq!(refusal.status(), 503);
    let tag = String::from_utf8_lossy(refusal.tag(HeaderName::To)).into_owned();
    assert!(bench.receive(&peer_request("ACK", "2", &tag)).is_empty());
    assert_eq!(bench.core.counters.refused, 1);
}

#[test]
fn dialogs_carry_their_token_until_forgotten() {
    let mut bench = Bench::new("udp");
    let id = bench.receive(&peer_request("INVITE", "1", ""))[0].transaction;
    bench.reply(id, 180);
    assert_eq!(bench.receive(&peer_request("INFO", "2", "t"))[0].token, 9);
    bench.core.forget(b"d", b"t", b"remote");
    assert_eq!(bench.receive(&peer_request("INFO", "3", "t"))[0].token, 0);
}

#[test]
fn early_dialog_of_a_refused_invite_is_dropped() {
    let mut bench = Bench::new("udp");
    let id = bench.receive(&peer_request("INVITE", "1", ""))[0].transaction;
    bench.reply(id, 180);
    bench.reply(id, 486);
    assert!(bench.core.dialogs.is_empty());
}

#[test]
fn success_to_a_subscribe_binds_no_dialog() {
    let mut bench = Bench::new("udp");
    bench.request("SUBSCRIBE");
    let branch = bench.branch();
    assert_eq!(bench.answer(&branch, "SUBSCRIBE", 200, "t").len(), 1);
    assert!(bench.core.dialogs.is_empty());
}
