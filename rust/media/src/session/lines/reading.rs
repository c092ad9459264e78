//! What one m-line of the far end says, as far as both sides know it.

use std::ops::RangeInclusive;

use super::formats::{self, Formats};
use super::{AgreedLine, Exchange};
use crate::session::negotiation::{Author, RemoteTransport, TransportKind, offered_direction};
use crate::session::profile::{kinds_of, line_transport};
use crate::session::sdp::{Description, Direction, Media};

/// Sources of one line that are looked at: a browser announces two for each layer.
const MOST_SOURCES: usize = 16;
/// Simulcast layers of one line.
const MOST_LAYERS: usize = 8;

pub(super) const TRANSPORT_WIDE: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
pub(super) const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
pub(super) const LAYER: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
pub(super) const REPAIRED_LAYER: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";

const ORIENTATION: &str = "urn:3gpp:video-orientation";

/// The numbers that one-byte headers hold (RFC 8285 §4.2).
const SHORT_NUMBERS: RangeInclusive<u8> = 1..=14;

/// A source the far end sends with, and the one it repeats lost packets with (RFC 5576).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteSource {
    /// Of the video.
    pub ssrc: u32,
    /// Of its retransmissions.
    pub retransmission: Option<u32>,
}

/// Numbers of the header extensions that are used (RFC 8285).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Counts all packets of the transport, for congestion control.
    pub transport_wide: Option<u8>,
    /// Names the m-line.
    pub mid: Option<u8>,
    /// Names the simulcast layer.
    pub layer: Option<u8>,
    /// Names the simulcast layer a retransmission belongs to.
    pub repaired_layer: Option<u8>,
    /// Says how pictures are to be turned (3GPP TS 26.114 §7.4.5).
    pub orientation: Option<u8>,
}

impl Extensions {
    /// The numbers of an offer of ours. In a bundle each number has one meaning (RFC 8859):
    /// those the far end has given in its last description stand, and others stay out of their way.
    pub(super) fn offered(remote: Option<&Description>) -> Self {
        let media = remote.map_or(&[][..], |remote| &remote.media);
        let theirs: Vec<(Option<u8>, &str)> = media.iter().flat_map(mapped).collect();
        let mut free =
            SHORT_NUMBERS.filter(|number| theirs.iter().all(|(taken, _)| *taken != Some(*number)));
        let mut number_of = |name| {
            let known = theirs.iter().find(|(_, known)| *known == name);
            let known = known.and_then(|(number, _)| *number);
            known.filter(is_short).or_else(|| free.next())
        };
        Self {
            transport_wide: number_of(TRANSPORT_WIDE),
            mid: number_of(MID),
            orientation: number_of(ORIENTATION),
            ..Self::default()
        }
    }

    /// Number and name of each.
    pub(super) fn named(&self) -> impl Iterator<Item = (u8, &'static str)> {
        let all = [
            (self.transport_wide, TRANSPORT_WIDE),
            (self.mid, MID),
            (self.layer, LAYER),
            (self.repaired_layer, REPAIRED_LAYER),
            (self.orientation, ORIENTATION),
        ];
        all.into_iter()
            .filter_map(|(number, name)| Some((number?, name)))
    }

    fn read(media: &Media) -> Self {
        let mut found = Self::default();
        for (number, name) in mapped(media) {
            let place = match name {
                TRANSPORT_WIDE => &mut found.transport_wide,
                MID => &mut found.mid,
                LAYER => &mut found.layer,
                REPAIRED_LAYER => &mut found.repaired_layer,
                ORIENTATION => &mut found.orientation,
                _ => continue,
            };
            *place = number.filter(is_short);
        }
        found
    }
}

fn is_short(number: &u8) -> bool {
    SHORT_NUMBERS.contains(number)
}

/// Number and name of each extension of an m-line.
fn mapped(media: &Media) -> impl Iterator<Item = (Option<u8>, &str)> {
    media.section.attributes("extmap").filter_map(|value| {
        let mut fields = value.split_ascii_whitespace();
        // A direction may follow the number: "3/sendonly".
        let number = fields.next()?.split('/').next()?;
        Some((number.parse().ok(), fields.next()?))
    })
}

/// What is known of a line before a description is read.
#[derive(Clone, Copy, Default)]
pub(super) struct Before<'a> {
    /// What was agreed about it.
    pub(super) agreed: Option<&'a AgreedLine>,
    /// Our offer names a transport of its own.
    pub(super) offers_own_way: bool,
}

/// Reads an m-line; None where it is refused, or nothing in it suits us.
///
/// `choose` gives, of the far end's formats, those to send with and those to receive.
pub(super) fn read(
    exchange: Exchange<'_>,
    media: &Media,
    before: Before<'_>,
    choose: impl FnOnce(&Formats) -> (Formats, Formats),
) -> Option<AgreedLine> {
    let description = exchange.description;
    if media.is_refused()
        || media.kind != "video"
        || !kinds_of(description, media).contains(&exchange.kind)
    {
        return None;
    }
    let (send, receive) = choose(&formats::read(media));
    if send.is_empty() {
        return None;
    }
    let transport = if is_bundled(exchange, media) {
        None
    } else {
        Some(own_transport(exchange, media, before)?)
    };
    let extensions = Extensions::read(media);
    Some(AgreedLine {
        direction: Direction::Inactive,
        send,
        receive,
        sources: sources(media),
        // A layer is known by its name in the packets (RFC 8852): without it there are none.
        layers: extensions.layer.map_or_else(Vec::new, |_| layers(media)),
        extensions,
        transport,
        theirs: offered_direction(description, media, exchange.kind),
    })
}

/// Whether a line shares the audio's transport (RFC 9143).
pub(super) fn is_bundled(exchange: Exchange<'_>, media: &Media) -> bool {
    let mid_of = |media: &Media| media.section.attribute("mid").map(str::to_owned);
    let audio = exchange.description.media.get(exchange.audio);
    let (Some(mid), Some(audio)) = (mid_of(media), audio.and_then(mid_of)) else {
        return false;
    };
    let bundle = exchange.description.bundle_of(&audio);
    exchange.kind == TransportKind::Ice && bundle.is_some_and(|mids| mids.contains(&mid.as_str()))
}

/// The transport of a line by itself; None where it is none of ours.
fn own_transport(
    exchange: Exchange<'_>,
    media: &Media,
    before: Before<'_>,
) -> Option<RemoteTransport> {
    let agreed = before.agreed.and_then(|agreed| agreed.transport.as_ref());
    // What we offered in the bundle alone has no port of ours outside of it.
    let has_way = exchange.is_offer || agreed.is_some() || before.offers_own_way;
    if exchange.kind == TransportKind::Ice && !has_way {
        return None;
    }
    let theirs = Author {
        description: exchange.description,
        media,
        is_offer: exchange.is_offer,
    };
    let established = agreed.and_then(RemoteTransport::is_dtls_client);
    line_transport(exchange.kind, theirs, established).ok()
}

fn sources(media: &Media) -> Vec<RemoteSource> {
    let numbers = |value: &str| -> Vec<u32> {
        let fields = value.split_ascii_whitespace();
        fields.filter_map(|field| field.parse().ok()).collect()
    };
    let pairs: Vec<(u32, u32)> = media
        .section
        .attributes("ssrc-group")
        .filter_map(|value| value.strip_prefix("FID "))
        .filter_map(|value| match numbers(value)[..] {
            [ssrc, retransmission] => Some((ssrc, retransmission)),
            _ => None,
        })
        .take(MOST_SOURCES)
        .collect();
    let mut found: Vec<RemoteSource> = Vec::new();
    for value in media.section.attributes("ssrc") {
        let Some(&ssrc) = numbers(value.split(' ').next().unwrap_or_default()).first() else {
            continue;
        };
        let is_known = found.iter().any(|source| source.ssrc == ssrc);
        let is_repeater = pairs
            .iter()
            .any(|(_, retransmission)| *retransmission == ssrc);
        if is_known || is_repeater || found.len() == MOST_SOURCES {
            continue;
        }
        let pair = pairs.iter().find(|(original, _)| *original == ssrc);
        found.push(RemoteSource {
            ssrc,
            retransmission: pair.map(|(_, retransmission)| *retransmission),
        });
    }
    found
}

/// The layers of `a=simulcast:send` (RFC 8853), first alternatives only, as far as `a=rid` says
/// that they are sent (RFC 8851).
fn layers(media: &Media) -> Vec<String> {
    let described: Vec<&str> = media
        .section
        .attributes("rid")
        .filter_map(|value| {
            let mut fields = value.split_ascii_whitespace();
            let (name, way) = (fields.next()?, fields.next()?);
            (way == "send").then_some(name)
        })
        .collect();
    let Some(value) = media.section.attribute("simulcast") else {
        return Vec::new();
    };
    let mut fields = value.split_ascii_whitespace();
    while let (Some(direction), Some(list)) = (fields.next(), fields.next()) {
        if direction == "send" {
            let first = |layer: &str| {
                layer
                    .split(',')
                    .next()
                    .map(|l| l.trim_start_matches('~').to_owned())
            };
            let is_name = |layer: &String| {
                !layer.is_empty()
                    && layer.len() <= 16
                    && layer.bytes().all(|b| b.is_ascii_alphanumeric())
                    && described.contains(&layer.as_str())
            };
            let all = list.split(';').filter_map(first).filter(is_name);
            return all.take(MOST_LAYERS).collect();
        }
    }
    Vec::new()
}
