//! How long a recording of pictures is, from its file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The length in milliseconds, in what a file says of itself.
pub(super) const DURATION: u32 = 0x4489;
/// What is written over at the end lies within this much of the beginning.
const HEAD_BYTES: u64 = 1024;

/// The seconds of a finished Matroska file of ours; None for any other.
#[must_use]
pub fn seconds_of(path: &Path) -> Option<f64> {
    let mut head = Vec::new();
    let file = File::open(path).ok()?;
    file.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
    if !head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        return None;
    }
    let wanted = [0x44, 0x89, 0x88];
    let place = head.windows(3).position(|three| three == wanted)?;
    let bytes = head.get(place + 3..place + 11)?;
    let length_ms = f64::from_be_bytes(bytes.try_into().ok()?);
    (length_ms.is_finite() && length_ms >= 0.0).then_some(length_ms / 1000.0)
}
