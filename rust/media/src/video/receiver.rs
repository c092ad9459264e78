//! What is received on one video line: copies dropped, losses asked for, packets told apart.

mod figures;
mod source;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::layers::LayerFacts;
use super::packet::{Orientation, VideoPacket};
use super::payload::begins_key_frame_untrusted;
use super::window::Seen;
use crate::session::lines::{AgreedLine, Extensions, Format, RemoteSource};
use crate::session::packet::{RtpHeader, extension_untrusted};
use crate::session::statistics::Reception;
use source::{FACTS_FOR, Source};

/// Sources of one line: three layers, their repeats, and some that changed.
const MOST_SOURCES: usize = 8;
/// Between two requests for a key frame of one source (a key frame is the size of ten others).
pub(super) const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(500);
const CLOCK_HZ: u32 = 90_000;

/// Figures of what was received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VideoReceived {
    /// Packets that were passed on.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Copies and probes that were dropped.
    pub copies: u64,
    /// Packets that were repaired by a retransmission.
    pub repaired: u64,
    /// Packets asked for again.
    pub asked: u64,
    /// Key frames asked for.
    pub key_frames_asked: u64,
    /// Messages that asked for packets again (NACK).
    pub nacks: u64,
    /// Messages that asked for key frames (PLI).
    pub plis: u64,
    /// The same where only that is agreed (FIR).
    pub firs: u64,
    /// Frames that began.
    pub frames: u64,
    /// Frames that somebody who reads or records was not given, as some before was never whole, or
    /// as they came faster than they were taken; once for each reader.
    pub frames_dropped: u64,
    /// Key frames that began.
    pub key_frames: u64,
    /// What was no packet of an agreed format.
    pub malformed: u64,
}

/// What is to be sent back.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Sources that need a key frame.
    pub(crate) key_frames: Vec<u32>,
    /// Lost packets of sources.
    pub(crate) lost: Vec<(u32, Vec<u16>)>,
}

/// The receiving half of a video line.
#[derive(Default)]
pub(crate) struct VideoReceiver {
    formats: Vec<Format>,
    announced: Vec<RemoteSource>,
    extensions: Extensions,
    /// The source each source of retransmissions repeats.
    repeats: BTreeMap<u32, u32>,
    sources: BTreeMap<u32, Source>,
    /// The one that sent last.
    latest: Option<u32>,
    figures: VideoReceived,
    earlier_lost: u64,
    /// What was known of the layers at that time.
    layers: (Option<Instant>, Vec<LayerFacts>),
}

impl VideoReceiver {
    /// Takes what is agreed.
    pub(crate) fn configure(&mut self, agreed: &AgreedLine) {
        self.formats.clone_from(&agreed.receive);
        self.announced.clone_from(&agreed.sources);
        self.extensions = agreed.extensions;
        for source in &agreed.sources {
            if let Some(again) = source.retransmission {
                self.repeats.insert(again, source.ssrc);
            }
        }
        while self.repeats.len() > 2 * MOST_SOURCES {
            self.repeats.pop_first();
        }
    }

    /// Whether a payload type is one of this line's.
    pub(crate) fn has(&self, payload_type: u8) -> bool {
        self.formats.iter().any(|format| {
            format.payload_type == payload_type || format.retransmission == Some(payload_type)
        })
    }

    /// Whether a source is known to be this line's.
    pub(crate) fn knows(&self, ssrc: u32) -> bool {
        let is_announced =
            |source: &RemoteSource| source.ssrc == ssrc || source.retransmission == Some(ssrc);
        self.sources.contains_key(&ssrc) || self.announced.iter().any(is_announced)
    }

    /// Takes one packet; what it carries, if that is new.
    pub(crate) fn packet_untrusted(
        &mut self,
        now: Instant,
        header: &RtpHeader,
        packet: &[u8],
    ) -> Option<VideoPacket> {
        let payload = &packet[header.payload.clone()];
        let mut taken = match self.format_of(header.payload_type) {
            Some((format, false)) => {
                let codec = format.codec;
                self.open(now, header.ssrc, header.sequence);
                self.note_layer(header, packet);
                self.take(now, header.ssrc, header, codec, payload, false)
            }
            Some((format, true)) => {
                let codec = format.codec;
                self.take_repeated(now, header, packet, codec, payload)
            }
            None => {
                self.figures.malformed += 1;
                None
            }
        }?;
        let turned = self.extensions.orientation;
        if let Some(&[octet]) = turned.and_then(|id| extension_untrusted(packet, id)) {
            taken.orientation = Some(Orientation::from_octet(octet));
        }
        self.figures.packets += 1;
        self.figures.bytes += taken.payload.len() as u64;
        Some(taken)
    }

    fn format_of(&self, payload_type: u8) -> Option<(&Format, bool)> {
        self.formats.iter().find_map(|format| {
            let is_again = format.retransmission == Some(payload_type);
            (is_again || format.payload_type == payload_type).then_some((format, is_again))
        })
    }

    /// Takes a packet that repeats another one (RFC 4588 §4).
    fn take_repeated(
        &mut self,
        now: Instant,
        header: &RtpHeader,
        packet: &[u8],
        codec: super::VideoCodec,
        payload: &[u8],
    ) -> Option<VideoPacket> {
        // Without a payload it fills the line, to see how much there is.
        let (original, payload) = payload.split_first_chunk::<2>()?;
        let ssrc = self.repeated_by(header, packet)?;
        if !self.sources.contains_key(&ssrc) {
            return None;
        }
        let original = RtpHeader {
            sequence: u16::from_be_bytes(*original),
            ssrc,
            ..header.clone()
        };
        self.take(now, ssrc, &original, codec, payload, true)
    }

    /// The source that a retransmission belongs to: announced, named, or the only one.
    fn repeated_by(&mut self, header: &RtpHeader, packet: &[u8]) -> Option<u32> {
        if let Some(ssrc) = self.repeats.get(&header.ssrc) {
            return Some(*ssrc);
        }
        let layer = self
            .extensions
            .repaired_layer
            .and_then(|id| extension_untrusted(packet, id));
        let named = layer.and_then(|name| {
            let mut sources = self.sources.iter();
            let is_named =
                |source: &Source| source.layer.as_deref().map(str::as_bytes) == Some(name);
            sources
                .find(|(_, source)| is_named(source))
                .map(|(ssrc, _)| *ssrc)
        });
        let only = self.latest.filter(|_| self.sources.len() == 1);
        let ssrc = named.or(only)?;
        if self.repeats.len() <= 2 * MOST_SOURCES {
            self.repeats.insert(header.ssrc, ssrc);
        }
        Some(ssrc)
    }

    fn note_layer(&mut self, header: &RtpHeader, packet: &[u8]) {
        let Some(id) = self.extensions.layer else {
            return;
        };
        if let Some(source) = self.sources.get(&header.ssrc)
            && source.layer.is_none()
            && let Some(name) = extension_untrusted(packet, id)
        {
            let name = std::str::from_utf8(name).ok().map(str::to_owned);
            // A layer has one source: the newest.
            for other in self.sources.values_mut().filter(|one| one.layer == name) {
                other.layer = None;
            }
            if let Some(source) = self.sources.get_mut(&header.ssrc) {
                source.layer = name;
            }
            self.layers.0 = None;
        }
    }

    fn take(
        &mut self,
        now: Instant,
        ssrc: u32,
        header: &RtpHeader,
        codec: super::VideoCodec,
        payload: &[u8],
        is_again: bool,
    ) -> Option<VideoPacket> {
        self.open(now, ssrc, header.sequence);
        let source = self.sources.get_mut(&ssrc)?;
        let before = source.window.highest();
        let Seen::New(number) = source.window.take(header.sequence) else {
            self.figures.copies += 1;
            return None;
        };
        if source
            .stream
            .count(header.sequence, payload.len())
            .is_none()
        {
            // It began anew: its numbers, and its picture, have nothing to do with those before.
            let lost = source.stream.lost();
            self.earlier_lost += lost;
            self.sources.remove(&ssrc);
            return self.take(now, ssrc, header, codec, payload, is_again);
        }
        if number > before + 1 && !source.missing.add(now, before + 1..number) {
            source.wants_key_frame = true;
        }
        source.missing.remove(number);
        if is_again {
            self.figures.repaired += 1;
        } else {
            source.stream.arrived(now, header.timestamp);
        }
        let begins_key_frame = begins_key_frame_untrusted(codec, payload);
        if source.count_frame(now, header.timestamp, payload.len()) {
            self.figures.frames += 1;
        }
        if begins_key_frame {
            source.wants_key_frame = false;
            let is_new = source.count_key(header.timestamp, codec, payload);
            self.figures.key_frames += u64::from(is_new);
        }
        self.latest = Some(ssrc);
        Some(VideoPacket {
            source: u64::from(ssrc),
            sequence: number,
            timestamp: header.timestamp,
            marker: header.marker,
            codec,
            begins_key_frame,
            orientation: None,
            payload: payload.to_vec(),
        })
    }

    fn open(&mut self, now: Instant, ssrc: u32, sequence: u16) {
        if self.sources.contains_key(&ssrc) {
            return;
        }
        if self.sources.len() == MOST_SOURCES {
            let idle = self
                .sources
                .keys()
                .find(|known| Some(**known) != self.latest)
                .copied();
            if let Some(gone) = idle.and_then(|idle| self.sources.remove(&idle)) {
                self.earlier_lost += gone.stream.lost();
            }
        }
        self.sources.insert(ssrc, Source::new(now, ssrc, sequence));
        self.layers.0 = None;
    }

    /// Wants a key frame of a source, or of the one that sent last.
    pub(crate) fn want_key_frame(&mut self, source: Option<u64>) {
        let ssrc = source
            .and_then(|source| u32::try_from(source).ok())
            .or(self.latest);
        if let Some(source) = ssrc.and_then(|ssrc| self.sources.get_mut(&ssrc)) {
            source.wants_key_frame = true;
        }
    }

    /// What is known of the layers that are told apart; none where there is one picture only.
    pub(crate) fn layers(&mut self, now: Instant) -> &[LayerFacts] {
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < FACTS_FOR;
        if !self.layers.0.is_some_and(is_fresh) {
            let facts = self.sources.values().filter_map(Source::facts);
            self.layers = (Some(now), facts.collect());
        }
        &self.layers.1
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let deadlines = self.sources.values().flat_map(|source| {
            let key_frame = source
                .wants_key_frame
                .then(|| source.may_ask_at())
                .flatten();
            [key_frame, source.missing.next_deadline()]
        });
        deadlines.flatten().min()
    }

    /// What is to be asked of the far end now; whether a key frame is, can be held back to 2 a second.
    pub(crate) fn take_wanted(&mut self, now: Instant, round_trip: Duration) -> Wanted {
        let mut wanted = Wanted::default();
        for (ssrc, source) in &mut self.sources {
            let (lost, has_given_up) = source.missing.take_due(now, round_trip);
            source.wants_key_frame |= has_given_up;
            if source.wants_key_frame && source.may_ask_at().is_none_or(|at| at <= now) {
                source.last_asked = Some(now);
                self.figures.key_frames_asked += 1;
                wanted.key_frames.push(*ssrc);
            }
            self.figures.asked += lost.len() as u64;
            if !lost.is_empty() {
                self.figures.nacks += 1;
                wanted.lost.push((*ssrc, lost));
            }
        }
        wanted
    }

    /// What a report says of the source that sent last.
    pub(crate) fn report(&mut self) -> Option<(u32, Reception)> {
        let ssrc = self.latest?;
        let source = self.sources.get_mut(&ssrc)?;
        Some((ssrc, source.stream.report()))
    }

    /// The source that sent last.
    pub(crate) fn latest(&self) -> Option<u32> {
        self.latest
    }

    /// All sources there are.
    pub(crate) fn ssrcs(&self) -> Vec<u32> {
        self.sources.keys().copied().collect()
    }

    pub(crate) fn extensions(&self) -> Extensions {
        self.extensions
    }
}

#[cfg(test)]
mod tests;
