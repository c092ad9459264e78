//! What of a far end's packets the association may see, so that it costs us no more than it should.
//!
//! The association trusts its peer: it takes chunks ahead of its window without end, ends itself at
//! what it does not know, and never reads a stream again that we have closed. So chunks go by here
//! first. Those of streams nobody reads are turned into one byte on a stream of their own, `SINK`:
//! they are acknowledged, as the far end waits for that, and thrown away.

use std::collections::BTreeMap;

use super::packet::{Chunk, DATA, FORWARD_TSN, INIT, INIT_ACK, Packet, RE_CONFIG, SACK, ahead};
use super::{MOST_STREAMS, WINDOW};

/// No stream of a data channel has this number (RFC 8832 §6).
pub(super) const SINK: u16 = u16::MAX;

/// Longer packets are nobody's: they would not fit into a datagram.
const LONGEST_PACKET: usize = 2048;
/// Chunks that are kept unread; a message of the greatest size has 230 of them. As many again may
/// fill the first gap, one by one, as without them nothing might become readable.
const MOST_UNREAD: usize = 1024;
/// How far a chunk may lie ahead of those acknowledged.
const FARTHEST: i32 = 4096;
/// How far a FORWARD TSN may go ahead: it is gone through step by step.
const FARTHEST_FORWARD: i32 = 65_536;
/// Requests to reset streams that wait for their data.
const MOST_REQUESTS: usize = 8;

/// Flags of a DATA chunk: unordered, first and last of its message.
const WHOLE: u8 = 0b111;
/// Of a re-configuration response: the streams are reset, or were before (RFC 6525 §4.4).
const PERFORMED: [u32; 2] = [0, 1];
/// The protocol number of messages that open channels (RFC 8832 §8.1).
const CONTROL: u32 = 50;
const OUTGOING_RESET: u16 = 13;
const RESPONSE: u16 = 16;

/// What the far end may do, and what it has done.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// All TSNs up to it have come: our last SACK says so.
    cumulative: Option<u32>,
    /// The room our last SACK told.
    told_window: u32,
    /// Bytes read since.
    read_bytes: u32,
    /// Chunks given to the association and not read from it.
    unread: usize,
    /// Streams whose data is thrown away, and whether the far end has reset them: then a message of
    /// the protocol that opens channels begins anew. Some send on what they have reset.
    discarded: BTreeMap<u16, bool>,
    /// The far end's requests that are not performed yet, and the streams of each.
    requests: BTreeMap<u32, Vec<u16>>,
    /// Its last request that was performed, and our answer.
    answered: Option<(u32, Packet)>,
    /// Streams it has reset.
    resets: Vec<u16>,
    /// Our tag, which its packets carry.
    own_tag: u32,
    is_overfull: bool,
    pub(super) refused: u64,
}

impl Guard {
    /// What of a packet goes on to the association; None if nothing does.
    pub(super) fn admit_untrusted(&mut self, bytes: &[u8]) -> Option<Packet> {
        let packet = Some(bytes).filter(|bytes| bytes.len() <= LONGEST_PACKET);
        let Some(mut packet) = packet.and_then(Packet::read_untrusted) else {
            self.refused += 1;
            return None;
        };
        if packet
            .chunks
            .iter()
            .any(|chunk| matches!(chunk.kind(), INIT | INIT_ACK))
        {
            return self.admit_first(packet);
        }
        let mut admitted = Vec::new();
        for chunk in packet.chunks {
            // Of a kind it does not know, the kind's number says whether the rest is read (§3.2).
            if chunk.kind() < 0x80 && !matches!(chunk.kind(), 0..=14) {
                self.refused += 1;
                break;
            }
            match self.admit_chunk(chunk) {
                Some(chunk) => admitted.push(chunk),
                None => self.refused += 1,
            }
        }
        packet.chunks = admitted;
        (!packet.chunks.is_empty()).then_some(packet)
    }

    /// An INIT or its answer travels alone (RFC 9260 §6.10) and says where TSNs begin.
    fn admit_first(&mut self, packet: Packet) -> Option<Packet> {
        let [chunk] = &packet.chunks[..] else {
            self.refused += 1;
            return None;
        };
        let first = chunk.number(12)?;
        if chunk.kind() == INIT_ACK && self.cumulative.is_none() {
            self.begin(first);
        }
        Some(packet)
    }

    /// The far end's chunks begin with this TSN.
    pub(super) fn begin(&mut self, first: u32) {
        self.cumulative = Some(first.wrapping_sub(1));
        self.told_window = WINDOW;
    }

    fn admit_chunk(&mut self, chunk: Chunk) -> Option<Chunk> {
        match chunk.kind() {
            DATA => self.admit_data(chunk),
            // HEARTBEAT ACK (5) and ERROR (9) would end it.
            3 | 4 | 6..=8 | 10 | 11 | 14 => Some(chunk),
            RE_CONFIG => self.admit_request(chunk),
            FORWARD_TSN => {
                let way = ahead(chunk.number(0)?, self.cumulative?);
                (way <= FARTHEST_FORWARD).then_some(chunk)
            }
            _ => None,
        }
    }

    fn admit_data(&mut self, chunk: Chunk) -> Option<Chunk> {
        let (tsn, stream) = (chunk.number(0)?, chunk.short(4)?);
        let way = ahead(tsn, self.cumulative?);
        if way > FARTHEST {
            return None;
        }
        if way > 0 {
            let limit = if way == 1 {
                2 * MOST_UNREAD
            } else {
                MOST_UNREAD
            };
            if self.unread >= limit {
                self.is_overfull |= way == 1;
                return None;
            }
            self.unread += 1;
        }
        // A chunk without data is against the rules (RFC 9260 §3.3.1).
        let is_empty = chunk.value().len() <= 12;
        let is_discarded = match self.discarded.get(&stream) {
            Some(true) if chunk.number(8) == Some(CONTROL) => {
                self.discarded.remove(&stream);
                false
            }
            found => found.is_some(),
        };
        if is_empty || stream >= MOST_STREAMS || is_discarded {
            return Some(sunk(tsn));
        }
        Some(chunk)
    }

    /// Requests to reset our incoming streams, and answers to ours; nothing else is spoken.
    fn admit_request(&mut self, chunk: Chunk) -> Option<Chunk> {
        let mut admitted = Vec::new();
        for (kind, parameter) in parameters(&chunk) {
            let Some(number) = number_in(parameter, 4) else {
                continue;
            };
            let is_admitted = match kind {
                OUTGOING_RESET => self.admit_reset(number, parameter),
                RESPONSE => true,
                _ => false,
            };
            if is_admitted {
                admitted.extend_from_slice(parameter);
                admitted.resize(admitted.len().next_multiple_of(4), 0);
            }
        }
        (!admitted.is_empty()).then(|| Chunk::new(RE_CONFIG, 0, &admitted))
    }

    fn admit_reset(&mut self, number: u32, parameter: &[u8]) -> bool {
        let last = self.answered.as_ref().map(|(last, _)| *last);
        if last.is_some_and(|last| ahead(number, last) <= 0) || parameter.len() < 18 {
            return false;
        }
        if self.requests.len() >= MOST_REQUESTS && !self.requests.contains_key(&number) {
            return false;
        }
        self.requests.insert(number, streams_in(parameter));
        true
    }

    /// Our answer to a request that comes again: the association would reset the streams again.
    pub(super) fn answer_again(&self, bytes: &[u8]) -> Option<Packet> {
        let (last, answer) = self.answered.as_ref()?;
        let packet = Packet::read_untrusted(bytes)?;
        let asks = |chunk: &Chunk| {
            chunk.kind() == RE_CONFIG
                && parameters(chunk).any(|(kind, parameter)| {
                    kind == OUTGOING_RESET && number_in(parameter, 4) == Some(*last)
                })
        };
        packet.chunks.iter().any(asks).then(|| answer.clone())
    }

    /// Learns from what we send.
    pub(super) fn note_sent(&mut self, packet: &Packet) {
        for chunk in &packet.chunks {
            match chunk.kind() {
                INIT | INIT_ACK => self.own_tag = chunk.number(0).unwrap_or_default(),
                SACK => self.note_acknowledged(chunk),
                RE_CONFIG => {
                    for (kind, parameter) in parameters(chunk) {
                        if kind == RESPONSE {
                            self.note_answered(packet, parameter);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn note_acknowledged(&mut self, chunk: &Chunk) {
        if let (Some(cumulative), Some(window)) = (chunk.number(0), chunk.number(4)) {
            self.cumulative = Some(cumulative);
            self.told_window = window;
            self.read_bytes = 0;
            // What was counted and never came out was a copy, or forgotten by the far end: no more
            // chunks wait than bytes.
            let waiting = WINDOW.saturating_sub(window) as usize;
            if window > 0 && waiting < self.unread {
                self.unread = waiting;
                self.is_overfull = false;
            }
        }
    }

    fn note_answered(&mut self, packet: &Packet, parameter: &[u8]) {
        let (Some(number), Some(result)) = (number_in(parameter, 4), number_in(parameter, 8))
        else {
            return;
        };
        if !PERFORMED.contains(&result) {
            return;
        }
        if let Some(streams) = self.requests.remove(&number) {
            for stream in streams.into_iter().filter(|stream| *stream < MOST_STREAMS) {
                self.discarded.insert(stream, true);
                self.resets.push(stream);
            }
            self.answered = Some((number, packet.clone()));
        }
    }

    /// Learns that a message was read, of so many chunks and bytes.
    pub(super) fn note_read(&mut self, chunks: usize, bytes: usize) {
        self.unread = self.unread.saturating_sub(chunks);
        self.read_bytes = self.read_bytes.saturating_add(bytes as u32);
        self.is_overfull = false;
    }

    /// From now on, what comes on a stream is thrown away until the far end opens it anew.
    pub(super) fn discard(&mut self, stream: u16) {
        self.discarded.insert(stream, false);
    }

    /// A stream is ours to use.
    pub(super) fn take_up(&mut self, stream: u16) {
        self.discarded.remove(&stream);
    }

    /// The streams that a request of this packet resets.
    pub(super) fn asked(packet: &Packet) -> Vec<u16> {
        let requests = packet
            .chunks
            .iter()
            .filter(|chunk| chunk.kind() == RE_CONFIG);
        let all = requests.flat_map(parameters);
        let resets = all.filter(|(kind, _)| *kind == OUTGOING_RESET);
        resets
            .flat_map(|(_, parameter)| streams_in(parameter))
            .collect()
    }

    /// Whether so much waits unread that nothing more is taken.
    pub(super) fn is_overfull(&self) -> bool {
        self.is_overfull
    }

    /// The streams the far end has reset since.
    pub(super) fn take_resets(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.resets)
    }

    /// A packet that makes the association tell its window anew.
    ///
    /// Reading sends no SACK, and a far end that was told there is little room waits for one. An
    /// old chunk with the I bit (RFC 7053) is acknowledged at once.
    pub(super) fn nudge(&mut self) -> Option<Packet> {
        let has_room = self.told_window <= WINDOW / 4 && self.read_bytes >= WINDOW / 4;
        has_room.then(|| self.ask()).flatten()
    }

    /// The same, whatever was told.
    pub(super) fn ask(&mut self) -> Option<Packet> {
        self.read_bytes = 0;
        let mut chunk = sunk(self.cumulative?);
        chunk.set_flags(WHOLE | 0b1000);
        Some(Packet::new(self.own_tag, vec![chunk]))
    }
}

/// One byte on the stream nobody has, in the place of a chunk.
fn sunk(tsn: u32) -> Chunk {
    let mut value = tsn.to_be_bytes().to_vec();
    value.extend(SINK.to_be_bytes());
    value.extend([0; 6]);
    value.push(0);
    Chunk::new(DATA, WHOLE, &value)
}

/// Kind and bytes of each parameter of a RE-CONFIG (RFC 6525 §4).
pub(super) fn parameters(chunk: &Chunk) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = chunk.value();
    std::iter::from_fn(move || {
        let kind = u16::from_be_bytes([*rest.first()?, *rest.get(1)?]);
        let length = usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
        let parameter = rest.get(..length).filter(|_| length >= 4)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, parameter))
    })
}

/// The streams of a request.
fn streams_in(parameter: &[u8]) -> Vec<u16> {
    let pairs = parameter.get(16..).unwrap_or_default().chunks_exact(2);
    pairs
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect()
}

fn number_in(parameter: &[u8], at: usize) -> Option<u32> {
    let bytes = parameter.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// The number of a request of ours in a RE-CONFIG, or of the one it answers for good.
pub(super) enum Reset {
    /// A request.
    Asked(u32),
    /// An answer after which the request need not be repeated.
    Answered(u32),
}

/// What a RE-CONFIG asks and answers.
pub(super) fn resets(chunk: &Chunk) -> impl Iterator<Item = Reset> {
    parameters(chunk).filter_map(|(kind, parameter)| {
        let number = number_in(parameter, 4)?;
        match kind {
            OUTGOING_RESET => Some(Reset::Asked(number)),
            // Denied is an end too; the others say: later.
            RESPONSE => (number_in(parameter, 8)? <= 2).then_some(Reset::Answered(number)),
            _ => None,
        }
    })
}
