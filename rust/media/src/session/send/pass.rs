//! Packets of another session, sent on undecoded with numbers of our own.

use super::Sender;
use crate::lane::{Passed, Takes};
use crate::session::packet::RtpHeader;

impl Sender {
    /// What could be sent on undecoded now: nothing while there is sound of our own, or none may
    /// be heard.
    pub(crate) fn takes(&self) -> Option<Takes> {
        let settings = self.settings?;
        if self.is_muted || self.is_sending_digits() || !self.player.is_idle() {
            return None;
        }
        let clock = settings.codec.rtp_clock_hz();
        Some(Takes {
            codec: settings.codec,
            has_events: settings
                .telephone_event
                .is_some_and(|(_, own)| own == clock),
        })
    }

    /// Sends a packet on; false when it is a copy, too late, or of a format not agreed any more.
    pub(crate) fn pass(
        &mut self,
        packet: &Passed,
        mut transmit: impl FnMut(&[u8]) -> bool,
    ) -> bool {
        let Some(settings) = self.settings else {
            return false;
        };
        let payload_type = match (packet.codec, settings.telephone_event) {
            (Some(codec), _) if codec == settings.codec => settings.payload_type,
            (None, Some((payload_type, _))) => payload_type,
            _ => return false,
        };
        let next = (self.sequence, self.next_timestamp());
        let (ssrc, sequence) = (packet.ssrc, packet.sequence);
        let Some(numbers) = self.passing.number(ssrc, sequence, packet.timestamp, next) else {
            return false;
        };
        let header = RtpHeader {
            marker: packet.marker || numbers.is_first,
            payload_type,
            sequence: numbers.sequence,
            timestamp: numbers.timestamp,
            ssrc: self.ssrc,
            payload: 0..0,
        };
        if numbers.sequence.wrapping_sub(self.sequence) < 0x8000 {
            self.sequence = numbers.sequence.wrapping_add(1);
            self.passed_until = Some(numbers.timestamp.wrapping_add(self.frame_ticks()));
        }
        self.transmit(&header, &packet.payload, &mut transmit);
        true
    }

    /// Whether packets of another session are sent on in place of our own.
    pub(crate) fn is_passing(&self) -> bool {
        self.passing.is_running()
    }

    /// Lets a frame's time pass in which packets are sent on in place of it.
    pub(crate) fn skip(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(self.frame_ticks());
        self.waiting.clear();
        self.player.confirm(false);
    }

    /// Goes on with packets of our own: after the last that was sent on, as a new spurt.
    pub(super) fn end_passing(&mut self) {
        if self.passing.is_running() {
            self.timestamp = self.next_timestamp();
            self.passing.end();
            self.passed_until = None;
            self.is_first = true;
        }
    }

    /// The timestamp by the clock of our frames, or after what was sent on, whichever is later.
    fn next_timestamp(&self) -> u32 {
        match self.passed_until {
            Some(until) if until.wrapping_sub(self.timestamp) < 0x8000_0000 => until,
            _ => self.timestamp,
        }
    }
}
