//! Connections that requests may come back by, and what is said of them in our Via (RFC 5923 §8.1).
use trivox_sip::{Address, Outgoing, Settings, SipCore};

/// The Via of a request that leaves by a flow.
fn via_of(core: &mut SipCore, flow: u64) -> String {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let request = Outgoing {
        method: "OPTIONS",
        uri: b"sips:b@b",
        flow,
        destination: Address {
            host: "192.0.2.2".into(),
            port: 5061,
        },
        sent_by: "192.0.2.1:5061",
        headers: vec![
            header("From", "<sip:a@a>;tag=f"),
            header("To", "<sip:b@b>"),
            header("Call-ID", "c"),
            header("CSeq", "1 OPTIONS"),
        ],
        body: b"",
    };
    core.request(&request, 0, 0.0).expect("it is well made");
    let sent = String::from_utf8(core.take_output().remove(0).data).expect("it is text");
    let via = sent.lines().find(|line| line.starts_with("Via: "));
    via.expect("it has one").to_owned()
}

#[test]
fn only_a_connection_that_is_offered_says_so() {
    let mut core = SipCore::new(b"seed", Settings::default());
    core.open_flow(1, "tls");
    core.open_flow(2, "tls");

    core.offer_reuse(2);
    core.offer_reuse(3);

    assert!(!via_of(&mut core, 1).contains(";alias"));
    assert!(via_of(&mut core, 2).ends_with(";alias"));
}
