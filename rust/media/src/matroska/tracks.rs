//! What the tracks of a file are (RFC 9559 §5.1.4), and what a decoder is told before the first picture.

use super::MatroskaError;
use super::ebml::{put, put_float, put_master, put_number};
use crate::recorder::Picture;
use crate::video::header::{Av1Sequence, key_frame_size};
use crate::video::{VideoCodec, units};

/// The pictures' track.
pub(super) const PICTURES: u8 = 1;
/// The sound's track.
pub(super) const SOUND: u8 = 2;

const TRACK_ENTRY: u32 = 0xae;
const RATE_HZ: f64 = 48_000.0;
/// What a decoder of Opus has to hear before what it says is right (RFC 7845 §4.6).
const SEEK_PREROLL_NS: u64 = 80_000_000;

/// What a file says of its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PictureTrack {
    pub(super) codec: VideoCodec,
    size: (u32, u32),
    /// Degrees by which they are to be turned clockwise.
    rotation: u16,
    private: Vec<u8>,
}

impl PictureTrack {
    /// Reads what is to be said out of a key frame; None when it does not tell.
    pub(super) fn of_key_frame(picture: &Picture) -> Option<Self> {
        let (codec, data) = (picture.codec, &picture.data[..]);
        let private = match codec {
            VideoCodec::Vp8 | VideoCodec::Vp9 => Vec::new(),
            VideoCodec::H264 => h264_configuration(data)?,
            VideoCodec::Av1 => av1_configuration(data)?,
        };
        let size = key_frame_size(codec, data)?;
        Some(Self {
            codec,
            size,
            rotation: picture.orientation.degrees(),
            private,
        })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let name = match self.codec {
            VideoCodec::Vp8 => "V_VP8",
            VideoCodec::Vp9 => "V_VP9",
            VideoCodec::H264 => "V_MPEG4/ISO/AVC",
            VideoCodec::Av1 => "V_AV1",
        };
        put_master(out, TRACK_ENTRY, |entry| {
            put_head(entry, PICTURES, name, &self.private);
            put_master(entry, 0xe0, |video| {
                put_number(video, 0xb0, u64::from(self.size.0));
                put_number(video, 0xba, u64::from(self.size.1));
                if self.rotation > 0 {
                    put_rotation(video, self.rotation);
                }
            });
        });
    }
}

/// Says how pictures are turned: a rectangle, rolled against the clock (RFC 9559 §5.1.4.1.28.41).
fn put_rotation(video: &mut Vec<u8>, degrees: u16) {
    let roll = match degrees {
        270 => 90.0,
        degrees => -f64::from(degrees),
    };
    put_master(video, 0x7670, |projection| {
        put_number(projection, 0x7671, 0);
        put_float(projection, 0x7675, roll);
    });
}

/// Says what the sound is: Opus, with its header and what a decoder has to leave out of it.
pub(super) fn put_sound(out: &mut Vec<u8>, head: &[u8], channels: u8, pre_skip: u16) {
    put_master(out, TRACK_ENTRY, |entry| {
        put_head(entry, SOUND, "A_OPUS", head);
        let delay = u64::from(pre_skip) * 1_000_000_000 / 48_000;
        put_number(entry, 0x56aa, delay);
        put_number(entry, 0x56bb, SEEK_PREROLL_NS);
        put_master(entry, 0xe1, |audio| {
            put_float(audio, 0xb5, RATE_HZ);
            put_number(audio, 0x9f, u64::from(channels));
        });
    });
}

fn put_head(entry: &mut Vec<u8>, track: u8, codec: &str, private: &[u8]) {
    let kind = if track == PICTURES { 1 } else { 2 };
    put_number(entry, 0xd7, u64::from(track));
    put_number(entry, 0x73c5, u64::from(track));
    put_number(entry, 0x83, kind);
    put_number(entry, 0x9c, 0);
    put(entry, 0x22_b59c, b"und");
    put(entry, 0x86, codec.as_bytes());
    if !private.is_empty() {
        put(entry, 0x63a2, private);
    }
}

/// The parameter sets of a key frame as a decoder is configured with them (ISO 14496-15 §5.3.3).
fn h264_configuration(data: &[u8]) -> Option<Vec<u8>> {
    let of_kind = |kind: u8| {
        let fits = move |unit: &&[u8]| unit.first().is_some_and(|head| head & 0x1f == kind);
        units(data).find(fits)
    };
    let (sequence, picture) = (of_kind(7)?, of_kind(8)?);
    let mut out = vec![1];
    out.extend_from_slice(sequence.get(1..4)?);
    // Lengths of four bytes, and one set of each kind.
    out.extend([0xff, 0xe1]);
    out.extend(u16::try_from(sequence.len()).ok()?.to_be_bytes());
    out.extend_from_slice(sequence);
    out.push(1);
    out.extend(u16::try_from(picture.len()).ok()?.to_be_bytes());
    out.extend_from_slice(picture);
    Some(out)
}

/// The sequence header and what it says, as AV1's ISO binding §2.3 has it.
fn av1_configuration(data: &[u8]) -> Option<Vec<u8>> {
    let (sequence, unit) = Av1Sequence::find_untrusted(data)?;
    let mut out = vec![
        0x81,
        sequence.profile << 5 | sequence.level,
        sequence.format,
        0,
    ];
    out.extend_from_slice(unit);
    Some(out)
}

/// A frame as a block has it: H.264 with lengths before its units, the others as they are.
pub(super) fn block_of(codec: VideoCodec, data: &[u8]) -> Result<Vec<u8>, MatroskaError> {
    if codec != VideoCodec::H264 {
        return Ok(data.to_vec());
    }
    let mut out = Vec::with_capacity(data.len() + 16);
    for unit in units(data) {
        let length = u32::try_from(unit.len()).map_err(|_| MatroskaError::TooLarge)?;
        out.extend(length.to_be_bytes());
        out.extend_from_slice(unit);
    }
    Ok(out)
}
