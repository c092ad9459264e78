//! The m-lines beside the audio, as our descriptions have them.

use super::formats::Format;
use super::reading::Extensions;
use super::{FurtherLines, Line, LineKind};
use crate::session::keys_writer::{write_answered_keys, write_offered_keys};
use crate::session::negotiation::{RemoteTransport, TransportKind};
use crate::session::offer_answer::{LocalMedia, Settings};
use crate::session::profile::offered_protocol;
use crate::session::sdp::{Description, Direction, Media};
use crate::session::sdp_writer::{Lines, line, write_common, write_ice, write_ice_of_bundle};

/// What a line is written with.
pub(in crate::session) struct Writing<'a> {
    pub(in crate::session) settings: &'a Settings,
    pub(in crate::session) local: &'a LocalMedia,
    /// The DTLS role, as the audio's.
    pub(in crate::session) role: &'static str,
    /// The far end has agreed to bundle before: the port is repeated instead of `bundle-only`.
    pub(in crate::session) is_bundled: bool,
    pub(in crate::session) is_held: bool,
    /// The far end's last description.
    pub(in crate::session) remote: Option<&'a Description>,
}

/// The mids of the lines that are to be in the bundle.
pub(in crate::session) fn bundle(further: &FurtherLines) -> impl Iterator<Item = &str> {
    further
        .lines
        .iter()
        .filter(|line| line.place.is_some() && !line.is_alone())
        .filter_map(|line| line.mid.as_deref())
        .chain(further.application.mid.as_deref())
}

/// Writes the line that an offer has at `place`; false if there is none.
pub(in crate::session) fn write_offered(
    out: &mut Lines,
    further: &FurtherLines,
    place: usize,
    writing: &Writing<'_>,
) -> bool {
    let Some(found) = further.lines.iter().find(|line| line.place == Some(place)) else {
        return further.write_offered_data(out, place, writing);
    };
    let theirs = writing
        .remote
        .and_then(|remote| Some((remote, remote.media.get(place)?)));
    let in_use = theirs.filter(|_| found.agreed.is_some());
    let protocol = offered_protocol(writing.settings, in_use);
    let is_alone = found.has_own_way(writing.settings.kind);
    let Some((local, port)) = home(writing, found.number, is_alone, !writing.is_bundled) else {
        return false;
    };
    let formats: Vec<&Format> = found.own.iter().collect();
    let numbers: Vec<u8> = formats
        .iter()
        .flat_map(|format| [Some(format.payload_type), format.retransmission])
        .flatten()
        .collect();
    let direction = found.held_wish(writing.is_held);
    write_head(out, port, protocol, &numbers);
    write_common(
        out,
        found.mid.as_deref(),
        direction,
        true,
        writing.settings,
        local,
    );
    if port == 0 {
        line!(out, "a=bundle-only");
    }
    if is_alone {
        if let Some(ice) = &local.ice {
            write_ice(out, ice, local.address, "actpass");
        }
        write_offered_keys(out, local, in_use.map(|(_, media)| media));
    } else {
        write_ice_of_bundle(out, local, writing.role);
    }
    if local.ice.is_some() {
        let agreed = found.agreed.as_ref().map(|agreed| agreed.extensions);
        write_extensions(
            out,
            agreed.unwrap_or_else(|| Extensions::offered(writing.remote)),
        );
    }
    formats.iter().for_each(|format| write_format(out, format));
    if let Some(agreed) = &found.agreed {
        write_layers(out, &agreed.layers);
    }
    write_content(out, found);
    write_source(out, writing, found, direction, &formats);
    true
}

/// Writes our answer to an offered line; false if it is none of ours.
pub(in crate::session) fn write_answered(
    out: &mut Lines,
    further: &FurtherLines,
    (place, media): (usize, &Media),
    writing: &Writing<'_>,
) -> bool {
    let Some(found) = further.lines.iter().find(|line| line.place == Some(place)) else {
        return further.write_answered_data(out, (place, media), writing);
    };
    let Some(agreed) = &found.agreed else {
        return false;
    };
    let Some((local, port)) = home(writing, found.number, found.is_alone(), false) else {
        return false;
    };
    let formats: Vec<&Format> = agreed.receive.iter().collect();
    let numbers: Vec<u8> = formats
        .iter()
        .flat_map(|format| [Some(format.payload_type), format.retransmission])
        .flatten()
        .collect();
    let has_mux = media.section.attribute("rtcp-mux").is_some();
    write_head(out, port, &media.protocol, &numbers);
    write_common(
        out,
        found.mid.as_deref(),
        agreed.direction,
        has_mux,
        writing.settings,
        local,
    );
    if let Some(transport) = &agreed.transport {
        let role = role_of(transport);
        if let Some(ice) = &local.ice {
            write_ice(out, ice, local.address, role);
        }
        write_answered_keys(out, local, transport, role);
    } else {
        write_ice_of_bundle(out, local, writing.role);
    }
    write_extensions(out, agreed.extensions);
    formats.iter().for_each(|format| write_format(out, format));
    write_layers(out, &agreed.layers);
    write_content(out, found);
    write_source(out, writing, found, agreed.direction, &formats);
    true
}

/// Our DTLS role on a transport, as an answer names it.
pub(in crate::session) fn role_of(transport: &RemoteTransport) -> &'static str {
    match transport.is_dtls_client() {
        Some(true) => "active",
        _ => "passive",
    }
}

/// Whose sockets a line uses, and the port it names.
fn home<'a>(
    writing: &Writing<'a>,
    number: u64,
    is_alone: bool,
    is_bundle_only: bool,
) -> Option<(&'a LocalMedia, u16)> {
    if !is_alone {
        let port = if is_bundle_only {
            0
        } else {
            writing.local.rtp_port
        };
        return Some((writing.local, port));
    }
    let mut own = writing.local.lines.iter();
    let (_, local) = own.find(|(line, _)| *line == number)?;
    Some((local, local.rtp_port))
}

fn write_head(out: &mut Lines, port: u16, protocol: &str, numbers: &[u8]) {
    let numbers: Vec<String> = numbers.iter().map(u8::to_string).collect();
    line!(out, "m=video {port} {protocol} {}", numbers.join(" "));
}

fn write_extensions(out: &mut Lines, extensions: Extensions) {
    for (number, name) in extensions.named() {
        line!(out, "a=extmap:{number} {name}");
    }
}

fn write_format(out: &mut Lines, format: &Format) {
    let number = format.payload_type;
    line!(out, "a=rtpmap:{number} {}/90000", format.codec.name());
    if !format.parameters.is_empty() {
        line!(out, "a=fmtp:{number} {}", format.parameters);
    }
    for name in format.feedback.names() {
        line!(out, "a=rtcp-fb:{number} {name}");
    }
    if let Some(repeated) = format.retransmission {
        line!(out, "a=rtpmap:{repeated} rtx/90000");
        line!(out, "a=fmtp:{repeated} apt={number}");
    }
}

/// Takes the layers that were offered, whatever the direction is now: a far end that finds none in a
/// description sends a single picture from then on, also when it is resumed.
fn write_layers(out: &mut Lines, layers: &[String]) {
    if layers.is_empty() {
        return;
    }
    for layer in layers {
        line!(out, "a=rid:{layer} recv");
    }
    line!(out, "a=simulcast:recv {}", layers.join(";"));
}

fn write_content(out: &mut Lines, found: &Line) {
    if found.kind == LineKind::Screen {
        line!(out, "a=content:slides");
    }
}

/// Names our sources, so that a bundled packet finds its line (RFC 5576, RFC 8843 §9.2).
fn write_source(
    out: &mut Lines,
    writing: &Writing<'_>,
    found: &Line,
    direction: Direction,
    formats: &[&Format],
) {
    if !direction.sends() {
        return;
    }
    let (cname, ssrc, again) = (
        &writing.settings.cname,
        found.ssrc,
        found.retransmission_ssrc,
    );
    if writing.settings.kind == TransportKind::Ice {
        line!(out, "a=msid:{cname} video{}", found.number);
    }
    let repeats = formats.iter().any(|format| format.retransmission.is_some());
    if repeats {
        line!(out, "a=ssrc-group:FID {ssrc} {again}");
    }
    line!(out, "a=ssrc:{ssrc} cname:{cname}");
    if repeats {
        line!(out, "a=ssrc:{again} cname:{cname}");
    }
}
