//! Frames put together from packets, for files and for programs; never on the way through.

use std::collections::BTreeMap;

use super::VideoCodec;
use super::av1::Joiner;
use super::packet::{Orientation, VideoPacket};
use super::payload::append_untrusted;

/// Packets that may wait for a missing one; then all begins anew with a key frame.
const MOST_WAITING: usize = 512;
/// How far ahead of a missing packet time may run: half a second at 90 kHz.
const LONGEST_WAIT_TICKS: u32 = 45_000;
/// A source whose numbers fall back by more than this has begun anew.
const LARGEST_FALL: u64 = 4096;
/// A frame larger than this is given up.
const MOST_BYTES: usize = 4 << 20;

/// One encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedFrame {
    /// Its codec.
    pub codec: VideoCodec,
    /// Its time at 90 kHz.
    pub timestamp: u32,
    /// It can be decoded alone.
    pub is_key: bool,
    /// How it is to be turned.
    pub orientation: Orientation,
    /// VP8, VP9: the frame; H.264: units with start codes (Annex B); AV1: units with sizes.
    pub data: Vec<u8>,
}

/// Puts the frames of one source together, in order, from a key frame on.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    source: Option<u64>,
    waiting: BTreeMap<u64, VideoPacket>,
    /// Where the next frame begins; None while a key frame is awaited.
    next: Option<u64>,
    wants_key_frame: bool,
    has_begun: bool,
    /// What the source said last.
    orientation: Orientation,
    dropped: u64,
}

impl Assembler {
    /// Takes a packet and adds the frames that are whole with it.
    pub(crate) fn push(&mut self, packet: &VideoPacket, frames: &mut Vec<EncodedFrame>) {
        if self.source != Some(packet.source) {
            self.source = Some(packet.source);
            self.orientation = Orientation::default();
            self.begin_anew();
        }
        let has_fallen = |next| packet.sequence + LARGEST_FALL < next;
        if self.next.is_some_and(has_fallen) {
            self.begin_anew();
        }
        if self.next.is_none() && packet.begins_key_frame {
            self.waiting.retain(|number, _| *number > packet.sequence);
            self.next = Some(packet.sequence);
            (self.has_begun, self.wants_key_frame) = (true, false);
        }
        if self.next.is_none() {
            self.dropped += u64::from(packet.marker && self.has_begun);
        }
        if self.next.is_some_and(|next| packet.sequence < next) {
            return;
        }
        self.waiting.insert(packet.sequence, packet.clone());
        while let Some(end) = self.end_of_next() {
            self.take_frame(end, frames);
        }
        if self.is_stuck() {
            self.begin_anew();
        }
    }

    /// Whether frames were lost and only a key frame helps; told once.
    pub(crate) fn take_key_frame_wish(&mut self) -> bool {
        std::mem::take(&mut self.wants_key_frame)
    }

    /// Frames that were given up since last asked; those before the first key frame are not.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn begin_anew(&mut self) {
        let ends = self.waiting.values().filter(|packet| packet.marker);
        self.dropped += if self.has_begun {
            ends.count() as u64
        } else {
            0
        };
        self.next = None;
        self.waiting.clear();
        self.wants_key_frame = true;
    }

    fn is_stuck(&self) -> bool {
        let (Some((_, first)), Some((_, last))) = (
            self.waiting.first_key_value(),
            self.waiting.last_key_value(),
        ) else {
            return false;
        };
        let passed = last.timestamp.wrapping_sub(first.timestamp);
        self.waiting.len() > MOST_WAITING || (LONGEST_WAIT_TICKS..0x8000_0000).contains(&passed)
    }

    /// The last packet of the next frame, if all up to it are there.
    fn end_of_next(&self) -> Option<u64> {
        let waiting = self.waiting.range(self.next?..);
        for (expected, (number, packet)) in (self.next?..).zip(waiting) {
            if *number != expected {
                return None;
            }
            if packet.marker {
                return Some(expected);
            }
        }
        None
    }

    fn take_frame(&mut self, end: u64, frames: &mut Vec<EncodedFrame>) {
        let rest = self.waiting.split_off(&(end + 1));
        let packets = std::mem::replace(&mut self.waiting, rest);
        self.next = Some(end + 1);
        let Some((_, last)) = packets.last_key_value() else {
            return;
        };
        let turned = packets.values().rev().find_map(|packet| packet.orientation);
        self.orientation = turned.unwrap_or(self.orientation);
        let mut frame = EncodedFrame {
            codec: last.codec,
            timestamp: last.timestamp,
            is_key: packets.values().any(|packet| packet.begins_key_frame),
            orientation: self.orientation,
            data: Vec::new(),
        };
        let (mut is_whole, mut joiner) = (true, Joiner::default());
        for packet in packets.values().filter(|packet| !packet.payload.is_empty()) {
            is_whole &= match frame.codec {
                VideoCodec::Av1 => joiner.append_untrusted(&packet.payload, &mut frame.data),
                codec => append_untrusted(codec, &packet.payload, &mut frame.data),
            } && frame.data.len() <= MOST_BYTES;
        }
        if !is_whole || joiner.is_open() {
            self.begin_anew();
        } else if !frame.data.is_empty() {
            frames.push(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_begins_anew_with_lower_numbers_is_seen_again() {
        let (mut assembler, mut frames) = (Assembler::default(), Vec::new());
        for sequence in [0x1_9000, 0x1_9001, 0x1_0000, 0x1_0001] {
            let packet = VideoPacket {
                source: 7,
                sequence,
                timestamp: sequence as u32,
                marker: true,
                codec: VideoCodec::Vp8,
                begins_key_frame: sequence % 2 == 0,
                orientation: None,
                payload: vec![0x10, 0],
            };
            assembler.push(&packet, &mut frames);
        }

        assert_eq!(frames.len(), 4);
    }

    /// 3GPP TS 26.114 §7.4.5: key frames say it, others where it has changed.
    #[test]
    fn a_frame_is_turned_as_its_source_said_last() {
        let (mut assembler, mut frames) = (Assembler::default(), Vec::new());
        for (source, sequence, said) in [
            (7, 10, Some(90)),
            (7, 11, None),
            (7, 13, None),
            (7, 12, Some(270)),
            (8, 1, None),
        ] {
            let packet = VideoPacket {
                source,
                sequence,
                timestamp: sequence as u32,
                marker: true,
                codec: VideoCodec::Vp8,
                begins_key_frame: matches!(sequence, 1 | 10),
                orientation: said.and_then(Orientation::from_degrees),
                payload: vec![0x10, 0],
            };
            assembler.push(&packet, &mut frames);
        }

        let turned: Vec<u16> = frames.iter().map(|one| one.orientation.degrees()).collect();
        assert_eq!(turned, [90, 90, 270, 270, 0]);
    }
}
