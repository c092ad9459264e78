//! Reads Ogg Opus as mono, 48 kHz; one stream may follow another (RFC 7845 §3).

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
    decoder: opusic_c::Decoder,
    /// The stream that is read, and the one that the file begins with.
    link: Link,
    first: Link,
    /// Other streams follow the first one.
    is_chained: bool,
    /// Where the next decoded sample lies in its stream, pre-skip included.
    position: u64,
    /// Up to where decoded samples are dropped.
    skip_to: u64,
    /// The file is not where `skip_to` wants it yet.
    is_sought: bool,
    ready: Vec<i16>,
    is_over: bool,
}

/// One of the streams that follow each other in a file.
#[derive(Debug, Clone, Copy)]
struct Link {
    serial: u32,
    head: Head,
    /// Where its audio ends, at 48 kHz, pre-skip included; None where the file does not say.
    end: Option<u64>,
}

impl std::fmt::Debug for OggOpusReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("OggOpusReader")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

impl OggOpusReader {
    /// Opens a file and reads its headers.
    pub fn open(path: &Path) -> Result<Self, OggError> {
        let mut file = RationedFile::new(File::open(path)?);
        let tail = tail_untrusted(&mut file)?;
        file.seek(SeekFrom::Start(0))?;
        let mut packets = PacketReader::new(BufReader::new(file.clone()));
        let first = packets.read_packet()?.ok_or(OggError::NotOpus)?;
        let head = Head::parse_untrusted(&first.data).ok_or(OggError::NotOpus)?;
        let mut decoder = opusic_c::Decoder::new(Channels::Mono, SampleRate::Hz48000)
            .map_err(|error| OggError::Codec(error.message()))?;
        decoder
            .set_gain(i32::from(head.gain))
            .map_err(|error| OggError::Codec(error.message()))?;
        let serial = first.stream_serial();
        let link = Link {
            serial,
            head,
            end: last_position_untrusted(&tail, serial),
        };
        let mut reader = Self {
            file,
            packets,
            decoder,
            link,
            first: link,
            is_chained: pages(&tail)
                .next()
                .is_some_and(|page| page[14..] != serial.to_le_bytes()),
            position: 0,
            skip_to: u64::from(head.pre_skip),
            is_sought: false,
            ready: Vec::new(),
            is_over: false,
        };
        reader.next_packet_untrusted()?.ok_or(OggError::NotOpus)?; // the comments
        Ok(reader)
    }

    /// Returns the length of the audio in seconds; 0 where the file does not say, as one of several
    /// streams does not.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let end = self.first.end.filter(|_| !self.is_chained).unwrap_or(0);
        let samples = end.saturating_sub(u64::from(self.first.head.pre_skip));
        samples as f64 / f64::from(RATE_HZ)
    }

    /// Moves to a time, which the next read looks for; beyond the end is the end.
    pub fn seek(&mut self, seconds: f64) {
        let wanted = (seconds.max(0.0) * f64::from(RATE_HZ)) as u64;
        self.ready.clear();
        self.skip_to = wanted.saturating_add(u64::from(self.first.head.pre_skip));
        (self.is_sought, self.is_over) = (true, false);
    }

    /// Goes to a page before the time that is sought, and to the packet behind it.
    fn approach_untrusted(&mut self) -> Result<(), OggError> {
        self.begin(self.first)?;
        let settled = self.skip_to.saturating_sub(PRE_ROLL);
        let found = match settled {
            0..NEAR => 0,
            position => page_before_untrusted(&self.file, self.link.serial, position)?,
        };
        self.packets.seek_bytes(SeekFrom::Start(found))?;
        self.packets.delete_unread_packets();
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
                Some(packet) => self.take_untrusted(&packet),
                None => self.is_over = true,
            });
        }
        let given = count.min(self.ready.len());
        samples.extend(self.ready.drain(..given));
        result.map(|()| given)
    }

    fn next_packet_untrusted(&mut self) -> Result<Option<Packet>, OggError> {
        while let Some(packet) = self.packets.read_packet()? {
            // Streams beside each other begin before the sound of any of them (RFC 3533 §4).
            let follows = packet.first_in_stream() && self.position > 0;
            if let Some(head) = Head::parse_untrusted(&packet.data).filter(|_| follows) {
                self.follow(packet.stream_serial(), head)?;
            } else if packet.stream_serial() == self.link.serial {
                return Ok(Some(packet));
            }
        }
        Ok(None)
    }

    /// Goes on with the next stream, in which the rest of what is skipped lies.
    fn follow(&mut self, serial: u32, head: Head) -> Result<(), OggError> {
        let end = self.link.end.unwrap_or(u64::MAX).min(self.position);
        let skipped = self.skip_to.saturating_sub(end);
        self.skip_to = skipped.saturating_add(u64::from(head.pre_skip));
        self.begin(Link {
            serial,
            head,
            end: None,
        })
    }

    fn begin(&mut self, link: Link) -> Result<(), OggError> {
        let failed = |error: opusic_c::ErrorCode| OggError::Codec(error.message());
        self.decoder.reset().map_err(failed)?;
        self.decoder
            .set_gain(i32::from(link.head.gain))
            .map_err(failed)?;
        (self.link, self.position) = (link, 0);
        Ok(())
    }

    fn take_untrusted(&mut self, packet: &Packet) {
        let data = packet.data.as_slice();
        if self.position == 0 && data.starts_with(b"OpusTags") {
            return; // of a stream behind the first
        }
        if packet.last_in_stream() && packet.absgp_page() != u64::MAX {
            self.link.end = Some(packet.absgp_page());
        }
        let Ok(count) = self.decoder.get_nb_samples(data) else {
            return; // no packet of Opus: nothing is known of its time
        };
        let count = count.min(LONGEST);
        let begin = self.position;
        // A damaged page may have said any position.
        self.position = begin.saturating_add(count as u64);
        if self.link.end.is_some_and(|end| begin >= end) {
            self.is_over = !self.is_chained;
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
            .link
            .end
            .map_or(count, |end| (end - begin).min(count as u64) as usize);
        if first < last {
            let heard = block[first..last].iter().map(|&bits| bits.cast_signed());
            self.ready.extend(heard);
        }
    }
}

/// What the last page lies in.
fn tail_untrusted(file: &mut RationedFile) -> Result<Vec<u8>, OggError> {
    let length = file.length()?;
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_PAGE)))?;
    let mut tail = Vec::new();
    file.take(LAST_PAGE).read_to_end(&mut tail)?;
    Ok(tail)
}

/// The heads of pages (RFC 3533 §6) as far as the serial number, the last one first.
fn pages(tail: &[u8]) -> impl Iterator<Item = &[u8]> {
    tail.windows(18)
        .rev()
        .filter(|page| page.starts_with(b"OggS"))
}

/// The granule position of the last page of a stream; None where none is found.
fn last_position_untrusted(tail: &[u8], serial: u32) -> Option<u64> {
    let own = pages(tail).filter(|page| page[14..] == serial.to_le_bytes());
    own.filter_map(|page| page[6..14].try_into().ok().map(u64::from_le_bytes))
        // All ones: no packet ends on that page.
        .find(|position| *position != u64::MAX && *position > 0)
}
