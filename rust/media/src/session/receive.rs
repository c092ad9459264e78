//! What a session hears: packets counted, ordered, decoded on the grid and given to the sinks.

use std::time::{Duration, Instant};

use super::packet::RtpHeader;
use super::statistics::ReceivedStream;
use crate::MediaError;
use crate::codec::{CodecKind, Decoder};
use crate::dtmf::{DtmfReceiver, ReceivedDtmf};
use crate::jitter::{JitterBuffer, JitterSettings};
use crate::level::{SILENCE_DBOV, level_dbov};
use crate::session::port::CONCEALED;

mod formats;
mod pass;

pub(crate) use formats::ReceiveSettings;
use formats::{Format, Formats};

/// The receiving half of a session.
pub(crate) struct Receiver {
    formats: Formats,
    /// What the buffer decodes.
    codec: Option<CodecKind>,
    jitter: Option<JitterBuffer>,
    dtmf: Option<DtmfReceiver>,
    stream: Option<ReceivedStream>,
    /// A sequence number that jumped, and what would follow it (RFC 3550 §A.1).
    jumped: Option<u16>,
    level_dbov: f64,
    frame: Vec<i16>,
    has_received: bool,
    last_heard: Option<Instant>,
    /// Packets and bytes of sources before the present one.
    earlier: (u64, u64, u64),
    malformed: u64,
    unagreed: u64,
}

/// What one packet was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// The first one that counts.
    First,
    /// One more, or one that is dropped.
    Other,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self {
            formats: Formats::default(),
            codec: None,
            jitter: None,
            dtmf: None,
            stream: None,
            jumped: None,
            level_dbov: SILENCE_DBOV,
            frame: Vec::new(),
            has_received: false,
            last_heard: None,
            earlier: (0, 0, 0),
            malformed: 0,
            unagreed: 0,
        }
    }

    /// Takes what was negotiated; what is on its way in other formats is heard yet.
    pub(crate) fn configure(&mut self, settings: ReceiveSettings) -> Result<(), MediaError> {
        if let (Some((_, codec)), None) = (settings.formats.first(), self.codec) {
            self.decode_as(*codec)?;
        }
        match (settings.telephone_event, &mut self.dtmf) {
            (Some((_, clock)), Some(dtmf)) => dtmf.change_clock(clock),
            (Some((_, clock)), None) => self.dtmf = Some(DtmfReceiver::new(clock)),
            // The end of a digit that sounds would never come.
            (None, Some(dtmf)) => dtmf.reset(),
            (None, None) => {}
        }
        self.formats.agree(settings);
        Ok(())
    }

    fn decode_as(&mut self, codec: CodecKind) -> Result<(), MediaError> {
        let decoder = Decoder::new(codec).map_err(|error| MediaError::Codec(error.to_string()))?;
        let mut jitter = JitterBuffer::new(decoder, JitterSettings::default());
        if let Some(before) = &self.jitter {
            jitter.go_on_counting(before);
        }
        self.jitter = Some(jitter);
        self.codec = Some(codec);
        if let Some(stream) = &mut self.stream {
            stream.change_clock(codec.rtp_clock_hz());
        }
        Ok(())
    }

    /// Takes one RTP packet, decrypted.
    pub(crate) fn packet_untrusted(&mut self, now: Instant, packet: &[u8]) -> Received {
        let Some((header, format)) = self.admit_untrusted(packet) else {
            self.malformed += 1;
            return Received::Other;
        };
        self.last_heard = Some(now);
        let payload = &packet[header.payload.clone()];
        // A sender may change between the agreed formats at any packet (RFC 3264 §8.3.2).
        if let Format::Audio(codec) = format {
            self.formats.note_heard(header.payload_type);
            if self.codec != Some(codec) && self.decode_as(codec).is_err() {
                return Received::Other;
            }
        }
        let (ssrc, sequence, timestamp) = (header.ssrc, header.sequence, header.timestamp);
        if format == Format::Event
            && let Some(dtmf) = &mut self.dtmf
        {
            dtmf.push(now, timestamp, payload);
        }
        if matches!(format, Format::Audio(_))
            && let Some(stream) = &mut self.stream
        {
            stream.arrived(now, timestamp);
        }
        if let Some(jitter) = &mut self.jitter {
            match format {
                Format::Audio(_) => jitter.push(now, ssrc, sequence, timestamp, payload),
                Format::Noise => jitter.push_noise(now, ssrc, sequence, timestamp, payload),
                Format::Event => jitter.push_other(now, ssrc, sequence, timestamp),
            }
        }
        if std::mem::replace(&mut self.has_received, true) {
            Received::Other
        } else {
            Received::First
        }
    }

    /// Counts one RTP packet that is not to be heard, so that it is not missed later.
    pub(crate) fn skip_untrusted(&mut self, packet: &[u8]) {
        if self.admit_untrusted(packet).is_none() {
            self.malformed += 1;
        }
    }

    /// Reads and counts a packet; None for what is no RTP, of no agreed format or out of order.
    fn admit_untrusted(&mut self, packet: &[u8]) -> Option<(RtpHeader, Format)> {
        let header = RtpHeader::parse_untrusted(packet)?;
        let Some(format) = self.formats.format(header.payload_type) else {
            self.unagreed += 1;
            return None;
        };
        self.count(&header, header.payload.len())?;
        Some((header, format))
    }

    /// Notes that the far end lives though it sends no audio (RTCP).
    pub(crate) fn heard(&mut self, now: Instant) {
        self.last_heard = Some(now);
    }

    /// How long nothing came, from `since` on if nothing ever did.
    pub(crate) fn silent_for(&self, now: Instant, since: Instant) -> Duration {
        now.saturating_duration_since(self.last_heard.map_or(since, |heard| heard.max(since)))
    }

    /// A moment soon after `now` that is better to pull at; None: pull.
    pub(crate) fn better_moment(&mut self, now: Instant) -> Option<Instant> {
        self.jitter.as_mut()?.better_moment(now)
    }

    /// When what begins to be heard is due; None while it is being heard.
    pub(crate) fn spurt_due(&mut self, now: Instant) -> Option<Instant> {
        self.jitter.as_mut()?.spurt_due(now)
    }

    /// Decodes the frame that is due; (rate, samples, flags). None before anything was negotiated.
    pub(crate) fn pull(&mut self, now: Instant) -> Option<(u32, &[i16], u8)> {
        let jitter = self.jitter.as_mut()?;
        self.frame.clear();
        let is_concealed = jitter.pull(now, &mut self.frame).is_concealed();
        self.level_dbov = level_dbov(&self.frame);
        let flags = if is_concealed { CONCEALED } else { 0 };
        Some((jitter.sample_rate_hz(), &self.frame, flags))
    }

    /// The next digit heard; call after `packet_untrusted` and `handle_timeout`.
    pub(crate) fn poll_dtmf(&mut self) -> Option<ReceivedDtmf> {
        self.dtmf.as_mut()?.poll()
    }

    /// Ends a digit whose end was lost.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(dtmf) = &mut self.dtmf {
            dtmf.handle_timeout(now);
        }
    }

    /// The source that is heard.
    pub(crate) fn source(&self) -> Option<u32> {
        self.stream.as_ref().map(|stream| stream.ssrc)
    }

    pub(crate) fn stream(&mut self) -> Option<&mut ReceivedStream> {
        self.stream.as_mut()
    }

    /// The codec that is heard.
    pub(crate) fn codec(&self) -> Option<CodecKind> {
        self.codec
    }

    pub(crate) fn jitter(&self) -> Option<&JitterBuffer> {
        self.jitter.as_ref()
    }

    pub(crate) fn level_dbov(&self) -> f64 {
        self.level_dbov
    }

    /// (packets, bytes, lost) of all sources heard.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        let (packets, bytes, lost) = self.earlier;
        let present = self.stream.as_ref().map_or((0, 0, 0), |stream| {
            (stream.packets(), stream.bytes(), stream.lost())
        });
        (packets + present.0, bytes + present.1, lost + present.2)
    }

    /// Interarrival jitter of the present source (RFC 3550 §6.4.1).
    pub(crate) fn interarrival_jitter(&self) -> Duration {
        self.stream
            .as_ref()
            .map_or(Duration::ZERO, ReceivedStream::jitter)
    }

    /// RTP packets of formats that nobody agreed on.
    pub(crate) fn unagreed(&self) -> u64 {
        self.unagreed
    }

    /// Packets that are none, of no agreed format, or out of any order.
    pub(crate) fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Numbers a packet, starting anew for a new source or after a jump that is confirmed.
    fn count(&mut self, header: &RtpHeader, bytes: usize) -> Option<u64> {
        let is_same = self
            .stream
            .as_ref()
            .is_some_and(|stream| stream.ssrc == header.ssrc);
        if is_same
            && let Some(number) = self
                .stream
                .as_mut()
                .and_then(|stream| stream.count(header.sequence, bytes))
        {
            self.jumped = None;
            return Some(number);
        }
        if is_same && self.jumped != Some(header.sequence) {
            self.jumped = Some(header.sequence.wrapping_add(1));
            return None;
        }
        self.start_stream(header);
        self.stream
            .as_mut()
            .and_then(|stream| stream.count(header.sequence, bytes))
    }

    fn start_stream(&mut self, header: &RtpHeader) {
        self.earlier = self.totals();
        self.jumped = None;
        let clock = self.codec.map_or(8000, CodecKind::rtp_clock_hz);
        let is_first = self.stream.is_none();
        self.stream = Some(ReceivedStream::new(header.ssrc, header.sequence, clock));
        if !is_first && let Some(dtmf) = &mut self.dtmf {
            dtmf.reset();
        }
    }
}

#[cfg(test)]
mod tests;
