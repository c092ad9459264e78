//! AV1 out of its packets: fragments joined, units given sizes (the Alliance's RTP format, §4).

/// The kind of unit that says what the pictures are.
pub(super) const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
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

#[cfg(test)]
mod tests {
    use super::*;

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
