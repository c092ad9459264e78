//! Elements of EBML (RFC 8794): an identifier, a length, and what is in it.

/// The longest length there is: what follows reaches to the end of the file.
pub(super) const UNKNOWN_LENGTH: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const VOID: u32 = 0xec;

/// Adds an identifier, which says its own length.
pub(super) fn put_id(out: &mut Vec<u8>, id: u32) {
    let bytes = id.to_be_bytes();
    let skipped = (id.leading_zeros() / 8) as usize;
    out.extend_from_slice(&bytes[skipped.min(3)..]);
}

/// A length in eight bytes, so that it can be written over.
pub(super) fn wide_length(length: u64) -> [u8; 8] {
    (length | 1 << 56).to_be_bytes()
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..0x7f => out.push(0x80 | length as u8),
        0x7f..0x3fff => out.extend((0x4000 | length as u16).to_be_bytes()),
        _ => out.extend(wide_length(length as u64)),
    }
}

/// Adds an element of bytes.
pub(super) fn put(out: &mut Vec<u8>, id: u32, body: &[u8]) {
    put_id(out, id);
    put_length(out, body.len());
    out.extend_from_slice(body);
}

/// Adds an element that is a number without sign.
pub(super) fn put_number(out: &mut Vec<u8>, id: u32, number: u64) {
    let skipped = (number.leading_zeros() / 8).min(7) as usize;
    put(out, id, &number.to_be_bytes()[skipped..]);
}

/// Adds an element that is a number with a fraction.
pub(super) fn put_float(out: &mut Vec<u8>, id: u32, number: f64) {
    put(out, id, &number.to_be_bytes());
}

/// Adds an element that holds others.
pub(super) fn put_master(out: &mut Vec<u8>, id: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    fill(&mut body);
    put(out, id, &body);
}

/// Fills up to a length with what nobody reads; at least nine bytes have to be missing.
pub(super) fn fill_to(out: &mut Vec<u8>, length: usize) {
    let missing = length.saturating_sub(out.len() + 9);
    put_id(out, VOID);
    out.extend(wide_length(missing as u64));
    out.resize(out.len() + missing, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_as_long_as_they_have_to_be() {
        let mut out = Vec::new();
        put_number(&mut out, 0xd7, 0);
        put_number(&mut out, 0x73c5, 0x1234);
        put(&mut out, 0x1a45_dfa3, &[7; 200]);
        assert_eq!(out[..3], [0xd7, 0x81, 0]);
        assert_eq!(out[3..8], [0x73, 0xc5, 0x82, 0x12, 0x34]);
        assert_eq!(out[8..14], [0x1a, 0x45, 0xdf, 0xa3, 0x40, 200]);
        fill_to(&mut out, 300);
        assert_eq!(out.len(), 300);
    }
}
