//! Codecs two sides agree on, and what a session then sends and hears of them.
#![allow(clippy::unwrap_used, reason = "a test")]

mod sides;

use sides::{Side, agree, answer_to, line_starting, plain_side, plain_side_with};
use trivox_media::codec::{CodecKind, OpusSettings};
use trivox_media::session::AudioSettings;
use trivox_media::session::offer_answer::DescriptionKind;

fn offer_of(formats: &str, lines: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP {formats}\r\n{lines}"
    )
}

fn with_opus(number: u8, opus: OpusSettings) -> Side {
    let mut side = plain_side_with(number, vec![CodecKind::Opus, CodecKind::Pcmu]);
    side.machine.set_audio(AudioSettings {
        opus,
        has_comfort_noise: false,
    });
    side
}

#[test]
fn g722_has_its_static_number_and_the_clock_of_rfc_3551() {
    let side = plain_side_with(1, vec![CodecKind::G722, CodecKind::Pcmu]);
    let (answer, agreed) = answer_to(side, &offer_of("0 9 101", ""));

    assert_eq!(
        (agreed.codec, agreed.send_payload_type),
        (CodecKind::G722, 9)
    );
    assert_eq!(line_starting(&answer, "a=rtpmap:9"), "a=rtpmap:9 G722/8000");
}

#[test]
fn g722_at_the_rate_of_its_audio_is_another_codec() {
    let side = plain_side_with(1, vec![CodecKind::G722, CodecKind::Pcmu]);
    let offer = offer_of("96 0", "a=rtpmap:96 G722/16000\r\n");

    assert_eq!(answer_to(side, &offer).1.codec, CodecKind::Pcmu);
}

#[test]
fn telephone_events_beside_g722_are_at_its_clock() {
    let codecs = || vec![CodecKind::G722, CodecKind::L16];
    let (mut caller, mut callee) = (plain_side_with(1, codecs()), plain_side_with(2, codecs()));

    let (ours, theirs) = agree(&mut caller, &mut callee);

    assert_eq!(ours.codec, CodecKind::G722);
    for agreed in [ours, theirs] {
        assert_eq!(agreed.telephone_event.unwrap().clock_rate_hz, 8_000);
    }
}

#[test]
fn comfort_noise_is_offered_and_answered_with_g711() {
    let (mut caller, mut callee) = (plain_side(1), plain_side(2));
    let offer = caller.offer();

    let (ours, theirs) = agree(&mut caller, &mut callee);

    assert_eq!(line_starting(&offer, "a=rtpmap:13"), "a=rtpmap:13 CN/8000");
    for agreed in [ours, theirs] {
        assert_eq!(agreed.send_comfort_noise, Some(13));
        assert_eq!(agreed.receive_comfort_noise, Some(13));
    }
}

#[test]
fn comfort_noise_is_not_answered_unless_offered_nor_with_opus() {
    let (without, agreed) = answer_to(plain_side(1), &offer_of("0 101", ""));
    assert!(!without.contains("CN/8000"), "{without}");
    assert_eq!(agreed.send_comfort_noise, None);

    let side = plain_side_with(1, vec![CodecKind::Opus]);
    let offer = offer_of("111 13", "a=rtpmap:111 opus/48000/2\r\n");
    let (answer, agreed) = answer_to(side, &offer);
    assert!(!answer.contains("CN/8000"), "{answer}");
    assert_eq!(agreed.send_comfort_noise, None);
}

#[test]
fn comfort_noise_of_another_number_is_answered_with_that_number() {
    let offer = offer_of("0 97", "a=rtpmap:97 CN/8000\r\n");
    let (answer, agreed) = answer_to(plain_side(1), &offer);

    assert_eq!(agreed.send_comfort_noise, Some(97));
    assert_eq!(line_starting(&answer, "a=rtpmap:97"), "a=rtpmap:97 CN/8000");
}

#[test]
fn opus_settings_are_told_and_those_of_the_far_end_kept_to() {
    let wish = OpusSettings {
        bitrate_bps: 20_000,
        has_discontinuous_transmission: true,
        greatest_playback_rate_hz: 16_000,
        ..OpusSettings::default()
    };
    let (mut caller, mut callee) = (with_opus(1, wish), with_opus(2, OpusSettings::default()));
    let offer = caller.offer();

    let (ours, theirs) = agree(&mut caller, &mut callee);

    assert_eq!(
        line_starting(&offer, "a=fmtp:111"),
        "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1;maxaveragebitrate=20000;\
         maxplaybackrate=16000;sprop-maxcapturerate=16000"
    );
    let callee_sends = theirs.opus.settings(&OpusSettings::default());
    assert_eq!(callee_sends.bitrate_bps, 20_000);
    assert_eq!(callee_sends.greatest_playback_rate_hz, 16_000);
    assert!(callee_sends.has_discontinuous_transmission);
    let caller_sends = ours.opus.settings(&wish);
    assert_eq!(caller_sends, wish);
}

#[test]
fn settings_hold_from_the_next_description_on() {
    let (mut caller, mut callee) = (
        with_opus(1, OpusSettings::default()),
        with_opus(2, OpusSettings::default()),
    );
    agree(&mut caller, &mut callee);
    caller.machine.set_audio(AudioSettings {
        opus: OpusSettings {
            bitrate_bps: 64_000,
            ..OpusSettings::default()
        },
        has_comfort_noise: false,
    });

    let offer = caller.offer();
    let applied = callee
        .machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();

    assert_eq!(
        applied.negotiated.opus.max_average_bitrate_bps,
        Some(64_000)
    );
}
