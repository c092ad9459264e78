//! Descriptions with several m-lines: video and shared screens beside the audio.

mod sides;

use sides::{Side, agree, dialect, ice_side, line_starting, plain_side, secure_side};
use trivox_media::MediaError;
use trivox_media::session::Direction;
use trivox_media::session::lines::LineKind;
use trivox_media::session::offer_answer::{DescriptionKind, TransportKind};
use trivox_media::video::VideoCodec;

/// What a browser offers beside its audio, shortened to what counts.
const BROWSER_VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 125 98\r\n\
    c=IN IP4 0.0.0.0\r\na=ice-ufrag:Uf4a\r\na=ice-pwd:0123456789abcdefghijklmn\r\n\
    a=fingerprint:sha-256 AA:BB:CC\r\na=setup:actpass\r\na=mid:b\r\na=sendrecv\r\na=rtcp-mux\r\n\
    a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
    a=extmap:4/sendrecv urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:99 x:unknown\r\n\
    a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 goog-remb\r\na=rtcp-fb:96 transport-cc\r\n\
    a=rtcp-fb:96 ccm fir\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n\
    a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
    a=rtpmap:103 H264/90000\r\na=fmtp:103 packetization-mode=0;profile-level-id=42001f\r\n\
    a=rtpmap:104 H264/90000\r\na=fmtp:104 packetization-mode=1;profile-level-id=640c1f\r\n\
    a=rtpmap:125 H264/90000\r\na=fmtp:125 packetization-mode=1;profile-level-id=42e01f\r\n\
    a=rtcp-fb:125 nack pli\r\na=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=2\r\n\
    a=ssrc-group:FID 1111 2222\r\na=ssrc:1111 cname:x\r\na=ssrc:2222 cname:x\r\n";

fn with_video(mut side: Side, receives: bool) -> Side {
    let codecs = vec![VideoCodec::Vp8, VideoCodec::H264, VideoCodec::Vp9];
    side.machine.prepare_video(codecs, receives, 7);
    side
}

fn pair() -> (Side, Side) {
    (with_video(ice_side(1), true), with_video(ice_side(2), true))
}

fn m_lines(sdp: &str) -> Vec<&str> {
    sdp.lines().filter(|line| line.starts_with("m=")).collect()
}

fn direction_of(side: &Side, kind: LineKind) -> Option<Direction> {
    let mut lines = side.machine.lines().iter();
    let line = lines.find(|line| line.kind == kind)?;
    line.agreed.as_ref().map(|agreed| agreed.direction)
}

/// RFC 8859 §4.5.
#[test]
fn a_browsers_video_is_answered_in_its_numbers_inside_the_bundle() {
    let mut side = with_video(ice_side(1), true);

    let offer = dialect("a=group:BUNDLE a b", BROWSER_VIDEO);
    side.machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = side.answer();

    assert_eq!(line_starting(&answer, "a=group"), "a=group:BUNDLE a b");
    assert_eq!(
        line_starting(&answer, "m=video"),
        "m=video 4001 UDP/TLS/RTP/SAVPF 96 97 125"
    );
    let video = answer.split("m=video").nth(1).unwrap();
    assert!(video.contains("a=mid:b\r\na=recvonly\r\n"), "{video}");
    assert!(video.contains("a=rtcp-fb:96 transport-cc\r\n"), "{video}");
    assert!(video.contains("a=extmap:3 http"), "{video}");
    assert!(video.contains("a=fmtp:97 apt=96\r\n"), "{video}");
    assert!(!video.contains("candidate"), "{video}");
    let agreed = side.machine.lines()[0].agreed.clone().unwrap();
    let source = agreed.sources[0];
    assert_eq!((source.ssrc, source.retransmission), (1111, Some(2222)));
    assert_eq!(agreed.extensions.mid, Some(4));
    assert_eq!(agreed.send[1].payload_type, 125);
}

#[test]
fn video_nobody_wants_is_refused_in_its_place() {
    let mut side = with_video(ice_side(1), false);
    let offer = dialect("a=group:BUNDLE a b", BROWSER_VIDEO);
    side.machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = side.answer();

    assert_eq!(line_starting(&answer, "a=group"), "a=group:BUNDLE a");
    assert!(line_starting(&answer, "m=video").starts_with("m=video 0 "));
    assert!(side.machine.lines().is_empty());
}

#[test]
fn video_without_a_codec_or_a_transport_is_refused() {
    let no_codec = BROWSER_VIDEO.replace("VP8", "X1").replace("H264", "X2");
    let no_transport = BROWSER_VIDEO.replace("a=ice-ufrag:Uf4a\r\n", "");
    for (group, video) in [
        ("a=group:BUNDLE a b", no_codec),
        ("a=group:BUNDLE a", no_transport),
    ] {
        let mut side = with_video(ice_side(1), true);
        side.machine
            .set_remote(&dialect(group, &video), DescriptionKind::Offer, "")
            .unwrap();
        let answer = side.answer();
        assert!(line_starting(&answer, "m=video").starts_with("m=video 0 "));
    }
}

#[test]
fn video_outside_of_the_bundle_has_a_transport_of_its_own() {
    let mut side = with_video(ice_side(1), true);
    let offer = dialect("a=group:BUNDLE a", BROWSER_VIDEO);
    side.machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();
    let number = side.machine.lines()[0].number;
    assert!(side.machine.lines()[0].is_alone());
    side.local.lines = vec![(number, with_port(&side, 6000))];
    let answer = side.answer();

    assert_eq!(line_starting(&answer, "a=group"), "a=group:BUNDLE a");
    let video = answer.split("m=video").nth(1).unwrap();
    assert!(video.starts_with(" 6000 UDP/TLS/RTP/SAVPF 96"), "{video}");
    assert!(video.contains("a=candidate:"), "{video}");
    assert!(video.contains("a=setup:active\r\n"), "{video}");
}

#[test]
fn a_line_has_keys_of_its_own_under_each_kind_of_srtp() {
    for (kind, protocol, key) in [
        (TransportKind::Sdes, "RTP/SAVP", "a=crypto:1 "),
        (
            TransportKind::Dtls,
            "UDP/TLS/RTP/SAVP",
            "a=fingerprint:sha-256 ",
        ),
    ] {
        let [mut caller, mut callee] =
            [1, 2].map(|number| with_video(secure_side(number, kind, &[]), true));
        let line = caller.machine.open_line(LineKind::Video).unwrap();
        caller.local.lines = vec![(line, with_port(&caller, 6000))];
        callee.local.lines = vec![(line, with_port(&callee, 7000))];
        for side in [&mut caller, &mut callee] {
            match kind {
                TransportKind::Sdes => side.local.lines[0].1.fingerprint = None,
                _ => side.local.lines[0].1.keys.clear(),
            }
        }
        let offer = caller.offer();
        callee
            .machine
            .set_remote(&offer, DescriptionKind::Offer, "")
            .unwrap();
        let answer = callee.answer();
        caller
            .machine
            .set_remote(&answer, DescriptionKind::Answer, "")
            .unwrap();

        for (sdp, port) in [(&offer, 6000), (&answer, 7000)] {
            let video = sdp.split("m=video").nth(1).unwrap();
            assert!(
                video.starts_with(&format!(" {port} {protocol} ")),
                "{video}"
            );
            assert!(video.contains(key), "{video}");
        }
        for side in [&caller, &callee] {
            let agreed = side.machine.lines()[0].agreed.as_ref().unwrap();
            assert_eq!(agreed.transport.as_ref().unwrap().kind(), kind);
        }
    }
}

#[test]
fn mids_of_a_far_end_that_invents_them_for_ever_are_not_kept() {
    let mut side = with_video(ice_side(1), true);
    for round in 0..50 {
        let video = BROWSER_VIDEO.replace("a=mid:b", &format!("a=mid:{round}"));
        let offer = dialect(&format!("a=group:BUNDLE a {round}"), &video);
        side.machine
            .set_remote(&offer, DescriptionKind::Offer, "")
            .unwrap();
        side.answer();
    }
    side.machine.open_line(LineKind::Screen).unwrap();
    let offer = side.offer();

    assert_eq!(line_starting(&offer, "a=group"), "a=group:BUNDLE a 49 50");
    assert_eq!(side.machine.lines().len(), 2);
}

#[test]
fn layers_are_those_that_are_described_and_can_be_told_apart() {
    let rid = "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n";
    let rids = "a=rid:q send\r\na=rid:h send max-width=640\r\na=rid:r recv\r\n";
    for (lines, expected) in [
        (
            format!("{rid}{rids}a=simulcast:send q;~h;x;r\r\n"),
            Some("q;h"),
        ),
        (
            format!("{rid}{rids}a=simulcast:recv r send q,h;h\r\n"),
            Some("q;h"),
        ),
        (format!("{rids}a=simulcast:send q;h\r\n"), None),
        (format!("{rid}{rids}a=simulcast:recv q;h\r\n"), None),
        (format!("{rid}{rids}"), None),
    ] {
        let mut side = with_video(ice_side(1), true);
        let offer = dialect("a=group:BUNDLE a b", &format!("{BROWSER_VIDEO}{lines}"));
        side.machine
            .set_remote(&offer, DescriptionKind::Offer, "")
            .unwrap();
        let answer = side.answer();
        let layers = answer
            .lines()
            .find_map(|line| line.strip_prefix("a=simulcast:recv "));
        assert_eq!(layers, expected, "{lines}");
        let named = answer
            .lines()
            .filter(|line| line.starts_with("a=rid:"))
            .count();
        assert_eq!(
            named,
            expected.map_or(0, |layers| layers.split(';').count())
        );
        // A re-offer that said nothing of them would have the far end send a single picture.
        let again = side.offer();
        let layers = again
            .lines()
            .find_map(|line| line.strip_prefix("a=simulcast:recv "));
        assert_eq!(layers, expected, "{lines}");
    }
}

#[test]
fn video_that_was_taken_away_is_not_taken_again_unasked() {
    let mut side = with_video(ice_side(1), true);
    let take = |side: &mut Side, way: &str| {
        let video = BROWSER_VIDEO.replace("a=sendrecv", way);
        let offer = dialect("a=group:BUNDLE a b", &video);
        side.machine
            .set_remote(&offer, DescriptionKind::Offer, "")
            .unwrap();
        side.answer();
        direction_of(side, LineKind::Video).unwrap()
    };
    assert_eq!(take(&mut side, "a=sendrecv"), Direction::ReceiveOnly);
    side.machine.receive_video(false);
    assert_eq!(take(&mut side, "a=sendrecv"), Direction::ReceiveOnly);
    assert_eq!(take(&mut side, "a=inactive"), Direction::Inactive);
    assert_eq!(take(&mut side, "a=sendrecv"), Direction::Inactive);
    side.machine.receive_video(true);
    assert_eq!(take(&mut side, "a=sendrecv"), Direction::ReceiveOnly);
}

/// One that has sockets for its lines.
fn with_sockets(mut side: Side, lines: u64) -> Side {
    let own = |line: u64| (line, with_port(&side, 6000 + line as u16));
    side.local.lines = (1..=lines).map(own).collect();
    side
}

/// RFC 9143 §7.2.1, RFC 8829 §4.1.1.
#[test]
fn the_first_video_of_an_offer_is_reached_by_itself_and_bundled_where_the_far_end_does() {
    let (caller, mut callee) = pair();
    let mut caller = with_sockets(caller, 2);
    caller.machine.open_line(LineKind::Video).unwrap();
    caller.machine.open_line(LineKind::Screen).unwrap();
    let first = caller.offer();
    agree(&mut caller, &mut callee);
    let second = caller.offer();

    assert_eq!(line_starting(&first, "a=group"), "a=group:BUNDLE 0 1 2");
    let lines: Vec<&str> = first.split("m=video ").skip(1).collect();
    assert!(lines[0].starts_with("6001 UDP/TLS/RTP/SAVPF"), "{first}");
    for part in [
        "a=candidate:",
        "a=rtcp-mux\r\n",
        "sdes:mid\r\n",
        "a=setup:actpass",
    ] {
        assert!(lines[0].contains(part), "{part} in {first}");
    }
    assert!(!lines[0].contains("a=bundle-only"), "{first}");
    assert!(lines[1].starts_with("0 "), "{first}");
    assert!(lines[1].contains("a=bundle-only\r\n"), "{first}");
    assert!(caller.machine.lines().iter().all(|line| !line.is_alone()));
    assert_eq!(second.matches("m=video 4001 ").count(), 2, "{second}");
    assert_eq!(second.matches("a=candidate:").count(), 1, "{second}");
}

/// An exchange in which neither reads of a bundle.
fn without_bundle(caller: &mut Side, callee: &mut Side) -> (String, String) {
    let offer = caller.offer();
    let lines = offer.split_inclusive("\r\n");
    let kept = lines.filter(|line| !line.starts_with("a=group") && !line.contains("a=mid"));
    let offer: String = kept.collect();
    let set = callee
        .machine
        .set_remote(&offer, DescriptionKind::Offer, "");
    assert!(set.is_ok(), "{set:?}");
    let answer = callee.answer();
    let set = caller
        .machine
        .set_remote(&answer, DescriptionKind::Answer, "");
    assert!(set.is_ok(), "{set:?}");
    (offer, answer)
}

#[test]
fn without_a_bundle_in_the_answer_each_line_goes_by_itself_from_then_on() {
    let (caller, callee) = pair();
    let (mut caller, mut callee) = (with_sockets(caller, 2), with_sockets(callee, 2));
    caller.machine.open_line(LineKind::Video).unwrap();
    let (offer, answer) = without_bundle(&mut caller, &mut callee);
    assert!(offer.contains("m=video 6001 "), "{offer}");
    assert!(answer.contains("m=video 6001 "), "{answer}");
    assert_eq!(answer.matches("a=candidate:").count(), 2, "{answer}");

    caller.machine.open_line(LineKind::Screen).unwrap();
    let (offer, answer) = without_bundle(&mut caller, &mut callee);

    for sdp in [&offer, &answer] {
        assert!(sdp.contains("m=video 6001 "), "{sdp}");
        assert!(sdp.contains("m=video 6002 "), "{sdp}");
    }
    assert!(caller.machine.lines().iter().all(|line| line.is_alone()));
    assert!(callee.machine.lines().iter().all(|line| line.is_alone()));
}

/// RFC 8843 §7.2.
#[test]
fn a_first_offer_asks_for_the_bundle_and_later_ones_have_it() {
    let (mut caller, mut callee) = pair();
    caller.machine.open_line(LineKind::Video).unwrap();
    let first = caller.offer();
    agree(&mut caller, &mut callee);
    let second = caller.offer();

    assert!(line_starting(&first, "m=video").starts_with("m=video 0 "));
    assert!(first.contains("a=bundle-only\r\n"), "{first}");
    assert_eq!(line_starting(&first, "a=group"), "a=group:BUNDLE 0 1");
    assert!(line_starting(&second, "m=video").starts_with("m=video 4001 "));
    assert!(!second.contains("bundle-only"), "{second}");
    assert_eq!(
        direction_of(&caller, LineKind::Video),
        Some(Direction::SendOnly)
    );
    assert_eq!(
        direction_of(&callee, LineKind::Video),
        Some(Direction::ReceiveOnly)
    );
}

/// RFC 8859: in a bundle a number stands for one header extension.
#[test]
fn a_line_of_ours_takes_the_numbers_the_far_end_has_given_and_free_ones() {
    let mut side = with_video(ice_side(1), true);
    let theirs = format!("{BROWSER_VIDEO}a=extmap:1 x:other\r\n");
    side.machine
        .set_remote(
            &dialect("a=group:BUNDLE a b", &theirs),
            DescriptionKind::Offer,
            "",
        )
        .unwrap();
    side.answer();

    side.machine.open_line(LineKind::Screen).unwrap();
    let offer = side.offer();

    let screen = offer.split("m=video").nth(2).unwrap();
    let numbers: Vec<&str> = screen
        .lines()
        .filter_map(|line| line.strip_prefix("a=extmap:"))
        .collect();
    assert_eq!(
        numbers,
        [
            "3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            "4 urn:ietf:params:rtp-hdrext:sdes:mid",
            "2 urn:3gpp:video-orientation",
        ]
    );
}

#[test]
fn both_send_on_one_line_and_a_screen_has_its_own() {
    let (mut caller, mut callee) = pair();
    caller.machine.open_line(LineKind::Video).unwrap();
    agree(&mut caller, &mut callee);

    callee.machine.open_line(LineKind::Video).unwrap();
    callee.machine.open_line(LineKind::Screen).unwrap();
    let offer = callee.offer();
    agree(&mut callee, &mut caller);

    assert_eq!(m_lines(&offer).len(), 3);
    assert!(offer.ends_with(&format!(
        "a=ssrc:{} cname:name2\r\n",
        callee.machine.lines()[1].retransmission_ssrc
    )));
    assert!(offer.contains("a=content:slides\r\n"));
    assert_eq!(
        direction_of(&caller, LineKind::Video),
        Some(Direction::SendReceive)
    );
    assert_eq!(
        direction_of(&caller, LineKind::Screen),
        Some(Direction::ReceiveOnly)
    );
}

#[test]
fn adding_and_removing_for_ever_does_not_grow_the_description() {
    let (mut caller, mut callee) = pair();
    for round in 0..20 {
        let line = caller.machine.open_line(LineKind::Video).unwrap();
        if round % 2 == 0 {
            agree(&mut caller, &mut callee);
        } else {
            agree(&mut callee, &mut caller);
        }
        caller.machine.close_line(line);
        agree(&mut caller, &mut callee);
    }
    assert_eq!(m_lines(&caller.offer()).len(), 2);
    assert_eq!(caller.machine.lines().len(), 1);
    assert_eq!(
        direction_of(&callee, LineKind::Video),
        Some(Direction::Inactive)
    );
}

/// RFC 8829 §5.2.2.
#[test]
fn a_refused_line_gives_its_place_and_a_new_mid_to_the_next_one() {
    let (mut caller, mut callee) = (with_video(ice_side(1), true), ice_side(2));
    caller.machine.open_line(LineKind::Video).unwrap();
    agree(&mut caller, &mut callee);
    assert_eq!(direction_of(&caller, LineKind::Video), None);
    let between = caller.offer();
    assert!(line_starting(&between, "m=video").starts_with("m=video 0 "));
    agree(&mut caller, &mut callee);

    callee = with_video(callee, true);
    caller.machine.open_line(LineKind::Video).unwrap();
    let offer = caller.offer();
    agree(&mut caller, &mut callee);

    assert_eq!(m_lines(&offer).len(), 2);
    assert_eq!(line_starting(&offer, "a=group"), "a=group:BUNDLE 0 2");
    assert_eq!(
        direction_of(&caller, LineKind::Video),
        Some(Direction::SendOnly)
    );
}

#[test]
fn a_browser_that_stops_a_line_may_use_its_place_again() {
    let mut side = with_video(ice_side(1), true);
    let video = BROWSER_VIDEO;
    let screen = video.replace("a=mid:b\r\n", "a=mid:c\r\na=content:slides\r\n");
    let rounds = [
        ("a=group:BUNDLE a b", video.to_owned(), "m=video 4001"),
        (
            "a=group:BUNDLE a",
            video.replace("m=video 9", "m=video 0"),
            "m=video 0",
        ),
        ("a=group:BUNDLE a c", screen, "m=video 4001"),
    ];
    for (group, more, expected) in rounds {
        side.machine
            .set_remote(&dialect(group, &more), DescriptionKind::Offer, "")
            .unwrap();
        let answer = side.answer();
        assert!(
            line_starting(&answer, "m=video").starts_with(expected),
            "{answer}"
        );
    }
    let active: Vec<_> = side
        .machine
        .lines()
        .iter()
        .filter(|line| line.agreed.is_some())
        .collect();
    assert_eq!(active.len(), 1);
    assert_eq!(active[0].kind, LineKind::Screen);
}

#[test]
fn a_refused_offer_takes_new_lines_back() {
    let (mut caller, mut callee) = pair();
    agree(&mut caller, &mut callee);
    caller.machine.open_line(LineKind::Video).unwrap();
    caller.offer();
    caller.machine.rollback();

    assert!(caller.machine.lines().is_empty());
    assert_eq!(m_lines(&caller.offer()).len(), 1);
}

#[test]
fn nothing_beside_the_music_flows_on_hold() {
    let (mut caller, mut callee) = pair();
    caller.machine.open_line(LineKind::Video).unwrap();
    agree(&mut caller, &mut callee);
    caller.machine.set_wish(Direction::SendOnly);
    agree(&mut caller, &mut callee);
    assert_eq!(
        direction_of(&caller, LineKind::Video),
        Some(Direction::Inactive)
    );

    caller.machine.set_wish(Direction::SendReceive);
    agree(&mut caller, &mut callee);
    assert_eq!(
        direction_of(&caller, LineKind::Video),
        Some(Direction::SendOnly)
    );
}

#[test]
fn a_trunk_has_a_port_for_each_line() {
    let (mut caller, mut callee) = (
        with_video(plain_side(1), true),
        with_video(plain_side(2), true),
    );
    let line = caller.machine.open_line(LineKind::Video).unwrap();
    caller.local.lines = vec![(line, with_port(&caller, 6000))];
    let offer = caller.offer();
    callee
        .machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();
    let number = callee.machine.lines()[0].number;
    callee.local.lines = vec![(number, with_port(&callee, 7000))];
    let answer = callee.answer();
    caller
        .machine
        .set_remote(&answer, DescriptionKind::Answer, "")
        .unwrap();

    assert!(line_starting(&offer, "m=video").starts_with("m=video 6000 RTP/AVP 102 103"));
    assert!(line_starting(&answer, "m=video").starts_with("m=video 7000 RTP/AVP 102 103"));
    assert!(!offer.contains("a=mid"), "{offer}");
    assert!(caller.machine.lines()[0].is_alone());
}

fn with_port(side: &Side, port: u16) -> trivox_media::session::offer_answer::LocalMedia {
    let mut local = side.local.clone();
    (local.rtp_port, local.rtcp_port) = (port, port + 1);
    local
}

#[test]
fn more_lines_than_a_session_has_are_refused_and_told() {
    let mut side = with_video(ice_side(1), true);
    let more: String = (0..12)
        .map(|number| BROWSER_VIDEO.replace("a=mid:b", &format!("a=mid:v{number}")))
        .collect();
    let mids: String = (0..12).map(|number| format!(" v{number}")).collect();
    let offer = dialect(&format!("a=group:BUNDLE a{mids}"), &more);
    side.machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = side.answer();

    assert_eq!(m_lines(&answer).len(), 13);
    assert_eq!(answer.matches("m=video 0 ").count(), 4);
    let error = side.machine.open_line(LineKind::Screen).unwrap_err();
    assert!(matches!(error, MediaError::Full(_)), "{error}");
}
