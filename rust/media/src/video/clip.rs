//! Video files that can be sent: IVF (VP8, VP9, AV1) and H.264 byte streams (Annex B).
//!
//! A file is read whole when it is opened, once for all calls that send it.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::VideoCodec;
use crate::MediaError;

/// A larger file is refused: it is held in memory.
const MOST_BYTES: u64 = 64 << 20;
const IVF_HEADER: usize = 32;
const IVF_FRAME_HEADER: usize = 12;

/// One picture of a clip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) at: Duration,
    pub(crate) is_key: bool,
    bytes: Range<usize>,
}

/// A file that can be sent, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clip {
    codec: VideoCodec,
    data: Vec<u8>,
    pictures: Vec<Picture>,
    /// How long it lasts: the last picture too stays for the time of one.
    length: Duration,
}

impl Clip {
    /// Reads a file; `rate` is the pictures a second of a byte stream.
    ///
    /// # Errors
    /// `MediaError::File` for what cannot be read, is too large, or is no clip.
    pub fn open(path: &Path, rate: f64) -> Result<Self, MediaError> {
        let fault =
            |reason: String| MediaError::File(format!("cannot play {}: {reason}", path.display()));
        let size = std::fs::metadata(path)
            .map_err(|error| fault(error.to_string()))?
            .len();
        if size > MOST_BYTES {
            return Err(fault(format!(
                "it has {size} bytes, more than {MOST_BYTES}"
            )));
        }
        let data = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
        Self::parse_untrusted(data, rate).map_err(fault)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// A sentence that says what is wrong with them.
    pub fn parse_untrusted(data: Vec<u8>, rate: f64) -> Result<Self, String> {
        if !(rate.is_finite() && (0.1..=240.0).contains(&rate)) {
            return Err("its rate is to be from 0.1 to 240 pictures a second".to_owned());
        }
        let (codec, pictures) = if data.starts_with(b"DKIF") {
            read_ivf(&data)?
        } else if data.starts_with(&[0, 0, 1]) || data.starts_with(&[0, 0, 0, 1]) {
            (VideoCodec::H264, read_byte_stream(&data, rate))
        } else {
            return Err("it is neither IVF nor an H.264 byte stream".to_owned());
        };
        let Some(last) = pictures.last() else {
            return Err("it has no pictures".to_owned());
        };
        if !pictures[0].is_key {
            return Err("it does not begin with a key frame".to_owned());
        }
        let each = match pictures.len() {
            1 => Duration::from_secs_f64(1.0 / rate),
            count => last.at / (count as u32 - 1),
        };
        let length = last.at + each.max(Duration::from_millis(1));
        Ok(Self {
            codec,
            length,
            pictures,
            data,
        })
    }

    /// Its codec.
    pub fn codec(&self) -> VideoCodec {
        self.codec
    }

    /// The pictures in it.
    pub fn count(&self) -> usize {
        self.pictures.len()
    }

    /// How long it lasts.
    pub fn length(&self) -> Duration {
        self.length
    }

    pub(crate) fn picture(&self, index: usize) -> Option<&Picture> {
        self.pictures.get(index)
    }

    pub(crate) fn bytes(&self, picture: &Picture) -> &[u8] {
        &self.data[picture.bytes.clone()]
    }

    /// The last key frame up to a picture.
    pub(crate) fn key_before(&self, index: usize) -> usize {
        let end = self.pictures.len().min(index + 1);
        let key = self.pictures[..end]
            .iter()
            .rposition(|picture| picture.is_key);
        key.unwrap_or(0)
    }
}

/// Whether a frame can be decoded alone.
pub(crate) fn is_key_frame(codec: VideoCodec, frame: &[u8]) -> bool {
    match codec {
        VideoCodec::Vp8 => frame.first().is_some_and(|tag| tag & 1 == 0),
        // Not shown again, and of the first type (VP9 bitstream §6.2); profile 3 has a bit more.
        VideoCodec::Vp9 => frame.first().is_some_and(|head| head & 0x0c == 0),
        VideoCodec::H264 => units(frame).any(|unit| unit.first().is_some_and(|h| h & 0x1f == 5)),
        VideoCodec::Av1 => super::av1::is_key_frame(frame),
    }
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    let four = data.get(at..at + 4)?;
    Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

fn read_ivf(data: &[u8]) -> Result<(VideoCodec, Vec<Picture>), String> {
    let codec = match data.get(8..12) {
        Some(b"VP80") => VideoCodec::Vp8,
        Some(b"VP90") => VideoCodec::Vp9,
        Some(b"AV01") => VideoCodec::Av1,
        _ => return Err("its codec is neither VP8, VP9 nor AV1".to_owned()),
    };
    let (rate, scale) = match (word(data, 16), word(data, 20)) {
        (Some(rate), Some(scale)) if rate > 0 && scale > 0 => (rate, scale),
        _ => return Err("its header gives no time base".to_owned()),
    };
    let seconds = f64::from(scale) / f64::from(rate);
    let header = data.get(6..8).map_or(IVF_HEADER, |two| {
        usize::from(u16::from_le_bytes([two[0], two[1]]))
    });
    let mut at = header.max(IVF_HEADER);
    let (mut pictures, mut first) = (Vec::new(), None);
    while let (Some(size), Some(time)) = (word(data, at), word(data, at + 4)) {
        let start = at + IVF_FRAME_HEADER;
        let bytes = start..start.saturating_add(size as usize);
        let Some(frame) = data.get(bytes.clone()) else {
            break;
        };
        let origin = *first.get_or_insert(time);
        let at_seconds = f64::from(time.wrapping_sub(origin)) * seconds;
        pictures.push(Picture {
            // A time base beyond reason is as good as a day.
            at: Duration::from_secs_f64(at_seconds.min(86_400.0)),
            is_key: is_key_frame(codec, frame),
            bytes: bytes.clone(),
        });
        at = bytes.end;
    }
    Ok((codec, pictures))
}

fn read_byte_stream(data: &[u8], rate: f64) -> Vec<Picture> {
    let mut pictures: Vec<Picture> = Vec::new();
    let (mut begin, mut has_slice, mut is_key) = (0, false, false);
    for (start, unit) in units_at(data) {
        let kind = unit.first().map_or(0, |header| header & 0x1f);
        let is_slice = matches!(kind, 1 | 5);
        // The first macroblock of a picture has the number 0, which is written as a single 1 bit.
        let is_first_slice = is_slice && unit.get(1).is_some_and(|byte| byte & 0x80 != 0);
        let is_new = has_slice && (is_first_slice || matches!(kind, 6..=9));
        if is_new {
            let at = Duration::from_secs_f64(pictures.len() as f64 / rate);
            pictures.push(Picture {
                at,
                is_key,
                bytes: begin..start,
            });
            (begin, has_slice, is_key) = (start, false, false);
        }
        has_slice |= is_slice;
        is_key |= kind == 5;
    }
    if has_slice {
        let at = Duration::from_secs_f64(pictures.len() as f64 / rate);
        pictures.push(Picture {
            at,
            is_key,
            bytes: begin..data.len(),
        });
    }
    pictures
}

/// The units of a byte stream, without start codes (H.264 annex B).
pub(crate) fn units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    units_at(data).map(|(_, unit)| unit)
}

/// The units, each with the place of its start code.
fn units_at(data: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = start_code(data, 0);
    std::iter::from_fn(move || {
        let start = at?;
        let next = start_code(data, start + 3);
        at = next;
        let mut unit = &data[start + 3..next.unwrap_or(data.len())];
        while let Some((0, rest)) = unit.split_last() {
            unit = rest;
        }
        Some((start, unit))
    })
}

/// Where the next start code of three bytes begins.
fn start_code(data: &[u8], from: usize) -> Option<usize> {
    let rest = data.get(from..)?;
    rest.windows(3)
        .position(|three| three == [0, 0, 1])
        .map(|place| from + place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ivf(frames: &[&[u8]]) -> Vec<u8> {
        let mut data = b"DKIF\0\0\x20\0VP80\x40\x01\xf0\0".to_vec();
        data.extend(20_u32.to_le_bytes());
        data.extend(1_u32.to_le_bytes());
        data.resize(IVF_HEADER, 0);
        for (index, frame) in frames.iter().enumerate() {
            data.extend((frame.len() as u32).to_le_bytes());
            data.extend((index as u64 + 7).to_le_bytes());
            data.extend_from_slice(frame);
        }
        data
    }

    #[test]
    fn an_ivf_file_has_its_pictures_at_their_times() {
        let clip = Clip::parse_untrusted(ivf(&[&[0x10, 1], &[0x31, 2], &[0x31, 3]]), 30.0).unwrap();
        let times: Vec<u128> = clip
            .pictures
            .iter()
            .map(|picture| picture.at.as_millis())
            .collect();
        assert_eq!(times, [0, 50, 100]);
        assert_eq!(clip.length(), Duration::from_millis(150));
        assert_eq!(clip.key_before(2), 0);
        assert_eq!(clip.bytes(&clip.pictures[1]), [0x31, 2]);
    }

    #[test]
    fn a_byte_stream_is_cut_before_parameter_sets_and_first_slices() {
        let stream = [
            &[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2][..],
            &[0, 0, 1, 0x65, 0x88, 3, 0, 0, 1, 0x65, 0x08, 4],
            &[0, 0, 1, 0x41, 0x9a, 5, 0, 0, 0, 1, 0x41, 0x9a, 6],
        ]
        .concat();
        let clip = Clip::parse_untrusted(stream, 25.0).unwrap();
        let keys: Vec<bool> = clip.pictures.iter().map(|picture| picture.is_key).collect();
        assert_eq!(keys, [true, false, false]);
        assert_eq!(units(clip.bytes(&clip.pictures[0])).count(), 4);
        assert_eq!(clip.pictures[2].at, Duration::from_millis(80));
    }

    #[test]
    fn what_is_no_clip_is_refused_with_a_reason() {
        let delta = ivf(&[&[0x31, 2]]);
        for (data, reason) in [
            (b"RIFF".to_vec(), "neither IVF"),
            (b"DKIF\0\0\x20\0H264".to_vec(), "neither VP8, VP9"),
            (ivf(&[]), "no pictures"),
            (delta, "key frame"),
        ] {
            let error = Clip::parse_untrusted(data, 30.0).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
