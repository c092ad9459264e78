//! Finds the page before a place by halving what may hold it, so that hours are not read.

use super::reader::LAST_PAGE;
use crate::ration::RationedFile;
use std::io::{self, Read, Seek, SeekFrom};

/// As few octets are not halved any more.
const CLOSE: u64 = 1024;
/// A page is looked for in so many: it fits in twice.
const STRETCH: u64 = 2 * LAST_PAGE;

/// Returns where a page begins, in octets, that ends at a position or not far before; 0 where none
/// is found.
pub(super) fn page_before_untrusted(
    file: &RationedFile,
    serial: u32,
    position: u64,
) -> io::Result<u64> {
    let (mut low, mut high) = (0, file.length()?);
    while high - low > CLOSE {
        let middle = low + (high - low) / 2;
        match next_page_untrusted(file, serial, middle)? {
            Some((octet, end)) if end <= position && octet < high => low = octet,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// Where the first page behind an octet begins that tells its position, and that position.
fn next_page_untrusted(
    file: &RationedFile,
    serial: u32,
    from: u64,
) -> io::Result<Option<(u64, u64)>> {
    let (mut file, mut stretch) = (file.clone(), Vec::new());
    file.seek(SeekFrom::Start(from))?;
    file.take(STRETCH).read_to_end(&mut stretch)?;
    let mut pages = stretch.windows(18).enumerate();
    Ok(pages.find_map(|(index, page)| {
        // RFC 3533 §6; a position of all ones: no packet ends on that page.
        let is_ours = page.starts_with(b"OggS\0") && page[14..] == serial.to_le_bytes();
        let end = u64::from_le_bytes(page[6..14].try_into().ok()?);
        (is_ours && end != u64::MAX).then_some((from + index as u64, end))
    }))
}
