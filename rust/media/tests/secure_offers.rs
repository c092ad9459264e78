//! Descriptions with keys, fingerprints or neither: what is answered, in whose dialect.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod sides;

use sides::{Side, agree, answer_to, line_starting, secure_side};
use trivox_media::MediaError;
use trivox_media::session::Direction;
use trivox_media::session::offer_answer::{
    DescriptionKind, RemoteTransport, TransportKind, detect,
};
use trivox_media::transport::keys::Suite;

use TransportKind::{Dtls, Ice, Plain, Sdes};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";
const PRINT: &str = "a=fingerprint:SHA-256 aa:bb\r\n";

fn offer(protocol: &str, lines: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
         m=audio 4000 {protocol} 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n{lines}"
    )
}

fn crypto(tag: u32, suite: &str) -> String {
    format!("a=crypto:{tag} {suite} inline:{KEY}|2^31\r\n")
}

fn any_side(kind: TransportKind) -> Side {
    secure_side(1, kind, &[Plain, Sdes, Dtls])
}

fn refusal(side: &mut Side, sdp: &str, kind: DescriptionKind) -> String {
    match side.machine.set_remote(sdp, kind, "") {
        Err(MediaError::Negotiation(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_profile_is_known_by_what_it_brings() {
    let keys = crypto(1, "AES_CM_128_HMAC_SHA1_80");
    let ice = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijklmn\r\n";
    for (protocol, lines, kind) in [
        ("RTP/AVP", String::new(), "plain"),
        ("RTP/AVPF", String::new(), "plain"),
        ("RTP/AVP", keys.clone(), "sdes"),
        ("RTP/SAVP", keys.clone(), "sdes"),
        ("rtp/savpf", keys.clone(), "sdes"),
        ("RTP/AVP", PRINT.to_owned(), "dtls"),
        ("RTP/SAVP", PRINT.to_owned(), "dtls"),
        ("RTP/SAVP", format!("{keys}{PRINT}"), "dtls"),
        ("UDP/TLS/RTP/SAVP", PRINT.to_owned(), "dtls"),
        ("UDP/TLS/RTP/SAVPF", PRINT.to_owned(), "dtls"),
        ("UDP/TLS/RTP/SAVPF", format!("{PRINT}{ice}"), "ice"),
        ("RTP/SAVPF", format!("{PRINT}{ice}"), "ice"),
        ("RTP/SAVPF", format!("{keys}{ice}"), "sdes"),
        ("RTP/AVP", ice.to_owned(), "plain"),
    ] {
        assert_eq!(detect(&offer(protocol, &lines)), kind, "{protocol} {lines}");
    }
}

#[test]
fn both_sides_of_ours_agree_on_the_first_suite() {
    let mut caller = secure_side(1, Sdes, &[]);
    let mut callee = secure_side(2, Sdes, &[]);

    let (ours, theirs) = agree(&mut caller, &mut callee);

    for (agreed, far) in [(ours, &callee), (theirs, &caller)] {
        let RemoteTransport::Sdes(remote) = agreed.transport else {
            panic!("not SDES");
        };
        assert_eq!(remote.key.suite(), Suite::AeadAes128Gcm);
        assert!(far.local.keys.contains(&remote.key));
    }
}

/// RFC 4568 §5.1.2.
#[test]
fn the_offerers_first_usable_line_is_answered_with_its_tag() {
    let lines = [
        crypto(1, "F8_128_HMAC_SHA1_80"),
        format!("a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP\r\n"),
        crypto(7, "AES_CM_128_HMAC_SHA1_32"),
        crypto(8, "AES_CM_128_HMAC_SHA1_80"),
    ];
    let side = secure_side(1, Sdes, &[]);
    let own = side.local.keys.clone();

    let (answer, agreed) = answer_to(side, &offer("RTP/SAVP", &lines.concat()));

    let RemoteTransport::Sdes(remote) = agreed.transport else {
        panic!("not SDES");
    };
    assert_eq!(remote.key.suite(), Suite::AesCm128Sha1_32);
    assert!(!own.contains(&remote.key));
    assert!(answer.contains("RTP/SAVP 0 101\r\n"), "{answer}");
    let line = line_starting(&answer, "a=crypto:");
    assert!(line.starts_with("a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:"));
    assert!(!line.contains(KEY), "the key of the answer is our own");
    assert_eq!(answer.matches("a=crypto").count(), 1);
    assert!(
        !answer.contains("a=mid") && !answer.contains("rtcp-mux"),
        "{answer}"
    );
}

#[test]
fn keys_that_may_be_used_are_used_in_the_same_profile() {
    let (answer, agreed) = answer_to(
        any_side(Plain),
        &offer("RTP/AVP", &crypto(1, "AES_CM_128_HMAC_SHA1_80")),
    );

    assert_eq!(agreed.transport.kind(), Sdes);
    assert!(answer.contains(" RTP/AVP 0 101\r\n"), "{answer}");
    assert!(answer.contains("a=crypto:1 "), "{answer}");
}

#[test]
fn a_session_for_bare_rtp_does_without_keys_that_may_be_used() {
    let (answer, agreed) = answer_to(
        secure_side(1, Plain, &[]),
        &offer("RTP/AVP", &crypto(1, "AES_CM_128_HMAC_SHA1_80")),
    );

    assert_eq!(agreed.transport.kind(), Plain);
    assert!(!answer.contains("a=crypto"), "{answer}");
}

#[test]
fn what_must_be_encrypted_is_refused_without_keys() {
    for (kind, protocol, lines) in [
        (Sdes, "RTP/AVP", String::new()),
        (Sdes, "RTP/SAVP", String::new()),
        (Sdes, "RTP/SAVP", crypto(1, "AES_CM_128_HMAC_SHA1_8")),
        (Plain, "RTP/SAVP", crypto(1, "AES_CM_128_HMAC_SHA1_80")),
        (Dtls, "RTP/AVP", String::new()),
        (Ice, "UDP/TLS/RTP/SAVPF", PRINT.to_owned()),
        (Dtls, "UDP/TLS/RTP/SAVP", String::new()),
        (
            Dtls,
            "UDP/TLS/RTP/SAVP",
            "a=fingerprint:md5 AA\r\n".to_owned(),
        ),
        (
            Dtls,
            "UDP/TLS/RTP/SAVP",
            "a=fingerprint:sha-1 AA\r\n".to_owned(),
        ),
    ] {
        let mut side = secure_side(1, kind, &[]);

        let why = refusal(&mut side, &offer(protocol, &lines), DescriptionKind::Offer);

        assert!(!why.is_empty(), "{kind:?} {protocol} {lines}");
        assert!(!side.machine.has_remote_offer());
    }
}

#[test]
fn an_answer_takes_a_key_that_was_offered() {
    for (line, is_taken) in [
        (crypto(3, "AES_CM_128_HMAC_SHA1_80"), true),
        (crypto(1, "AES_CM_128_HMAC_SHA1_80"), false),
        (crypto(9, "AES_CM_128_HMAC_SHA1_80"), false),
        (String::new(), false),
    ] {
        let mut side = secure_side(1, Sdes, &[]);
        let offered = side.offer();
        assert!(offered.contains(" RTP/SAVP "), "{offered}");
        assert!(offered.contains("a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:"));

        let answer = offer("RTP/SAVP", &line);
        let taken = side
            .machine
            .set_remote(&answer, DescriptionKind::Answer, "");

        assert_eq!(taken.is_ok(), is_taken, "{line}: {taken:?}");
    }
}

#[test]
fn keys_offered_as_a_possibility_may_be_left() {
    for (lines, kind) in [
        (crypto(3, "AES_CM_128_HMAC_SHA1_80"), Some(Sdes)),
        (String::new(), Some(Plain)),
        // Half an answer is none: it would be noise.
        (crypto(3, "F8_128_HMAC_SHA1_80"), None),
        (crypto(4, "AES_CM_128_HMAC_SHA1_80"), None),
    ] {
        let mut side = secure_side(1, Sdes, &[Plain]);
        let offered = side.offer();
        assert!(offered.contains(" RTP/AVP ") && offered.contains("a=crypto:3 "));

        let answer = offer("RTP/AVP", &lines);
        let taken = side
            .machine
            .set_remote(&answer, DescriptionKind::Answer, "");

        let agreed = taken
            .ok()
            .map(|applied| applied.negotiated.transport.kind());
        assert_eq!(agreed, kind, "{lines}");
    }
}

#[test]
fn offers_of_ours_later_keep_profile_keys_and_tags() {
    let mut side = any_side(Plain);
    let first = offer("RTP/SAVPF", &crypto(4, "AES_CM_128_HMAC_SHA1_32"));
    side.machine
        .set_remote(&first, DescriptionKind::Offer, "")
        .unwrap();
    side.local.keys = secure_side(1, Sdes, &[]).local.keys;
    let answer = side.answer();
    let answered = line_starting(&answer, "a=crypto:")
        .split_once(' ')
        .unwrap()
        .1;

    let [second, third] = [side.offer(), side.offer()];

    assert!(second.contains(" RTP/SAVPF "), "{second}");
    let line = line_starting(&second, "a=crypto:");
    assert_eq!(
        line,
        format!("a=crypto:4 {answered}"),
        "the key in use comes first"
    );
    let keys = |sdp: &str| -> Vec<String> {
        let lines = sdp.lines().filter(|line| line.starts_with("a=crypto"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(keys(&second), keys(&third));
}

#[test]
fn a_later_offer_may_change_the_transport_where_any_is_taken() {
    let mut side = any_side(Plain);
    for (protocol, lines, kind) in [
        ("RTP/AVP", String::new(), Plain),
        ("RTP/SAVP", crypto(1, "AES_CM_128_HMAC_SHA1_80"), Sdes),
        (
            "UDP/TLS/RTP/SAVP",
            format!("{PRINT}a=setup:actpass\r\n"),
            Dtls,
        ),
        ("RTP/AVP", String::new(), Plain),
    ] {
        let sdp = offer(protocol, &lines);
        let applied = side
            .machine
            .set_remote(&sdp, DescriptionKind::Offer, "")
            .unwrap();
        assert_eq!(applied.negotiated.transport.kind(), kind);
        assert!(side.answer().contains(&format!(" {protocol} ")));
    }
}

#[test]
fn a_later_offer_without_keys_is_refused_where_they_are_wanted() {
    let mut side = secure_side(1, Sdes, &[Dtls]);
    let first = offer("RTP/SAVP", &crypto(1, "AES_CM_128_HMAC_SHA1_80"));
    side.machine
        .set_remote(&first, DescriptionKind::Offer, "")
        .unwrap();
    side.answer();

    let why = refusal(&mut side, &offer("RTP/AVP", ""), DescriptionKind::Offer);

    assert!(why.contains("takes the audio stream away"), "{why}");
    assert_eq!(side.machine.negotiated().unwrap().transport.kind(), Sdes);
}

/// RFC 5763 §5.
#[test]
fn dtls_is_answered_with_role_and_fingerprint_and_without_ice() {
    for (setup, role) in [
        ("a=setup:actpass\r\n", "a=setup:active"),
        ("a=setup:active\r\n", "a=setup:passive"),
        ("a=setup:passive\r\n", "a=setup:active"),
        ("", "a=setup:passive"),
    ] {
        let lines = format!("{PRINT}{setup}");
        let (answer, agreed) = answer_to(any_side(Dtls), &offer("UDP/TLS/RTP/SAVP", &lines));

        assert_eq!(agreed.transport.kind(), Dtls);
        assert!(answer.contains("\r\na=fingerprint:sha-256 0"), "{answer}");
        assert!(answer.contains(role), "{setup}: {answer}");
        assert!(
            !answer.contains("ice-") && !answer.contains("a=mid"),
            "{answer}"
        );
    }
}

/// Puts a description on hold in one of the ways there are.
type Dialect<'a> = &'a dyn Fn(&str) -> String;

#[test]
fn holding_works_over_every_transport_without_ice() {
    let keys = crypto(1, "AES_CM_128_HMAC_SHA1_80");
    let print = format!("{PRINT}a=setup:actpass\r\n");
    let dialects: [(Dialect, Direction); 5] = [
        (
            &|sdp| format!("{sdp}a=sendonly\r\n"),
            Direction::ReceiveOnly,
        ),
        (&|sdp| format!("{sdp}a=inactive\r\n"), Direction::Inactive),
        (
            &|sdp| sdp.replace("IP4 192.0.2.9\r\nt=", "IP4 0.0.0.0\r\nt="),
            Direction::ReceiveOnly,
        ),
        (
            &|sdp| sdp.replace("t=0 0", "b=AS:0\r\nt=0 0"),
            Direction::ReceiveOnly,
        ),
        (
            &|sdp| sdp.replace("t=0 0", "t=0 0\r\na=sendonly"),
            Direction::ReceiveOnly,
        ),
    ];
    for (protocol, lines) in [("RTP/SAVP", &keys), ("UDP/TLS/RTP/SAVP", &print)] {
        let usual = offer(protocol, lines);
        for (hold, expected) in &dialects {
            let mut side = any_side(Plain);
            for (sdp, wanted) in [
                (usual.clone(), Direction::SendReceive),
                (hold(&usual), *expected),
                (usual.clone(), Direction::SendReceive),
            ] {
                side.machine
                    .set_remote(&sdp, DescriptionKind::Offer, "")
                    .unwrap();
                let answer = side.answer();
                assert_eq!(
                    side.machine.negotiated().unwrap().direction,
                    wanted,
                    "{sdp}"
                );
                assert!(
                    answer.contains(&format!("a={}\r\n", wanted.as_str())),
                    "{answer}"
                );
            }
        }
    }
}

#[test]
fn of_several_audio_lines_the_one_that_can_be_used_is_answered() {
    let twice = format!(
        "{}m=audio 4002 RTP/AVP 0\r\n",
        offer("RTP/SAVP", &crypto(1, "AES_CM_128_HMAC_SHA1_80"))
    );
    let lines = |sdp: &str| -> Vec<String> {
        let media = sdp.lines().filter(|line| line.starts_with("m="));
        media.map(str::to_owned).collect()
    };

    let (secure, _) = answer_to(any_side(Sdes), &twice);
    let (open, _) = answer_to(secure_side(1, Plain, &[]), &twice);

    assert_eq!(
        lines(&secure),
        ["m=audio 4001 RTP/SAVP 0 101", "m=audio 0 RTP/AVP 0"]
    );
    assert_eq!(
        lines(&open),
        ["m=audio 0 RTP/SAVP 0 8 101", "m=audio 4001 RTP/AVP 0"]
    );
}
