//! Three pictures at once from one far end (RFC 8853): one is read, and changed at key frames.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trivox_media::codec::CodecKind;
use trivox_media::random::Random;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::{Session, SessionSettings, TransportKind};
use trivox_media::transport::Identity;
use trivox_media::video::feedback::{Feedback, read_untrusted};
use trivox_media::video::{LayerWish, VideoCodec};

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n\
    m=audio 5000 RTP/AVP 0\r\na=rtcp-mux\r\n\
    m=video 5002 RTP/AVPF 96\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n\
    a=rtcp-fb:96 nack pli\r\na=extmap:3 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
    a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\na=simulcast:send q;h;f\r\n";
/// Name, source, height and bytes of a frame.
const LAYERS: [(&str, u32, u16, usize); 3] = [
    ("q", 11, 90, 300),
    ("h", 12, 180, 600),
    ("f", 13, 360, 1_000),
];
const FRAME: Duration = Duration::from_millis(40);

struct Stage {
    session: Session,
    now: Instant,
    line: u64,
    number: u16,
    /// Layers that are sent, and those whose next frame is a key frame.
    sent: Vec<&'static str>,
    keys: Vec<u32>,
    asked: Vec<u32>,
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

impl Stage {
    fn new() -> Self {
        #[allow(clippy::disallowed_methods)]
        let now = Instant::now();
        let settings = SessionSettings {
            transport: TransportKind::Plain,
            accepts: Vec::new(),
            codecs: vec![CodecKind::Pcmu],
            dtmf: false,
            ptime_ms: 20,
            advertised: None,
        };
        let identity = Arc::new(Identity::generate().unwrap());
        let mut session = Session::new(1, settings, identity, now, Random::new(1));
        session.prepare_video(vec![VideoCodec::Vp8], true);
        let home = [at("192.0.2.1:4000"), at("192.0.2.1:4001")];
        session.attach(now, &home).unwrap();
        session
            .set_remote(now, OFFER, DescriptionKind::Offer, "")
            .unwrap();
        let line = session.line_directions()[0].0;
        session.attach_line(line, vec![at("192.0.2.1:4002"), at("192.0.2.1:4003")]);
        session.create_answer(now).unwrap();
        Self {
            session,
            now,
            line,
            number: 0,
            sent: vec!["q", "h", "f"],
            keys: vec![11, 12, 13],
            asked: Vec::new(),
        }
    }

    /// Sends frames of all layers, with the key frames that are asked for.
    fn run(&mut self, frames: u16) {
        for _ in 0..frames {
            self.number += 1;
            self.now += FRAME;
            for (name, ssrc, height, bytes) in LAYERS {
                if self.sent.contains(&name) {
                    let is_key = self.keys.contains(&ssrc);
                    let packet = self.packet(name, ssrc, height, is_key, bytes);
                    let from = at("192.0.2.2:5002");
                    self.session
                        .input(self.now, at("192.0.2.1:4002"), from, &packet);
                }
            }
            self.keys.clear();
            self.session.tick(self.now);
            while let Some(sent) = self.session.poll_transmit() {
                if sent.to == at("192.0.2.2:5002") {
                    self.take_feedback(&sent.data);
                }
            }
        }
    }

    fn take_feedback(&mut self, packet: &[u8]) {
        for feedback in read_untrusted(packet) {
            if let Feedback::KeyFrame(ssrc) = feedback {
                self.keys.push(ssrc);
                self.asked.push(ssrc);
            }
        }
    }

    fn packet(&self, name: &str, ssrc: u32, height: u16, is_key: bool, bytes: usize) -> Vec<u8> {
        let mut packet = vec![0x90, 0x80 | 96];
        packet.extend(self.number.to_be_bytes());
        packet.extend((u32::from(self.number) * 3_600).to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        // One extension of one byte, which names the layer.
        packet.extend([0xbe, 0xde, 0, 1, 0x30, name.as_bytes()[0], 0, 0]);
        // Descriptor, then a frame's head as far as anybody here reads it.
        packet.push(0x10);
        let tag = if is_key { 0x10 } else { 0x11 };
        packet.extend([tag, ssrc as u8, 0, 0x9d, 0x01, 0x2a]);
        packet.extend((height * 16 / 9).to_le_bytes());
        packet.extend(height.to_le_bytes());
        packet.resize(packet.len() + bytes, 0);
        packet
    }

    /// The sources of the frames that a reader was given since last asked.
    fn taken(&mut self, tap: u64) -> Vec<u32> {
        let (frames, _) = self.session.take_encoded(tap, 1_000);
        frames
            .iter()
            .map(|frame| u32::from(frame.data[1]))
            .collect()
    }

    fn choose(&mut self, tap: u64, wish: &LayerWish) {
        self.session.choose_tap_layer(self.now, tap, wish);
    }
}

fn named(name: &str) -> LayerWish {
    LayerWish {
        name: Some(name.to_owned()),
        ..LayerWish::default()
    }
}

/// Whether a list is some of one, then some of another, and nothing else.
fn changes(taken: &[u32], from: u32, to: u32) -> bool {
    let before = taken.iter().take_while(|source| **source == from).count();
    before < taken.len() && taken[before..].iter().all(|source| *source == to)
}

#[test]
fn one_layer_is_read_and_another_from_its_key_frame_on() {
    let mut stage = Stage::new();
    stage.session.open_tap(stage.now, stage.line, 1).unwrap();
    stage.choose(1, &named("q"));
    stage.run(25);
    assert!(stage.taken(1).iter().all(|source| *source == 11));

    stage.asked.clear();
    stage.choose(1, &named("f"));
    stage.run(25);
    let taken = stage.taken(1);
    assert!(changes(&taken, 11, 13), "{taken:?}");
    assert_eq!(taken.len(), 25);
    assert!(stage.asked.contains(&13) && !stage.asked.contains(&12));
}

#[test]
fn the_largest_is_read_unless_it_is_bounded_or_stops() {
    let mut stage = Stage::new();
    stage.session.open_tap(stage.now, stage.line, 1).unwrap();
    stage.run(60);
    assert_eq!(stage.taken(1).last(), Some(&13));
    let bounded = LayerWish {
        most_height: Some(200),
        ..LayerWish::default()
    };
    stage.choose(1, &bounded);
    stage.run(25);
    assert!(changes(&stage.taken(1), 13, 12));
    let bounded = LayerWish {
        most_bps: Some(100_000),
        ..LayerWish::default()
    };
    stage.choose(1, &bounded);
    stage.run(25);
    assert!(changes(&stage.taken(1), 12, 11));

    stage.choose(1, &LayerWish::default());
    stage.run(25);
    stage.taken(1);
    stage.sent = vec!["q", "h"];
    stage.run(50);
    assert_eq!(stage.taken(1).last(), Some(&12));
}

#[test]
fn readers_of_one_line_each_have_their_layer_and_figures_name_them() {
    let mut stage = Stage::new();
    for (tap, name) in [(1, "q"), (2, "h")] {
        stage.session.open_tap(stage.now, stage.line, tap).unwrap();
        stage.choose(tap, &named(name));
    }
    stage.run(60);

    assert!(stage.taken(1).iter().all(|source| *source == 11));
    let other = stage.taken(2);
    assert!(other.len() >= 50 && other.iter().all(|source| *source == 12));
    let layers = stage.session.video_layers(stage.now, stage.line).unwrap();
    let facts: Vec<_> = layers.iter().map(|one| (&*one.name, one.size)).collect();
    let sizes = [("q", (160, 90)), ("h", (320, 180)), ("f", (640, 360))];
    assert_eq!(facts, sizes.map(|(name, size)| (name, Some(size))));
    assert!(layers[2].bits_per_second > layers[0].bits_per_second);
    let figures = stage.session.video_figures()[0].clone();
    assert_eq!(figures.received.frames, 180);
    assert!(figures.received.plis >= 2 && figures.received.firs == 0);
    assert!((figures.frame_rates.1.unwrap() - 25.0).abs() < 1.5);
}
