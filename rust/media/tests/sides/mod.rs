//! Offer/answer machines with something to say of their transports.
#![allow(dead_code, clippy::unwrap_used)] // Each test file uses a part of it.

use trivox_media::codec::CodecKind;
use trivox_media::session::AudioSettings;
use trivox_media::session::offer_answer::{
    DescriptionKind, LocalMedia, Negotiated, OfferAnswer, Settings, TransportKind,
};
use trivox_media::transport::IceDescription;
use trivox_media::transport::keys::{SrtpKey, Suite};

/// What a browser offers, shortened to what counts.
pub(crate) const ICE_OFFER: &str = "v=0\r\no=- 4611 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    a=group:BUNDLE a\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\n\
    a=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:Uf4a\r\na=ice-pwd:0123456789abcdefghijklmn\r\n\
    a=ice-options:trickle\r\na=fingerprint:sha-256 AA:BB:CC\r\na=setup:actpass\r\na=mid:a\r\n\
    a=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
    a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=rtpmap:9 G722/8000\r\n\
    a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n\
    a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n\
    a=candidate:1 1 udp 2113937151 c0ffee.local 50000 typ host\r\n";

/// The browser's offer with another group line and more m-lines.
pub(crate) fn dialect(group: &str, more: &str) -> String {
    format!("{}{more}", ICE_OFFER.replace("a=group:BUNDLE a", group))
}

/// The first line of a description that begins so.
pub(crate) fn line_starting<'a>(sdp: &'a str, start: &str) -> &'a str {
    sdp.lines().find(|line| line.starts_with(start)).unwrap()
}

pub(crate) struct Side {
    pub(crate) machine: OfferAnswer,
    pub(crate) local: LocalMedia,
}

impl Side {
    pub(crate) fn offer(&mut self) -> String {
        self.machine.create_offer(&self.local).unwrap()
    }

    pub(crate) fn answer(&mut self) -> String {
        self.machine.create_answer(&self.local).unwrap()
    }
}

fn side(number: u8, kind: TransportKind, codecs: Vec<CodecKind>) -> Side {
    side_of(number, kind, codecs, Vec::new())
}

fn side_of(
    number: u8,
    kind: TransportKind,
    codecs: Vec<CodecKind>,
    accepts: Vec<TransportKind>,
) -> Side {
    let port = 4000 + u16::from(number);
    let address = std::net::IpAddr::from([192, 0, 2, number]);
    let ice = IceDescription {
        ufrag: format!("uf{number}x"),
        password: "pwd-of-twenty-two-bytes".to_owned(),
        candidates: vec![(address, port).into()],
        gathered: Vec::new(),
        fingerprint: format!("0{number}:AA"),
        is_lite: false,
        is_complete: true,
        rtcp: None,
    };
    Side {
        machine: OfferAnswer::new(Settings {
            kind,
            accepts,
            codecs,
            dtmf: true,
            ptime_ms: 20,
            session_id: u64::from(number),
            ssrc: u32::from(number),
            cname: format!("name{number}"),
            audio: AudioSettings::default(),
        }),
        local: LocalMedia {
            address,
            fingerprint: None,
            keys: Vec::new(),
            rtp_port: port,
            rtcp_port: port + 1,
            ice: (kind == TransportKind::Ice).then_some(ice),
            lines: Vec::new(),
        },
    }
}

/// One with a fingerprint and keys, which differ from number to number.
pub(crate) fn secure_side(number: u8, kind: TransportKind, accepts: &[TransportKind]) -> Side {
    let codecs = vec![CodecKind::Pcmu, CodecKind::Pcma];
    let mut side = side_of(number, kind, codecs, accepts.to_vec());
    side.local.fingerprint = Some(format!("0{number}:AA"));
    let key = |suite: Suite| SrtpKey::new(suite, vec![number; suite.key_bytes()]);
    side.local.keys = Suite::ALL.into_iter().filter_map(key).collect();
    side
}

pub(crate) fn ice_side(number: u8) -> Side {
    let codecs = vec![CodecKind::Opus, CodecKind::Pcmu, CodecKind::Pcma];
    side(number, TransportKind::Ice, codecs)
}

pub(crate) fn plain_side(number: u8) -> Side {
    let codecs = vec![CodecKind::Pcmu, CodecKind::Pcma];
    side(number, TransportKind::Plain, codecs)
}

pub(crate) fn plain_side_with(number: u8, codecs: Vec<CodecKind>) -> Side {
    side(number, TransportKind::Plain, codecs)
}

/// One whole exchange; what each side then holds, the offerer first.
pub(crate) fn agree(offerer: &mut Side, answerer: &mut Side) -> (Negotiated, Negotiated) {
    let offer = offerer.offer();
    let theirs = answerer
        .machine
        .set_remote(&offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = answerer.answer();
    let ours = offerer
        .machine
        .set_remote(&answer, DescriptionKind::Answer, "")
        .unwrap();
    (ours.negotiated, theirs.negotiated)
}

pub(crate) fn answer_to(mut side: Side, offer: &str) -> (String, Negotiated) {
    side.machine
        .set_remote(offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = side.answer();
    let negotiated = side.machine.negotiated().unwrap().clone();
    (answer, negotiated)
}
