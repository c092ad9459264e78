//! The codecs a call can agree on, and their payload types (RFC 3551, RFC 7587, RFC 4733).

use super::sdp::Media;
use crate::codec::CodecKind;

/// Longest packet: what a peer asks for beyond is not believed.
const MAX_PTIME_MS: u16 = 120;

/// The payload type a codec is offered with, unless the peer has named another.
fn default_payload_type(codec: CodecKind) -> u8 {
    match codec {
        CodecKind::Opus => 111,
        CodecKind::Pcmu => 0,
        CodecKind::Pcma => 8,
        CodecKind::G722 => 9,
        CodecKind::L16 => 96,
    }
}

/// The `a=rtpmap` encoding of a codec; Opus always says 48000/2 (RFC 7587 §4.1).
pub(super) fn encoding(codec: CodecKind) -> String {
    let channels = if codec == CodecKind::Opus { "/2" } else { "" };
    format!("{}/{}{channels}", codec.name(), codec.rtp_clock_hz())
}

fn from_encoding(encoding: &str) -> Option<CodecKind> {
    let mut parts = encoding.split('/').map(str::trim);
    let codec = CodecKind::from_name(parts.next()?)?;
    let is_its_clock = parts.next()?.parse() == Ok(codec.rtp_clock_hz());
    // G.711 and L16 in stereo exist; we do not speak them.
    let is_mono = parts.next().is_none_or(|channels| channels == "1");
    (is_its_clock && (is_mono || codec == CodecKind::Opus)).then_some(codec)
}

/// The payload type of comfort noise at 8 kHz, fixed by RFC 3551 §6.
const COMFORT_NOISE: u8 = 13;

/// Whether comfort noise goes with a codec: RFC 3389 §4 has it for those without a DTX of their
/// own, and its clock is theirs.
pub(super) fn takes_comfort_noise(codec: CodecKind) -> bool {
    matches!(codec, CodecKind::Pcmu | CodecKind::Pcma)
}

/// The payload type telephone events of a clock are offered with.
fn default_telephone_event(clock_rate_hz: u32) -> u8 {
    if clock_rate_hz == 8_000 { 101 } else { 110 }
}

/// The payload types of one m-line that mean something to us, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PayloadTypes {
    /// Audio.
    pub(super) codecs: Vec<(u8, CodecKind)>,
    /// Telephone events: payload type and clock rate.
    pub(super) telephone_events: Vec<(u8, u32)>,
    /// Comfort noise of 8 kHz (RFC 3389).
    pub(super) comfort_noise: Option<u8>,
}

impl PayloadTypes {
    /// Reads the formats, rtpmaps and the static types of RFC 3551 §6.
    pub(super) fn read(media: &Media) -> Self {
        let mut found = Self::default();
        for format in &media.formats {
            let Some(payload_type) = format.parse::<u8>().ok().filter(|n| *n < 128) else {
                continue;
            };
            match (rtpmap(media, payload_type), payload_type) {
                (Some(encoding), _) => found.add(payload_type, encoding),
                (None, 0) => found.add(0, "PCMU/8000"),
                (None, 8) => found.add(8, "PCMA/8000"),
                (None, 9) => found.add(9, "G722/8000"),
                (None, COMFORT_NOISE) => found.add(COMFORT_NOISE, "CN/8000"),
                _ => {}
            }
        }
        found
    }

    /// Ours for an offer: those in use, then our own numbers, none twice.
    pub(super) fn offering(&self, codecs: &[CodecKind], dtmf: bool) -> Self {
        let mut offered = Self::default();
        let free = |offered: &Self, wanted: u8| {
            let is_free = |n: &u8| !offered.has(*n) && !self.has(*n);
            std::iter::once(wanted).chain(96..=127).find(is_free)
        };
        for codec in codecs {
            let number = self
                .of_codec(*codec)
                .or_else(|| free(&offered, default_payload_type(*codec)));
            offered.codecs.extend(number.map(|number| (number, *codec)));
        }
        if codecs.iter().any(|codec| takes_comfort_noise(*codec)) {
            offered.comfort_noise = self.comfort_noise.or_else(|| free(&offered, COMFORT_NOISE));
        }
        if !dtmf {
            return offered;
        }
        for clock in [48_000, 8_000, 16_000] {
            if codecs.iter().any(|codec| codec.rtp_clock_hz() == clock) {
                let number = self
                    .of_telephone_event(clock)
                    .or_else(|| free(&offered, default_telephone_event(clock)));
                offered
                    .telephone_events
                    .extend(number.map(|number| (number, clock)));
            }
        }
        offered
    }

    fn add(&mut self, payload_type: u8, encoding: &str) {
        if let Some(codec) = from_encoding(encoding) {
            self.codecs.push((payload_type, codec));
            return;
        }
        let mut parts = encoding.split('/');
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let clock = parts.next().and_then(|clock| clock.trim().parse().ok());
        match (name.as_str(), clock) {
            ("telephone-event", Some(clock)) => self.telephone_events.push((payload_type, clock)),
            ("cn", Some(8_000)) => self.comfort_noise = Some(payload_type),
            _ => {}
        }
    }

    /// The payload type of a codec.
    pub(super) fn of_codec(&self, codec: CodecKind) -> Option<u8> {
        let mut matching = self.codecs.iter().filter(|(_, known)| *known == codec);
        matching.next().map(|(payload_type, _)| *payload_type)
    }

    /// The payload type of telephone events at a clock rate.
    pub(super) fn of_telephone_event(&self, clock_rate_hz: u32) -> Option<u8> {
        let mut matching = self
            .telephone_events
            .iter()
            .filter(|(_, clock)| *clock == clock_rate_hz);
        matching.next().map(|(payload_type, _)| *payload_type)
    }

    /// Whether a number already means something.
    pub(super) fn has(&self, payload_type: u8) -> bool {
        self.comfort_noise == Some(payload_type)
            || self.codecs.iter().any(|(known, _)| *known == payload_type)
            || self
                .telephone_events
                .iter()
                .any(|(known, _)| *known == payload_type)
    }
}

pub(super) fn rtpmap(media: &Media, payload_type: u8) -> Option<&str> {
    media.section.attributes("rtpmap").find_map(|value| {
        let (number, encoding) = value.split_once(' ')?;
        (number.parse() == Ok(payload_type)).then_some(encoding.trim())
    })
}

/// A parameter of `a=fmtp` for a payload type.
pub(super) fn format_parameter<'a>(
    media: &'a Media,
    payload_type: u8,
    name: &str,
) -> Option<&'a str> {
    let parameters = media.section.attributes("fmtp").find_map(|value| {
        let (number, parameters) = value.split_once(' ')?;
        (number.parse() == Ok(payload_type)).then_some(parameters)
    })?;
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The packet time to send with: what the peer asks for, as far as the codec can make it.
pub(super) fn packet_time_ms(media: &Media, codec: CodecKind, own_ms: u16) -> u16 {
    let read = |name| {
        let value: Option<u16> = media.section.attribute(name)?.parse().ok();
        value.filter(|ms| (1..=MAX_PTIME_MS).contains(ms))
    };
    let limit = read("maxptime").unwrap_or(MAX_PTIME_MS);
    let wanted = read("ptime").unwrap_or(own_ms).min(limit);
    let possible: &[u16] = match codec {
        CodecKind::Opus => &[10, 20, 40, 60],
        _ => &[10, 20, 30, 40, 50, 60],
    };
    let fitting = possible.iter().rev().find(|ms| **ms <= wanted);
    fitting.copied().unwrap_or(10)
}
