//! Feedback about video in RTCP (RFC 4585, RFC 5104, draft-alvestrand-rmcat-remb).

use crate::session::packet::be_u32;

const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const NACK: u8 = 1;
const PICTURE_LOSS: u8 = 1;
const FULL_INTRA: u8 = 4;
const APPLICATION: u8 = 15;
/// Packets one feedback message may ask for; more is no repair.
const MOST_ASKED: usize = 256;

/// What the far end says about a stream of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feedback {
    /// It needs a key frame of this source (PLI).
    KeyFrame(u32),
    /// The same, by another request (FIR).
    FullIntra(u32),
    /// It misses these packets of this source.
    Lost(u32, Vec<u16>),
    /// It can take so many bits per second of all sources together.
    Bound(u64),
}

/// Reads the feedback in a compound packet; what is malformed or unknown is passed over.
pub fn read_untrusted(mut packet: &[u8]) -> Vec<Feedback> {
    let mut found = Vec::new();
    while packet.len() >= 4 && packet[0] >> 6 == 2 {
        let length = 4 + 4 * usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        let Some((one, rest)) = packet.split_at_checked(length) else {
            break;
        };
        read_one(one, &mut found);
        packet = rest;
    }
    found
}

fn read_one(packet: &[u8], found: &mut Vec<Feedback>) -> Option<()> {
    let (format, media) = (packet[0] & 0x1f, be_u32(packet, 8)?);
    let rest = packet.get(12..)?;
    match (packet[1], format) {
        (TRANSPORT_FEEDBACK, NACK) => found.push(Feedback::Lost(media, asked(rest))),
        (PAYLOAD_FEEDBACK, PICTURE_LOSS) => found.push(Feedback::KeyFrame(media)),
        (PAYLOAD_FEEDBACK, FULL_INTRA) => {
            let sources = rest.chunks_exact(8).filter_map(|entry| be_u32(entry, 0));
            found.extend(sources.map(Feedback::FullIntra));
        }
        (PAYLOAD_FEEDBACK, APPLICATION) if rest.starts_with(b"REMB") => {
            let word = be_u32(rest, 4)?;
            let (exponent, mantissa) = (word >> 18 & 0x3f, u64::from(word & 0x3_ffff));
            let bound = mantissa.checked_shl(exponent).unwrap_or(u64::MAX);
            found.push(Feedback::Bound(bound));
        }
        _ => {}
    }
    Some(())
}

fn asked(entries: &[u8]) -> Vec<u16> {
    let mut numbers = Vec::new();
    for entry in entries.chunks_exact(4) {
        let first = u16::from_be_bytes([entry[0], entry[1]]);
        let mask = u16::from_be_bytes([entry[2], entry[3]]);
        let further = (0..16).filter(|bit| mask >> bit & 1 == 1);
        numbers.push(first);
        numbers.extend(further.map(|bit| first.wrapping_add(bit + 1)));
        if numbers.len() >= MOST_ASKED {
            break;
        }
    }
    numbers
}

fn head(packet: &mut Vec<u8>, kind: (u8, u8), words: u16, sender: u32, media: u32) {
    packet.extend([0x80 | kind.1, kind.0]);
    packet.extend(words.to_be_bytes());
    packet.extend(sender.to_be_bytes());
    packet.extend(media.to_be_bytes());
}

/// Adds a picture loss indication.
pub fn write_picture_loss(packet: &mut Vec<u8>, sender: u32, media: u32) {
    head(packet, (PAYLOAD_FEEDBACK, PICTURE_LOSS), 2, sender, media);
}

/// Adds a full intra request; `count` grows with each new one.
pub fn write_full_intra(packet: &mut Vec<u8>, sender: u32, media: u32, count: u8) {
    head(packet, (PAYLOAD_FEEDBACK, FULL_INTRA), 4, sender, 0);
    packet.extend(media.to_be_bytes());
    packet.extend([count, 0, 0, 0]);
}

/// Adds a request for lost packets, in order of their numbers.
pub fn write_lost(packet: &mut Vec<u8>, sender: u32, media: u32, numbers: &[u16]) {
    let mut entries: Vec<(u16, u16)> = Vec::new();
    for &number in numbers {
        match entries.last_mut() {
            Some((first, mask)) if (1..=16).contains(&number.wrapping_sub(*first)) => {
                *mask |= 1 << (number.wrapping_sub(*first) - 1);
            }
            _ => entries.push((number, 0)),
        }
    }
    let words = 2 + entries.len() as u16;
    head(packet, (TRANSPORT_FEEDBACK, NACK), words, sender, media);
    for (first, mask) in entries {
        packet.extend(first.to_be_bytes());
        packet.extend(mask.to_be_bytes());
    }
}

/// Adds a bound of the bit rate of these sources (REMB).
pub fn write_bound(packet: &mut Vec<u8>, sender: u32, bits_per_second: u64, sources: &[u32]) {
    let sources = &sources[..sources.len().min(255)];
    let words = 4 + sources.len() as u16;
    head(packet, (PAYLOAD_FEEDBACK, APPLICATION), words, sender, 0);
    packet.extend(b"REMB");
    let exponent = (64 - bits_per_second.leading_zeros()).saturating_sub(18);
    let mantissa = (bits_per_second >> exponent) as u32;
    let word = (sources.len() as u32) << 24 | exponent << 18 | mantissa;
    packet.extend(word.to_be_bytes());
    sources
        .iter()
        .for_each(|source| packet.extend(source.to_be_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut packet = Vec::new();
        write_picture_loss(&mut packet, 1, 2);
        write_full_intra(&mut packet, 1, 3, 9);
        write_lost(&mut packet, 1, 2, &[65_530, 65_535, 4, 10, 40]);
        write_bound(&mut packet, 1, 1_700_000, &[2, 3]);
        let Feedback::Bound(bound) = read_untrusted(&packet)[3] else {
            panic!("no bound");
        };
        assert!((1_690_000..=1_700_000).contains(&bound), "{bound}");
        assert_eq!(
            read_untrusted(&packet)[..3],
            [
                Feedback::KeyFrame(2),
                Feedback::FullIntra(3),
                Feedback::Lost(2, vec![65_530, 65_535, 4, 10, 40]),
            ]
        );
        assert_eq!(packet.len() % 4, 0);
    }

    #[test]
    fn any_cut_or_changed_packet_is_read_without_harm() {
        let mut packet = Vec::new();
        write_lost(&mut packet, 1, 2, &[1, 2, 3]);
        write_bound(&mut packet, 1, u64::MAX, &[2]);
        for length in 0..packet.len() {
            for value in [0, 0x1f, 0x8f, 0xff] {
                let mut broken = packet[..length].to_vec();
                for place in 0..length {
                    let before = std::mem::replace(&mut broken[place], value);
                    read_untrusted(&broken);
                    broken[place] = before;
                }
            }
        }
    }
}
