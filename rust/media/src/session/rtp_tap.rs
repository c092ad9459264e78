//! Packets of audio for the program, as the far end encoded them.

use std::collections::VecDeque;
use std::time::Instant;

use super::Session;
use super::packet::RtpHeader;
use crate::MediaError;
use crate::event::EventKind;

/// Packets kept for a program that does not take them; then the oldest go.
const MOST_PACKETS: usize = 256;
/// Taps of one session.
const MOST_TAPS: usize = 16;

/// A packet, decrypted.
#[derive(Debug, Clone, PartialEq)]
pub struct TappedPacket {
    /// Seconds since the tap was opened.
    pub at: f64,
    /// Its fixed header; the payload's range is that in the packet.
    pub header: RtpHeader,
    /// The payload, without padding.
    pub payload: Vec<u8>,
    /// What it is, by its name in descriptions; "" where that was not agreed.
    pub codec: &'static str,
}

/// One subscription to received packets.
#[derive(Debug)]
pub(crate) struct RtpTap {
    number: u64,
    batch: usize,
    opened: Instant,
    packets: VecDeque<TappedPacket>,
    lost: u64,
    is_told: bool,
}

impl RtpTap {
    /// Takes a packet; true when the program is to be told that a batch waits.
    fn push(
        &mut self,
        now: Instant,
        header: &RtpHeader,
        (codec, payload): (&'static str, &[u8]),
    ) -> bool {
        if self.packets.len() >= MOST_PACKETS {
            self.packets.pop_front();
            self.lost += 1;
        }
        self.packets.push_back(TappedPacket {
            at: now.saturating_duration_since(self.opened).as_secs_f64(),
            header: header.clone(),
            payload: payload.to_vec(),
            codec,
        });
        let is_ready = self.packets.len() >= self.batch && !self.is_told;
        self.is_told |= is_ready;
        is_ready
    }
}

impl Session {
    /// Subscribes to received packets of audio, told of when `batch` wait.
    ///
    /// # Errors
    /// `MediaError::Argument` for a batch out of range, `MediaError::Full` for more than 16 taps.
    pub fn open_rtp_tap(
        &mut self,
        now: Instant,
        number: u64,
        batch: usize,
    ) -> Result<(), MediaError> {
        if !(1..=50).contains(&batch) {
            return Err(MediaError::Argument(
                "a batch has 1 to 50 packets".to_owned(),
            ));
        }
        if self.rtp_taps.len() >= MOST_TAPS {
            return Err(MediaError::Full(
                "16 taps read the packets of this call already: close some first".to_owned(),
            ));
        }
        self.rtp_taps.push(RtpTap {
            number,
            batch,
            opened: now,
            packets: VecDeque::new(),
            lost: 0,
            is_told: false,
        });
        Ok(())
    }

    /// Ends a subscription.
    pub fn close_rtp_tap(&mut self, number: u64) {
        self.rtp_taps.retain(|tap| tap.number != number);
    }

    /// Takes packets, oldest first, and how many were dropped so far.
    pub fn take_rtp(&mut self, number: u64, limit: usize) -> (Vec<TappedPacket>, u64) {
        let mut taps = self.rtp_taps.iter_mut();
        let Some(tap) = taps.find(|tap| tap.number == number) else {
            return (Vec::new(), 0);
        };
        tap.is_told = false;
        let count = limit.min(tap.packets.len());
        (tap.packets.drain(..count).collect(), tap.lost)
    }

    /// Gives a packet of audio that was received to whoever reads packets.
    pub(super) fn tap_packet_untrusted(&mut self, now: Instant, packet: &[u8]) {
        let Some(header) = RtpHeader::parse_untrusted(packet) else {
            return;
        };
        let codec = self.receiver.name_of(header.payload_type);
        let content = (codec, &packet[header.payload.clone()]);
        let taps = self.rtp_taps.iter_mut();
        let told: Vec<u64> = taps
            .filter_map(|tap| tap.push(now, &header, content).then_some(tap.number))
            .collect();
        for number in told {
            self.emit(EventKind::RtpReady, number as f64, "");
        }
    }
}
