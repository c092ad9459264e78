//! What a key frame says of the pictures after it: their size, and for AV1 what a file has to tell.

use super::VideoCodec;
use super::bits::Bits;
use super::clip::units;

/// Width and height of the pictures from this key frame on; None when it does not tell.
pub(crate) fn key_frame_size(codec: VideoCodec, frame: &[u8]) -> Option<(u32, u32)> {
    let size = match codec {
        VideoCodec::Vp8 => vp8_size(frame),
        VideoCodec::Vp9 => vp9_size(frame),
        VideoCodec::H264 => {
            let is_set = |unit: &&[u8]| unit.first().is_some_and(|head| head & 0x1f == 7);
            h264_size(units(frame).find(is_set)?)
        }
        VideoCodec::Av1 => Av1Sequence::find_untrusted(frame).map(|(found, _)| found.size),
    };
    size.filter(|(width, height)| *width > 0 && *height > 0)
}

/// RFC 6386 §9.1: the start code, then two sizes of 14 bits.
fn vp8_size(frame: &[u8]) -> Option<(u32, u32)> {
    let head = frame.get(..10)?;
    if head[0] & 1 != 0 || head[3..6] != [0x9d, 0x01, 0x2a] {
        return None;
    }
    let of = |at: usize| u32::from(u16::from_le_bytes([head[at], head[at + 1]]) & 0x3fff);
    Some((of(6), of(8)))
}

/// VP9 bitstream §6.2, the uncompressed header of a key frame.
fn vp9_size(frame: &[u8]) -> Option<(u32, u32)> {
    let mut bits = Bits::new(frame);
    if bits.take(2)? != 2 {
        return None;
    }
    let profile = bits.take(1)? | bits.take(1)? << 1;
    if profile == 3 {
        bits.take(1)?;
    }
    // Shown again, or not a key frame; then whether it is shown and resilient.
    if bits.take(1)? != 0 || bits.take(1)? != 0 {
        return None;
    }
    bits.take(2)?;
    if bits.take(24)? != 0x49_8342 {
        return None;
    }
    if profile >= 2 {
        bits.take(1)?;
    }
    if bits.take(3)? == 7 {
        // RGB has neither range nor, but for these profiles, sampling.
        if profile & 1 == 1 {
            bits.take(1)?;
        }
    } else {
        bits.take(1)?;
        if profile & 1 == 1 {
            bits.take(3)?;
        }
    }
    Some((bits.take(16)? + 1, bits.take(16)? + 1))
}

/// H.264 §7.3.2.1.1: macroblocks less what is cropped.
fn h264_size(unit: &[u8]) -> Option<(u32, u32)> {
    let plain = without_emulation(unit.get(1..)?);
    let mut bits = Bits::new(&plain);
    let profile = bits.take(8)?;
    bits.take(16)?;
    bits.golomb()?;
    let mut chroma = 1;
    if matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    ) {
        chroma = bits.golomb()?;
        if chroma == 3 {
            bits.take(1)?;
        }
        bits.golomb()?;
        bits.golomb()?;
        bits.take(1)?;
        if bits.take(1)? == 1 {
            (0..if chroma == 3 { 12 } else { 8 })
                .try_for_each(|list| skip_scaling(&mut bits, list))?;
        }
    }
    bits.golomb()?;
    match bits.golomb()? {
        0 => {
            bits.golomb()?;
        }
        1 => {
            bits.take(1)?;
            bits.golomb()?;
            bits.golomb()?;
            for _ in 0..bits.golomb()?.min(255) {
                bits.golomb()?;
            }
        }
        _ => {}
    }
    bits.golomb()?;
    bits.take(1)?;
    let (wide, high) = (
        bits.golomb()?.checked_add(1)?,
        bits.golomb()?.checked_add(1)?,
    );
    let frames_only = bits.take(1)?;
    if frames_only == 0 {
        bits.take(1)?;
    }
    bits.take(1)?;
    let mut cropped = [0; 4];
    if bits.take(1)? == 1 {
        for side in &mut cropped {
            *side = bits.golomb()?;
        }
    }
    let (step_x, step_y) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let of = |blocks: u32, step: u32, cropped: u32| {
        blocks
            .checked_mul(16)?
            .checked_sub(step.checked_mul(cropped)?)
    };
    let fields = 2 - frames_only;
    let width = of(wide, step_x, cropped[0].checked_add(cropped[1])?)?;
    let height = of(
        high.checked_mul(fields)?,
        step_y * fields,
        cropped[2].checked_add(cropped[3])?,
    )?;
    Some((width, height))
}

fn skip_scaling(bits: &mut Bits<'_>, list: u32) -> Option<()> {
    if bits.take(1)? == 0 {
        return Some(());
    }
    let mut next = 8_i32;
    for _ in 0..if list < 6 { 16 } else { 64 } {
        let code = bits.golomb()?;
        let magnitude = code.div_ceil(2).cast_signed();
        next = (next + if code % 2 == 1 { magnitude } else { -magnitude }) & 0xff;
        if next == 0 {
            break;
        }
    }
    Some(())
}

/// The bytes of a unit without those that keep start codes out of it.
fn without_emulation(unit: &[u8]) -> Vec<u8> {
    let (mut plain, mut zeros) = (Vec::with_capacity(unit.len()), 0);
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

/// What the sequence header of AV1 says (AV1 bitstream §5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Av1Sequence {
    pub(crate) profile: u8,
    pub(crate) level: u8,
    /// Tier, depth and sampling, as AV1's ISO binding §2.3.3 packs them.
    pub(crate) format: u8,
    size: (u32, u32),
}

impl Av1Sequence {
    /// Finds the sequence header in a frame of units with sizes; and the unit itself.
    pub(crate) fn find_untrusted(frame: &[u8]) -> Option<(Self, &[u8])> {
        let mut units = super::av1::units_untrusted(frame);
        let (_, unit, body) = units.find(|(kind, ..)| *kind == super::av1::SEQUENCE_HEADER)?;
        Some((Self::parse(body)?, unit))
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(body);
        let profile = bits.take(3)?;
        bits.take(1)?;
        let is_reduced = bits.take(1)? == 1;
        let (level, tier) = if is_reduced {
            (bits.take(5)?, 0)
        } else {
            operating_points(&mut bits)?
        };
        let (wide, high) = (bits.take(4)? + 1, bits.take(4)? + 1);
        let size = (bits.take(wide)? + 1, bits.take(high)? + 1);
        if !is_reduced && bits.take(1)? == 1 {
            bits.take(7)?;
        }
        skip_tools(&mut bits, is_reduced)?;
        let format = tier << 7 | color(&mut bits, profile)?;
        Some(Self {
            profile: profile as u8,
            level: level as u8,
            format: format as u8,
            size,
        })
    }
}

/// Level and tier of the first operating point.
fn operating_points(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    let mut delay_bits = None;
    if bits.take(1)? == 1 {
        bits.take(32)?;
        bits.take(32)?;
        if bits.take(1)? == 1 {
            bits.golomb()?;
        }
        if bits.take(1)? == 1 {
            delay_bits = Some(bits.take(5)? + 1);
            bits.take(32)?;
            bits.take(10)?;
        }
    }
    let has_display_delay = bits.take(1)? == 1;
    let mut first = None;
    for _ in 0..=bits.take(5)? {
        bits.take(12)?;
        let level = bits.take(5)?;
        let tier = if level > 7 { bits.take(1)? } else { 0 };
        if let Some(length) = delay_bits
            && bits.take(1)? == 1
        {
            bits.take(length)?;
            bits.take(length)?;
            bits.take(1)?;
        }
        if has_display_delay && bits.take(1)? == 1 {
            bits.take(4)?;
        }
        first.get_or_insert((level, tier));
    }
    first
}

fn skip_tools(bits: &mut Bits<'_>, is_reduced: bool) -> Option<()> {
    bits.take(3)?;
    if !is_reduced {
        bits.take(4)?;
        let has_order = bits.take(1)? == 1;
        if has_order {
            bits.take(2)?;
        }
        let is_chosen = bits.take(1)? == 1;
        if (is_chosen || bits.take(1)? == 1) && bits.take(1)? == 0 {
            bits.take(1)?;
        }
        if has_order {
            bits.take(3)?;
        }
    }
    bits.take(3)?;
    Some(())
}

/// Depth and sampling, in the bits of the ISO binding.
fn color(bits: &mut Bits<'_>, profile: u32) -> Option<u32> {
    let is_deep = bits.take(1)?;
    let is_twelve = if profile == 2 && is_deep == 1 {
        bits.take(1)?
    } else {
        0
    };
    let is_gray = if profile == 1 { 0 } else { bits.take(1)? };
    let described = if bits.take(1)? == 1 {
        bits.take(24)?
    } else {
        0x02_0202
    };
    let depth = is_deep << 6 | is_twelve << 5 | is_gray << 4;
    if is_gray == 1 {
        bits.take(1)?;
        return Some(depth | 0b1100);
    }
    let (x, y) = if described == 0x01_0d00 {
        (0, 0)
    } else {
        bits.take(1)?;
        match (profile, is_twelve) {
            (0, _) => (1, 1),
            (1, _) => (0, 0),
            (_, 0) => (1, 0),
            _ => match bits.take(1)? {
                0 => (0, 0),
                _ => (1, bits.take(1)?),
            },
        }
    };
    let place = if (x, y) == (1, 1) { bits.take(2)? } else { 0 };
    Some(depth | x << 3 | y << 2 | place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginnings of key frames of 322 by 182, of three encoders that have nothing in common.
    const AV1: &[u8] = &[
        0x0a, 0x0b, 0, 0, 0, 0x04, 0x3d, 0x06, 0xd4, 0x4a, 0xf9, 0, 0x40, 0x32, 0x02, 0x10, 0,
    ];
    const H264: &[u8] = &[
        0, 0, 0, 1, 0x67, 0x64, 0, 0x0d, 0xac, 0xd9, 0x41, 0x51, 0x9e, 0x22, 0x68, 0x40, 0, 0, 3,
        0, 0x40, 0, 0, 0x0c, 0x83, 0xc5, 0x0a, 0x65, 0x80,
    ];
    const VP9: &[u8] = &[
        0x82, 0x49, 0x83, 0x42, 0, 0x14, 0x10, 0x0b, 0x56, 0, 0x38, 0x24,
    ];
    const VP8: &[u8] = &[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x42, 0x01, 0xb6, 0];

    #[test]
    fn the_size_is_read_of_every_codec() {
        for (codec, frame) in [
            (VideoCodec::Av1, AV1),
            (VideoCodec::H264, H264),
            (VideoCodec::Vp9, VP9),
            (VideoCodec::Vp8, VP8),
        ] {
            assert_eq!(key_frame_size(codec, frame), Some((322, 182)), "{codec:?}");
            for length in 0..frame.len() {
                // Nothing cut short is read beyond its end.
                let _ = key_frame_size(codec, &frame[..length]);
            }
        }
        let (sequence, unit) = Av1Sequence::find_untrusted(AV1).unwrap();
        assert_eq!((sequence.profile, sequence.level), (0, 0));
        assert_eq!((sequence.format, unit), (0x0c, &AV1[..13]));
    }
}
