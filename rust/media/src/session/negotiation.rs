//! What two descriptions of an audio stream agree on.

use super::audio_format::OpusFormat;
use super::offer_answer::{Settings, refused};
use super::payload::{PayloadTypes, packet_time_ms, takes_comfort_noise};
use super::profile::{fingerprints, kinds_of, remote_transport};
use super::sdp::{Description, Direction, Media};
use crate::MediaError;
use crate::codec::CodecKind;
use crate::transport::{ComponentId, RemoteDtls, RemoteIce, RemotePlain, RemoteSdes};

/// How the media of a session travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportKind {
    /// RTP/AVP.
    Plain,
    /// RTP/SAVP, or RTP/AVP with keys, under `a=crypto` (RFC 4568).
    Sdes,
    /// UDP/TLS/RTP/SAVP without ICE (RFC 5763).
    Dtls,
    /// UDP/TLS/RTP/SAVPF with ICE.
    Ice,
}

/// Telephone events, as agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// What we send them with.
    pub send_payload_type: u8,
    /// What they arrive with.
    pub receive_payload_type: u8,
    /// The clock of their durations; mostly that of the codec.
    pub clock_rate_hz: u32,
}

/// What the transport must know of the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteTransport {
    /// For `PlainTransport::set_remote`.
    Plain(RemotePlain),
    /// For `SdesTransport::set_remote`.
    Sdes(RemoteSdes),
    /// For `DtlsTransport::set_remote`.
    Dtls {
        /// Addresses and fingerprints.
        remote: RemoteDtls,
        /// Our DTLS role.
        is_dtls_client: bool,
    },
    /// For `IceTransport::set_remote`.
    Ice {
        /// Credentials, candidates, fingerprints.
        remote: RemoteIce,
        /// Our DTLS role.
        is_dtls_client: bool,
    },
}

impl RemoteTransport {
    /// Which transport it is for.
    pub fn kind(&self) -> TransportKind {
        match self {
            Self::Plain(_) => TransportKind::Plain,
            Self::Sdes(_) => TransportKind::Sdes,
            Self::Dtls { .. } => TransportKind::Dtls,
            Self::Ice { .. } => TransportKind::Ice,
        }
    }

    /// Our DTLS role, where there is DTLS.
    pub fn is_dtls_client(&self) -> Option<bool> {
        match self {
            Self::Dtls { is_dtls_client, .. } | Self::Ice { is_dtls_client, .. } => {
                Some(*is_dtls_client)
            }
            Self::Plain(_) | Self::Sdes(_) => None,
        }
    }
}

/// What both sides agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// The codec we send.
    pub codec: CodecKind,
    /// What we send it with.
    pub send_payload_type: u8,
    /// All that may arrive: payload type and codec, the one above first.
    pub receive_payload_types: Vec<(u8, CodecKind)>,
    /// Telephone events at the codec's clock, else at one that both know.
    pub telephone_event: Option<TelephoneEvent>,
    /// Which way media flows, seen from us.
    pub direction: Direction,
    /// Packet time to send with, milliseconds.
    pub ptime_ms: u16,
    /// What the peer says of the Opus it wants.
    pub opus: OpusFormat,
    /// What comfort noise is sent with, where the codec has a use for it (RFC 3389).
    pub send_comfort_noise: Option<u8>,
    /// What comfort noise arrives with.
    pub receive_comfort_noise: Option<u8>,
    /// RTP and RTCP share a port.
    pub rtcp_mux: bool,
    /// For the transport.
    pub transport: RemoteTransport,
}

impl Negotiated {
    /// The number of comfort noise in our answer: the offer's serves both ways.
    pub(super) fn answered_comfort_noise(&self) -> Option<u8> {
        self.send_comfort_noise.and(self.receive_comfort_noise)
    }
}

/// Our side of an exchange.
pub(super) struct Ours<'a> {
    pub(super) settings: &'a Settings,
    /// The transport of our offer that is answered.
    pub(super) offered: TransportKind,
    pub(super) wish: Direction,
    /// Our DTLS role in the established association.
    pub(super) is_dtls_client: Option<bool>,
    /// The numbers media arrives with.
    pub(super) payload_types: &'a PayloadTypes,
}

/// The peer's side: its description and the m-line of the call.
pub(super) struct Theirs<'a> {
    pub(super) description: &'a Description,
    pub(super) media: &'a Media,
    pub(super) payload_types: &'a PayloadTypes,
    pub(super) is_offer: bool,
}

/// Who wrote an m-line, and in what.
#[derive(Clone, Copy)]
pub(super) struct Author<'a> {
    pub(super) description: &'a Description,
    pub(super) media: &'a Media,
    pub(super) is_offer: bool,
}

impl<'a> Theirs<'a> {
    pub(super) fn author(&self) -> Author<'a> {
        Author {
            description: self.description,
            media: self.media,
            is_offer: self.is_offer,
        }
    }
}

/// Brings both sides together on `codec`.
pub(super) fn negotiate(
    ours: &Ours<'_>,
    theirs: &Theirs<'_>,
    codec: CodecKind,
) -> Result<Negotiated, MediaError> {
    let Theirs {
        description, media, ..
    } = *theirs;
    let rtcp_mux = description.of_transport(media, "rtcp-mux").is_some();
    let path = remote_plain(description, media, rtcp_mux);
    let transport = remote_transport(ours, theirs, path)?;
    let kind = transport.kind();
    let send_payload_type = theirs
        .payload_types
        .of_codec(codec)
        .ok_or_else(|| refused("the codec has no payload type"))?;
    let offered = offered_direction(description, media, kind);
    let receive_payload_types = receivable(codec, ours, theirs);
    let mut heard = receive_payload_types.iter();
    let may_hear_noise = heard.any(|(_, codec)| takes_comfort_noise(*codec));
    let noise = theirs.payload_types.comfort_noise;
    Ok(Negotiated {
        codec,
        send_payload_type,
        receive_payload_types,
        telephone_event: telephone_event(codec, ours, theirs),
        direction: ours.wish.and(offered.reversed()),
        ptime_ms: packet_time_ms(media, codec, ours.settings.ptime_ms),
        opus: OpusFormat::read(media, send_payload_type),
        send_comfort_noise: noise.filter(|_| takes_comfort_noise(codec)),
        receive_comfort_noise: ours.payload_types.comfort_noise.filter(|_| may_hear_noise),
        rtcp_mux,
        transport,
    })
}

fn telephone_event(
    codec: CodecKind,
    ours: &Ours<'_>,
    theirs: &Theirs<'_>,
) -> Option<TelephoneEvent> {
    if !ours.settings.dtmf {
        return None;
    }
    let of_clock = |clock_rate_hz| {
        Some(TelephoneEvent {
            send_payload_type: theirs.payload_types.of_telephone_event(clock_rate_hz)?,
            receive_payload_type: ours.payload_types.of_telephone_event(clock_rate_hz)?,
            clock_rate_hz,
        })
    };
    // The clock is to be the audio's (RFC 4733 §2.1), yet phones with Opus often name 8000 alone.
    let clocks = [codec.rtp_clock_hz(), 8_000, 48_000, 16_000];
    clocks.into_iter().find_map(of_clock)
}

/// Our DTLS role (RFC 5763 §5): an association that is `established` keeps its roles.
pub(super) fn dtls_role(theirs: Author<'_>, established: Option<bool>) -> Result<bool, MediaError> {
    match theirs.description.of_transport(theirs.media, "setup") {
        Some("passive") => Ok(true),
        Some("active") => Ok(false),
        Some("actpass") => Ok(established.unwrap_or(true)),
        // Without the attribute the offerer is active, the answerer too (RFC 4145 §4.1).
        None => Ok(false),
        Some(other) => {
            let side = if theirs.is_offer { "offer" } else { "answer" };
            Err(refused(&format!("the {side} has the DTLS role {other:?}")))
        }
    }
}

/// Which transport an offer asks for: "plain", "sdes", "dtls" or "ice".
pub fn detect(sdp: &str) -> &'static str {
    if !speaks_of_keys(sdp) {
        return TransportKind::Plain.as_str();
    }
    let kind = Description::parse_untrusted(sdp).ok().and_then(|offer| {
        let mut audio = audio_of(&offer);
        audio.find_map(|media| kinds_of(&offer, media).first().copied())
    });
    kind.unwrap_or(TransportKind::Plain).as_str()
}

/// Whether a description can have a line that is not bare RTP: it is read for that only then.
fn speaks_of_keys(sdp: &str) -> bool {
    let text = sdp.to_ascii_uppercase();
    ["SAVP", "FINGERPRINT", "CRYPTO"]
        .iter()
        .any(|word| text.contains(word))
}

fn audio_of(description: &Description) -> impl Iterator<Item = &Media> {
    let media = description.media.iter();
    media.filter(|media| media.kind == "audio" && !media.is_refused())
}

/// Whether the author of a description has put us on hold: its audio wants nothing from us.
pub fn detect_hold(sdp: &str) -> bool {
    let Ok(description) = Description::parse_untrusted(sdp) else {
        return false;
    };
    let mut audio = audio_of(&description);
    audio
        .find_map(|media| Some((media, *kinds_of(&description, media).first()?)))
        .is_some_and(|(media, kind)| !offered_direction(&description, media, kind).receives())
}

/// The direction of the peer's m-line; the hold address of RFC 2543 takes its receiving away, and
/// so does a bandwidth of 0.
pub(super) fn offered_direction(
    description: &Description,
    media: &Media,
    kind: TransportKind,
) -> Direction {
    let written = description.direction(media);
    let has_no_address = kind != TransportKind::Ice && description.rtp_address(media).is_none();
    let is_deaf = has_no_address || description.is_starved(media);
    Direction::of(written.sends(), written.receives() && !is_deaf)
}

fn receivable(codec: CodecKind, ours: &Ours<'_>, theirs: &Theirs<'_>) -> Vec<(u8, CodecKind)> {
    let own = |codec| {
        let number = ours.payload_types.of_codec(codec);
        number.map(|number| (number, codec))
    };
    // Our answer names one codec only; an answer to our offer may leave several open.
    let others = theirs
        .payload_types
        .codecs
        .iter()
        .filter(|(_, other)| !theirs.is_offer && *other != codec)
        .filter_map(|(_, other)| own(*other));
    own(codec).into_iter().chain(others).collect()
}

pub(super) fn remote_plain(
    description: &Description,
    media: &Media,
    rtcp_mux: bool,
) -> RemotePlain {
    let rtp = description.rtp_address(media);
    let named = media.section.attribute("rtcp").and_then(|value| {
        let mut fields = value.split_ascii_whitespace();
        let port: u16 = fields.next()?.parse().ok().filter(|port| *port != 0)?;
        let address = fields.nth(2).and_then(|address| address.parse().ok());
        Some((address.or(rtp.map(|rtp| rtp.ip()))?, port).into())
    });
    let next = rtp.and_then(|mut rtp| {
        rtp.set_port(rtp.port().checked_add(1)?);
        Some(rtp)
    });
    RemotePlain {
        rtp,
        rtcp: named.or(next),
        rtcp_mux,
    }
}

pub(super) fn remote_ice(
    description: &Description,
    media: &Media,
) -> Result<RemoteIce, MediaError> {
    let find = |name: &str| description.of_transport(media, name);
    let (Some(ufrag), Some(password)) = (find("ice-ufrag"), find("ice-pwd")) else {
        return Err(refused("the description has no ICE credentials"));
    };
    if !(4..=256).contains(&ufrag.len()) || !(22..=256).contains(&password.len()) {
        return Err(refused(
            "the ICE credentials have a length RFC 8839 forbids",
        ));
    }
    let fingerprints = fingerprints(description, media)?;
    let own = media.section.attributes("candidate");
    let has_more_to_come = trickles(description, media) && find("end-of-candidates").is_none();
    let head = description.bundle_head(media);
    let head = head.filter(|head| head.section.attribute("ice-ufrag") == Some(ufrag));
    let shared = head
        .into_iter()
        .flat_map(|head| head.section.attributes("candidate"));
    let all = own.chain(shared).map(str::to_owned);
    let (rtcp, candidates): (Vec<_>, _) =
        all.partition(|value| ComponentId::Rtcp.has_untrusted(value));
    // What is bundled goes with RTP (RFC 9143 §9.3); who names no second component has but one.
    let has_mux = media.section.attribute("rtcp-mux").is_some() || head.is_some();
    let names_rtcp = media.section.attribute("rtcp").is_some();
    let is_apart = !has_mux && (!rtcp.is_empty() || has_more_to_come && names_rtcp);
    Ok(RemoteIce {
        ufrag: ufrag.to_owned(),
        password: password.to_owned(),
        candidates,
        rtcp: is_apart.then_some(rtcp),
        fingerprints,
        is_lite: description.session.attribute("ice-lite").is_some(),
        has_more_to_come,
    })
}

/// Whether the description's author takes and sends candidates after it (RFC 8838 §3).
pub(super) fn trickles(description: &Description, media: &Media) -> bool {
    let options = description.of_transport(media, "ice-options").unwrap_or("");
    options
        .split_ascii_whitespace()
        .any(|option| option == "trickle")
}
