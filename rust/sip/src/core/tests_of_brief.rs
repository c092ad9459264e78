//! Answers that anybody could aim at others: how long they are, and how many.
use super::tests::{Bench, TO_T2, peer_request, times};
use super::*;

/// Seconds after which a client repeats an INVITE that nobody answers (Timer A).
const TIMER_A: [f64; 6] = [0.5, 1.5, 3.5, 7.5, 15.5, 31.5];

/// The shortest request there is.
fn least(method: &str) -> String {
    format!(
        "{method} sip:a SIP/2.0\nv:SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\nf:<sip:a>;tag=1\n\
         t:<sip:a>\ni:1\nCSeq:1 {method}\n\n"
    )
}

fn header(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_bytes().to_vec())
}

/// What is answered to a request; empty for nothing.
fn answer(request: &str, status: u16, headers: Vec<(String, Vec<u8>)>) -> String {
    let mut bench = Bench::new("udp");
    let id = bench.receive(request)[0].transaction;
    let reply = Reply {
        status,
        reason: b"Unauthorized",
        headers,
        body: b"",
        to_tag: "0123456789abcdef01234567",
        token: 0,
    };
    assert_eq!(bench.core.respond(id, &reply, 0.0), Ok(true));
    let sent = bench.core.take_output();
    assert_eq!(sent.len(), 1);
    assert!(Message::parse(&sent[0].data).is_ok());
    String::from_utf8_lossy(&sent[0].data).into_owned()
}

fn is_within_bounds(answer: &str, request: &str) -> bool {
    !brief::is_too_long(answer.len(), request.replace('\n', "\r\n").len())
}

fn challenges() -> Vec<(String, Vec<u8>)> {
    let nonce = "a-1-a1a4b17ea26c1f372b901a0339f989b8";
    let one = |algorithm: &str| {
        let text =
            format!(r#"Digest realm="trivox", nonce="{nonce}", algorithm={algorithm}, qop="auth""#);
        header("WWW-Authenticate", &text)
    };
    vec![one("SHA-256"), one("MD5"), header("Supported", "timer")]
}

#[test]
fn failure_is_repeated_by_timer_g_until_timer_h() {
    let mut bench = Bench::new("udp");
    let id = bench.receive(&peer_request("INVITE", "1", ""))[0].transaction;
    bench.reply(id, 180);
    bench.reply(id, 486);
    bench.first_lines();
    let (sent, events) = bench.run(100.0);
    assert_eq!((times(&sent), events), (TO_T2.to_vec(), vec![]));
    assert!(bench.is_idle());
}

#[test]
fn a_failure_that_is_the_first_word_is_said_once_for_each_time_it_is_asked() {
    let mut bench = Bench::new("udp");
    let invite = peer_request("INVITE", "1", "");
    let id = bench.receive(&invite)[0].transaction;
    bench.reply(id, 486);
    assert_eq!(bench.first_lines(), ["SIP/2.0 486 Reason"]);

    for at in TIMER_A {
        assert_eq!(bench.run(at), (vec![], vec![]));
        assert!(bench.receive(&invite).is_empty());
        assert_eq!(bench.first_lines(), ["SIP/2.0 486 Reason"]);
    }

    assert_eq!(bench.run(100.0), (vec![], vec![]));
    assert!(bench.is_idle());
}

#[test]
fn a_refused_change_of_a_session_is_repeated_by_timer_g() {
    let mut bench = Bench::new("udp");
    let id = bench.receive(&peer_request("INVITE", "1", "t"))[0].transaction;
    bench.reply(id, 488);
    bench.first_lines();

    assert_eq!(times(&bench.run(100.0).0), TO_T2.to_vec());
}

#[test]
fn a_request_of_usual_length_has_the_whole_answer() {
    let request = least("MESSAGE").replace("\n\n", &format!("\nX:{}\n\n", "x".repeat(200)));

    let whole = answer(&request, 401, challenges());

    assert_eq!(whole.matches("WWW-Authenticate").count(), 2);
    assert!(whole.contains("\r\nVia: ") && whole.contains("\r\nSupported: timer"));
}

#[test]
fn a_short_request_has_one_challenge_the_strongest() {
    let request = least("MESSAGE").replace("\n\n", &format!("\nX:{}\n\n", "x".repeat(60)));

    let brief = answer(&request, 401, challenges());

    assert_eq!(brief.matches("WWW-Authenticate").count(), 1);
    assert!(brief.contains("SHA-256") && !brief.contains("MD5"));
    assert!(is_within_bounds(&brief, &request));
}

#[test]
fn the_shortest_request_has_no_challenge() {
    let request = least("MESSAGE");

    let refusal = answer(&request, 401, challenges());

    assert!(refusal.starts_with("SIP/2.0 400 Too Short To Be Challenged\r\n"));
    assert!(is_within_bounds(&refusal, &request));
}

#[test]
fn the_shortest_question_is_answered_without_courtesies() {
    let request = least("OPTIONS");
    let told = vec![
        header("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE"),
        header("X-Own", "1"),
    ];

    let brief = answer(&request, 200, told);

    assert!(brief.contains("X-Own:1\r\n") && !brief.contains("Allow"));
    assert!(is_within_bounds(&brief, &request));
}

#[test]
fn what_came_by_a_connection_is_answered_at_any_length() {
    let mut bench = Bench::new("tcp");
    let id = bench.receive(&least("MESSAGE"))[0].transaction;
    let reply = Reply {
        status: 401,
        reason: b"Unauthorized",
        headers: challenges(),
        body: b"",
        to_tag: "t",
        token: 0,
    };

    assert_eq!(bench.core.respond(id, &reply, 0.0), Ok(true));

    let sent = String::from_utf8_lossy(&bench.core.take_output()[0].data).into_owned();
    assert_eq!(sent.matches("WWW-Authenticate: ").count(), 2);
}

#[test]
fn what_is_malformed_and_hardly_anything_is_not_answered() {
    let mut bench = Bench::new("udp");
    let tiny = "OPTIONS a SIP/2.0\nv:SIP/2.0/UDP a\n\n";
    let longer = tiny.replace("\n\n", &format!("\nX: {}\n\n", "x".repeat(80)));

    assert!(bench.receive(tiny).is_empty());
    assert!(bench.first_lines().is_empty());
    assert!(bench.receive(&longer).is_empty());
    assert_eq!(bench.first_lines().len(), 1);
}
