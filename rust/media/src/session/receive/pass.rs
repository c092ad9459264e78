//! Packets that are not heard here but sent on by another session, undecoded.

use std::time::Instant;

use super::{Format, Received, Receiver};
use crate::codec::CodecKind;
use crate::lane::{Passed, Takes};
use crate::session::packet::RtpHeader;

impl Receiver {
    /// What a payload type stands for, by its name in descriptions; "" where none is agreed.
    pub(crate) fn name_of(&self, payload_type: u8) -> &'static str {
        match self.formats.format(payload_type) {
            Some(Format::Audio(codec)) => codec.name(),
            Some(Format::Event) => "telephone-event",
            Some(Format::Noise) => "CN",
            None => "",
        }
    }

    /// Counts a packet of a codec, or a digit, and gives it back undecoded; None: it is to be taken
    /// as any other.
    pub(crate) fn pass_untrusted(
        &mut self,
        now: Instant,
        packet: &[u8],
        takes: Takes,
    ) -> Option<(Received, Option<Passed>)> {
        let seen = RtpHeader::parse_untrusted(packet)?;
        let codec = match self.formats.format(seen.payload_type)? {
            Format::Audio(codec) if codec == takes.codec => Some(codec),
            Format::Event if takes.has_events && self.has_events_of(takes.codec) => None,
            _ => return None,
        };
        let Some((header, _)) = self.admit_untrusted(packet) else {
            self.malformed += 1;
            return Some((Received::Other, None));
        };
        self.last_heard = Some(now);
        let payload = packet[header.payload.clone()].to_vec();
        match (codec, &mut self.stream, &mut self.dtmf) {
            (Some(_), Some(stream), _) => stream.arrived(now, header.timestamp),
            (None, _, Some(dtmf)) => {
                dtmf.push(now, header.timestamp, &payload);
            }
            _ => {}
        }
        let passed = Passed {
            codec,
            marker: header.marker,
            ssrc: header.ssrc,
            sequence: header.sequence,
            timestamp: header.timestamp,
            payload,
        };
        let is_first = !std::mem::replace(&mut self.has_received, true);
        let received = if is_first {
            Received::First
        } else {
            Received::Other
        };
        Some((received, Some(passed)))
    }

    fn has_events_of(&self, codec: CodecKind) -> bool {
        let event = self.formats.telephone_event();
        event.is_some_and(|(_, clock)| clock == codec.rtp_clock_hz())
    }

    /// Forgets what waits to be heard: what comes next begins a spurt.
    pub(crate) fn restart(&mut self) {
        if let Some(jitter) = &mut self.jitter {
            jitter.reset();
        }
    }
}
