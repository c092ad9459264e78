//! Ogg Opus as it comes, without an end that is known; one stream may follow another.

use super::reader::LONGEST;
use super::{Head, OggError};
use crate::octets::Step;
use ogg::Packet;
use ogg::reading::{BasePacketReader, PageParser};
use opusic_c::{Channels, SampleRate};

/// Octets of a page before its table of segments (RFC 3533 §6).
const PAGE_HEAD: usize = 27;
/// The flag of a page that begins a stream.
const BEGINS: u8 = 2;

/// Octets of one packet, over several pages; more are damage.
const MOST_PACKET: usize = 1_048_576;

/// Reads Ogg Opus from octets in their order.
#[derive(Default)]
pub(crate) struct OggOctets {
    /// Of the stream that began last, with its serial number.
    packets: Option<(u32, BasePacketReader)>,
    stream: Option<Stream>,
    /// Octets since a packet was whole.
    unfinished: usize,
}

impl std::fmt::Debug for OggOctets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("OggOctets").finish_non_exhaustive()
    }
}

/// One stream of Opus.
struct Stream {
    decoder: opusic_c::Decoder,
    has_comments: bool,
    /// Samples that are decoded and not heard (RFC 7845 §4.2).
    skipped: usize,
    /// Where the page before ended, and what was decoded since.
    page_end: u64,
    since: u64,
}

impl Stream {
    fn open(packet: &Packet) -> Result<Self, OggError> {
        let head = Head::parse_untrusted(&packet.data).ok_or(OggError::NotOpus)?;
        let failed = |error: opusic_c::ErrorCode| OggError::Codec(error.message());
        let mut decoder =
            opusic_c::Decoder::new(Channels::Mono, SampleRate::Hz48000).map_err(failed)?;
        decoder.set_gain(i32::from(head.gain)).map_err(failed)?;
        Ok(Self {
            decoder,
            has_comments: false,
            skipped: usize::from(head.pre_skip),
            page_end: 0,
            since: 0,
        })
    }

    fn take_untrusted(&mut self, packet: &Packet, samples: &mut Vec<i16>) {
        if !std::mem::replace(&mut self.has_comments, true) {
            return;
        }
        let count = self.decoder.get_nb_samples(&packet.data).unwrap_or(0);
        let count = count.min(LONGEST);
        let mut block = vec![0_u16; count];
        // A packet that cannot be decoded is silence of its length.
        let decoded = self
            .decoder
            .decode_to_slice(&packet.data, &mut block, false)
            .unwrap_or(0);
        block[decoded.min(count)..].fill(0);
        self.since += count as u64;
        let mut end = count;
        if packet.last_in_page() && packet.absgp_page() != u64::MAX {
            if packet.last_in_stream() {
                // The last page may end within a packet (RFC 7845 §4.4).
                let wanted = packet.absgp_page().saturating_sub(self.page_end);
                end -= self.since.saturating_sub(wanted).min(count as u64) as usize;
            }
            (self.page_end, self.since) = (packet.absgp_page(), 0);
        }
        let first = self.skipped.min(end);
        self.skipped -= first;
        samples.extend(block[first..end].iter().map(|&bits| bits.cast_signed()));
    }
}

impl OggOctets {
    /// Takes the first octets, a page at a time.
    pub(crate) fn step_untrusted(
        &mut self,
        octets: &[u8],
        samples: &mut Vec<i16>,
    ) -> Result<Step, OggError> {
        let Some((head, rest)) = octets.split_first_chunk::<PAGE_HEAD>() else {
            return Ok(Step::More);
        };
        if !head.starts_with(b"OggS") {
            return Err(OggError::Damaged("a page does not begin as one".to_owned()));
        }
        let (mut page, segments) = PageParser::new(*head)?;
        let Some(table) = rest.get(..segments) else {
            return Ok(Step::More);
        };
        let size = page.parse_segments(table.to_vec());
        let Some(body) = rest.get(segments..segments + size) else {
            return Ok(Step::More);
        };
        let serial = u32::from_le_bytes([head[14], head[15], head[16], head[17]]);
        if head[5] & BEGINS != 0 {
            (self.packets, self.stream) = (Some((serial, BasePacketReader::new())), None);
        }
        if let Some((ours, packets)) = &mut self.packets
            && *ours == serial
        {
            packets.push_page(page.parse_packet_data(body.to_vec())?)?;
            self.unfinished += size;
            while let Some(packet) = packets.read_packet() {
                self.unfinished = 0;
                match &mut self.stream {
                    Some(stream) => stream.take_untrusted(&packet, samples),
                    None => self.stream = Some(Stream::open(&packet)?),
                }
            }
        }
        if self.unfinished > MOST_PACKET {
            return Err(OggError::Damaged("a packet of more than 1 MiB".to_owned()));
        }
        Ok(Step::Pass((PAGE_HEAD + segments + size) as u64))
    }
}
