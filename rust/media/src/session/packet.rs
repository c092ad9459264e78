//! RTP headers (RFC 3550 §5.1): read from packets of peers, written on packets of ours.

use std::ops::Range;

/// What an RTP packet's fixed header says, and where its payload lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpHeader {
    /// The marker bit: for audio, the first packet after a silence.
    pub marker: bool,
    /// The payload type.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp, in units of the payload's clock.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    /// Where the payload lies in the packet, without CSRC list, extension and padding.
    pub payload: Range<usize>,
}

/// Length of a header without CSRC list and extension.
pub const HEADER_LENGTH: usize = 12;

impl RtpHeader {
    /// Reads a packet; None when it is no RTP packet of version 2 that is consistent in itself.
    #[must_use]
    pub fn parse_untrusted(packet: &[u8]) -> Option<Self> {
        let first = *packet.first()?;
        if packet.len() < HEADER_LENGTH || first >> 6 != 2 {
            return None;
        }
        let mut start = HEADER_LENGTH + 4 * usize::from(first & 0x0f);
        if first & 0x10 != 0 {
            let words = packet.get(start + 2..start + 4)?;
            start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        let mut end = packet.len();
        if first & 0x20 != 0 {
            let padding = usize::from(packet[end - 1]);
            if padding == 0 {
                return None;
            }
            end = end.checked_sub(padding)?;
        }
        if start > end {
            return None;
        }
        Some(Self {
            marker: packet[1] & 0x80 != 0,
            payload_type: packet[1] & 0x7f,
            sequence: u16::from_be_bytes([packet[2], packet[3]]),
            timestamp: be_u32(packet, 4)?,
            ssrc: be_u32(packet, 8)?,
            payload: start..end,
        })
    }

    /// Writes header and payload, replacing what `packet` held. The payload range is not used.
    pub fn write(&self, payload: &[u8], packet: &mut Vec<u8>) {
        self.write_head(0x80, packet);
        packet.extend(payload);
    }

    /// The same with a header extension of one octet, by its number 1 to 14 (RFC 8285 §4.2), if there
    /// is one. Returns where the payload begins.
    pub fn write_extended(
        &self,
        extension: Option<(u8, u8)>,
        payload: &[u8],
        packet: &mut Vec<u8>,
    ) -> usize {
        let Some((number, octet)) = extension else {
            self.write(payload, packet);
            return HEADER_LENGTH;
        };
        self.write_head(0x90, packet);
        // One word: the number and a length of one, the octet, padding.
        packet.extend([0xbe, 0xde, 0, 1, number << 4, octet, 0, 0]);
        let start = packet.len();
        packet.extend(payload);
        start
    }

    fn write_head(&self, first: u8, packet: &mut Vec<u8>) {
        packet.clear();
        packet.push(first);
        packet.push(u8::from(self.marker) << 7 | self.payload_type & 0x7f);
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
    }
}

/// Writes a packet of ours again under other numbers: payload type, sequence number and source; its
/// own number goes before the payload (RFC 4588 §4).
pub(crate) fn write_repeated(packet: &[u8], numbers: (u8, u16, u32), again: &mut Vec<u8>) {
    let (payload_type, sequence, ssrc) = numbers;
    let start = RtpHeader::parse_untrusted(packet).map_or(HEADER_LENGTH, |head| head.payload.start);
    again.clear();
    again.extend([packet[0], packet[1] & 0x80 | payload_type]);
    again.extend(sequence.to_be_bytes());
    again.extend_from_slice(&packet[4..8]);
    again.extend(ssrc.to_be_bytes());
    again.extend_from_slice(&packet[HEADER_LENGTH..start]);
    again.extend_from_slice(&packet[2..4]);
    again.extend_from_slice(&packet[start..]);
}

/// The value of a header extension (RFC 8285), one-byte or two-byte form.
pub(crate) fn extension_untrusted(packet: &[u8], wanted: u8) -> Option<&[u8]> {
    let first = *packet.first()?;
    if first & 0x10 == 0 {
        return None;
    }
    let start = HEADER_LENGTH + 4 * usize::from(first & 0x0f);
    let profile = u16::from_be_bytes([*packet.get(start)?, *packet.get(start + 1)?]);
    let words = u16::from_be_bytes([*packet.get(start + 2)?, *packet.get(start + 3)?]);
    let mut rest = packet.get(start + 4..start + 4 + 4 * usize::from(words))?;
    while let Some((&head, after)) = rest.split_first() {
        if head == 0 {
            rest = after;
            continue;
        }
        let (id, length, after) = match profile {
            0xbede => (head >> 4, usize::from(head & 0x0f) + 1, after),
            two if two >> 4 == 0x100 => (head, usize::from(*after.first()?), after.get(1..)?),
            _ => return None,
        };
        let (value, after) = after.split_at_checked(length)?;
        if id == wanted {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// The big-endian number at `offset`, if it is there.
pub fn be_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    let four = bytes.get(offset..offset + 4)?;
    Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> RtpHeader {
        RtpHeader {
            marker: true,
            payload_type: 111,
            sequence: 65_535,
            timestamp: 0xdead_beef,
            ssrc: 0x0102_0304,
            payload: 12..15,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut packet = Vec::new();
        header().write(b"abc", &mut packet);
        assert_eq!(RtpHeader::parse_untrusted(&packet), Some(header()));
    }

    #[test]
    fn csrc_list_extension_and_padding_are_no_payload() {
        let mut packet = Vec::new();
        header().write(&[], &mut packet);
        packet[0] = 0x80 | 0x20 | 0x10 | 1;
        packet.extend([
            9, 9, 9, 9, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, b'x', b'y', 0, 0, 3,
        ]);
        let parsed = RtpHeader::parse_untrusted(&packet).unwrap();
        assert_eq!(&packet[parsed.payload], b"xy");
    }

    #[test]
    fn an_extension_is_read_back_and_is_no_payload() {
        let mut packet = Vec::new();
        let start = header().write_extended(Some((14, 3)), b"abc", &mut packet);
        let parsed = RtpHeader::parse_untrusted(&packet).unwrap();
        assert_eq!((start, &packet[parsed.payload]), (20, &b"abc"[..]));
        assert_eq!(extension_untrusted(&packet, 14), Some(&[3][..]));
        assert_eq!(extension_untrusted(&packet, 3), None);

        let mut again = Vec::new();
        write_repeated(&packet, (97, 7, 9), &mut again);
        let parsed = RtpHeader::parse_untrusted(&again).unwrap();
        assert_eq!(&again[parsed.payload], b"\xff\xffabc");
        assert_eq!(
            (parsed.payload_type, parsed.sequence, parsed.ssrc),
            (97, 7, 9)
        );
        assert_eq!(extension_untrusted(&again, 14), Some(&[3][..]));
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let mut packet = Vec::new();
        header().write(b"abc", &mut packet);
        for (first, last) in [
            (0x40, 0),
            (0x80 | 0x0f, 0),
            (0x90, 0),
            (0xa0, 0),
            (0xa0, 200),
        ] {
            let mut broken = packet.clone();
            broken[0] = first;
            *broken.last_mut().unwrap() = last;
            assert_eq!(
                RtpHeader::parse_untrusted(&broken),
                None,
                "{first:x} {last}"
            );
        }
        assert_eq!(RtpHeader::parse_untrusted(&packet[..11]), None);
        assert_eq!(RtpHeader::parse_untrusted(&[]), None);
    }
}
