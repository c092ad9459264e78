//! What is answered after an INVITE was given up (RFC 3261 §13.2.2.4): the far end goes on to send its
//! 2xx for 64·T1, and somebody has to end that call.
use trivox_sip::{Address, Event, EventKind, Origin, Outgoing, Settings, SipCore};

const FLOW: u64 = 1;

struct Caller {
    core: SipCore,
    branch: String,
}

fn far_end() -> Address {
    Address {
        host: "192.0.2.2".into(),
        port: 5060,
    }
}

impl Caller {
    /// A caller that has waited for an answer, in vain, until `now`.
    fn inviting(transport: &str, now: f64) -> Self {
        let mut caller = Self::calling(transport);
        let kinds: Vec<_> = caller
            .core
            .handle_timeout(now)
            .iter()
            .map(|event| event.kind)
            .collect();
        assert_eq!(kinds, [EventKind::Timeout]);
        caller.core.take_output();
        caller
    }

    /// A caller whose INVITE is out.
    fn calling(transport: &str) -> Self {
        let mut core = SipCore::new(b"seed", Settings::default());
        core.open_flow(FLOW, transport);
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let invite = Outgoing {
            method: "INVITE",
            uri: b"sip:b@b",
            flow: FLOW,
            destination: far_end(),
            sent_by: "192.0.2.1",
            headers: vec![
                header("From", "<sip:a@a>;tag=f"),
                header("To", "<sip:b@b>"),
                header("Call-ID", "c"),
                header("CSeq", "1 INVITE"),
            ],
            body: b"",
        };
        core.request(&invite, 7, 0.0).expect("it is well made");
        let sent = String::from_utf8(core.take_output().remove(0).data).expect("it is text");
        let branch = sent.split(";branch=").nth(1).expect("a branch");
        let end = branch.find([';', '\r']).expect("an end");
        let branch = branch[..end].to_owned();
        Self { core, branch }
    }

    fn hears(&mut self, status: u16, now: f64) -> Vec<Event> {
        let (branch, mut events) = (&self.branch, Vec::new());
        let text = format!(
            "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\n\
             From: <sip:a@a>;tag=f\r\nTo: <sip:b@b>;tag=t\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
        );
        let source = far_end();
        let origin = Origin::Known(&source);
        self.core
            .receive_datagram(FLOW, text.as_bytes(), origin, now, &mut events);
        events
    }

    fn live(&self) -> u64 {
        let figures = self.core.statistics();
        let of = |name| {
            figures
                .iter()
                .find(|(one, _)| *one == name)
                .map(|one| one.1)
        };
        of("transactions").expect("it is counted") + of("timers").expect("it is counted")
    }
}

#[test]
fn a_late_2xx_is_told() {
    for transport in ["udp", "tcp"] {
        let mut caller = Caller::inviting(transport, 32.0);

        assert!(caller.hears(180, 60.0).is_empty());
        let told = caller.hears(200, 60.0);

        assert_eq!(
            (told[0].kind, told[0].token, told[0].status),
            (EventKind::Response, 7, 200)
        );
        assert!(caller.hears(200, 61.0).is_empty(), "a copy is no news");
        assert!(caller.core.handle_timeout(91.9).is_empty());
        assert_ne!(caller.live(), 0);
        assert!(caller.core.handle_timeout(92.0).is_empty());
        assert_eq!(caller.live(), 0);
    }
}

#[test]
fn a_late_refusal_is_acknowledged_and_not_told() {
    let mut caller = Caller::inviting("udp", 32.0);

    assert!(caller.hears(486, 40.0).is_empty());

    let sent = caller.core.take_output();
    assert!(sent.len() == 1 && sent[0].data.starts_with(b"ACK "));
    caller.core.handle_timeout(72.0);
    assert_eq!(caller.live(), 0);
}

#[test] // RFC 3261 §13.2.2.4, §16.7 step 5: a proxy forwards a 2xx after the refusal it has chosen
fn a_2xx_after_a_refusal_is_told() {
    for transport in ["udp", "tcp"] {
        let mut caller = Caller::calling(transport);
        assert_eq!(caller.hears(408, 1.0)[0].status, 408);

        let told = caller.hears(200, 30.0);

        assert_eq!((told[0].token, told[0].status), (7, 200));
        assert!(caller.hears(408, 30.5).is_empty());
        assert!(caller.core.handle_timeout(61.9).is_empty());
        assert_ne!(caller.live(), 0);
        caller.core.handle_timeout(62.0);
        assert_eq!(caller.live(), 0);
    }
}

#[test]
fn a_refused_invite_is_forgotten_at_last() {
    for transport in ["udp", "tcp"] {
        let mut caller = Caller::calling(transport);
        caller.hears(486, 1.0);

        caller.core.handle_timeout(32.9);
        assert_ne!(caller.live(), 0);
        caller.core.handle_timeout(33.0);

        assert_eq!(caller.live(), 0);
    }
}

#[test]
fn an_invite_that_nobody_answers_is_forgotten_at_last() {
    let mut caller = Caller::inviting("udp", 32.0);

    assert!(caller.core.handle_timeout(63.9).is_empty());
    assert_ne!(caller.live(), 0);
    assert!(caller.core.handle_timeout(64.0).is_empty());

    assert_eq!(caller.live(), 0);
    assert_eq!(caller.hears(200, 65.0)[0].kind, EventKind::StrayResponse);
}
