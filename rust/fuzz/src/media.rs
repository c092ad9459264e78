//! Targets of `trivox-media`.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use trivox_media::codec::CodecKind;
use trivox_media::dtmf::{DtmfReceiver, TelephoneEvent};
use trivox_media::flac::FlacReader;
use trivox_media::octets::SoundDecoder;
use trivox_media::ogg_opus::OggOpusReader;
use trivox_media::random::Random;
use trivox_media::session::offer_answer::{DescriptionKind, detect};
use trivox_media::session::packet::RtpHeader;
use trivox_media::session::rtcp::{Rtcp, SenderInformation};
use trivox_media::session::{Session, SessionSettings, TransportKind};
use trivox_media::video::VideoCodec;
use trivox_media::wav::WavReader;

use crate::cut::Pieces;
use crate::world::{IDENTITY, ORIGIN};

const LOCAL: &str = "192.0.2.1:4000";
const PEER: &str = "192.0.2.2:5000";
const PLAIN_OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\n\
    t=0 0\r\nm=audio 5000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=rtcp-mux\r\n";
const SDES_OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\n\
    t=0 0\r\nm=audio 5000 RTP/SAVP 0 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 \
    inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd\r\n";
const DTLS_OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\n\
    t=0 0\r\nm=audio 5000 UDP/TLS/RTP/SAVP 0 8\r\na=fingerprint:sha-256 AA:BB:CC\r\n\
    a=setup:actpass\r\na=rtcp-mux\r\n";
const ICE_OFFER: &str = "v=0\r\no=- 4611 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    a=group:BUNDLE a\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:Uf4a\r\na=ice-pwd:0123456789abcdefghijklmn\r\na=fingerprint:sha-256 AA:BB:CC\r\n\
    a=setup:actpass\r\na=mid:a\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
    a=candidate:1 1 udp 2113937151 192.0.2.2 5000 typ host\r\n";

fn at(address: &str) -> SocketAddr {
    address.parse().expect("an address")
}

fn open(transport: TransportKind) -> Session {
    let settings = SessionSettings {
        transport,
        accepts: Vec::new(),
        codecs: vec![CodecKind::Opus, CodecKind::Pcmu, CodecKind::Pcma],
        dtmf: true,
        ptime_ms: 20,
        advertised: None::<IpAddr>,
    };
    let mut session = Session::new(1, settings, Arc::clone(&IDENTITY), *ORIGIN, Random::new(1));
    let locals: &[SocketAddr] = match transport {
        TransportKind::Ice => &[at(LOCAL)],
        _ => &[at(LOCAL), at("192.0.2.1:4001")],
    };
    session.prepare_video(VideoCodec::ALL.to_vec(), true);
    session.attach(*ORIGIN, locals).expect("it has sockets");
    session
}

fn connected(transport: TransportKind) -> Session {
    let offer = match transport {
        TransportKind::Plain => PLAIN_OFFER,
        TransportKind::Sdes => SDES_OFFER,
        TransportKind::Dtls => DTLS_OFFER,
        TransportKind::Ice => ICE_OFFER,
    };
    let mut session = open(transport);
    let taken = session.set_remote(*ORIGIN, offer, DescriptionKind::Offer, "");
    taken.expect("a good offer");
    session.create_answer(*ORIGIN).expect("an offer to answer");
    session
}

fn drain(session: &mut Session) {
    for _ in 0..1000 {
        if session.poll_transmit().is_none() {
            break;
        }
    }
    while session.poll_event().is_some() {}
}

/// Takes a description as offer, as answer and again; what is answered can be taken by ourselves.
pub fn sdp(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = detect(&text);
    for kind in [
        TransportKind::Plain,
        TransportKind::Sdes,
        TransportKind::Dtls,
        TransportKind::Ice,
    ] {
        let mut callee = open(kind);
        if callee
            .set_remote(*ORIGIN, &text, DescriptionKind::Offer, "")
            .is_ok()
        {
            let answer = callee.create_answer(*ORIGIN).expect("an offer was taken");
            let is_media = |line: &&str| line.starts_with("m=");
            let lines = |sdp: &str| sdp.split(['\r', '\n']).filter(is_media).count();
            assert_eq!(lines(&answer), lines(&text), "{answer}");
        }
        drain(&mut callee);
        let mut caller = open(kind);
        caller.create_offer(*ORIGIN, false).expect("a first offer");
        let _ = caller.set_remote(*ORIGIN, &text, DescriptionKind::Provisional, "a");
        let _ = caller.set_remote(*ORIGIN, &text, DescriptionKind::Answer, "b");
        drain(&mut caller);
    }
}

/// Sends datagrams to a call over ICE; without credentials none of them connects it.
pub fn stun(data: &[u8]) {
    feed(connected(TransportKind::Ice), data);
}

/// Sends datagrams to a call over plain RTP: audio, tones, reports, rubbish.
pub fn session(data: &[u8]) {
    feed(connected(TransportKind::Plain), data);
}

fn feed(mut session: Session, data: &[u8]) {
    let mut now = *ORIGIN;
    for (pace, piece) in Pieces::new(data).take(64) {
        now += Duration::from_millis(u64::from(pace >> 1) * 4);
        let from = if pace & 1 == 0 { PEER } else { "192.0.2.66:1" };
        session.input(now, at(LOCAL), at(from), piece);
        session.tick(now);
        drain(&mut session);
    }
    session.close(now);
    drain(&mut session);
}

/// Reads an RTP packet; its payload lies within it, and one written is read back.
pub fn rtp(data: &[u8]) {
    let Some(header) = RtpHeader::parse_untrusted(data) else {
        return;
    };
    let payload = &data[header.payload.clone()];
    let mut written = Vec::new();
    header.write(payload, &mut written);
    let again = RtpHeader::parse_untrusted(&written).expect("we write what can be read");
    assert_eq!(&written[again.payload.clone()], payload);
    assert_eq!(
        (again.sequence, again.timestamp, again.ssrc),
        (header.sequence, header.timestamp, header.ssrc)
    );
}

/// Takes compound RTCP packets and reports in between.
pub fn rtcp(data: &[u8]) {
    let mut reports = Rtcp::new(
        *ORIGIN,
        1,
        "name".to_owned(),
        data.len().is_multiple_of(2),
        1,
    );
    let mut now = *ORIGIN;
    for (pace, piece) in Pieces::new(data).take(64) {
        now += Duration::from_millis(u64::from(pace) * 40);
        reports.handle_untrusted(now, piece);
        if let Some(remote) = reports.remote() {
            assert!((0.0..=1.0).contains(&remote.loss));
        }
        let own = reports.report(now, Some(SenderInformation::default()), None);
        assert_eq!(own.len() % 4, 0);
    }
}

/// Takes telephone-events in any order; what it reports, waits for its owner, is bounded.
pub fn dtmf(data: &[u8]) {
    let mut receiver = DtmfReceiver::new(8000);
    let mut now = *ORIGIN;
    let mut told = 0;
    for (pace, piece) in Pieces::new(data).take(256) {
        now += Duration::from_millis(u64::from(pace) * 4);
        let (time, payload) = piece.split_at(piece.len().min(2));
        let timestamp = time.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        receiver.push(now, timestamp.wrapping_sub(300), payload);
        if let Some(event) = TelephoneEvent::parse(payload) {
            assert_eq!(event.to_bytes().len(), 4);
        }
        receiver.handle_timeout(now);
        told += std::iter::from_fn(|| receiver.poll()).count();
    }
    assert!(told <= 4 * 256);
}

/// Opens a WAV file and reads it whole.
pub fn wav(data: &[u8]) {
    let thread = std::thread::current().id();
    let name = format!("trivox-fuzz-{}-{thread:?}.wav", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut file = fs::File::create(&path).expect("a temporary file");
    file.write_all(data).expect("room for it");
    drop(file);
    if let Ok(mut reader) = WavReader::open(&path) {
        let _ = (reader.seconds(), reader.channels(), reader.rate_hz());
        let mut samples = Vec::new();
        while reader
            .read_mono(4096, &mut samples)
            .is_ok_and(|read| read > 0)
        {
            assert!(samples.len() <= data.len() + 4096);
        }
        let _ = reader.seek(1e9);
    }
    let _ = fs::remove_file(&path);
}

/// An Ogg Opus file of any octets: opened, read to its end and sought in.
pub fn ogg(data: &[u8]) {
    let thread = std::thread::current().id();
    let name = format!("trivox-fuzz-{}-{thread:?}.ogg", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::write(&path, data).expect("room for a temporary file");
    if let Ok(mut reader) = OggOpusReader::open(&path) {
        let mut samples = Vec::new();
        // A packet of two octets may stand for 120 ms.
        let most = 5_760 * (data.len() + 1);
        while reader
            .read_mono(48_000, &mut samples)
            .is_ok_and(|read| read > 0)
        {
            assert!(samples.len() <= most);
        }
        for seconds in [reader.seconds() / 2.0, 1e9, 0.0] {
            reader.seek(seconds);
            let _ = reader.read_mono(960, &mut samples);
        }
    }
    let _ = fs::remove_file(&path);
}

/// A FLAC file of any octets: opened, read to its end and sought in.
pub fn flac(data: &[u8]) {
    let thread = std::thread::current().id();
    let name = format!("trivox-fuzz-{}-{thread:?}.flac", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::write(&path, data).expect("room for a temporary file");
    if let Ok(mut reader) = FlacReader::open(&path) {
        let mut samples = Vec::new();
        // A frame of one value has ten octets, and up to 65 536 samples.
        let most = 65_536 * (data.len() / 10 + 1);
        while reader
            .read_mono(16_384, &mut samples)
            .is_ok_and(|read| read > 0)
        {
            assert!(samples.len() <= most);
        }
        for seconds in [reader.seconds() / 2.0, 1e9, 0.0] {
            reader.seek(seconds);
            let _ = reader.read_mono(960, &mut samples);
        }
    }
    let _ = fs::remove_file(&path);
}

/// A file of any octets as it comes, in pieces.
pub fn octets(data: &[u8]) {
    let mut decoder = SoundDecoder::new(16_000);
    for piece in data.chunks(97).chain([&[][..]]) {
        if decoder.push(piece).is_err() {
            return;
        }
        if piece.is_empty() {
            decoder.close();
        }
        while !decoder.is_over() {
            match decoder.take() {
                Ok(samples) if samples.is_empty() => break,
                Ok(samples) => assert!(samples.len() <= 60 * 16_000),
                Err(_) => return,
            }
        }
    }
}
