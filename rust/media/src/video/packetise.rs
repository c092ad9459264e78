//! Encoded frames cut into payloads (RFC 7741, RFC 9628, RFC 6184; AV1 as the Alliance has it).
//!
//! Own code: of the `rtc` crate's, VP9 marks every frame as a key frame, and H.264 panics on the way
//! back.

use super::VideoCodec;
use super::av1;
use super::clip::{is_key_frame, units};
use super::packet::VideoPacket;

/// Bytes of a payload: a packet with SRTP, UDP and IPv6 stays below 1280, which every path carries.
const MOST_PAYLOAD: usize = 1180;

/// Cuts the frames of one source.
#[derive(Debug)]
pub(crate) struct Packetiser {
    source: u64,
    next: u64,
}

impl Packetiser {
    /// `number` tells it from other sources that are no far end's.
    pub(crate) fn new(number: u64) -> Self {
        Self {
            source: 1 << 32 | number,
            next: 0,
        }
    }

    /// The packets of one frame; none of what is no frame.
    pub(crate) fn cut(
        &mut self,
        codec: VideoCodec,
        timestamp: u32,
        frame: &[u8],
    ) -> Vec<VideoPacket> {
        let payloads = match codec {
            VideoCodec::Vp8 => cut_plain(frame, |is_first, _| if is_first { 0x10 } else { 0 }),
            VideoCodec::Vp9 => {
                let predicted = if is_key_frame(codec, frame) { 0 } else { 0x40 };
                cut_plain(frame, |is_first, is_last| {
                    predicted | u8::from(is_first) << 3 | u8::from(is_last) << 2
                })
            }
            VideoCodec::H264 => cut_h264(frame),
            VideoCodec::Av1 => av1::cut(frame, MOST_PAYLOAD),
        };
        let (count, is_key) = (payloads.len(), is_key_frame(codec, frame));
        let packets = payloads
            .into_iter()
            .enumerate()
            .map(|(index, payload)| VideoPacket {
                source: self.source,
                sequence: self.next + index as u64,
                timestamp,
                marker: index + 1 == count,
                codec,
                begins_key_frame: is_key && index == 0,
                orientation: None,
                payload,
            });
        let packets = packets.collect();
        self.next += count as u64;
        packets
    }
}

/// Cuts a frame of VP8 or VP9: a descriptor of one byte before each part.
fn cut_plain(frame: &[u8], descriptor: impl Fn(bool, bool) -> u8) -> Vec<Vec<u8>> {
    let count = frame.len().div_ceil(MOST_PAYLOAD - 1);
    let parts = frame
        .chunks(MOST_PAYLOAD - 1)
        .enumerate()
        .map(|(index, part)| {
            let mut payload = vec![descriptor(index == 0, index + 1 == count)];
            payload.extend_from_slice(part);
            payload
        });
    parts.collect()
}

/// Cuts an access unit: small units as they are, large ones in fragments (packetization-mode 1).
fn cut_h264(frame: &[u8]) -> Vec<Vec<u8>> {
    const DELIMITER: u8 = 9;
    const FILLER: u8 = 12;
    let mut payloads = Vec::new();
    for unit in units(frame) {
        let Some((&header, body)) = unit.split_first() else {
            continue;
        };
        if matches!(header & 0x1f, DELIMITER | FILLER) {
            continue;
        }
        if unit.len() <= MOST_PAYLOAD {
            payloads.push(unit.to_vec());
            continue;
        }
        let count = body.len().div_ceil(MOST_PAYLOAD - 2);
        for (index, part) in body.chunks(MOST_PAYLOAD - 2).enumerate() {
            let (is_first, is_last) = (index == 0, index + 1 == count);
            let fragment = u8::from(is_first) << 7 | u8::from(is_last) << 6 | header & 0x1f;
            let mut payload = vec![header & 0xe0 | 28, fragment];
            payload.extend_from_slice(part);
            payloads.push(payload);
        }
    }
    payloads
}
