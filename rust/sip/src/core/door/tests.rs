//! What comes in, what waits and what is refused, in virtual time.
mod feedback;
mod waiting;

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
