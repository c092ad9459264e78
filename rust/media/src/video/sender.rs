//! What is sent on one video line: numbers of our own, a history, and repairs out of it.

use std::time::{Duration, Instant};

use super::VideoCodec;
use super::packet::{Orientation, VideoPacket};
use super::picture_id::PictureNumbers;
use super::rate::Rate;
use super::receiver::KEY_FRAME_INTERVAL;
use crate::session::lines::{AgreedLine, Format};
use crate::session::packet::{RtpHeader, write_repeated};
use crate::session::rtcp::SenderInformation;

/// Packets kept for repairs: a second of 8 Mbit/s.
const HISTORY: usize = 1024;
/// A source whose numbers jump by more than this begins anew with a key frame: the far end cannot
/// decode what follows, and the roll-over counter of SRTP does not bear all gaps.
const LARGEST_GAP: u64 = 4096;
/// A packet is not repeated sooner than this after it was repeated.
const REPEAT_INTERVAL: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);
/// Packets repeated in a second: whoever asks for more floods, or has a line that is too narrow.
const MOST_REPEATS: u32 = 512;
/// A frame at 30 a second, in ticks of 90 kHz: between the last picture of one source and the first
/// of the next one at least.
const FRAME_TICKS: u32 = 3000;

/// Figures of what was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VideoSent {
    /// Packets, repairs not counted.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Packets sent again.
    pub repeated: u64,
    /// Key frames the far end asked for.
    pub key_frames_asked: u64,
    /// Its messages that asked for packets again (NACK).
    pub nacks: u64,
    /// Its messages that asked for a key frame (PLI).
    pub plis: u64,
    /// The same by FIR.
    pub firs: u64,
    /// Frames that began.
    pub frames: u64,
    /// Key frames that began.
    pub key_frames: u64,
    /// Packets held back until a key frame came.
    pub held_back: u64,
    /// Packets of a codec the far end does not take.
    pub mismatched: u64,
}

struct Kept {
    packet: Vec<u8>,
    repeated: Option<Instant>,
}

/// How the numbers of the present source become ours.
#[derive(Debug, Clone, Copy)]
struct Run {
    source: u64,
    /// Its sequence number that became `began`.
    first: u64,
    began: u64,
    ticks: u32,
}

impl Run {
    /// Whether a packet goes on with it; `next` is the number after the last that was sent.
    fn has(&self, packet: &VideoPacket, next: u64) -> bool {
        let number = (self.began + packet.sequence).checked_sub(self.first);
        packet.source == self.source
            && number.is_some_and(|number| number.abs_diff(next) <= LARGEST_GAP)
    }
}

/// The sending half of a video line.
pub(crate) struct VideoSender {
    ssrc: u32,
    repeat_ssrc: u32,
    formats: Vec<Format>,
    /// The number of the header extension that says how pictures are to be turned.
    turned_by: Option<u8>,
    /// What the present source said last of that.
    orientation: Orientation,
    is_allowed: bool,
    run: Option<Run>,
    pictures: PictureNumbers,
    rate: Option<Rate>,
    /// The next number, without wraps.
    next: u64,
    repeat_next: u16,
    timestamp: u32,
    last_sent: Option<Instant>,
    history: Vec<Option<Kept>>,
    /// When the present second of repeats began, and how many there were.
    repeating: (Option<Instant>, u32),
    wants_key_frame: bool,
    last_wish: Option<Instant>,
    bound_bps: Option<u64>,
    figures: VideoSent,
    buffer: Vec<u8>,
}

impl VideoSender {
    /// Makes one that may not send yet; `seed` is where its numbers begin.
    pub(crate) fn new(ssrc: u32, repeat_ssrc: u32, seed: u64) -> Self {
        Self {
            ssrc,
            repeat_ssrc,
            formats: Vec::new(),
            turned_by: None,
            orientation: Orientation::default(),
            is_allowed: false,
            run: None,
            pictures: PictureNumbers::default(),
            rate: None,
            next: 0x1_0000 + (seed & 0x7fff),
            repeat_next: (seed >> 16 & 0x7fff) as u16,
            timestamp: (seed >> 32) as u32,
            last_sent: None,
            history: Vec::new(),
            repeating: (None, 0),
            wants_key_frame: false,
            last_wish: None,
            bound_bps: None,
            figures: VideoSent::default(),
            buffer: Vec::new(),
        }
    }

    /// Takes what is agreed; None: nothing is sent.
    pub(crate) fn configure(&mut self, agreed: Option<&AgreedLine>) {
        let was_allowed = self.is_allowed;
        self.is_allowed = agreed.is_some_and(|agreed| agreed.direction.sends());
        if let Some(agreed) = agreed {
            self.formats.clone_from(&agreed.send);
            self.turned_by = agreed.extensions.orientation;
        }
        if self.is_allowed && !was_allowed {
            // Whoever watches begins with a whole picture.
            self.run = None;
            self.wants_key_frame = true;
        }
    }

    pub(crate) fn is_allowed(&self) -> bool {
        self.is_allowed
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Whether the far end takes a codec.
    pub(crate) fn takes(&self, codec: VideoCodec) -> bool {
        self.formats.iter().any(|format| format.codec == codec)
    }

    /// Sends a packet under numbers of ours. A new source begins with a key frame.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        packet: &VideoPacket,
        transmit: impl FnOnce(&[u8]) -> bool,
    ) {
        if !self.is_allowed {
            return;
        }
        let of_codec = |format: &&Format| format.codec == packet.codec;
        let Some(payload_type) = self.formats.iter().find(of_codec).map(|f| f.payload_type) else {
            self.figures.mismatched += 1;
            return;
        };
        let Some(run) = self.run_of(now, packet) else {
            self.figures.held_back += 1;
            return;
        };
        let Some(behind) = packet.sequence.checked_sub(run.first) else {
            return;
        };
        let number = run.began + behind;
        if self.is_used(number) {
            return;
        }
        let timestamp = packet.timestamp.wrapping_add(run.ticks);
        let header = RtpHeader {
            marker: packet.marker,
            payload_type,
            sequence: number as u16,
            timestamp,
            ssrc: self.ssrc,
            payload: 0..0,
        };
        self.orientation = packet.orientation.unwrap_or(self.orientation);
        // With each picture: one that is lost, or begins anew, leaves none turned wrongly.
        let turned = self.turned_by.filter(|_| packet.marker);
        let turned = turned.map(|id| (id, self.orientation.octet()));
        let start = header.write_extended(turned, &packet.payload, &mut self.buffer);
        self.pictures
            .renumber_untrusted(packet.codec, &mut self.buffer[start..]);
        if !transmit(&self.buffer) {
            return;
        }
        if number >= self.next {
            self.count_frame(now, packet, timestamp);
            self.next = number + 1;
            self.timestamp = timestamp;
            self.last_sent = Some(now);
        }
        self.figures.packets += 1;
        self.figures.bytes += packet.payload.len() as u64;
        self.keep(number);
    }

    /// Counts a packet that is newer than all before it.
    fn count_frame(&mut self, now: Instant, packet: &VideoPacket, timestamp: u32) {
        let is_new = self.last_sent.is_none() || timestamp != self.timestamp;
        self.figures.frames += u64::from(is_new);
        self.figures.key_frames += u64::from(is_new && packet.begins_key_frame);
        let rate = self.rate.get_or_insert_with(|| Rate::new(now));
        rate.add(now, packet.payload.len(), is_new);
    }

    /// Frames a second, over the last whole second.
    pub(crate) fn frame_rate(&self) -> f64 {
        self.rate.map_or(0.0, |rate| rate.frames_per_second())
    }

    /// Ends the second that is over.
    pub(crate) fn settle(&mut self, now: Instant) {
        if let Some(rate) = &mut self.rate {
            rate.settle(now);
        }
    }

    fn run_of(&mut self, now: Instant, packet: &VideoPacket) -> Option<Run> {
        if let Some(run) = self.run.filter(|run| run.has(packet, self.next)) {
            return Some(run);
        }
        if !packet.begins_key_frame {
            self.wants_key_frame = true;
            return None;
        }
        let passed = self.last_sent.map_or(0, |sent| {
            let passed = now.saturating_duration_since(sent).as_millis() as u32;
            passed.wrapping_mul(90).max(FRAME_TICKS)
        });
        let run = Run {
            source: packet.source,
            first: packet.sequence,
            began: self.next,
            ticks: self
                .timestamp
                .wrapping_add(passed)
                .wrapping_sub(packet.timestamp),
        };
        self.run = Some(run);
        self.orientation = Orientation::default();
        self.pictures.begin();
        Some(run)
    }

    /// Whether a number was given away, or may have been. Under SRTP another packet with it would
    /// use its key stream twice, and who sends to us is no friend of who receives from us.
    fn is_used(&self, number: u64) -> bool {
        let kept = self.history.get(number as usize % HISTORY);
        let is_it = |kept: &Kept| kept.packet.get(2..4) == Some(&(number as u16).to_be_bytes()[..]);
        let is_kept = kept.and_then(Option::as_ref).is_some_and(is_it);
        number < self.next && (is_kept || number + (HISTORY as u64) < self.next)
    }

    /// Forgets the present source: what comes next begins with a key frame.
    pub(crate) fn restart(&mut self) {
        self.run = None;
        self.wants_key_frame = true;
    }

    fn keep(&mut self, number: u64) {
        if self.history.is_empty() {
            self.history.resize_with(HISTORY, || None);
        }
        let place = number as usize % HISTORY;
        let packet = std::mem::take(&mut self.buffer);
        let old = self.history[place].replace(Kept {
            packet,
            repeated: None,
        });
        // Its buffer serves the next packet.
        self.buffer = old.map(|kept| kept.packet).unwrap_or_default();
    }

    /// Sends lost packets again, in the format agreed for it, else as they were (RFC 4588).
    pub(crate) fn repeat(
        &mut self,
        now: Instant,
        numbers: &[u16],
        mut transmit: impl FnMut(&[u8]) -> bool,
    ) {
        if !self.is_allowed {
            return;
        }
        self.figures.nacks += 1;
        if self.repeating.0.is_none_or(|began| began + SECOND <= now) {
            self.repeating = (Some(now), 0);
        }
        for &number in numbers {
            if self.repeating.1 >= MOST_REPEATS {
                return;
            }
            let Some(Some(kept)) = self.history.get_mut(usize::from(number) % HISTORY) else {
                continue;
            };
            let is_it = kept.packet.get(2..4) == Some(&number.to_be_bytes()[..]);
            let is_soon = kept.repeated.is_some_and(|at| at + REPEAT_INTERVAL > now);
            if !is_it || is_soon {
                continue;
            }
            kept.repeated = Some(now);
            self.repeating.1 += 1;
            let payload_type = kept.packet[1] & 0x7f;
            let of_type = |format: &&Format| format.payload_type == payload_type;
            let format = self.formats.iter().find(of_type);
            if let Some(again) = format.and_then(|format| format.retransmission) {
                let numbers = (again, self.repeat_next, self.repeat_ssrc);
                write_repeated(&kept.packet, numbers, &mut self.buffer);
                self.repeat_next = self.repeat_next.wrapping_add(1);
                transmit(&self.buffer);
            } else {
                transmit(&kept.packet);
            }
            self.figures.repeated += 1;
        }
    }

    /// Notes that the far end needs a key frame.
    pub(crate) fn ask_key_frame(&mut self, is_full_intra: bool) {
        self.figures.key_frames_asked += 1;
        self.figures.firs += u64::from(is_full_intra);
        self.figures.plis += u64::from(!is_full_intra);
        self.wants_key_frame = true;
    }

    /// Whether whoever feeds it is to make a key frame; told at most twice a second.
    pub(crate) fn take_key_frame_wish(&mut self, now: Instant) -> bool {
        let is_due = self.wants_key_frame && self.wish_due().is_none_or(|due| due <= now);
        if is_due {
            self.wants_key_frame = false;
            self.last_wish = Some(now);
        }
        is_due
    }

    /// When a wish that was told of too lately may be told of.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.wish_due().filter(|_| self.wants_key_frame)
    }

    fn wish_due(&self) -> Option<Instant> {
        self.last_wish.map(|last| last + KEY_FRAME_INTERVAL)
    }

    /// Takes the bit rate the far end can receive.
    pub(crate) fn set_bound(&mut self, bits_per_second: u64) {
        self.bound_bps = Some(bits_per_second);
    }

    pub(crate) fn bound(&self) -> Option<u64> {
        self.bound_bps
    }

    pub(crate) fn figures(&self) -> VideoSent {
        self.figures
    }

    /// What a sender report says; None before the first packet.
    pub(crate) fn information(&self, now: Instant) -> Option<SenderInformation> {
        let sent = self.last_sent?;
        let passed = now.saturating_duration_since(sent).as_millis() as u32;
        Some(SenderInformation {
            timestamp: self.timestamp.wrapping_add(passed.wrapping_mul(90)),
            packets: self.figures.packets as u32,
            bytes: self.figures.bytes as u32,
        })
    }
}

#[cfg(test)]
mod tests;
