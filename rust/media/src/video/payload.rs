//! What a payload says of its frame: where one begins, and whether it can be decoded alone.
//!
//! Packets are passed on as they come; this much must be read of them so that a receiver is given a
//! picture it can begin with.

use super::VideoCodec;

const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const IDR_SLICE: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;

/// Length of the VP8 payload descriptor (RFC 7741 §4.2); None when it is cut short.
pub(super) fn vp8_descriptor(payload: &[u8]) -> Option<usize> {
    let first = *payload.first()?;
    let mut length = 1;
    if first & 0x80 != 0 {
        let extension = *payload.get(1)?;
        length = 2;
        if extension & 0x80 != 0 {
            length += if payload.get(2)? & 0x80 != 0 { 2 } else { 1 };
        }
        length += usize::from(extension & 0x40 != 0);
        length += usize::from(extension & 0x30 != 0);
    }
    (length < payload.len()).then_some(length)
}

/// Length of the VP9 payload descriptor (RFC 9628 §4.2); None when it is cut short.
pub(super) fn vp9_descriptor(payload: &[u8]) -> Option<usize> {
    let first = *payload.first()?;
    let mut length = 1;
    if first & 0x80 != 0 {
        length += if payload.get(length)? & 0x80 != 0 {
            2
        } else {
            1
        };
    }
    if first & 0x20 != 0 {
        // In non-flexible mode the index of the layer's base picture follows.
        length += if first & 0x10 != 0 { 1 } else { 2 };
    }
    if first & 0x50 == 0x50 {
        for _ in 0..3 {
            let has_more = payload.get(length)? & 1 != 0;
            length += 1;
            if !has_more {
                break;
            }
        }
    }
    if first & 0x02 != 0 {
        length += vp9_structure(payload.get(length..)?)?;
    }
    (length < payload.len()).then_some(length)
}

fn vp9_structure(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    let mut length = 1;
    if first & 0x10 != 0 {
        length += 4 * (usize::from(first >> 5) + 1);
    }
    if first & 0x08 != 0 {
        let pictures = *bytes.get(length)?;
        length += 1;
        for _ in 0..pictures {
            let references = bytes.get(length)? >> 2 & 3;
            length += 1 + usize::from(references);
        }
    }
    Some(length)
}

/// Whether a key frame begins with this payload.
#[must_use]
pub fn begins_key_frame_untrusted(codec: VideoCodec, payload: &[u8]) -> bool {
    begins_key_frame(codec, payload).unwrap_or(false)
}

fn begins_key_frame(codec: VideoCodec, payload: &[u8]) -> Option<bool> {
    let first = *payload.first()?;
    Some(match codec {
        VideoCodec::Vp8 => {
            let body = *payload.get(vp8_descriptor(payload)?)?;
            // Start of partition 0, and the frame tag's inverse key frame bit (RFC 6386 §9.1).
            first & 0x17 == 0x10 && body & 1 == 0
        }
        VideoCodec::Vp9 => {
            let is_start = first & 0x08 != 0;
            let is_predicted = first & 0x40 != 0;
            let layers = first & 0x20 != 0;
            let at = 1 + match (first & 0x80 != 0, payload.get(1)) {
                (true, Some(picture)) => 1 + usize::from(picture & 0x80 != 0),
                _ => 0,
            };
            let spatial = if layers { payload.get(at)? >> 1 & 7 } else { 0 };
            is_start && !is_predicted && spatial == 0
        }
        // N: the first packet of a coded video sequence.
        VideoCodec::Av1 => first & 0x08 != 0,
        VideoCodec::H264 => match first & 0x1f {
            IDR_SLICE | SEQUENCE_PARAMETERS => true,
            STAP_A => aggregated(&payload[1..]).any(is_key_unit),
            FU_A => {
                let header = *payload.get(1)?;
                header & 0x80 != 0 && matches!(header & 0x1f, IDR_SLICE | SEQUENCE_PARAMETERS)
            }
            _ => false,
        },
    })
}

fn is_key_unit(unit: &[u8]) -> bool {
    let kind = unit.first().map(|header| header & 0x1f);
    matches!(kind, Some(IDR_SLICE | SEQUENCE_PARAMETERS))
}

/// The units of an aggregation packet; ends where it makes no sense any more (RFC 6184 §5.7.1).
fn aggregated(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (unit, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        bytes = rest;
        Some(unit)
    })
}

/// Adds what a payload carries of a frame to it; false when it makes no sense.
pub(super) fn append_untrusted(codec: VideoCodec, payload: &[u8], frame: &mut Vec<u8>) -> bool {
    let body = match codec {
        VideoCodec::Vp8 => vp8_descriptor(payload),
        VideoCodec::Vp9 => vp9_descriptor(payload),
        VideoCodec::H264 => return append_h264(payload, frame).is_some(),
        // Its units go over packets: `av1::Joiner` puts them together.
        VideoCodec::Av1 => None,
    };
    body.map(|start| frame.extend_from_slice(&payload[start..]))
        .is_some()
}

fn append_h264(payload: &[u8], frame: &mut Vec<u8>) -> Option<()> {
    const START: [u8; 4] = [0, 0, 0, 1];
    let first = *payload.first()?;
    match first & 0x1f {
        1..=23 => {
            frame.extend(START);
            frame.extend_from_slice(payload);
        }
        STAP_A => {
            for unit in aggregated(&payload[1..]) {
                frame.extend(START);
                frame.extend_from_slice(unit);
            }
        }
        FU_A => {
            let header = *payload.get(1)?;
            if header & 0x80 != 0 {
                frame.extend(START);
                frame.push(first & 0xe0 | header & 0x1f);
            }
            frame.extend_from_slice(&payload[2..]);
        }
        _ => return None,
    }
    Some(())
}
