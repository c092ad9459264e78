//! Who is not known hears nothing; who is, and what is inside of a dialog, is answered as ever.
use super::tests::{Bench, Sent};
use super::*;

const OPTIONS: &str = "OPTIONS sip:b@b SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKa\n\
    From: <sip:a@a>;tag=f\nTo: <sip:b@b>\nCall-ID: c\nCSeq: 1 OPTIONS\nMax-Forwards: 70\n\n";

fn bench(transport: &str, known: &[(&str, u8)]) -> Bench {
    let mut bench = Bench::new(transport);
    let known: Vec<_> = known
        .iter()
        .map(|(host, length)| (host.parse().expect("it is an address"), *length))
        .collect();
    bench.core.set_silence(true, &known);
    bench
}

fn said(bench: &mut Bench) -> Vec<String> {
    let sent = bench.core.take_output().into_iter();
    sent.map(|output| String::from_utf8(output.data).expect("it is text"))
        .collect()
}

fn silenced(bench: &Bench) -> u64 {
    let all = bench.core.statistics();
    all.iter()
        .find(|(name, _)| *name == "silenced")
        .expect("it is counted")
        .1
}

/// What is answered by the core itself in each way it has.
fn refused() -> [String; 3] {
    [
        OPTIONS.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
        OPTIONS.replace("OPTIONS", "CANCEL"),
        OPTIONS.replace(
            "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKa",
            "Via: nonsense",
        ),
    ]
}

#[test]
fn what_is_malformed_or_of_nothing_is_not_answered() {
    let mut quiet = bench("udp", &[]);
    let mut usual = Bench::new("udp");

    for (number, text) in refused().iter().enumerate() {
        quiet.receive(text);
        usual.receive(text);
        assert_eq!(said(&mut quiet), [""; 0], "{text}");
        assert_eq!(said(&mut usual).len(), 1, "{text}");
        assert_eq!(silenced(&quiet), number as u64 + 1);
    }
    assert_eq!(quiet.core.transactions.len(), 0);
}

#[test]
fn what_follows_an_invite_that_nobody_has_answered_is_not_answered_either() {
    let invite = OPTIONS.replace("OPTIONS", "INVITE");
    let copy = invite.replace("z9hG4bKa", "z9hG4bKb");
    let cancel = OPTIONS.replace("OPTIONS", "CANCEL");

    for (is_silent, answers) in [(true, 0), (false, 2)] {
        let mut bench = bench("udp", &[]);
        bench.core.set_silence(is_silent, &[]);
        let id = bench.receive(&invite)[0].transaction;
        bench.receive(&copy);
        bench.receive(&cancel);

        assert_eq!(said(&mut bench).len(), answers);
        assert!(bench.core.drop_request(id, 0.0));
    }
}

#[test]
fn who_is_known_is_answered() {
    let mut bench = bench("udp", &[("192.0.2.0", 30)]);

    for text in refused() {
        bench.receive(&text);
        assert_eq!(said(&mut bench).len(), 1, "{text}");
    }
    assert_eq!(silenced(&bench), 0);
}

#[test]
fn a_mangled_request_of_a_dialog_that_exists_is_answered() {
    let mut bench = bench("udp", &[]);
    bench.core.bind(b"c", b"ours", b"f", 7);

    bench.receive(&refused()[0].replace("To: <sip:b@b>", "To: <sip:b@b>;tag=ours"));

    assert!(said(&mut bench)[0].starts_with("SIP/2.0 400"));
}

fn kept(bench: &Bench) -> (u64, u64) {
    let all: std::collections::HashMap<_, _> = bench.core.statistics().into_iter().collect();
    (all["kept"], all["forgotten"])
}

/// RFC 3261 §17.1.1.2, §17.1.2.2: who hears nothing repeats itself for 64·T1.
#[test]
fn copies_of_a_request_that_is_dropped_are_known_for_64_t1_and_stay_silent() {
    for text in [OPTIONS.to_owned(), OPTIONS.replace("OPTIONS", "INVITE")] {
        let mut bench = bench("udp", &[]);
        let first = bench.receive(&text)[0].transaction;

        assert!(bench.core.drop_request(first, 0.0));
        assert!(!bench.core.drop_request(first, 0.0));
        for now in [0.5, 1.5, 31.9] {
            bench.now = now;
            assert_eq!(bench.core.handle_timeout(now).len(), 0);
            assert_eq!(bench.receive(&text).len(), 0);
        }
        assert_eq!((silenced(&bench), kept(&bench)), (1, (1, 0)));
        bench.now = 32.0;
        bench.core.handle_timeout(32.0);

        assert_eq!(kept(&bench), (0, 0));
        assert_eq!(bench.receive(&text).len(), 1, "a new request");
        assert_eq!(said(&mut bench), [""; 0]);
    }
}

#[test]
fn over_a_stream_nothing_is_repeated_and_what_is_dropped_leaves_nothing() {
    for text in [OPTIONS.to_owned(), OPTIONS.replace("OPTIONS", "INVITE")] {
        let mut bench = bench("tcp", &[]);
        let id = bench.receive(&text)[0].transaction;

        assert!(bench.core.drop_request(id, 0.0));

        assert_eq!(kept(&bench), (0, 0));
        assert_eq!(
            (bench.core.transactions.len(), bench.core.servers.len()),
            (0, 0)
        );
        assert_eq!(bench.core.next_deadline(), None);
        assert_eq!(said(&mut bench), [""; 0]);
    }
}

#[test]
fn beyond_the_bound_the_one_kept_longest_is_forgotten() {
    let mut bench = bench("udp", &[]);
    bench.core.set_door(DoorSettings {
        kept: 2,
        ..DoorSettings::default()
    });
    let texts: Vec<_> = ["x", "y", "z"]
        .map(|branch| OPTIONS.replace("z9hG4bKa", &format!("z9hG4bK{branch}")))
        .into();
    let ids: Vec<_> = texts
        .iter()
        .map(|text| bench.receive(text)[0].transaction)
        .collect();

    for id in [ids[1], ids[0], ids[2]] {
        bench.core.drop_request(id, 0.0);
    }

    assert_eq!(kept(&bench), (2, 1));
    let seen: Vec<_> = texts.iter().map(|text| bench.receive(text).len()).collect();
    assert_eq!(seen, [0, 1, 0]);
}

#[test]
fn what_was_answered_is_not_dropped_any_more() {
    let mut bench = bench("udp", &[]);
    let id = bench.receive(OPTIONS)[0].transaction;
    let reply = Reply {
        status: 200,
        reason: b"OK",
        headers: Vec::new(),
        body: b"",
        to_tag: "t",
        token: 0,
    };
    bench
        .core
        .respond(id, &reply, 0.0)
        .expect("it can be written");

    assert!(!bench.core.drop_request(id, 0.0));
    bench.receive(OPTIONS);

    assert_eq!(said(&mut bench).len(), 2);
}

#[test]
fn a_keep_alive_is_answered_where_something_was_said_before() {
    let mut bench = bench("tcp", &[]);
    let stranger = Address {
        host: "203.0.113.9".into(),
        port: 5060,
    };

    bench.core.receive_stream(1, b"\r\n\r\n", &stranger, 0.0);
    assert_eq!(said(&mut bench), [""; 0]);
    bench.core.send(1, stranger.clone(), b"something".to_vec());
    bench.core.receive_stream(1, b"\r\n\r\n", &stranger, 0.0);

    assert_eq!(said(&mut bench), ["something", "\r\n"]);
}

#[test]
fn what_is_refused_at_the_door_hears_nothing() {
    let mut bench = bench("udp", &[]);
    let invite = OPTIONS.replace("OPTIONS", "INVITE");
    bench.core.shut_door(true);

    let events = bench.receive(&invite);

    assert_eq!(events.len(), 0);
    assert_eq!(said(&mut bench), [""; 0]);
    assert_eq!(silenced(&bench), 1);
}

#[test]
fn a_question_of_stun_is_answered_to_who_is_known() {
    let mut question = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    question.extend([7; 12]);
    let mut heard: Sent = Vec::new();
    for known in [&[][..], &[("192.0.2.2", 32)]] {
        let mut bench = bench("udp", known);
        let source = Address {
            host: "192.0.2.2".into(),
            port: 5060,
        };
        let origin = Origin::Known(&source);
        bench
            .core
            .receive_datagram(1, &question, origin, 0.0, &mut Vec::new());
        heard.push((
            silenced(&bench) as f64,
            bench.core.take_output().len().to_string(),
        ));
    }

    assert_eq!(heard, [(1.0, "0".to_owned()), (0.0, "1".to_owned())]);
}
