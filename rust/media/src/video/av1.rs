//! AV1 in its packets: units cut and joined again (the Alliance's RTP format, §4).

/// The kind of unit that says what the pictures are.
pub(super) const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
const TILE_LIST: u8 = 8;
const HAS_EXTENSION: u8 = 0x04;
const HAS_SIZE: u8 = 0x02;

fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// A length of up to 4 bytes of 7 bits, and what is behind it.
fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (place, byte) in bytes.iter().enumerate().take(4) {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((length, &bytes[place + 1..]));
        }
    }
    None
}

/// Puts the units of one picture together.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// The unit that goes on in the next packet.
    open: Vec<u8>,
}

impl Joiner {
    /// Adds what a packet carries to a frame; false when it makes no sense.
    pub(super) fn append_untrusted(&mut self, payload: &[u8], frame: &mut Vec<u8>) -> bool {
        self.append(payload, frame).is_some()
    }

    /// Whether a unit is cut short.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    fn append(&mut self, payload: &[u8], frame: &mut Vec<u8>) -> Option<()> {
        let (&head, mut rest) = payload.split_first()?;
        let (continues, goes_on) = (head & 0x80 != 0, head & 0x40 != 0);
        let count = head >> 4 & 3;
        if continues != self.is_open() {
            return None;
        }
        let mut place = 0;
        while !rest.is_empty() {
            place += 1;
            let (unit, after) = if count == place {
                (rest, &rest[rest.len()..])
            } else {
                let (length, after) = take_length(rest)?;
                after.split_at_checked(length)?
            };
            rest = after;
            self.open.extend_from_slice(unit);
            if !(goes_on && rest.is_empty()) {
                put_unit(&std::mem::take(&mut self.open), frame)?;
            }
        }
        (count == 0 || count == place).then_some(())
    }
}

/// Adds a unit with its size; delimiters belong to no frame.
fn put_unit(unit: &[u8], frame: &mut Vec<u8>) -> Option<()> {
    let Some(&head) = unit.first() else {
        return Some(());
    };
    if matches!(head >> 3 & 0x0f, TEMPORAL_DELIMITER | TILE_LIST) {
        return Some(());
    }
    let length = if head & HAS_EXTENSION == 0 { 1 } else { 2 };
    let (start, mut body) = unit.split_at_checked(length)?;
    if head & HAS_SIZE != 0 {
        let (size, after) = take_length(body)?;
        body = after.get(..size)?;
    }
    frame.push(head | HAS_SIZE);
    frame.extend_from_slice(&start[1..]);
    put_length(frame, body.len());
    frame.extend_from_slice(body);
    Some(())
}

/// The units of a frame: kind, all of it, and what is behind its head.
pub(super) fn units_untrusted(frame: &[u8]) -> impl Iterator<Item = (u8, &[u8], &[u8])> {
    let mut rest = frame;
    std::iter::from_fn(move || {
        let head = *rest.first()?;
        let length = if head & HAS_EXTENSION == 0 { 1 } else { 2 };
        let (size, after) = take_length(rest.get(length..)?)?;
        let body = after.get(..size)?;
        let unit = &rest[..rest.len() - after.len() + size];
        rest = &after[size..];
        Some((head >> 3 & 0x0f, unit, body))
    })
}

/// Whether a frame of units with sizes can be decoded alone: what the pictures are, and a key frame
/// that is shown (AV1 bitstream §5.9.2, §7.6).
pub(super) fn is_key_frame(frame: &[u8]) -> bool {
    let mut has_sequence = false;
    for (kind, _, body) in units_untrusted(frame) {
        match kind {
            SEQUENCE_HEADER => has_sequence = true,
            // Not one that is shown again; of the first type; shown.
            FRAME_HEADER | FRAME => {
                return has_sequence && body.first().is_some_and(|bits| bits & 0xf0 == 0x10);
            }
            _ => {}
        }
    }
    false
}

/// A packet that is being filled.
#[derive(Default)]
struct Packet {
    elements: Vec<Vec<u8>>,
    length: usize,
    continues: bool,
    goes_on: bool,
}

impl Packet {
    /// The bytes of a unit that still fit; each has a length of up to two bytes before it.
    fn room(&self, most: usize) -> usize {
        most.saturating_sub(1 + self.length + 2)
    }

    fn add(&mut self, part: &[u8]) {
        self.length += 2 + part.len();
        self.elements.push(part.to_vec());
    }

    /// Writes it; the last of up to three elements needs no length.
    fn finish(self, is_start: bool) -> Vec<u8> {
        let count = self.elements.len();
        let counted = if count <= 3 { count } else { 0 };
        let flags = u8::from(self.continues) << 7 | u8::from(self.goes_on) << 6;
        let mut payload = vec![flags | (counted as u8) << 4 | u8::from(is_start) << 3];
        for (index, element) in self.elements.iter().enumerate() {
            if counted == 0 || index + 1 < count {
                put_length(&mut payload, element.len());
            }
            payload.extend_from_slice(element);
        }
        payload
    }
}

/// Cuts a frame of units with sizes into payloads of at most that many bytes.
pub(super) fn cut(frame: &[u8], most: usize) -> Vec<Vec<u8>> {
    let mut packets = vec![Packet::default()];
    for (kind, unit, body) in units_untrusted(frame) {
        if matches!(kind, TEMPORAL_DELIMITER | TILE_LIST) {
            continue;
        }
        // Without its size, which the packet says.
        let mut plain = vec![unit[0] & !HAS_SIZE];
        if unit[0] & HAS_EXTENSION != 0 {
            plain.push(unit[1]);
        }
        plain.extend_from_slice(body);
        let mut rest = &plain[..];
        while !rest.is_empty() {
            let last = packets.last_mut().expect("there is one from the beginning");
            let room = last.room(most);
            if room == 0 {
                packets.push(Packet::default());
                continue;
            }
            let (part, left) = rest.split_at(room.min(rest.len()));
            last.add(part);
            rest = left;
            if !rest.is_empty() {
                last.goes_on = true;
                packets.push(Packet {
                    continues: true,
                    ..Packet::default()
                });
            }
        }
    }
    packets.retain(|packet| !packet.elements.is_empty());
    let is_key = is_key_frame(frame);
    let written = packets.into_iter().enumerate();
    written
        .map(|(index, packet)| packet.finish(is_key && index == 0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(kind: u8, extension: Option<u8>, body: &[u8]) -> Vec<u8> {
        let head = kind << 3 | HAS_SIZE;
        let mut unit = match extension {
            Some(layers) => vec![head | HAS_EXTENSION, layers],
            None => vec![head],
        };
        put_length(&mut unit, body.len());
        unit.extend_from_slice(body);
        unit
    }

    #[test]
    fn frames_of_any_size_are_cut_and_joined_to_the_same() {
        for length in [1, 5, 90, 97, 98, 99, 200, 1000] {
            let body: Vec<u8> = (0..length).map(|at| at as u8 | 0x10).collect();
            let parts = [
                unit(SEQUENCE_HEADER, None, &[7, 7]),
                unit(FRAME_HEADER, None, &[0x10, 1]),
                unit(4, Some(0x20), &body),
                unit(4, Some(0x20), &body),
                unit(5, None, &[1]),
            ];
            let frame = parts.concat();
            let file = [unit(TEMPORAL_DELIMITER, None, &[]), frame.clone()].concat();
            assert!(is_key_frame(&file));

            let payloads = cut(&file, 100);
            let (mut joiner, mut joined) = (Joiner::default(), Vec::new());
            for (index, payload) in payloads.iter().enumerate() {
                assert!(payload.len() <= 100);
                assert_eq!(payload[0] & 0x08 != 0, index == 0);
                assert!(joiner.append_untrusted(payload, &mut joined), "{length}");
            }
            assert!(!joiner.is_open());
            assert_eq!(joined, frame, "{length}");
        }
    }

    #[test]
    fn a_key_frame_has_a_sequence_and_is_shown() {
        let sequence = unit(SEQUENCE_HEADER, None, &[7]);
        for (head, is_key) in [(0x10, true), (0x00, false), (0x30, false), (0x90, false)] {
            let frame = unit(FRAME, None, &[head, 1]);
            assert_eq!(is_key_frame(&[&sequence[..], &frame[..]].concat()), is_key);
            assert!(!is_key_frame(&frame));
        }
        assert!(cut(&unit(TEMPORAL_DELIMITER, None, &[]), 100).is_empty());
        assert!(cut(&[0x32, 9, 1], 100).is_empty());
    }

    #[test]
    fn fragments_are_joined_and_delimiters_left_out() {
        let (mut joiner, mut frame) = (Joiner::default(), Vec::new());
        // A delimiter, a sequence header, and the beginning of a frame of 6 bytes.
        let first = [0x78, 2, 0x12, 0, 3, 0x08, 7, 7, 0x30, 1, 2];
        assert!(joiner.append_untrusted(&first, &mut frame));
        assert!(joiner.is_open());
        assert!(joiner.append_untrusted(&[0x90, 3, 4, 5], &mut frame));

        assert_eq!(frame, [0x0a, 2, 7, 7, 0x32, 5, 1, 2, 3, 4, 5]);
        let kinds: Vec<u8> = units_untrusted(&frame).map(|(kind, ..)| kind).collect();
        assert_eq!(kinds, [SEQUENCE_HEADER, 6]);
    }

    #[test]
    fn what_is_cut_short_or_goes_on_from_nowhere_is_none() {
        for payload in [
            &[][..],
            &[0x90, 3],
            &[0x00, 9, 1],
            &[0x20, 0xff, 0xff, 0xff, 0xff, 1],
        ] {
            assert!(!Joiner::default().append_untrusted(payload, &mut Vec::new()));
        }
    }
}
