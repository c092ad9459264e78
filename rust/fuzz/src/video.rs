//! Targets of video: files, feedback, and packets of a far end that may send anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use trivox_media::codec::CodecKind;
use trivox_media::random::Random;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::packet::RtpHeader;
use trivox_media::session::{Session, SessionSettings, TransportKind};
use trivox_media::video::feedback::read_untrusted;
use trivox_media::video::{Clip, VideoCodec, begins_key_frame_untrusted};

use crate::cut::Pieces;
use crate::world::{IDENTITY, ORIGIN};

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n\
    m=audio 5000 RTP/AVP 0\r\na=rtcp-mux\r\n\
    m=video 5002 RTP/AVP 96 97 98 100\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n\
    a=rtcp-fb:* nack pli\r\na=rtcp-fb:* nack\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
    a=rtpmap:98 H264/90000\r\na=fmtp:98 packetization-mode=1\r\na=rtpmap:100 VP9/90000\r\n\
    a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
    a=rid:a send\r\na=simulcast:send a;b\r\n";
const LOCAL: [&str; 4] = [
    "192.0.2.1:4000",
    "192.0.2.1:4001",
    "192.0.2.1:4002",
    "192.0.2.1:4003",
];
const FORMATS: [u8; 4] = [96, 97, 98, 100];

/// Reads a file of video; every picture lies in it.
pub fn clip(data: &[u8]) {
    if let Ok(clip) = Clip::parse_untrusted(data.to_vec(), 25.0) {
        assert!(clip.count() > 0 && clip.length() > Duration::ZERO);
    }
    for codec in VideoCodec::ALL {
        let _ = begins_key_frame_untrusted(codec, data);
    }
}

/// Reads feedback, and sends packets and feedback to a call with video that somebody reads.
pub fn video(data: &[u8]) {
    read_untrusted(data);
    let mut session = watched();
    let (mut now, mut sequence) = (*ORIGIN, 65_000_u16);
    for (pace, piece) in Pieces::new(data).take(64) {
        now += Duration::from_millis(u64::from(pace >> 4) * 10);
        sequence = sequence.wrapping_add(u16::from(pace & 7));
        let header = RtpHeader {
            marker: pace & 8 != 0,
            payload_type: FORMATS[usize::from(pace >> 2 & 3)],
            sequence,
            timestamp: u32::from(sequence) * 3000,
            ssrc: u32::from(pace >> 6),
            payload: 0..0,
        };
        let mut packet = piece.to_vec();
        if pace & 1 == 0 {
            header.write(piece, &mut packet);
        }
        session.input(now, at(LOCAL[2]), at("192.0.2.2:5002"), &packet);
        session.tick(now);
        while session.poll_transmit().is_some() {}
        while session.poll_event().is_some() {}
        session.take_encoded(1, 10);
    }
    session.close(now);
}

fn at(address: &str) -> SocketAddr {
    address.parse().expect("an address")
}

fn watched() -> Session {
    let settings = SessionSettings {
        transport: TransportKind::Plain,
        accepts: Vec::new(),
        codecs: vec![CodecKind::Pcmu],
        dtmf: false,
        ptime_ms: 20,
        advertised: None,
    };
    let mut session = Session::new(1, settings, Arc::clone(&IDENTITY), *ORIGIN, Random::new(1));
    session.prepare_video(VideoCodec::ALL.to_vec(), true);
    session
        .attach(*ORIGIN, &[at(LOCAL[0]), at(LOCAL[1])])
        .expect("it has sockets");
    session
        .set_remote(*ORIGIN, OFFER, DescriptionKind::Offer, "")
        .expect("a good offer");
    let line = session.line_directions()[0].0;
    session.attach_line(line, vec![at(LOCAL[2]), at(LOCAL[3])]);
    session.create_answer(*ORIGIN).expect("an offer to answer");
    session.open_tap(*ORIGIN, line, 1).expect("it is received");
    session
}
