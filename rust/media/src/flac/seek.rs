//! Finds the frame before a place by halving what may hold it, so that hours are not decoded.

use super::StreamInfo;
use crate::ration::RationedFile;
use claxon::frame::FrameReader;
use claxon::input::BufferedReader;
use std::io::{self, Read, Seek, SeekFrom};

/// As few octets are not halved any more.
const CLOSE: u64 = 1024;
/// A frame is looked for in so many; few are as long.
const STRETCH: u64 = 128 * 1024;
/// No frame has as many octets: 8 channels of 65 535 samples of 32 bits, and what they are told by.
const LONGEST: u64 = 4 * 1024 * 1024;
/// Places of a stretch that look like a frame and are none; more than chance makes of any.
const MOST_TRIES: usize = 64;

/// Where a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// In the file.
    pub octet: u64,
    /// In the sound.
    pub sample: u64,
}

/// Returns a frame that begins at a sample or not far before; `begin` where none is found.
pub(super) fn frame_before_untrusted(
    file: &RationedFile,
    info: StreamInfo,
    begin: Place,
    sample: u64,
) -> io::Result<Place> {
    let (mut low, mut high) = (begin, file.length()?);
    while high.saturating_sub(low.octet) > CLOSE {
        let middle = low.octet + (high - low.octet) / 2;
        match next_frame_untrusted(file, info, middle)? {
            Some(found) if found.sample <= sample && found.octet < high => low = found,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The first frame that begins at an octet or behind it, in one stretch.
fn next_frame_untrusted(
    file: &RationedFile,
    info: StreamInfo,
    from: u64,
) -> io::Result<Option<Place>> {
    let mut stretch = Vec::new();
    let mut reader = file.clone();
    reader.seek(SeekFrom::Start(from))?;
    (&mut reader).take(STRETCH).read_to_end(&mut stretch)?;
    // The code that frames begin with (RFC 9639 §9.1); the last bit says how they are counted.
    let begins = stretch.windows(2).enumerate();
    let begins = begins.filter(|(_, two)| two[0] == 0xff && two[1] & 0xfe == 0xf8);
    for (index, two) in begins.take(MOST_TRIES) {
        let octet = from + index as u64;
        reader.seek(SeekFrom::Start(octet))?;
        // What only looks like one might read on to the end of the file.
        let rest = file.clone().take(LONGEST);
        let mut frames = FrameReader::new(BufferedReader::new(rest));
        // Its checksums tell a frame from what looks like one.
        let Ok(Some(block)) = frames.read_next_or_eof(Vec::new()) else {
            continue;
        };
        let counts_frames = two[1] & 1 == 0;
        let sample = if counts_frames && info.block_samples > 0 {
            // Of the last frame, which is shorter, the decoder would tell too little.
            block.time() / u64::from(block.duration()) * u64::from(info.block_samples)
        } else {
            block.time()
        };
        return Ok(Some(Place { octet, sample }));
    }
    Ok(None)
}
