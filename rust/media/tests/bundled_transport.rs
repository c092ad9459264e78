//! Descriptions that say once for a whole bundle where it is reached (RFC 9143 §7.1.3), as later
//! offers and answers of browsers do (RFC 8829 §5.2.2, §5.3.1).

mod sides;

use sides::{ICE_OFFER, Side, agree, ice_side, line_starting};
use trivox_media::session::lines::LineKind;
use trivox_media::session::offer_answer::{
    DescriptionKind, Negotiated, RemoteTransport, TransportKind, detect,
};
use trivox_media::transport::RemoteIce;
use trivox_media::video::VideoCodec;

const HEAD: &str = "v=0\r\no=- 4611 3 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
const WAY: &str = "a=ice-ufrag:Uf4a\r\na=ice-pwd:0123456789abcdefghijklmn\r\n\
    a=fingerprint:sha-256 AA:BB:CC\r\na=setup:actpass\r\na=rtcp-mux\r\n\
    a=candidate:1 1 udp 2113937151 192.0.2.7 5000 typ host\r\n";
const OTHER_WAY: &str = "a=ice-ufrag:Other\r\na=ice-pwd:nmlkjihgfedcba9876543210\r\n\
    a=fingerprint:sha-256 DD:EE:FF\r\na=setup:actpass\r\na=rtcp-mux\r\n\
    a=candidate:1 1 udp 2113937151 192.0.2.8 6000 typ host\r\n";

fn audio(way: &str) -> String {
    format!(
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=sendrecv\r\n\
         a=rtpmap:111 opus/48000/2\r\n{way}"
    )
}

fn video(way: &str) -> String {
    format!(
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:b\r\na=sendrecv\r\n\
         a=rtpmap:96 VP8/90000\r\n{way}"
    )
}

fn with_video(number: u8) -> Side {
    let mut side = ice_side(number);
    side.machine.prepare_video(vec![VideoCodec::Vp8], true, 7);
    side
}

fn ice_of(negotiated: &Negotiated) -> (&RemoteIce, bool) {
    match &negotiated.transport {
        RemoteTransport::Ice {
            remote,
            is_dtls_client,
        } => (remote, *is_dtls_client),
        other => panic!("{other:?}"),
    }
}

/// RFC 9143 §7.1.3.
#[test]
fn a_bundled_line_is_taken_without_a_transport_of_its_own() {
    let mut side = with_video(1);

    let offer = format!("{HEAD}a=group:BUNDLE a b\r\n{}{}", audio(WAY), video(""));
    side.machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = side.answer();

    assert_eq!(line_starting(&answer, "a=group"), "a=group:BUNDLE a b");
    let line = &side.machine.lines()[0];
    assert!(!line.is_alone() && line.agreed.is_some(), "{answer}");
}

/// RFC 8829 §5.3.1: nor has the answer to our offer more than one.
#[test]
fn an_answer_need_not_repeat_the_transport_of_its_bundle() {
    let (mut caller, mut callee) = (with_video(1), with_video(2));
    caller.machine.open_line(LineKind::Video).unwrap();
    agree(&mut caller, &mut callee);

    let offer = caller.offer();
    callee
        .machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();
    let full = callee.answer();
    let (head, video) = full.split_once("m=video").unwrap();
    let is_said = |line: &&str| {
        let of_transport = ["a=ice-", "a=fingerprint", "a=setup", "a=rtcp-mux"];
        !of_transport.iter().any(|start| line.starts_with(start))
    };
    let video: Vec<&str> = video.split("\r\n").filter(is_said).collect();
    let answer = format!("{head}m=video{}", video.join("\r\n"));
    caller
        .machine
        .set_remote(&answer, DescriptionKind::Answer, "")
        .unwrap();

    let line = &caller.machine.lines()[0];
    assert!(!line.is_alone() && line.agreed.is_some(), "{answer}");
}

/// RFC 9143 §7.1.3: the line that says it may be another than the audio.
#[test]
fn the_audio_may_go_the_way_of_the_line_before_it() {
    let mut side = with_video(1);

    let offer = format!("{HEAD}a=group:BUNDLE b a\r\n{}{}", video(WAY), audio(""));
    assert_eq!(detect(&offer), "ice");
    let taken = side
        .machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = side.answer();

    assert_eq!(taken.negotiated.transport.kind(), TransportKind::Ice);
    let (remote, is_dtls_client) = ice_of(&taken.negotiated);
    assert_eq!((remote.ufrag.as_str(), is_dtls_client), ("Uf4a", true));
    assert_eq!(remote.candidates.len(), 1);
    assert_eq!(remote.fingerprints.len(), 1);
    assert!(taken.negotiated.rtcp_mux);
    let audio = answer.split("m=audio").nth(1).unwrap();
    assert!(audio.contains("a=rtcp-mux\r\n"), "{answer}");
}

/// RFC 8829 §4.1.1: until the far end knows that we bundle, each line has a way of its own.
#[test]
fn a_line_with_a_way_of_its_own_takes_nothing_from_the_first_of_the_bundle() {
    let mut side = with_video(1);

    let (video, audio) = (video(OTHER_WAY), audio(WAY));
    let offer = format!("{HEAD}a=group:BUNDLE b a\r\n{video}{audio}");
    let taken = side
        .machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();

    let (remote, _) = ice_of(&taken.negotiated);
    assert_eq!(remote.ufrag, "Uf4a");
    assert_eq!(remote.fingerprints.len(), 1);
    let own = remote.candidates.iter().all(|c| c.contains("192.0.2.7"));
    assert!(own && remote.candidates.len() == 1, "{remote:?}");
}

/// RFC 9143 §7.1.2: what is not in the bundle says for itself where it is reached.
#[test]
fn a_line_outside_of_the_bundle_borrows_nothing() {
    let mut side = with_video(1);

    let offer = format!("{ICE_OFFER}{}", video(""));
    side.machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();

    assert!(line_starting(&side.answer(), "m=video").starts_with("m=video 0 "));
}
