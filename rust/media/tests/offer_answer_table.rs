//! What is answered to which offer, and what both sides then hold.

mod sides;

use sides::{ICE_OFFER, agree, answer_to, dialect, ice_side, line_starting, plain_side};
use trivox_media::MediaError;
use trivox_media::codec::CodecKind;
use trivox_media::session::Direction;
use trivox_media::session::offer_answer::{DescriptionKind, RemoteTransport, detect};

const PLAIN_OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\n\
    t=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

#[test]
fn two_sides_of_ours_agree_on_opus_over_ice() {
    let (mut caller, mut callee) = (ice_side(1), ice_side(2));

    let (ours, theirs) = agree(&mut caller, &mut callee);

    for agreed in [&ours, &theirs] {
        assert_eq!(agreed.codec, CodecKind::Opus);
        assert_eq!(agreed.send_payload_type, 111);
        assert_eq!(agreed.direction, Direction::SendReceive);
        assert_eq!(agreed.telephone_event.unwrap().clock_rate_hz, 48_000);
        assert!(agreed.opus.use_inband_fec && agreed.rtcp_mux);
    }
    let roles = [&ours, &theirs].map(|agreed| match agreed.transport {
        RemoteTransport::Ice { is_dtls_client, .. } => is_dtls_client,
        _ => panic!("not ICE"),
    });
    assert_eq!(roles, [false, true]);
}

#[test]
fn two_sides_of_ours_agree_on_g711_over_plain() {
    let (mut caller, mut callee) = (plain_side(1), plain_side(2));

    let (ours, theirs) = agree(&mut caller, &mut callee);

    assert_eq!(
        (ours.codec, theirs.codec),
        (CodecKind::Pcmu, CodecKind::Pcmu)
    );
    let RemoteTransport::Plain(remote) = theirs.transport else {
        panic!("not plain");
    };
    assert_eq!(remote.rtp, Some("192.0.2.1:4001".parse().unwrap()));
    assert!(remote.rtcp_mux);
}

#[test]
fn renegotiation_works_from_both_sides_in_any_order() {
    let (mut caller, mut callee) = (ice_side(1), ice_side(2));
    for round in 0..6 {
        let (ours, theirs) = if round % 3 == 0 {
            agree(&mut caller, &mut callee)
        } else {
            agree(&mut callee, &mut caller)
        };
        assert_eq!(ours.codec, theirs.codec);
        assert_eq!(ours.send_payload_type, 111);
    }
}

#[test]
fn an_established_association_keeps_its_dtls_roles() {
    let (mut caller, mut callee) = (ice_side(1), ice_side(2));
    agree(&mut caller, &mut callee);

    let (offerer, answerer) = agree(&mut callee, &mut caller);

    let role = |agreed: &RemoteTransport| match agreed {
        RemoteTransport::Ice { is_dtls_client, .. } => *is_dtls_client,
        _ => panic!("not ICE"),
    };
    assert!(role(&offerer.transport), "the callee stays client");
    assert!(!role(&answerer.transport));
}

/// RFC 8866 §5.2.
#[test]
fn the_version_grows_only_with_the_description() {
    let mut side = plain_side(1);
    let version = |sdp: &str| {
        line_starting(sdp, "o=")
            .split(' ')
            .nth(2)
            .map(str::to_owned)
    };
    let first = side.offer();
    let again = side.offer();
    side.machine.set_wish(Direction::SendOnly);
    let changed = side.offer();

    assert_eq!(version(&first), Some("1".to_owned()));
    assert_eq!(first, again);
    assert_eq!(version(&changed), Some("2".to_owned()));
}

#[test]
fn our_preference_decides_the_codec_of_an_answer() {
    let (answer, agreed) = answer_to(plain_side(1), PLAIN_OFFER);

    assert_eq!(agreed.codec, CodecKind::Pcmu);
    assert_eq!(line_starting(&answer, "m="), "m=audio 4001 RTP/AVP 0 101");
}

/// RFC 8829 §5.3.1.
#[test]
fn the_dialect_of_the_offer_is_answered() {
    let (answer, _) = answer_to(plain_side(1), PLAIN_OFFER);

    for absent in [
        "a=mid",
        "a=group",
        "a=rtcp-mux",
        "a=ice",
        "a=fingerprint",
        "a=setup",
        "a=msid",
    ] {
        assert!(!answer.contains(absent), "{absent} in {answer}");
    }
    assert!(answer.contains("a=sendrecv\r\n"));
}

#[test]
fn directions_meet() {
    let cases = [
        ("a=sendrecv", Direction::SendReceive),
        ("a=sendonly", Direction::ReceiveOnly),
        ("a=recvonly", Direction::SendOnly),
        ("a=inactive", Direction::Inactive),
        ("", Direction::SendReceive),
        ("c=IN IP4 0.0.0.0", Direction::ReceiveOnly),
    ];
    for (line, expected) in cases {
        let (answer, agreed) = answer_to(plain_side(1), &format!("{PLAIN_OFFER}{line}\r\n"));
        assert_eq!(agreed.direction, expected, "{line}");
        assert!(
            answer.contains(&format!("a={}\r\n", expected.as_str())),
            "{line}"
        );
    }
}

/// RFC 8866 §6.7.
#[test]
fn a_session_level_direction_counts_where_the_media_has_none() {
    let offer = PLAIN_OFFER.replace("t=0 0", "t=0 0\r\na=sendonly");

    assert_eq!(
        answer_to(plain_side(1), &offer).1.direction,
        Direction::ReceiveOnly
    );
}

#[test]
fn hold_and_resume_come_back_to_both_ways() {
    let mut side = plain_side(1);
    for (line, expected) in [
        ("a=sendrecv", Direction::SendReceive),
        ("a=inactive", Direction::Inactive),
        ("a=sendrecv", Direction::SendReceive),
        ("a=sendonly", Direction::ReceiveOnly),
        ("a=sendrecv", Direction::SendReceive),
    ] {
        let offer = format!("{PLAIN_OFFER}{line}\r\n");
        side.machine
            .set_remote(&offer, DescriptionKind::Offer, "")
            .unwrap();
        side.answer();
        assert_eq!(side.machine.negotiated().unwrap().direction, expected);
    }
}

/// RFC 3264 §6.
#[test]
fn surplus_media_are_refused_in_their_places() {
    let offer = dialect(
        "a=group:BUNDLE a v",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:v\r\n",
    );
    let (answer, _) = answer_to(ice_side(1), &offer);
    let media: Vec<&str> = answer
        .lines()
        .filter(|line| line.starts_with("m="))
        .collect();

    assert!(media[0].starts_with("m=audio 4001 UDP/TLS/RTP/SAVPF"));
    assert_eq!(media[1], "m=video 0 UDP/TLS/RTP/SAVPF 96 97");
    assert!(answer.contains("a=group:BUNDLE a\r\n"));
}

#[test]
fn audio_behind_video_keeps_its_place_in_later_offers() {
    let video = "m=video 5000 RTP/AVP 96\r\nm=audio";
    let offer = PLAIN_OFFER.replace("m=audio", video);
    let mut side = plain_side(1);
    side.machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = side.answer();
    let later = side.offer();

    for sdp in [answer, later] {
        let media: Vec<&str> = sdp.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(media[0], "m=video 0 RTP/AVP 96");
        assert!(media[1].starts_with("m=audio 4001"), "{sdp}");
    }
}

#[test]
fn telephone_events_have_the_clock_of_the_codec() {
    let (answer, agreed) = answer_to(ice_side(1), ICE_OFFER);
    let event = agreed.telephone_event.unwrap();

    assert_eq!(
        (event.send_payload_type, event.clock_rate_hz),
        (110, 48_000)
    );
    assert_eq!(answer.matches("telephone-event").count(), 1);
}

#[test]
fn asymmetric_payload_types_are_used_each_way() {
    let mut side = ice_side(1);
    side.offer();
    let answer = dialect("a=group:BUNDLE a", "")
        .replace("111", "96")
        .replace("actpass", "active");
    let agreed = side
        .machine
        .set_remote(&answer, DescriptionKind::Answer, "")
        .unwrap()
        .negotiated;

    assert_eq!(agreed.send_payload_type, 96);
    assert_eq!(agreed.receive_payload_types[0], (111, CodecKind::Opus));
}

#[test]
fn the_peers_numbers_stay_in_later_offers() {
    let mut side = ice_side(1);
    let offer = ICE_OFFER.replace("111", "100");
    side.machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();
    side.answer();

    assert!(side.offer().contains("a=rtpmap:100 opus/48000/2"));
}

#[test]
fn packet_times_are_kept_in_bounds() {
    for (line, expected) in [
        ("a=ptime:30", 30),
        ("a=ptime:33", 30),
        ("a=ptime:0", 20),
        ("a=ptime:65535", 20),
        ("a=ptime:-1", 20),
        ("a=ptime:1", 10),
        ("a=ptime:60\r\na=maxptime:40", 40),
    ] {
        let (_, agreed) = answer_to(plain_side(1), &format!("{PLAIN_OFFER}{line}\r\n"));
        assert_eq!(agreed.ptime_ms, expected, "{line}");
    }
}

#[test]
fn opus_has_no_packets_of_30_and_50_ms_and_takes_the_next_shorter_ones() {
    for (asked, expected) in [(10, 10), (20, 20), (30, 20), (40, 40), (50, 40), (60, 60)] {
        let offer = format!("{ICE_OFFER}a=ptime:{asked}\r\n");
        let (_, agreed) = answer_to(ice_side(1), &offer);
        assert_eq!(agreed.ptime_ms, expected, "{asked}");
    }
}

#[test]
fn rtcp_goes_to_the_next_port_unless_said_otherwise() {
    for (lines, expected) in [
        ("", "192.0.2.1:4001"),
        ("a=rtcp:4444\r\n", "192.0.2.1:4444"),
        ("a=rtcp:4444 IN IP4 192.0.2.7\r\n", "192.0.2.7:4444"),
    ] {
        let (_, agreed) = answer_to(plain_side(1), &format!("{PLAIN_OFFER}{lines}"));
        let RemoteTransport::Plain(remote) = agreed.transport else {
            panic!("not plain");
        };
        assert_eq!(remote.rtcp, Some(expected.parse().unwrap()));
    }
}

#[test]
fn setup_roles_follow_the_offer() {
    for (offered, answered) in [
        ("actpass", "active"),
        ("active", "passive"),
        ("passive", "active"),
    ] {
        let offer = ICE_OFFER.replace("a=setup:actpass", &format!("a=setup:{offered}"));
        let (answer, _) = answer_to(ice_side(1), &offer);
        assert!(
            answer.contains(&format!("a=setup:{answered}\r\n")),
            "{offered}"
        );
    }
}

#[test]
fn what_does_not_fit_is_refused_with_a_reason_and_changes_nothing() {
    let long = format!("{PLAIN_OFFER}{}", "a=x\r\n".repeat(20_000));
    let many = format!("{PLAIN_OFFER}{}", "m=audio 1 RTP/AVP 0\r\n".repeat(32));
    let candidates = format!("{ICE_OFFER}{}", "a=candidate:1\r\n".repeat(129));
    let cases = [
        (String::new(), "v=0"),
        (
            PLAIN_OFFER.replace("RTP/AVP", "RTP/SAVP"),
            "no audio stream",
        ),
        (
            PLAIN_OFFER.replace("m=audio 4000", "m=audio 0"),
            "no audio stream",
        ),
        (
            PLAIN_OFFER.replace("8 0 101", "18 101"),
            "none of our codecs",
        ),
        (PLAIN_OFFER.replace("4000", "70000"), "port"),
        (long, "64 KiB"),
        (many, "32 m-lines"),
    ];
    for (offer, reason) in cases {
        refuses(plain_side(1), &offer, reason);
    }
    let without = |line| ICE_OFFER.replace(line_starting(ICE_OFFER, line), "a=x");
    for (offer, reason) in [
        (without("a=ice-ufrag"), "ICE credentials"),
        (without("a=fingerprint"), "fingerprint"),
        (ICE_OFFER.replace("sha-256", "md5"), "fingerprint"),
        (ICE_OFFER.replace("actpass", "holdconn"), "DTLS role"),
        (candidates, "128 candidates"),
    ] {
        refuses(ice_side(1), &offer, reason);
    }
}

fn refuses(mut side: sides::Side, offer: &str, reason: &str) {
    match side.machine.set_remote(offer, DescriptionKind::Offer, "") {
        Err(MediaError::Negotiation(why)) => assert!(why.contains(reason), "{why}"),
        other => panic!("{reason}: {other:?}"),
    }
    assert!(side.machine.negotiated().is_none());
    assert!(!side.machine.has_remote_offer());
}

#[test]
fn an_answer_without_an_offer_is_a_misuse() {
    let mut side = plain_side(1);

    let result = side
        .machine
        .set_remote(PLAIN_OFFER, DescriptionKind::Answer, "");

    assert!(matches!(result, Err(MediaError::State(_))));
    assert!(matches!(
        side.machine.create_answer(&side.local),
        Err(MediaError::State(_))
    ));
}

#[test]
fn the_final_answer_of_another_fork_asks_for_a_new_transport() {
    let mut side = plain_side(1);
    side.offer();
    let provisional = |side: &mut sides::Side, dialog| {
        let machine = &mut side.machine;
        machine
            .set_remote(PLAIN_OFFER, DescriptionKind::Provisional, dialog)
            .unwrap()
    };

    assert!(!provisional(&mut side, "one").is_other_fork);
    assert!(!provisional(&mut side, "one").is_other_fork);
    assert!(provisional(&mut side, "two").is_other_fork);
    let last = side
        .machine
        .set_remote(PLAIN_OFFER, DescriptionKind::Answer, "one")
        .unwrap();
    assert!(last.is_other_fork);
}

#[test]
fn the_transport_is_read_from_the_offer() {
    assert_eq!(detect(PLAIN_OFFER), "plain");
    assert_eq!(detect(ICE_OFFER), "ice");
    assert_eq!(detect("rubbish"), "plain");
}

#[test]
fn nothing_of_the_peers_can_add_a_line_to_our_answer() {
    let offer = ICE_OFFER.replace("a=mid:a", "a=mid:a\ra=injected");
    let (answer, _) = answer_to(ice_side(1), &offer);

    assert!(!answer.contains("injected"));
    assert!(answer.replace("\r\n", "").find(['\r', '\n']).is_none());
}

#[test]
fn any_mutation_of_an_offer_is_a_value_or_an_error() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..20_000 {
        let mut bytes = [ICE_OFFER, PLAIN_OFFER][round % 2].as_bytes().to_vec();
        for _ in 0..=random(6) {
            let (at, from) = (random(bytes.len()), random(bytes.len()));
            match random(4) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes.truncate(at.max(1)),
                2 => drop(bytes.remove(at)),
                _ => bytes
                    .splice(at..at, ICE_OFFER.bytes().skip(from).take(9))
                    .for_each(drop),
            }
            bytes.push(b'\n');
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut side = if round % 2 == 0 {
            ice_side(1)
        } else {
            plain_side(1)
        };
        match side.machine.set_remote(&text, DescriptionKind::Offer, "") {
            Ok(_) => {
                accepted += 1;
                side.answer();
                side.offer();
            }
            Err(_) => refused += 1,
        }
    }

    assert!(
        accepted > 1000 && refused > 1000,
        "{accepted} accepted, {refused} refused"
    );
}
