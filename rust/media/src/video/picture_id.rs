//! The numbers that pictures have in VP8 and VP9 (RFC 7741 §4.2, RFC 9628 §4.2), made to go on over
//! a change of source: a decoder takes a number that falls for a picture it has seen.

use super::VideoCodec;

/// Where the numbers of a picture are in a payload, and what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    /// Place and value of the picture's number, and whether it has 15 bits.
    picture: Option<(usize, u16, bool)>,
    /// Place and value of the number of its base layer.
    base: Option<(usize, u8)>,
}

fn find_untrusted(codec: VideoCodec, payload: &[u8]) -> Option<Found> {
    let first = *payload.first()?;
    let (has_picture, has_base, mut at);
    match codec {
        VideoCodec::Vp8 if first & 0x80 != 0 => {
            let second = *payload.get(1)?;
            (has_picture, has_base, at) = (second & 0x80 != 0, second & 0x40 != 0, 2);
        }
        // Layer indices have the base layer's number only in the mode that is not flexible.
        VideoCodec::Vp9 => {
            (has_picture, has_base, at) = (first & 0x80 != 0, first & 0x30 == 0x20, 1)
        }
        _ => return None,
    }
    let mut found = Found {
        picture: None,
        base: None,
    };
    if has_picture {
        let high = *payload.get(at)?;
        let is_long = high & 0x80 != 0;
        let value = if is_long {
            u16::from(high & 0x7f) << 8 | u16::from(*payload.get(at + 1)?)
        } else {
            u16::from(high)
        };
        found.picture = Some((at, value, is_long));
        at += 1 + usize::from(is_long);
    }
    if has_base {
        at += usize::from(codec == VideoCodec::Vp9);
        found.base = Some((at, *payload.get(at)?));
    }
    Some(found)
}

/// Writes the numbers of one line's pictures anew.
#[derive(Debug, Default)]
pub(super) struct PictureNumbers {
    /// What is added to those of the present source.
    shift: (u16, u8),
    /// The highest that were sent.
    last: Option<(u16, u8)>,
    begins: bool,
}

impl PictureNumbers {
    /// Notes that the next payload is the first of another source.
    pub(super) fn begin(&mut self) {
        self.begins = true;
    }

    /// Changes the numbers in a payload to those that go on.
    pub(super) fn renumber_untrusted(&mut self, codec: VideoCodec, payload: &mut [u8]) {
        let Some(found) = find_untrusted(codec, payload) else {
            return;
        };
        let picture = found.picture.map_or(0, |(_, value, _)| value);
        let base = found.base.map_or(0, |(_, value)| value);
        if std::mem::take(&mut self.begins) {
            self.shift = self.last.map_or((0, 0), |(last, last_base)| {
                let next = last.wrapping_add(1);
                (
                    next.wrapping_sub(picture),
                    last_base.wrapping_add(1).wrapping_sub(base),
                )
            });
        }
        let now = (
            picture.wrapping_add(self.shift.0) & 0x7fff,
            base.wrapping_add(self.shift.1),
        );
        let is_newer = |last: u16| now.0.wrapping_sub(last) & 0x7fff < 0x4000;
        if self.last.is_none_or(|(last, _)| is_newer(last)) {
            self.last = Some(now);
        }
        if let Some((at, _, is_long)) = found.picture {
            if is_long {
                let [high, low] = now.0.to_be_bytes();
                (payload[at], payload[at + 1]) = (0x80 | high, low);
            } else {
                payload[at] = now.0 as u8 & 0x7f;
            }
        }
        if let Some((at, _)) = found.base {
            payload[at] = now.1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vp8(picture: u16, base: u8) -> Vec<u8> {
        let [high, low] = picture.to_be_bytes();
        vec![0x90, 0xe0, 0x80 | high, low, base, 0, 7]
    }

    #[test]
    fn numbers_go_on_from_one_source_to_the_next() {
        let mut numbers = PictureNumbers::default();
        let mut sent: Vec<(u32, u16, u8)> = Vec::new();
        for (source, picture, base) in [
            (1, 0x7ffe, 10),
            (1, 0x7fff, 11),
            (2, 500, 90),
            (2, 501, 91),
            (1, 3, 13),
        ] {
            if sent.last().is_some_and(|(before, ..)| *before != source) {
                numbers.begin();
            }
            let mut payload = vp8(picture, base);
            numbers.renumber_untrusted(VideoCodec::Vp8, &mut payload);
            let now = u16::from_be_bytes([payload[2] & 0x7f, payload[3]]);
            assert_eq!(payload[5..], [0, 7]);
            sent.push((source, now, payload[4]));
        }

        let numbers: Vec<(u16, u8)> = sent.iter().map(|(_, now, base)| (*now, *base)).collect();
        assert_eq!(
            numbers,
            [(0x7ffe, 10), (0x7fff, 11), (0, 12), (1, 13), (2, 14)]
        );
    }

    #[test]
    fn vp9_has_its_base_number_behind_the_layers_and_cut_payloads_stay() {
        let mut numbers = PictureNumbers::default();
        let mut payload = vec![0xa8, 0x85, 0x01, 0x00, 0x44, 9];
        numbers.renumber_untrusted(VideoCodec::Vp9, &mut payload);
        numbers.begin();
        let mut other = vec![0xa8, 0x80, 0x02, 0x00, 0x07, 9];
        numbers.renumber_untrusted(VideoCodec::Vp9, &mut other);
        assert_eq!(other, [0xa8, 0x85, 0x02, 0x00, 0x45, 9]);

        for codec in VideoCodec::ALL {
            for length in 0..4 {
                numbers.renumber_untrusted(codec, &mut vp8(1, 2)[..length]);
            }
        }
    }
}
