//! Virtual-time tests of the four machines: exact times, both transports.
mod client;
mod server;

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
