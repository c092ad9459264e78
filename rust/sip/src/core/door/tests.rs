//! What comes in, what waits and what is refused, in virtual time.
use super::scan::{self, Kind, Name};
use super::*;
use crate::core::{Address, Settings};

const FLOW: u64 = 1;

pub(super) struct Gate {
    pub(super) core: SipCore,
    pub(super) now: f64,
}

fn address() -> Address {
    Address {
        host: "192.0.2.2".into(),
        port: 5062,
    }
}

pub(super) fn request(method: &str, number: usize, to_tag: &str) -> String {
    format!(
        "{method} sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5062;branch=z9hG4bK{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:b@b>;tag=f{number}\r\nTo: <sip:a@a>{to_tag}\r\n\
         Call-ID: c{number}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

impl Gate {
    pub(super) fn new(change: impl FnOnce(&mut DoorSettings)) -> Self {
        Self::over("udp", change)
    }

    fn over(transport: &str, change: impl FnOnce(&mut DoorSettings)) -> Self {
        let mut core = SipCore::new(b"seed", Settings::default());
        core.open_flow(FLOW, transport);
        let mut settings = DoorSettings::default();
        change(&mut settings);
        core.set_door(settings);
        Self { core, now: 100.0 }
    }

    pub(super) fn receive(&mut self, text: &str) -> usize {
        self.receive_from(text, &address())
    }

    pub(super) fn receive_from(&mut self, text: &str, source: &Address) -> usize {
        let (mut events, source) = (Vec::new(), Origin::Known(source));
        let data = text.as_bytes();
        self.core
            .receive_datagram(FLOW, data, source, self.now, &mut events);
        events.len()
    }

    fn invites(&mut self, numbers: std::ops::Range<usize>) -> usize {
        numbers
            .map(|number| self.receive(&request("INVITE", number, "")))
            .sum()
    }

    /// Call somebody.
    fn call(&mut self) {
        self.ask("INVITE", "");
    }

    /// Send a request of ours.
    fn ask(&mut self, method: &str, to_tag: &str) {
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let outgoing = crate::core::Outgoing {
            method,
            uri: b"sip:b@b",
            flow: FLOW,
            destination: address(),
            sent_by: "192.0.2.1",
            headers: vec![
                header("From", "<sip:a@a>;tag=f"),
                header("To", &format!("<sip:b@b>{to_tag}")),
                header("Call-ID", "c"),
                header("CSeq", &format!("1 {method}")),
            ],
            body: b"",
        };
        self.core
            .request(&outgoing, 1, self.now)
            .expect("it is well made");
    }

    pub(super) fn sent(&mut self) -> Vec<String> {
        let all = self.core.take_output().into_iter();
        all.map(|output| String::from_utf8_lossy(&output.data).into_owned())
            .collect()
    }

    pub(super) fn count(&self, wanted: &str) -> u64 {
        let all = self.core.statistics();
        all.iter()
            .find(|(name, _)| *name == wanted)
            .expect("a counter")
            .1
    }
}

#[test]
fn what_no_turn_has_room_for_waits_and_comes_in_with_the_next_ones() {
    let mut gate = Gate::new(|_| {});

    let at_once = gate.invites(0..40);
    let later: Vec<usize> = (0..3)
        .map(|_| {
            gate.now += 0.01;
            gate.core.admit(gate.now).len()
        })
        .collect();

    assert_eq!((at_once, later), (16, vec![16, 8, 0]));
    assert_eq!((gate.count("waited"), gate.count("refused")), (24, 0));
    assert_eq!(gate.core.waiting(), 0);
}

#[test]
fn a_full_room_refuses_with_503_and_then_silently() {
    let mut gate = Gate::new(|settings| {
        settings.waiting = 4;
        settings.refusals_per_second = 3;
    });

    gate.invites(0..30);
    let sent = gate.sent();

    assert_eq!(sent.len(), 3);
    assert!(
        sent[0].starts_with("SIP/2.0 503 Service Unavailable\r\nVia: SIP/2.0/UDP 192.0.2.2:5062")
    );
    assert!(sent[0].contains("\r\nRetry-After: 5\r\n"));
    assert_eq!(gate.count("refusals_answered"), 3);
    assert_eq!(gate.count("refusals_dropped"), 7);
    assert_eq!(gate.count("refused_by_load"), 10);
}

#[test]
fn the_next_second_has_answers_again() {
    let mut gate = Gate::new(|settings| settings.refusals_per_second = 2);
    gate.core.shut_door(true);

    gate.invites(0..5);
    let first = gate.sent().len();
    gate.now += 1.0;
    gate.invites(5..10);

    assert_eq!((first, gate.sent().len()), (2, 2));
}

#[test]
fn a_refusal_has_what_a_response_must_have_and_its_ack_goes_no_further() {
    let mut gate = Gate::new(|_| {});
    gate.core.shut_door(true);

    gate.invites(7..8);
    let response = Message::parse(gate.sent()[0].as_bytes()).expect("our own message parses");
    let tag = String::from_utf8_lossy(response.tag(crate::HeaderName::To)).into_owned();
    let events = gate.receive(&request("ACK", 7, &format!(";tag={tag}")));

    assert!(response.validate().is_none());
    assert_eq!(response.status(), 503);
    assert_eq!(response.call_id(), b"c7");
    assert_eq!(response.cseq(), Some((1, &b"INVITE"[..])));
    assert_eq!(tag.len(), 24);
    assert_eq!((events, gate.count("refusals_acknowledged")), (0, 1));
}

#[test]
fn refusals_of_one_request_are_alike_and_of_two_differ_in_their_tag() {
    let mut gate = Gate::new(|_| {});
    gate.core.shut_door(true);

    for number in [1, 1, 2] {
        gate.invites(number..number + 1);
    }
    let sent = gate.sent();
    let tags: Vec<&str> = sent
        .iter()
        .filter_map(|one| one.split(";tag=").nth(2))
        .collect();

    assert_eq!(sent[0], sent[1]);
    assert_ne!(&tags[0][..24], &tags[2][..24]);
}

/// RFC 5390 §6.
#[test]
fn nothing_inside_a_dialog_and_no_question_is_ever_refused() {
    let mut gate = Gate::new(|settings| settings.waiting = 0);
    gate.core.shut_door(true);
    gate.invites(0..100);
    gate.sent();
    let refused = gate.count("refused");

    let inside = [
        "INVITE", "BYE", "INFO", "UPDATE", "PRACK", "REFER", "MESSAGE", "NOTIFY",
    ];
    let taken: usize = inside
        .iter()
        .enumerate()
        .map(|(number, method)| gate.receive(&request(method, 1000 + number, ";tag=ours")))
        .sum();
    let asked = gate.receive(&request("OPTIONS", 2000, ""));

    assert_eq!((taken, asked), (inside.len(), 1));
    assert_eq!(gate.count("refused"), refused);
}

#[test]
fn a_copy_of_an_invite_that_is_being_handled_is_never_refused() {
    let mut gate = Gate::new(|_| {});
    gate.invites(1..2);
    gate.core.shut_door(true);

    gate.invites(1..2);
    let without_cookie = request("INVITE", 3, "").replace("z9hG4bK", "x");
    gate.core.shut_door(false);
    let first = gate.receive(&without_cookie);
    gate.core.shut_door(true);
    gate.receive(&without_cookie);

    assert_eq!(first, 1);
    assert_eq!((gate.count("refused"), gate.count("absorbed")), (0, 2));
}

#[test]
fn a_copy_of_one_that_waits_waits_with_it() {
    let mut gate = Gate::new(|_| {});

    gate.invites(0..20);
    gate.invites(16..20);

    assert_eq!((gate.core.waiting(), gate.count("absorbed")), (4, 4));
}

#[test]
fn a_cancel_finds_the_invite_that_waits() {
    let mut gate = Gate::new(|_| {});
    gate.invites(0..20);
    gate.sent();

    let events = gate.receive(&request("CANCEL", 18, ""));

    assert_eq!((events, gate.core.waiting()), (2, 3));
    assert!(gate.sent()[0].starts_with("SIP/2.0 200 OK"));
}

#[test]
fn who_has_waited_too_long_is_refused() {
    let mut gate = Gate::new(|_| {});
    gate.invites(0..20);

    gate.now += 0.5;
    let events = gate.core.admit(gate.now);

    assert!(events.is_empty());
    assert_eq!((gate.sent().len(), gate.count("refused_by_load")), (4, 4));
}

#[test]
fn a_wait_above_the_target_for_a_while_makes_the_room_small() {
    let mut gate = Gate::new(|settings| {
        settings.waiting = 200;
        settings.target_delay = 0.02;
        settings.overload_seconds = 0.1;
    });
    let mut number = 0;
    for _ in 0..20 {
        gate.invites(number..number + 40);
        number += 40;
        gate.now += 0.015;
        gate.core.admit(gate.now);
    }

    assert!(gate.core.waiting() <= 32, "{} wait", gate.core.waiting());
    assert!(gate.count("refused_by_load") > 0);
    // A second without a crowd, and a burst is welcome again.
    while !gate.core.admit(gate.now).is_empty() {
        gate.now += 0.005;
    }
    gate.now += 1.1;
    let before = gate.count("refused");
    gate.invites(number..number + 200);
    assert_eq!(gate.count("refused"), before);
}

#[test]
fn long_turns_take_less_and_short_ones_more() {
    let mut gate = Gate::new(|_| {});
    gate.invites(0..200);

    let mut pace = |step: f64| {
        gate.now += step;
        gate.core.admit(gate.now).len()
    };
    let taken = [pace(0.03), pace(0.03), pace(0.03), pace(0.001), pace(0.001)];

    assert_eq!(taken, [16, 8, 4, 5, 6]);
}

#[test]
fn calls_a_second_are_limited_and_messages_are_not() {
    let mut gate = Gate::new(|settings| settings.calls_per_second = 5.0);

    let first = gate.invites(0..10);
    let message = gate.receive(&request("MESSAGE", 50, ""));
    gate.now += 0.4;
    let later = gate.invites(10..20);

    assert_eq!((first, message, later), (5, 1, 2));
    assert_eq!(gate.count("refused_by_rate"), 13);
}

#[test]
fn a_source_that_exceeds_its_rate_is_not_heard_for_a_while() {
    let mut gate = Gate::new(|settings| {
        settings.requests_per_source = 3.0;
        settings.source_ban = 10.0;
    });

    let first = gate.invites(0..6);
    let answers = gate.sent().len();
    gate.now += 5.0;
    let banned = gate.invites(6..8);
    gate.now += 6.0;
    let again = gate.invites(8..10);

    assert_eq!((first, banned, again), (3, 0, 2));
    assert_eq!((answers, gate.count("bans")), (1, 1));
    assert_eq!(
        (gate.count("refused_by_source"), gate.count("sources")),
        (5, 1)
    );
}

#[test]
fn the_table_of_sources_is_bounded_and_ipv6_counts_by_network() {
    let mut sources = Sources::default();
    let limit = SourceLimit {
        rate: 1.0,
        ban: 10.0,
        capacity: 100,
    };
    let mut ask = |text: String| sources.judge(text.parse().expect("an address"), limit, 1.0);

    let same = [ask("2001:db8::1".into()), ask("2001:db8::2".into())];
    for number in 0..5000 {
        ask(format!("10.1.{}.{}", number / 250, number % 250));
    }

    assert_eq!(same, [Standing::Fine, Standing::Exceeds]);
    assert_eq!(sources.len(), 100);
}

#[test]
fn what_cannot_be_answered_is_dropped() {
    let mut gate = Gate::new(|settings| settings.waiting = 0);
    gate.core.shut_door(true);
    gate.invites(0..20);
    gate.sent();
    let good = request("INVITE", 900, "");

    for bad in [
        good.replace("CSeq: 1 INVITE\r\n", ""),
        good.replace("Call-ID: c900", "Call-ID: c\u{0}900"),
        good.replace("From:", "From: <sip:x@x>;tag=1\r\nFrom:"),
    ] {
        gate.receive(&bad);
    }

    assert_eq!(gate.sent(), Vec::<String>::new());
}

#[test]
fn a_refusal_goes_where_the_request_came_from() {
    let mut gate = Gate::new(|_| {});
    gate.core.shut_door(true);
    let plain = request("INVITE", 1, "");

    gate.receive(&plain);
    gate.receive(&plain.replace("192.0.2.2:5062;", "10.9.9.9:7000;rport;"));
    gate.receive(&plain.replace("192.0.2.2:5062;", "10.9.9.9:7000;"));
    let all = gate.core.take_output();
    let ports: Vec<u16> = all.iter().map(|output| output.destination.port).collect();
    let hosts: Vec<&str> = all.iter().map(|output| &*output.destination.host).collect();

    assert_eq!(ports, [5062, 5062, 7000]);
    assert_eq!(hosts, ["192.0.2.2"; 3]);
    assert!(String::from_utf8_lossy(&all[1].data).contains(";received=192.0.2.2;rport=5062\r\n"));
}

#[test]
fn a_connection_that_is_gone_leaves_nothing_waiting() {
    let mut gate = Gate::over("tcp", |_| {});
    gate.invites(0..20);

    gate.core.close_flow(FLOW, gate.now);

    assert_eq!(gate.core.waiting(), 0);
}

#[test]
fn a_glance_sees_what_the_parser_sees() {
    for text in [
        request("INVITE", 1, ""),
        request("INVITE", 1, ";tag=x")
            .replace("Via:", "v :")
            .replace("To:", "t\t:"),
        request("INVITE", 1, "\r\n ;tag=folded"),
        request("INVITE", 1, "").replace("branch=", "x=y;BRANCH = "),
        request("INVITE", 1, "").replace("z9hG4bK1", "z9hG4bK1, SIP/2.0/UDP h;branch=z9hG4bK2"),
    ] {
        let message = Message::read(text.as_bytes()).expect("it can be read");
        let glance = scan::glance(text.as_bytes()).expect("it has a Via and a To");
        let via = message.top_via().expect("a good Via");

        assert_eq!(scan::tag(glance.to), message.tag(crate::HeaderName::To));
        assert_eq!(scan::via_key(glance.via), Some((via.sent_by, via.branch())));
    }
}

#[test]
fn any_bytes_are_looked_at_without_harm() {
    let good = request("INVITE", 1, "");
    for end in 0..good.len() {
        for byte in [b'\0', b'\n', b':', b'"', b',', b';', 0xff] {
            let mut data = good.clone().into_bytes();
            data[end] = byte;
            let mut gate = Gate::new(|settings| settings.waiting = 0);
            gate.core.shut_door(true);
            let source = address();
            for data in [&data[..], &data[..end]] {
                let source = Origin::Known(&source);
                gate.core
                    .receive_datagram(FLOW, data, source, 1.0, &mut Vec::new());
            }
        }
    }
}

#[test]
fn lines_and_kinds() {
    let data = b"X\r\nVIA: a\r\n b\r\nFrom:c\r\ni: d\r\nContact: e\r\n\r\nTo: body\r\n";
    let found: Vec<_> = scan::lines(data).collect();

    assert_eq!(found[0], (Name::Via, &b"a\r\n b"[..]));
    assert_eq!(
        found[1..3],
        [(Name::From, &b"c"[..]), (Name::CallId, &b"d"[..])]
    );
    assert_eq!(found.len(), 4);
    assert_eq!(scan::kind(b"INVITE sip:a SIP/2.0"), Kind::New);
    assert_eq!(scan::kind(b"INVITED sip:a SIP/2.0"), Kind::Other);
    assert_eq!(scan::kind(b"REGISTER sip:a SIP/2.0"), Kind::New);
    assert_eq!(scan::kind(b"SIP/2.0 200 OK"), Kind::Other);
    assert_eq!(scan::find_newline(b"0123456789\n"), Some(10));
    assert_eq!(scan::find_newline(b"0123456789012345"), None);
}

/// RFC 7339 §5.
#[test]
fn who_listens_is_told_how_much_to_leave_out() {
    let mut gate = Gate::new(|settings| settings.waiting = 0);
    gate.invites(0..32);
    gate.sent();
    gate.now += 0.6;

    let listening = request("INVITE", 90, "").replace("branch=", "oc;oc-algo=\"loss\";branch=");
    gate.core.shut_door(true);
    gate.receive(&listening);
    gate.receive(&listening.replace("z9hG4bK90", "z9hG4bK90;x=\"y\""));
    gate.receive(&request("INVITE", 91, ""));
    gate.core.shut_door(false);
    gate.receive(&listening.replace("INVITE", "CANCEL"));
    let sent = gate.sent();

    for told in [&sent[0], &sent[1], &sent[3]] {
        assert!(told.contains(";oc=50;oc-algo=\"loss\";oc-validity=2000;oc-seq=100.600"));
        assert_eq!(told.matches("oc-algo").count(), 1);
    }
    assert!(!sent[2].contains(";oc"));
}

#[test]
fn feedback_is_obeyed_until_it_runs_out_or_is_taken_back() {
    let mut gate = Gate::new(|_| {});
    let lost = |gate: &mut Gate, via: &str, wait: f64| {
        gate.call();
        let invite = gate.sent().remove(0);
        let end = invite.find(";oc;").expect("our Via offers to listen");
        let branch = &invite[invite.find("branch=").expect("a branch")..end];
        gate.receive(&format!(
            "SIP/2.0 503 X\r\nVia: SIP/2.0/UDP 192.0.2.1;{branch}{via}\r\nFrom: <sip:a@a>;tag=f\r\n\
             To: <sip:b@b>;tag=t\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
        ));
        gate.sent();
        gate.now += wait;
        (0..100).for_each(|_| gate.call());
        100 - gate.sent().len()
    };

    let all = lost(&mut gate, ";oc=100;oc-validity=1000;oc-seq=5.5", 0.5);
    gate.now += 1.0;
    let half = lost(
        &mut gate,
        ";oc=50;oc-algo=\"loss\";oc-validity=500;oc-seq=6",
        0.1,
    );
    gate.now += 1.0;
    let over = lost(&mut gate, ";oc=100;oc-validity=500;oc-seq=7", 0.6);
    let none = lost(&mut gate, ";oc=100;oc-algo=\"rate\"", 0.0);
    let back = lost(&mut gate, ";oc=0;oc-seq=8", 0.0);

    assert_eq!((all, over, none, back), (100, 0, 0, 0));
    assert!(
        (25..75).contains(&half),
        "{half} of 100 are lost at 50 percent"
    );
}

#[test]
fn what_is_outside_of_dialogs_obeys_feedback_and_what_is_inside_does_not() {
    // RFC 7339 §5.10.1: requests within a dialog are the last to leave out.
    let mut gate = Gate::new(|_| {});
    gate.call();
    let invite = gate.sent().remove(0);
    let end = invite.find(";oc;").expect("our Via offers to listen");
    let branch = &invite[invite.find("branch=").expect("a branch")..end];
    gate.receive(&format!(
        "SIP/2.0 503 X\r\nVia: SIP/2.0/UDP 192.0.2.1;{branch};oc=100;oc-validity=9000;oc-seq=1\r\n\
         From: <sip:a@a>;tag=f\r\nTo: <sip:b@b>;tag=t\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
    ));
    gate.sent();

    let mut leaves = |method: &str, to_tag: &str| {
        gate.ask(method, to_tag);
        gate.sent().len()
    };

    for method in [
        "INVITE",
        "REGISTER",
        "MESSAGE",
        "SUBSCRIBE",
        "OPTIONS",
        "PUBLISH",
    ] {
        assert_eq!(leaves(method, ""), 0, "{method}");
    }
    for method in ["INVITE", "BYE", "INFO", "UPDATE", "NOTIFY", "REFER"] {
        assert_eq!(leaves(method, ";tag=t"), 1, "{method}");
    }
}
