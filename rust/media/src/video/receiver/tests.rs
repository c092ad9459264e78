//! Three pictures at once from one far end (RFC 8853): each reader has one, changed at key frames.

use super::*;
use crate::video::reader::Reader;
use crate::video::{LayerWish, VideoCodec};

/// Name, source, height and bytes of a frame.
const LAYERS: [(&str, u32, u16, usize); 3] = [
    ("q", 11, 90, 300),
    ("h", 12, 180, 600),
    ("f", 13, 360, 1_000),
];
const FRAME: Duration = Duration::from_millis(40);
const ROUND_TRIP: Duration = Duration::from_millis(20);

struct Stage {
    receiver: VideoReceiver,
    now: Instant,
    number: u16,
    /// Layers that are sent, and those whose next frame is a key frame.
    sent: Vec<&'static str>,
    keys: Vec<u32>,
    asked: Vec<u32>,
}

impl Stage {
    fn new() -> Self {
        let mut receiver = VideoReceiver::default();
        receiver.extensions.layer = Some(3);
        receiver.formats = vec![Format {
            payload_type: 96,
            codec: VideoCodec::Vp8,
            parameters: String::new(),
            retransmission: None,
            feedback: Default::default(),
        }];
        Self {
            receiver,
            now: crate::shard::now(),
            number: 0,
            sent: vec!["q", "h", "f"],
            keys: vec![11, 12, 13],
            asked: Vec::new(),
        }
    }

    /// Sends frames of all layers, with the key frames that are asked for; the sources of those
    /// that a reader is given.
    fn run<const N: usize>(&mut self, frames: u16, mut readers: [&mut Reader; N]) -> [Vec<u32>; N] {
        let mut taken = [const { Vec::new() }; N];
        for _ in 0..frames {
            self.number += 1;
            self.now += FRAME;
            for (name, ssrc, height, bytes) in LAYERS {
                if !self.sent.contains(&name) {
                    continue;
                }
                let data = self.packet(name, ssrc, height, bytes);
                let header = RtpHeader::parse_untrusted(&data).unwrap();
                let packet = self.receiver.packet_untrusted(self.now, &header, &data);
                let packet = packet.unwrap();
                for (reader, taken) in readers.iter_mut().zip(&mut taken) {
                    let frames = reader.push(self.now, &packet, &mut self.receiver);
                    taken.extend(frames.iter().map(|frame| u32::from(frame.data[1])));
                }
            }
            self.keys = self.receiver.take_wanted(self.now, ROUND_TRIP).key_frames;
            self.asked.extend(&self.keys);
        }
        taken
    }

    fn packet(&self, name: &str, ssrc: u32, height: u16, bytes: usize) -> Vec<u8> {
        let mut packet = vec![0x90, 0x80 | 96];
        packet.extend(self.number.to_be_bytes());
        packet.extend((u32::from(self.number) * 3_600).to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        // One extension of one byte, which names the layer.
        packet.extend([0xbe, 0xde, 0, 1, 0x30, name.as_bytes()[0], 0, 0]);
        // Descriptor, then a frame's head as far as anybody here reads it.
        packet.push(0x10);
        let tag = if self.keys.contains(&ssrc) {
            0x10
        } else {
            0x11
        };
        packet.extend([tag, ssrc as u8, 0, 0x9d, 0x01, 0x2a]);
        packet.extend((height * 16 / 9).to_le_bytes());
        packet.extend(height.to_le_bytes());
        packet.resize(packet.len() + bytes, 0);
        packet
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
    let (mut stage, mut reader) = (Stage::new(), Reader::new(named("q")));
    let [first] = stage.run(25, [&mut reader]);
    assert_eq!(first, [11; 25]);

    stage.asked.clear();
    reader.choose(named("f"));
    let [taken] = stage.run(25, [&mut reader]);
    assert!(changes(&taken, 11, 13), "{taken:?}");
    // Every moment once, but for that of the change, which both layers show.
    assert!((25..=26).contains(&taken.len()));
    assert_eq!(stage.asked, [13]);
}

#[test]
fn the_largest_is_read_unless_it_is_bounded_or_stops() {
    let (mut stage, mut reader) = (Stage::new(), Reader::default());
    let [taken] = stage.run(40, [&mut reader]);
    assert_eq!(taken.last(), Some(&13));
    reader.choose(LayerWish {
        most_height: Some(200),
        ..LayerWish::default()
    });
    let [taken] = stage.run(25, [&mut reader]);
    assert!(changes(&taken, 13, 12), "{taken:?}");
    reader.choose(LayerWish {
        most_bps: Some(100_000),
        ..LayerWish::default()
    });
    let [taken] = stage.run(25, [&mut reader]);
    assert!(changes(&taken, 12, 11), "{taken:?}");

    reader.choose(LayerWish::default());
    stage.run(25, [&mut reader]);
    stage.sent = vec!["q", "h"];
    let [taken] = stage.run(50, [&mut reader]);
    assert_eq!(taken.last(), Some(&12));
}

#[test]
fn readers_of_one_line_each_have_their_layer_and_figures_name_them() {
    let mut stage = Stage::new();
    let (mut one, mut other) = (Reader::new(named("q")), Reader::new(named("h")));
    let [small, large] = stage.run(60, [&mut one, &mut other]);

    assert_eq!(small, [11; 60]);
    assert_eq!(large.last(), Some(&12));
    let layers = stage.receiver.layers(stage.now);
    let facts: Vec<_> = layers.iter().map(|one| (&*one.name, one.size)).collect();
    let sizes = [("q", (160, 90)), ("h", (320, 180)), ("f", (640, 360))];
    assert_eq!(facts, sizes.map(|(name, size)| (name, Some(size))));
    assert!(layers[2].bits_per_second > layers[0].bits_per_second);
    let figures = stage.receiver.figures();
    assert_eq!((figures.frames, figures.frames_dropped), (180, 0));
    assert!(figures.key_frames >= 4);
    let (rate, size) = stage.receiver.pace();
    assert!((rate.unwrap() - 25.0).abs() < 1.5);
    assert_eq!(size, Some((640, 360)));
}
