//! Many inputs out of one: how the targets that take a sequence read their bytes.

/// Pieces of a fuzz input: a byte of pace, a byte of length, then so many bytes.
///
/// Any input yields something, so that no mutation is wasted.
pub struct Pieces<'a>(&'a [u8]);

impl<'a> Pieces<'a> {
    /// Starts at the front.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [pace, length, rest @ ..] = self.0 else {
            return None;
        };
        let (piece, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        self.0 = rest;
        Some((*pace, piece))
    }
}

/// Cuts `data` where the bytes of `sizes` say, over and over; every piece has at least one byte.
#[must_use]
pub fn split<'a>(sizes: &[u8], data: &'a [u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = data;
    for size in sizes.iter().cycle() {
        if rest.is_empty() || sizes.is_empty() {
            break;
        }
        let (piece, more) = rest.split_at((usize::from(*size) + 1).min(rest.len()));
        pieces.push(piece);
        rest = more;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}
