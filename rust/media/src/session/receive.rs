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

mod pass;

/// What we expect to receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceiveSettings {
    /// All that may arrive, the most likely first; never empty.
    pub(crate) formats: Vec<(u8, CodecKind)>,
    /// Payload type and clock rate of telephone-events.
    pub(crate) telephone_event: Option<(u8, u32)>,
    /// Payload type of comfort noise.
    pub(crate) comfort_noise: Option<u8>,
}

/// The receiving half of a session.
pub(crate) struct Receiver {
    settings: Option<ReceiveSettings>,
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

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Audio(CodecKind),
    Event,
    Noise,
}

impl ReceiveSettings {
    fn format(&self, payload_type: u8) -> Option<Format> {
        if self.telephone_event.map(|(event, _)| event) == Some(payload_type) {
            return Some(Format::Event);
        }
        if self.comfort_noise == Some(payload_type) {
            return Some(Format::Noise);
        }
        let mut formats = self.formats.iter();
        let audio = formats.find(|(known, _)| *known == payload_type);
        audio.map(|(_, codec)| Format::Audio(*codec))
    }
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
            settings: None,
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

    /// Takes what was negotiated; an unchanged codec keeps its buffer.
    pub(crate) fn configure(&mut self, settings: ReceiveSettings) -> Result<(), MediaError> {
        let is_still_agreed = |codec| settings.formats.iter().any(|(_, known)| *known == codec);
        if let Some((_, codec)) = settings.formats.first()
            && !self.codec.is_some_and(is_still_agreed)
        {
            self.decode_as(*codec)?;
        }
        let event = settings.telephone_event;
        if self.settings.as_ref().and_then(|old| old.telephone_event) != event {
            self.dtmf = event.map(|(_, clock)| DtmfReceiver::new(clock));
        }
        self.settings = Some(settings);
        Ok(())
    }

    fn decode_as(&mut self, codec: CodecKind) -> Result<(), MediaError> {
        let decoder = Decoder::new(codec).map_err(|error| MediaError::Codec(error.to_string()))?;
        self.jitter = Some(JitterBuffer::new(decoder, JitterSettings::default()));
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
        if let Format::Audio(codec) = format
            && self.codec != Some(codec)
            && self.decode_as(codec).is_err()
        {
            return Received::Other;
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
        let Some(format) = self.settings.as_ref()?.format(header.payload_type) else {
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
mod tests {
    use super::*;

    fn receiver() -> Receiver {
        let mut receiver = Receiver::new();
        receiver
            .configure(ReceiveSettings {
                formats: vec![(0, CodecKind::Pcmu)],
                telephone_event: Some((101, 8000)),
                comfort_noise: Some(13),
            })
            .unwrap();
        receiver
    }

    fn packet(payload_type: u8, ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
        let timestamp = u32::from(sequence) * 160;
        let header = RtpHeader {
            marker: false,
            payload_type,
            sequence,
            timestamp,
            ssrc,
            payload: 0..0,
        };
        let mut packet = Vec::new();
        header.write(payload, &mut packet);
        packet
    }

    #[test]
    fn a_lone_far_sequence_number_is_dropped_and_two_in_a_row_are_a_new_start() {
        let (mut receiver, now) = (receiver(), crate::shard::now());
        for sequence in [10, 11, 40_000, 12, 50_000, 50_001, 50_002] {
            receiver.packet_untrusted(now, &packet(0, 1, sequence, &[0xff; 160]));
        }
        assert_eq!(receiver.malformed(), 2);
        assert_eq!(receiver.totals(), (5, 800, 0));
    }

    #[test]
    fn a_new_source_is_counted_on_top_of_the_old_one() {
        let (mut receiver, now) = (receiver(), crate::shard::now());
        let first = receiver.packet_untrusted(now, &packet(0, 1, 10, &[0xff; 160]));
        receiver.packet_untrusted(now, &packet(0, 1, 13, &[0xff; 160]));
        let other = receiver.packet_untrusted(now, &packet(0, 2, 60_000, &[0xff; 160]));
        assert_eq!((first, other), (Received::First, Received::Other));
        assert_eq!(receiver.totals(), (3, 480, 2));
        assert_eq!(receiver.stream().map(|stream| stream.ssrc), Some(2));
    }

    #[test]
    fn formats_nobody_agreed_on_are_counted_as_malformed() {
        let (mut receiver, now) = (receiver(), crate::shard::now());
        receiver.packet_untrusted(now, &packet(8, 1, 10, &[0xff; 160]));
        receiver.packet_untrusted(now, b"not RTP at all");
        assert_eq!((receiver.malformed(), receiver.totals().0), (2, 0));
    }

    #[test]
    fn three_ends_of_a_digit_are_one_digit() {
        let (mut receiver, now) = (receiver(), crate::shard::now());
        for sequence in 10..13 {
            let mut end = packet(101, 1, sequence, &[5, 0x8a, 3, 0x20]);
            end[4..8].copy_from_slice(&1600_u32.to_be_bytes());
            receiver.packet_untrusted(now, &end);
        }
        let heard: Vec<_> = std::iter::from_fn(|| receiver.poll_dtmf()).collect();
        assert_eq!(
            heard,
            [
                ReceivedDtmf::Started { digit: '5' },
                ReceivedDtmf::Ended {
                    digit: '5',
                    duration: 0.1
                }
            ]
        );
    }
}
