//! Our session descriptions, without the `v=` and `o=` lines.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use super::negotiation::{Negotiated, RemoteTransport, TransportKind};
use super::offer_answer::{LocalMedia, Settings};
use super::payload::{PayloadTypes, encoding};
use super::sdp::{Description, Direction, Media};
use crate::codec::CodecKind;
use crate::transport::IceDescription;

/// RFC 8445 §5.1.2.1: host candidates.
const HOST_PREFERENCE: u32 = 126 << 24;

/// What an answer is made of.
pub(super) struct Answering<'a> {
    pub(super) settings: &'a Settings,
    pub(super) local: &'a LocalMedia,
    pub(super) remote: &'a Description,
    pub(super) index: usize,
    pub(super) negotiated: &'a Negotiated,
}

/// Lines of a description; each `line` ends with CR LF.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        self.0.write_fmt(text).ok();
        self.0.push_str("\r\n");
    }
}

macro_rules! line {
    ($lines:expr, $($part:tt)+) => { $lines.line(format_args!($($part)+)) };
}

/// Writes an offer; m-lines of earlier exchanges that are not ours stay refused in their places.
pub(super) fn write_offer(
    settings: &Settings,
    local: &LocalMedia,
    payload_types: &PayloadTypes,
    direction: Direction,
    mid: Option<&str>,
    index: usize,
    remote: Option<&Description>,
) -> String {
    let mut out = Lines::default();
    let mid = offered_mid(settings.kind, mid, index, remote);
    write_session(&mut out, settings, local, mid);
    let count = remote.map_or(1, |remote| remote.media.len().max(index + 1));
    for place in 0..count {
        if place != index {
            if let Some(media) = remote.and_then(|remote| remote.media.get(place)) {
                write_refused(&mut out, media);
            }
            continue;
        }
        let codecs = payload_types.codecs.iter().map(|(number, _)| *number);
        let events = payload_types.telephone_events.iter();
        let numbers = codecs.chain(events.map(|(number, _)| *number));
        let protocol = match settings.kind {
            TransportKind::Plain => "RTP/AVP",
            TransportKind::Ice => "UDP/TLS/RTP/SAVPF",
        };
        write_media(&mut out, local, protocol, numbers);
        write_common(&mut out, mid, direction, true, settings, local);
        if let Some(ice) = &local.ice {
            write_ice(&mut out, ice, local.address, "actpass");
        }
        for (number, codec) in &payload_types.codecs {
            write_codec(&mut out, *number, *codec);
        }
        for (number, clock) in &payload_types.telephone_events {
            write_telephone_event(&mut out, *number, *clock);
        }
        line!(out, "a=ptime:{}", settings.ptime_ms);
        write_source(&mut out, settings, direction);
    }
    out.0
}

/// The mid of an offer: the one in use, or the first one for a browser. A peer that answered
/// without mids gets none in later offers either.
fn offered_mid<'a>(
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
    } = answering;
    let mut out = Lines::default();
    let ours = &remote.media[*index];
    let mid = ours.section.attribute("mid");
    let bundled = mid.filter(|mid| remote.bundle_of(mid).is_some());
    write_session(&mut out, settings, local, bundled);
    for (place, media) in remote.media.iter().enumerate() {
        if place != *index {
            write_refused(&mut out, media);
            continue;
        }
        let number = negotiated.send_payload_type;
        let event = negotiated.telephone_event;
        let numbers = [Some(number), event.map(|event| event.receive_payload_type)];
        write_media(
            &mut out,
            local,
            &media.protocol,
            numbers.into_iter().flatten(),
        );
        let direction = negotiated.direction;
        write_common(
            &mut out,
            mid,
            direction,
            negotiated.rtcp_mux,
            settings,
            local,
        );
        if let (Some(ice), RemoteTransport::Ice { is_dtls_client, .. }) =
            (&local.ice, &negotiated.transport)
        {
            let role = if *is_dtls_client { "active" } else { "passive" };
            write_ice(&mut out, ice, local.address, role);
        }
        write_codec(&mut out, number, negotiated.codec);
        if let Some(event) = event {
            write_telephone_event(&mut out, event.receive_payload_type, event.clock_rate_hz);
        }
        line!(out, "a=ptime:{}", settings.ptime_ms);
        write_source(&mut out, settings, direction);
    }
    out.0
}

fn write_session(out: &mut Lines, settings: &Settings, local: &LocalMedia, bundled: Option<&str>) {
    line!(out, "s=-");
    line!(out, "c=IN {}", network_address(local.address));
    line!(out, "t=0 0");
    if settings.kind == TransportKind::Ice {
        if let Some(mid) = bundled {
            line!(out, "a=group:BUNDLE {mid}");
        }
        line!(out, "a=ice-options:ice2");
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

fn write_common(
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
    if settings.kind == TransportKind::Plain && local.rtcp_port != local.rtp_port {
        line!(out, "a=rtcp:{}", local.rtcp_port);
    }
    if rtcp_mux {
        line!(out, "a=rtcp-mux");
    }
}

fn write_ice(out: &mut Lines, ice: &IceDescription, advertised: IpAddr, role: &str) {
    line!(out, "a=ice-ufrag:{}", ice.ufrag);
    line!(out, "a=ice-pwd:{}", ice.password);
    for (place, address) in candidates(ice, advertised).iter().enumerate() {
        let priority = HOST_PREFERENCE + ((0xffff - place as u32) << 8) + 255;
        let (foundation, ip, port) = (place + 1, address.ip(), address.port());
        line!(
            out,
            "a=candidate:{foundation} 1 udp {priority} {ip} {port} typ host"
        );
    }
    line!(out, "a=end-of-candidates");
    line!(out, "a=fingerprint:sha-256 {}", ice.fingerprint);
    line!(out, "a=setup:{role}");
}

/// Our candidates; an advertised address that no socket has comes first, with the first port.
fn candidates(ice: &IceDescription, advertised: IpAddr) -> Vec<SocketAddr> {
    let own = ice.candidates.clone();
    let is_own = own.iter().any(|address| address.ip() == advertised);
    let same_family = own
        .iter()
        .find(|address| address.is_ipv4() == advertised.is_ipv4());
    match same_family {
        Some(first) if !is_own && !advertised.is_unspecified() => {
            let mapped = SocketAddr::new(advertised, first.port());
            std::iter::once(mapped).chain(own).collect()
        }
        _ => own,
    }
}

fn write_codec(out: &mut Lines, number: u8, codec: CodecKind) {
    line!(out, "a=rtpmap:{number} {}", encoding(codec));
    if codec == CodecKind::Opus {
        line!(out, "a=fmtp:{number} minptime=10;useinbandfec=1");
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

fn network_address(address: IpAddr) -> String {
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    format!("{family} {address}")
}
