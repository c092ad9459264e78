//! Which transports an m-line can be carried by, and which of them a session takes.

use super::crypto;
use super::negotiation::{
    Author, Ours, RemoteTransport, Theirs, TransportKind, dtls_role, remote_ice, remote_plain,
};
use super::offer_answer::{Settings, refused};
use super::sdp::{Description, Media};
use crate::MediaError;
use crate::transport::{RemoteDtls, RemotePlain, RemoteSdes, fingerprint};

impl TransportKind {
    /// The name Python has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Sdes => "sdes",
            Self::Dtls => "dtls",
            Self::Ice => "ice",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = [Self::Plain, Self::Sdes, Self::Dtls, Self::Ice].into_iter();
        all.find(|kind| kind.as_str() == name)
    }
}

/// The kinds an m-line can have, the safest first; none for what is no RTP and for SAVP without
/// keys. RTP/AVP with keys is "opportunistic": they may be used or not (RFC 8643).
pub(super) fn kinds_of(description: &Description, media: &Media) -> Vec<TransportKind> {
    let is_bundled = media.section.attribute("bundle-only").is_some();
    let has_ice = description.of_transport(media, "ice-ufrag").is_some();
    let mut found = Vec::new();
    let protocol = media.protocol.to_ascii_uppercase();
    if is_keyed_by_dtls(&protocol) {
        found.extend(has_ice.then_some(TransportKind::Ice));
        found.extend((!is_bundled).then_some(TransportKind::Dtls));
        return found;
    }
    let is_open = matches!(protocol.as_str(), "RTP/AVP" | "RTP/AVPF");
    if !is_open && !matches!(protocol.as_str(), "RTP/SAVPF" | "RTP/SAVP") {
        return found;
    }
    if description.of_transport(media, "fingerprint").is_some() {
        found.extend((has_ice && !is_open).then_some(TransportKind::Ice));
        found.extend((!is_bundled).then_some(TransportKind::Dtls));
    }
    found.extend(crypto::lines(media).next().map(|_| TransportKind::Sdes));
    found.extend(is_open.then_some(TransportKind::Plain));
    found
}

fn is_keyed_by_dtls(protocol: &str) -> bool {
    let known = ["UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"];
    known.iter().any(|name| name.eq_ignore_ascii_case(protocol))
}

/// The transport of an offered m-line, if this session takes one that it can have.
pub(super) fn kind_of_offer(
    settings: &Settings,
    description: &Description,
    media: &Media,
) -> Option<TransportKind> {
    // What an offer to a browser's transport lacks is said by whoever reads it.
    if settings.kind == TransportKind::Ice && is_keyed_by_dtls(&media.protocol) {
        return Some(TransportKind::Ice);
    }
    let takes = |kind: &TransportKind| *kind == settings.kind || settings.accepts.contains(kind);
    kinds_of(description, media).into_iter().find(takes)
}

/// The transport of an answered m-line: what was offered, or bare RTP where the keys were offered
/// as a possibility.
fn kind_of_answer(
    settings: &Settings,
    offered: TransportKind,
    description: &Description,
    media: &Media,
) -> Result<TransportKind, MediaError> {
    let kinds = kinds_of(description, media);
    if kinds.contains(&offered) {
        return Ok(offered);
    }
    let has_keys = media.section.attribute("crypto").is_some();
    if keys_are_optional(settings, offered) && kinds.contains(&TransportKind::Plain) && !has_keys {
        return Ok(TransportKind::Plain);
    }
    Err(refused("the answer has another transport than the offer"))
}

/// Whether an offer of ours leaves it to the peer to use the keys.
fn keys_are_optional(settings: &Settings, offered: TransportKind) -> bool {
    offered == TransportKind::Sdes && settings.accepts.contains(&TransportKind::Plain)
}

/// The protocol of an offer of ours: the one in use, else the usual one.
pub(super) fn offered_protocol<'a>(
    settings: &Settings,
    remote: Option<(&Description, &'a Media)>,
) -> &'a str {
    let in_use =
        remote.filter(|(description, media)| kinds_of(description, media).contains(&settings.kind));
    match (in_use, settings.kind) {
        (Some((_, media)), _) => &media.protocol,
        (None, TransportKind::Sdes) if keys_are_optional(settings, settings.kind) => "RTP/AVP",
        (None, TransportKind::Plain) => "RTP/AVP",
        (None, TransportKind::Sdes) => "RTP/SAVP",
        (None, TransportKind::Dtls) => "UDP/TLS/RTP/SAVP",
        (None, TransportKind::Ice) => "UDP/TLS/RTP/SAVPF",
    }
}

/// What a session says when an offer has nothing for it.
pub(super) fn wanted(settings: &Settings) -> String {
    let names = std::iter::once(&settings.kind).chain(&settings.accepts);
    let mut names: Vec<&str> = names
        .map(|kind| match kind {
            TransportKind::Plain => "RTP/AVP",
            TransportKind::Sdes => "RTP/SAVP with a=crypto",
            TransportKind::Dtls => "UDP/TLS/RTP/SAVP with a=fingerprint",
            TransportKind::Ice => "UDP/TLS/RTP/SAVPF with ICE",
        })
        .collect();
    names.dedup();
    names.join(" or ")
}

/// What the transport must know of the peer.
pub(super) fn remote_transport(
    ours: &Ours<'_>,
    theirs: &Theirs<'_>,
    path: RemotePlain,
) -> Result<RemoteTransport, MediaError> {
    let Theirs {
        description, media, ..
    } = *theirs;
    let settings = ours.settings;
    let kind = if theirs.is_offer {
        kind_of_offer(settings, description, media)
            .ok_or_else(|| refused("the offer has no transport of ours"))?
    } else {
        kind_of_answer(settings, ours.offered, description, media)?
    };
    transport_of(kind, theirs.author(), path, ours.is_dtls_client)
}

/// What a line beside the audio that has a transport of its own says of it: it is of the audio's
/// kind, with addresses and keys of its own. `established` is our DTLS role there so far.
pub(super) fn line_transport(
    kind: TransportKind,
    theirs: Author<'_>,
    established: Option<bool>,
) -> Result<RemoteTransport, MediaError> {
    let Author {
        description, media, ..
    } = theirs;
    let has_keys = media.section.attribute("crypto").is_some();
    if !kinds_of(description, media).contains(&kind)
        || (kind == TransportKind::Plain && has_keys && !theirs.is_offer)
    {
        return Err(refused("the line has another transport than the audio"));
    }
    let has_mux = media.section.attribute("rtcp-mux").is_some();
    let path = remote_plain(description, media, has_mux);
    transport_of(kind, theirs, path, established)
}

fn transport_of(
    kind: TransportKind,
    theirs: Author<'_>,
    path: RemotePlain,
    established: Option<bool>,
) -> Result<RemoteTransport, MediaError> {
    let Author {
        description, media, ..
    } = theirs;
    Ok(match kind {
        TransportKind::Plain => RemoteTransport::Plain(path),
        TransportKind::Sdes => RemoteTransport::Sdes(remote_sdes(theirs, path)?),
        TransportKind::Dtls => RemoteTransport::Dtls {
            remote: RemoteDtls {
                path,
                fingerprints: fingerprints(description, media)?,
            },
            is_dtls_client: dtls_role(theirs, established)?,
        },
        TransportKind::Ice => RemoteTransport::Ice {
            remote: remote_ice(description, media)?,
            is_dtls_client: dtls_role(theirs, established)?,
        },
    })
}

fn remote_sdes(theirs: Author<'_>, path: RemotePlain) -> Result<RemoteSdes, MediaError> {
    // The offerer's first choice that we know (RFC 4568 §5.1.2); an answer has one of ours.
    let line = crypto::lines(theirs.media)
        .find(|line| theirs.is_offer || line.tag == crypto::own_tag(line.key.suite()))
        .ok_or_else(|| refused("the answer has no a=crypto line that was offered"))?;
    Ok(RemoteSdes {
        path,
        tag: line.tag,
        key: line.key,
        mki: line.mki,
    })
}

/// The fingerprints of an m-line with those of the session, or of the head of its bundle where it
/// has none itself.
pub(super) fn fingerprints(
    description: &Description,
    media: &Media,
) -> Result<Vec<String>, MediaError> {
    let has_own = media.section.attribute("fingerprint").is_some();
    let head = description.bundle_head(media).filter(|_| !has_own);
    let levels = [
        Some(&media.section),
        Some(&description.session),
        head.map(|head| &head.section),
    ];
    let values = levels.into_iter().flatten();
    let found =
        fingerprint::read_untrusted(values.flat_map(|level| level.attributes("fingerprint")));
    if found.is_empty() {
        return Err(refused(
            "the description has no fingerprint by SHA-256, SHA-384 or SHA-512",
        ));
    }
    Ok(found)
}
