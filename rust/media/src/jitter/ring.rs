//! Packets in order of their extended sequence number, bounded.

use std::collections::BTreeMap;

/// Packets kept; the oldest gives way to one more.
const MOST_PACKETS: usize = 64;
/// A step larger than this is no loss but another numbering (RFC 3550 A.1 MAX_DROPOUT).
const LARGEST_STEP: i64 = 3_000;
/// Where extended numbers begin, so that packets older than the first have one too.
const FIRST_CYCLE: u64 = 1 << 32;

#[derive(Debug)]
pub(super) struct Packet {
    pub(super) sequence: u64,
    /// RTP timestamp, extended beyond 32 bits.
    pub(super) timestamp: i64,
    /// Seconds since the buffer's origin.
    pub(super) arrival: f64,
    pub(super) content: Content,
}

/// What a packet carries.
#[derive(Debug)]
pub(super) enum Content {
    /// Audio for the decoder.
    Audio(Vec<u8>),
    /// What the silence that begins or lasts sounds like.
    Noise(Vec<u8>),
    /// No audio, such as a telephone-event.
    Other,
}

/// Where a sequence number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// New, with its extended number.
    New(u64),
    /// Seen before.
    Duplicate,
    /// The sender counts anew: forget what is here and take this packet as the first.
    Restart,
    /// Far off; only a second one in a row would be believed.
    Doubtful,
}

#[derive(Debug, Default)]
pub(super) struct Ring {
    packets: BTreeMap<u64, Packet>,
    highest: Option<u64>,
    /// Which of the 64 numbers up to the highest have been seen.
    seen: u64,
    doubtful_next: Option<u16>,
    last_timestamp: Option<i64>,
}

impl Ring {
    pub(super) fn place(&mut self, sequence: u16) -> Place {
        let Some(highest) = self.highest else {
            return self.advance(FIRST_CYCLE + u64::from(sequence), 0);
        };
        let step = i64::from(sequence.wrapping_sub(highest as u16).cast_signed());
        if step.abs() > LARGEST_STEP {
            if self.doubtful_next == Some(sequence) {
                return Place::Restart;
            }
            self.doubtful_next = Some(sequence.wrapping_add(1));
            return Place::Doubtful;
        }
        self.doubtful_next = None;
        let extended = highest.saturating_add_signed(step);
        if step > 0 {
            return self.advance(extended, step.unsigned_abs());
        }
        let bit = 1_u64
            .checked_shl(u32::try_from(-step).unwrap_or(64))
            .unwrap_or(0);
        if self.seen & bit != 0 {
            return Place::Duplicate;
        }
        self.seen |= bit;
        Place::New(extended)
    }

    fn advance(&mut self, extended: u64, step: u64) -> Place {
        let shift = u32::try_from(step).unwrap_or(64);
        self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
        self.highest = Some(extended);
        Place::New(extended)
    }

    pub(super) fn extend_timestamp(&mut self, timestamp: u32) -> i64 {
        let extended = match self.last_timestamp {
            None => i64::from(timestamp),
            Some(last) => last + i64::from(timestamp.wrapping_sub(last as u32).cast_signed()),
        };
        self.last_timestamp = Some(extended);
        extended
    }

    /// Adds a packet; true when the oldest had to go.
    pub(super) fn insert(&mut self, packet: Packet) -> bool {
        self.packets.insert(packet.sequence, packet);
        let is_full = self.packets.len() > MOST_PACKETS;
        if is_full {
            self.packets.pop_first();
        }
        is_full
    }

    pub(super) fn first(&self) -> Option<&Packet> {
        self.packets.first_key_value().map(|(_, packet)| packet)
    }

    pub(super) fn pop_first(&mut self) -> Option<Packet> {
        self.packets.pop_first().map(|(_, packet)| packet)
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }
}
