//! Targets of `trivox-sip`.

use trivox_sip::{
    Address, Event, EventKind, Framed, Framer, HeaderName, Message, NameAddr, Origin, Reply,
    Settings, SipCore, Uri, Via,
};

use crate::cut::split;

/// The longest head and message a stream may hold back.
const MOST_PENDING: usize = 70_000;
const NAMES: &[&str] = &[
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Route",
    "Record-Route",
    "Max-Forwards",
    "Content-Length",
    "Content-Type",
    "Require",
    "Supported",
    "Expires",
    "Event",
    "Refer-To",
    "Replaces",
    "RAck",
    "RSeq",
    "Session-Expires",
    "Authorization",
    "WWW-Authenticate",
    "X-Own",
];

/// Reads a message in every way there is; read again it is the same.
pub fn message(data: &[u8]) {
    let Ok(parsed) = Message::parse(data) else {
        return;
    };
    let _ = (parsed.validate(), parsed.cseq(), parsed.contact_uri());
    let _ = (parsed.status(), parsed.reason(), parsed.method().len());
    for name in NAMES {
        let lines = parsed.header_lines(name).count();
        assert!(parsed.header_values(name).len() >= lines || lines == 0 || is_blank(&parsed, name));
    }
    if let Some(via) = parsed.top_via() {
        let _ = (via.branch(), via.parameter("rport"));
    }
    let _ = (parsed.tag(HeaderName::From), parsed.tag(HeaderName::To));
    let again = Message::parse(parsed.raw()).expect("what was read once is read again");
    assert_eq!(again.body(), parsed.body());
    assert!(again.items().eq(parsed.items()));
}

/// A line without a value, or whose value is all commas, has none.
fn is_blank(message: &Message, name: &str) -> bool {
    let mut lines = message.header_lines(name);
    lines.any(|line| line.iter().all(|byte| b" \t\r\n,".contains(byte)))
}

/// Cuts a stream anywhere: the messages are those of the whole.
pub fn stream(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else {
        return;
    };
    let (sizes, bytes) = rest.split_at(usize::from(*count % 16).min(rest.len()));
    let whole = Framer::default().push(bytes);
    let mut framer = Framer::default();
    let mut parts: Vec<Framed> = Vec::new();
    for piece in split(sizes, bytes) {
        parts.extend(framer.push(piece));
        assert!(framer.pending() <= MOST_PENDING);
    }
    assert_eq!(parts, whole);
}

/// Reads a URI.
pub fn uri(data: &[u8]) {
    let Ok(parsed) = Uri::parse(data) else { return };
    let again = Uri::parse(data).expect("it was read before");
    assert_eq!(parsed, again);
}

/// Reads a name-addr; its URI is part of what was read.
pub fn name_addr(data: &[u8]) {
    let Ok(parsed) = NameAddr::parse(data) else {
        return;
    };
    assert!(parsed.uri.len() <= data.len() && parsed.display_name.len() <= data.len());
}

/// Reads a Via value.
pub fn via(data: &[u8]) {
    let Some(parsed) = Via::parse(data) else {
        return;
    };
    assert!(!parsed.host.is_empty());
    let _ = (parsed.branch(), parsed.parameter("received"));
}

/// Gives a core whatever comes, by a datagram or a stream, answers what asks for it, and lets all
/// timers run out: nothing is left, and all that was sent can be read.
pub fn core(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    let mut core = SipCore::new(b"fuzz", Settings::default());
    let source = Address {
        host: "192.0.2.2".into(),
        port: 5060,
    };
    core.open_flow(1, if kind & 1 == 0 { "udp" } else { "tcp" });
    let mut events = Vec::new();
    if kind & 1 == 0 {
        for _ in 0..=(kind >> 1 & 1) {
            core.receive_datagram(1, bytes, Origin::Known(&source), 0.0, &mut events);
        }
    } else {
        events = core.receive_stream(1, bytes, &source, 0.0);
    }
    answer(&mut core, &events, u16::from(kind >> 2));
    check_output(&mut core);
    let mut now = 0.0;
    for _ in 0..100 {
        let Some(deadline) = core.next_deadline() else {
            break;
        };
        now = deadline.max(now);
        let events = core.handle_timeout(now);
        answer(&mut core, &events, 480);
        check_output(&mut core);
    }
    let left = core.statistics();
    let live = |name| left.iter().find(|(known, _)| *known == name);
    assert_eq!(live("transactions"), Some(&("transactions", 0)), "at {now}");
    assert_eq!(live("timers"), Some(&("timers", 0)));
}

fn answer(core: &mut SipCore, events: &[Event], choice: u16) {
    for event in events
        .iter()
        .filter(|event| event.kind == EventKind::Request)
    {
        let reply = Reply {
            status: 200 + 50 * (choice % 8),
            reason: b"Chosen",
            headers: vec![("Contact".to_owned(), b"<sip:us@192.0.2.1>".to_vec())],
            body: b"",
            to_tag: "ours",
            token: 7,
        };
        core.respond(event.transaction, &reply, 0.0)
            .expect("the headers are good");
    }
}

fn check_output(core: &mut SipCore) {
    for output in core.take_output() {
        if output.data.iter().any(|byte| !b"\r\n".contains(byte)) {
            let sent = Message::parse(&output.data);
            assert!(sent.is_ok(), "{}", String::from_utf8_lossy(&output.data));
        }
    }
}
