//! Our session descriptions, without the `v=` and `o=` lines.

use std::fmt::Write;
use std::net::IpAddr;

use super::audio_format::{self, AudioSettings};
use super::candidates_writer::{write_candidates, write_rtcp_address};
use super::keys_writer::{write_answered_keys, write_offered_keys};
use super::lines::{FurtherLines, Writing, bundle, role_of, write_answered, write_offered};
use super::negotiation::{Negotiated, RemoteTransport, TransportKind, trickles};
use super::offer_answer::{LocalMedia, Settings};
use super::payload::{PayloadTypes, encoding};
use super::profile::offered_protocol;
use super::sdp::{Description, Direction, Media};
use crate::codec::CodecKind;
use crate::transport::IceDescription;

/// What an answer is made of.
pub(super) struct Answering<'a> {
    pub(super) settings: &'a Settings,
    pub(super) local: &'a LocalMedia,
    pub(super) remote: &'a Description,
    pub(super) index: usize,
    pub(super) negotiated: &'a Negotiated,
    pub(super) further: &'a FurtherLines,
    pub(super) is_held: bool,
}

/// What an offer is made of.
pub(super) struct Offering<'a> {
    pub(super) settings: &'a Settings,
    pub(super) local: &'a LocalMedia,
    pub(super) payload_types: &'a PayloadTypes,
    pub(super) direction: Direction,
    pub(super) mid: Option<&'a str>,
    /// The place of the audio.
    pub(super) index: usize,
    pub(super) remote: Option<&'a Description>,
    pub(super) further: &'a FurtherLines,
}

/// Lines of a description; each `line` ends with CR LF.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    pub(super) fn into_text(self) -> String {
        self.0
    }

    pub(super) fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        self.0.write_fmt(text).ok();
        self.0.push_str("\r\n");
    }
}

macro_rules! line {
    ($lines:expr, $($part:tt)+) => { $lines.line(format_args!($($part)+)) };
}
pub(super) use line;

/// Writes an offer; m-lines of earlier exchanges that are not ours stay refused in their places.
pub(super) fn write_offer(offering: &Offering<'_>) -> String {
    let Offering {
        settings,
        local,
        index,
        remote,
        further,
        ..
    } = *offering;
    let mut out = Lines::default();
    let mid = offering.mid;
    let mids: Vec<&str> = mid.into_iter().chain(bundle(further)).collect();
    write_session(&mut out, settings, local, &mids, true);
    let writing = Writing {
        settings,
        local,
        role: "actpass",
        is_bundled: mid.is_some_and(|mid| remote.is_some_and(|r| r.bundle_of(mid).is_some())),
        is_held: !offering.direction.receives(),
        remote,
    };
    let length = remote.map_or(1, |remote| remote.media.len()).max(index + 1);
    for place in 0..length.max(further.end()) {
        if place == index {
            write_offered_audio(&mut out, offering, mid);
        } else if !write_offered(&mut out, further, place, &writing)
            && let Some(media) = remote.and_then(|remote| remote.media.get(place))
        {
            write_refused(&mut out, media);
        }
    }
    out.0
}

fn write_offered_audio(out: &mut Lines, offering: &Offering<'_>, mid: Option<&str>) {
    let Offering {
        settings,
        local,
        payload_types,
        direction,
        ..
    } = *offering;
    let codecs = payload_types.codecs.iter().map(|(number, _)| *number);
    let events = payload_types.telephone_events.iter();
    let noise = payload_types.comfort_noise;
    let numbers = codecs.chain(noise).chain(events.map(|(number, _)| *number));
    let in_use = offering
        .remote
        .and_then(|remote| Some((remote, remote.media.get(offering.index)?)));
    write_media(out, local, offered_protocol(settings, in_use), numbers);
    write_common(out, mid, direction, true, settings, local);
    if let Some(ice) = &local.ice {
        write_ice(out, ice, local.address, "actpass");
    }
    write_offered_keys(out, local, in_use.map(|(_, media)| media));
    for (number, codec) in &payload_types.codecs {
        write_codec(out, *number, *codec, &settings.audio);
    }
    write_comfort_noise(out, noise);
    for (number, clock) in &payload_types.telephone_events {
        write_telephone_event(out, *number, *clock);
    }
    line!(out, "a=ptime:{}", settings.ptime_ms);
    write_source(out, settings, direction);
}

/// The mid of an offer: the one in use, or the first one for a browser. A peer that answered
/// without mids gets none in later offers either.
pub(super) fn offered_mid<'a>(
    kind: TransportKind,
    in_use: Option<&'a str>,
    index: usize,
    remote: Option<&'a Description>,
) -> Option<&'a str> {
    let answered = |remote: &'a Description| remote.media.get(index)?.section.attribute("mid");
    match (in_use, remote) {
        (Some(mid), _) => Some(mid),
        (None, Some(remote)) => answered(remote),
        (None, None) => (kind == TransportKind::Ice).then_some("0"),
    }
}

/// Writes the answer to an offer, in the offer's own dialect.
pub(super) fn write_answer(answering: &Answering<'_>) -> String {
    let Answering {
        settings,
        local,
        remote,
        index,
        negotiated,
        further,
        is_held,
    } = *answering;
    let mut out = Lines::default();
    let mid = remote.media[index].section.attribute("mid");
    let bundled = mid.filter(|mid| remote.bundle_of(mid).is_some());
    let mids: Vec<&str> = bundled.into_iter().chain(bundle(further)).collect();
    let trickles = trickles(remote, &remote.media[index]);
    write_session(&mut out, settings, local, &mids, trickles);
    let writing = Writing {
        settings,
        local,
        role: role_of(&negotiated.transport),
        is_bundled: true,
        is_held,
        remote: Some(remote),
    };
    for (place, media) in remote.media.iter().enumerate() {
        if place == index {
            write_answered_audio(&mut out, answering, media);
        } else if !write_answered(&mut out, further, (place, media), &writing) {
            write_refused(&mut out, media);
        }
    }
    out.0
}

fn write_answered_audio(out: &mut Lines, answering: &Answering<'_>, media: &Media) {
    let Answering {
        settings,
        local,
        negotiated,
        ..
    } = *answering;
    let number = negotiated.send_payload_type;
    let event = negotiated.telephone_event;
    let noise = negotiated.answered_comfort_noise();
    let heard = event.map(|event| event.receive_payload_type);
    let numbers = [Some(number), noise, heard];
    let numbers = numbers.into_iter().flatten();
    write_media(out, local, &media.protocol, numbers);
    let (mid, direction) = (media.section.attribute("mid"), negotiated.direction);
    write_common(out, mid, direction, negotiated.rtcp_mux, settings, local);
    if let (Some(ice), RemoteTransport::Ice { .. }) = (&local.ice, &negotiated.transport) {
        write_ice(out, ice, local.address, role_of(&negotiated.transport));
    }
    let role = role_of(&negotiated.transport);
    write_answered_keys(out, local, &negotiated.transport, role);
    write_codec(out, number, negotiated.codec, &settings.audio);
    write_comfort_noise(out, noise);
    if let Some(event) = event {
        write_telephone_event(out, event.receive_payload_type, event.clock_rate_hz);
    }
    line!(out, "a=ptime:{}", settings.ptime_ms);
    write_source(out, settings, direction);
}

fn write_session(
    out: &mut Lines,
    settings: &Settings,
    local: &LocalMedia,
    bundled: &[&str],
    trickles: bool,
) {
    line!(out, "s=-");
    line!(out, "c=IN {}", network_address(local.address));
    line!(out, "t=0 0");
    if settings.kind == TransportKind::Ice {
        let is_lite = local.ice.as_ref().is_some_and(|ice| ice.is_lite);
        if is_lite {
            line!(out, "a=ice-lite");
        }
        if !bundled.is_empty() {
            line!(out, "a=group:BUNDLE {}", bundled.join(" "));
        }
        // Of the far end's candidates we take those that come later (RFC 8838 §3).
        let trickle = if trickles && !is_lite { " trickle" } else { "" };
        line!(out, "a=ice-options:ice2{trickle}");
    }
}

fn write_media(
    out: &mut Lines,
    local: &LocalMedia,
    protocol: &str,
    numbers: impl Iterator<Item = u8>,
) {
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    let (port, numbers) = (local.rtp_port, numbers.join(" "));
    line!(out, "m=audio {port} {protocol} {numbers}");
}

pub(super) fn write_common(
    out: &mut Lines,
    mid: Option<&str>,
    direction: Direction,
    rtcp_mux: bool,
    settings: &Settings,
    local: &LocalMedia,
) {
    if let Some(mid) = mid {
        line!(out, "a=mid:{mid}");
    }
    line!(out, "a={}", direction.as_str());
    if settings.kind != TransportKind::Ice && local.rtcp_port != local.rtp_port {
        line!(out, "a=rtcp:{}", local.rtcp_port);
    }
    if rtcp_mux {
        line!(out, "a=rtcp-mux");
    }
}

pub(super) fn write_ice(out: &mut Lines, ice: &IceDescription, advertised: IpAddr, role: &str) {
    line!(out, "a=ice-ufrag:{}", ice.ufrag);
    line!(out, "a=ice-pwd:{}", ice.password);
    write_rtcp_address(out, ice, advertised);
    write_candidates(out, ice, advertised);
    if ice.is_complete {
        line!(out, "a=end-of-candidates");
    }
    write_certificate(out, &ice.fingerprint, role);
}

pub(super) fn write_certificate(out: &mut Lines, fingerprint: &str, role: &str) {
    line!(out, "a=fingerprint:sha-256 {fingerprint}");
    line!(out, "a=setup:{role}");
}

/// What a further line of a bundle repeats of its first one; the candidates stand there alone.
pub(super) fn write_ice_of_bundle(out: &mut Lines, local: &LocalMedia, role: &str) {
    if let Some(ice) = &local.ice {
        line!(out, "a=ice-ufrag:{}", ice.ufrag);
        line!(out, "a=ice-pwd:{}", ice.password);
        line!(out, "a=fingerprint:sha-256 {}", ice.fingerprint);
        line!(out, "a=setup:{role}");
    }
}

fn write_codec(out: &mut Lines, number: u8, codec: CodecKind, audio: &AudioSettings) {
    line!(out, "a=rtpmap:{number} {}", encoding(codec));
    if codec == CodecKind::Opus {
        let parameters = audio_format::parameters(&audio.opus);
        line!(out, "a=fmtp:{number} {parameters}");
    }
}

fn write_comfort_noise(out: &mut Lines, number: Option<u8>) {
    if let Some(number) = number {
        line!(out, "a=rtpmap:{number} CN/8000");
    }
}

fn write_telephone_event(out: &mut Lines, number: u8, clock_rate_hz: u32) {
    line!(out, "a=rtpmap:{number} telephone-event/{clock_rate_hz}");
    line!(out, "a=fmtp:{number} 0-16");
}

/// Tells browsers whose media it is (RFC 8830, RFC 5576); trunks have no use for it.
fn write_source(out: &mut Lines, settings: &Settings, direction: Direction) {
    if settings.kind == TransportKind::Ice && direction.sends() {
        line!(out, "a=msid:{} audio", settings.cname);
        line!(out, "a=ssrc:{} cname:{}", settings.ssrc, settings.cname);
    }
}

/// An m-line we do not take keeps its place with port 0 (RFC 3264 §6).
fn write_refused(out: &mut Lines, media: &Media) {
    let formats = if media.formats.is_empty() {
        "0".to_owned()
    } else {
        media.formats.join(" ")
    };
    line!(out, "m={} 0 {} {formats}", media.kind, media.protocol);
    if let Some(mid) = media.section.attribute("mid") {
        line!(out, "a=mid:{mid}");
    }
    line!(out, "a=inactive");
}

pub(super) fn network_address(address: IpAddr) -> String {
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    format!("{family} {address}")
}
