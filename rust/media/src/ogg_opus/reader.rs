//! Reads Ogg Opus as mono, 48 kHz.

use super::seek::page_before_untrusted;
use super::{Head, OggError, RATE_HZ};
use crate::ration::RationedFile;
use ogg::{Packet, PacketReader};
use opusic_c::{Channels, SampleRate};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The longest packet: 120 ms.
pub(super) const LONGEST: usize = 5_760;
/// Decoded before a place that is sought, so that the decoder has settled (RFC 7845 §4.6).
const PRE_ROLL: u64 = 3_840;
/// Less than this is read from the start.
const NEAR: u64 = 5 * RATE_HZ as u64;
/// A page has at most this many octets (RFC 3533 §6), so the last one begins in here.
pub(super) const LAST_PAGE: u64 = 65_307;

/// Reads an Ogg Opus file from the start to the end, block by block.
pub struct OggOpusReader {
    file: RationedFile,
    packets: PacketReader<BufReader<RationedFile>>,
    serial: u32,
    head: Head,
    decoder: opusic_c::Decoder,
    /// Where the audio ends, at 48 kHz, pre-skip included; None where the file does not say.
    end: Option<u64>,
    /// Where the next decoded sample lies, pre-skip included.
    position: u64,
    /// Up to where decoded samples are dropped.
    skip_to: u64,
    /// The file is not where `skip_to` wants it yet.
    is_sought: bool,
    ready: Vec<i16>,
    is_over: bool,
}

impl std::fmt::Debug for OggOpusReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("OggOpusReader")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

impl OggOpusReader {
    /// Opens a file and reads its headers.
    pub fn open(path: &Path) -> Result<Self, OggError> {
        let mut file = RationedFile::new(File::open(path)?);
        let end = last_position_untrusted(&mut file)?;
        file.seek(SeekFrom::Start(0))?;
        let mut packets = PacketReader::new(BufReader::new(file.clone()));
        let first = packets.read_packet()?.ok_or(OggError::NotOpus)?;
        let head = Head::parse_untrusted(&first.data).ok_or(OggError::NotOpus)?;
        let mut decoder = opusic_c::Decoder::new(Channels::Mono, SampleRate::Hz48000)
            .map_err(|error| OggError::Codec(error.message()))?;
        decoder
            .set_gain(i32::from(head.gain))
            .map_err(|error| OggError::Codec(error.message()))?;
        let mut reader = Self {
            file,
            packets,
            serial: first.stream_serial(),
            head,
            decoder,
            end,
            position: 0,
            skip_to: u64::from(head.pre_skip),
            is_sought: false,
            ready: Vec::new(),
            is_over: false,
        };
        reader.next_packet_untrusted()?.ok_or(OggError::NotOpus)?; // the comments
        Ok(reader)
    }

    /// Returns the length of the audio in seconds; 0 where the file does not say.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let samples = self
            .end
            .unwrap_or(0)
            .saturating_sub(u64::from(self.head.pre_skip));
        samples as f64 / f64::from(RATE_HZ)
    }

    /// Moves to a time, which the next read looks for; beyond the end is the end.
    pub fn seek(&mut self, seconds: f64) {
        let wanted = (seconds.max(0.0) * f64::from(RATE_HZ)) as u64;
        self.ready.clear();
        self.skip_to = wanted.saturating_add(u64::from(self.head.pre_skip));
        (self.is_sought, self.is_over) = (true, false);
    }

    /// Goes to a page before the time that is sought, and to the packet behind it.
    fn approach_untrusted(&mut self) -> Result<(), OggError> {
        self.decoder
            .reset()
            .map_err(|error| OggError::Codec(error.message()))?;
        let settled = self.skip_to.saturating_sub(PRE_ROLL);
        let found = match settled {
            0..NEAR => 0,
            position => page_before_untrusted(&self.file, self.serial, position)?,
        };
        self.packets.seek_bytes(SeekFrom::Start(found))?;
        self.packets.delete_unread_packets();
        self.position = 0;
        if found == 0 {
            for _headers in 0..2 {
                self.next_packet_untrusted()?;
            }
            return Ok(());
        }
        // Where a page ends is known, and not where it begins.
        while let Some(packet) = self.next_packet_untrusted()? {
            if packet.last_in_page() && packet.absgp_page() != u64::MAX {
                self.position = packet.absgp_page();
                return Ok(());
            }
        }
        self.is_over = true;
        Ok(())
    }

    /// Appends up to `count` samples and returns how many; fewer mean the end. What was decoded
    /// before an error is appended all the same.
    pub fn read_mono(&mut self, count: usize, samples: &mut Vec<i16>) -> Result<usize, OggError> {
        self.file.allow(self.is_sought);
        if std::mem::take(&mut self.is_sought) {
            self.approach_untrusted()?;
        }
        let mut result = Ok(());
        while self.ready.len() < count && !self.is_over && result.is_ok() {
            result = self.next_packet_untrusted().map(|packet| match packet {
                Some(packet) => self.take_untrusted(&packet.data),
                None => self.is_over = true,
            });
        }
        let given = count.min(self.ready.len());
        samples.extend(self.ready.drain(..given));
        result.map(|()| given)
    }

    fn next_packet_untrusted(&mut self) -> Result<Option<Packet>, OggError> {
        while let Some(packet) = self.packets.read_packet()? {
            if packet.stream_serial() == self.serial {
                return Ok(Some(packet));
            }
        }
        Ok(None)
    }

    fn take_untrusted(&mut self, data: &[u8]) {
        let Ok(count) = self.decoder.get_nb_samples(data) else {
            return; // no packet of Opus: nothing is known of its time
        };
        let count = count.min(LONGEST);
        let begin = self.position;
        // A damaged page may have said any position.
        self.position = begin.saturating_add(count as u64);
        if self.end.is_some_and(|end| begin >= end) {
            self.is_over = true;
            return;
        }
        if self.position.saturating_add(PRE_ROLL) < self.skip_to {
            return;
        }
        let mut block = vec![0_u16; count];
        // A packet that cannot be decoded is silence of its length.
        let decoded = self
            .decoder
            .decode_to_slice(data, &mut block, false)
            .unwrap_or(0);
        block[decoded.min(count)..].fill(0);
        let first = self.skip_to.saturating_sub(begin).min(count as u64) as usize;
        let last = self
            .end
            .map_or(count, |end| (end - begin).min(count as u64) as usize);
        if first < last {
            let heard = block[first..last].iter().map(|&bits| bits.cast_signed());
            self.ready.extend(heard);
        }
    }
}

/// The granule position of the last page (RFC 3533 §6); None where none is found.
fn last_position_untrusted(file: &mut RationedFile) -> Result<Option<u64>, OggError> {
    let length = file.length()?;
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_PAGE)))?;
    let mut tail = Vec::new();
    file.take(LAST_PAGE).read_to_end(&mut tail)?;
    let pages = tail.windows(14).rev().filter(|page| &page[..4] == b"OggS");
    let positions = pages.filter_map(|page| page[6..14].try_into().ok().map(u64::from_le_bytes));
    // All ones: no packet ends on that page.
    Ok(positions
        .into_iter()
        .find(|position| *position != u64::MAX && *position > 0))
}
