//! What must be true of a STUN message before the ICE agent may see it.
//!
//! The agent acts on role conflicts before it looks at credentials, so one forged request would
//! turn its role. Requests are therefore authenticated here, and responses are taken only if they
//! answer a request of ours.

use std::net::SocketAddr;

use rtc::crypto::RTCCrypto;
use rtc::ice::attributes::control::{AttrControlled, AttrControlling};
use rtc::ice::attributes::priority::PriorityAttr;
use rtc::stun::attributes::{
    ATTR_FINGERPRINT, ATTR_ICE_CONTROLLED, ATTR_ICE_CONTROLLING, ATTR_MESSAGE_INTEGRITY,
    ATTR_MESSAGE_INTEGRITY_SHA256, ATTR_USE_CANDIDATE, ATTR_USERNAME,
};
use rtc::stun::error_code::ErrorCodeAttribute;
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{
    BINDING_REQUEST, BINDING_SUCCESS, CLASS_ERROR_RESPONSE, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE,
    Getter, METHOD_BINDING, Message, Setter, TransactionId,
};
use rtc::stun::textattrs::TextAttribute;
use rtc::stun::xoraddr::XorMappedAddress;

const HEADER_BYTES: usize = 20;
/// What a peer-reflexive candidate found by a check would be worth (RFC 8445 §5.1.2.1).
const PEER_REFLEXIVE: u32 = (110 << 24) + (0xffff << 8) + 255;

/// The kinds of STUN messages that pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    /// A binding request with valid credentials.
    Request {
        /// It nominates its pair (RFC 8445 §7.1.2).
        use_candidate: bool,
        /// Whether its author controls, if it says so.
        controls: Option<bool>,
    },
    /// A success response; who asked checks its integrity.
    Response,
    /// An error response with its code; who asked checks its integrity.
    Error(u16),
}

/// Checks a STUN datagram against the local credentials; None if it must be dropped.
pub(super) fn admit(
    data: &[u8],
    ufrag: &str,
    password: &str,
    crypto: &dyn RTCCrypto,
) -> Option<Admitted> {
    let length = usize::from(u16::from_be_bytes([*data.get(2)?, *data.get(3)?]));
    if !length.is_multiple_of(4) || data.len() != HEADER_BYTES + length {
        return None;
    }
    let mut message = Message {
        raw: data.to_vec(),
        ..Message::default()
    };
    message.decode().ok()?;
    if message.typ.method != METHOD_BINDING {
        return None;
    }
    if message.typ.class == CLASS_SUCCESS_RESPONSE {
        return Some(Admitted::Response);
    }
    if message.typ.class == CLASS_ERROR_RESPONSE {
        let mut error = ErrorCodeAttribute::default();
        error.get_from(&message).ok()?;
        return Some(Admitted::Error(error.code.0));
    }
    if message.typ.class != CLASS_REQUEST {
        return None;
    }
    let username = message.get(ATTR_USERNAME).ok()?;
    let rest = username.strip_prefix(ufrag.as_bytes())?;
    if rest.first() != Some(&b':') {
        return None;
    }
    MessageIntegrity::check(&mut message, password.as_bytes(), crypto).ok()?;
    if !is_signed_to_its_end(&message) {
        return None;
    }
    Some(Admitted::Request {
        use_candidate: message.contains(ATTR_USE_CANDIDATE),
        controls: controls(&message),
    })
}

/// Whether nothing but a signature or a checksum follows the signature (RFC 8489 §14.5): the agent
/// would believe what anybody can append, a nomination for one.
fn is_signed_to_its_end(message: &Message) -> bool {
    let kinds = message.attributes.0.iter().map(|one| one.typ);
    kinds
        .skip_while(|kind| *kind != ATTR_MESSAGE_INTEGRITY)
        .skip(1)
        .all(|kind| matches!(kind, ATTR_MESSAGE_INTEGRITY_SHA256 | ATTR_FINGERPRINT))
}

fn controls(message: &Message) -> Option<bool> {
    let of = |kind, controls| message.contains(kind).then_some(controls);
    of(ATTR_ICE_CONTROLLING, true).or_else(|| of(ATTR_ICE_CONTROLLED, false))
}

/// The success response to a binding request that came from `from` (RFC 8489 §6.3.1).
pub(super) fn success(
    request: &[u8],
    from: SocketAddr,
    password: &str,
    crypto: &dyn RTCCrypto,
) -> Option<Vec<u8>> {
    let mut message = Message {
        raw: request.to_vec(),
        ..Message::default()
    };
    message.decode().ok()?;
    let mut response = Message::new();
    response
        .build(&[
            Box::new(message),
            Box::new(BINDING_SUCCESS),
            Box::new(XorMappedAddress {
                ip: from.ip(),
                port: from.port(),
            }),
            Box::new(MessageIntegrity::new_short_term_integrity_with_provider(
                password.to_owned(),
                crypto,
            )),
            Box::new(FINGERPRINT),
        ])
        .ok()?;
    Some(response.raw)
}

/// How an address that has proved itself is asked: by the credentials of the checks that found it.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) controls: bool,
}

/// Makes a binding request (RFC 8445 §7.2.2).
pub(super) fn request(id: [u8; 12], terms: &Terms, crypto: &dyn RTCCrypto) -> Option<Vec<u8>> {
    // With these ties a peer that has taken our role keeps it (RFC 8445 §7.3.1.1).
    let role: Box<dyn Setter> = if terms.controls {
        Box::new(AttrControlling(0))
    } else {
        Box::new(AttrControlled(u64::MAX))
    };
    let name = TextAttribute::new(ATTR_USERNAME, terms.username.clone());
    let integrity =
        MessageIntegrity::new_short_term_integrity_with_provider(terms.password.clone(), crypto);
    let mut message = Message::new();
    message
        .build(&[
            Box::new(BINDING_REQUEST),
            Box::new(TransactionId(id)),
            Box::new(name),
            role,
            Box::new(PriorityAttr(PEER_REFLEXIVE)),
            Box::new(integrity),
            Box::new(FINGERPRINT),
        ])
        .ok()?;
    Some(message.raw)
}

/// Whether a message is signed with a password, as the answers to our requests are.
pub(super) fn is_signed(data: &[u8], password: &str, crypto: &dyn RTCCrypto) -> bool {
    let mut message = Message {
        raw: data.to_vec(),
        ..Message::default()
    };
    message.decode().is_ok()
        && MessageIntegrity::check(&mut message, password.as_bytes(), crypto).is_ok()
}

/// The transaction id of a STUN message.
pub(super) fn transaction_id(data: &[u8]) -> Option<[u8; 12]> {
    data.get(8..HEADER_BYTES)?.try_into().ok()
}

/// The receiver's half of USERNAME, without checking anything else.
pub(super) fn receiving_ufrag(data: &[u8]) -> Option<&str> {
    ufrags(data).map(|(ours, _theirs)| ours)
}

/// The sender's half of USERNAME, without checking anything else.
pub(super) fn sending_ufrag(data: &[u8]) -> Option<&str> {
    ufrags(data).map(|(_ours, theirs)| theirs)
}

fn ufrags(data: &[u8]) -> Option<(&str, &str)> {
    const USERNAME: u16 = 0x0006;
    let mut rest = data.get(HEADER_BYTES..)?;
    while rest.len() >= 4 {
        let kind = u16::from_be_bytes([rest[0], rest[1]]);
        let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        let value = rest.get(4..4 + length)?;
        if kind == USERNAME {
            let text = std::str::from_utf8(value).ok()?;
            return text.split_once(':');
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
    None
}

/// Whether a datagram is in STUN's range of first bytes (RFC 7983).
pub(super) fn is_stun(data: &[u8]) -> bool {
    data.len() >= HEADER_BYTES && data[0] < 4
}

/// Whether a STUN message is a binding request.
pub(super) fn is_request(data: &[u8]) -> bool {
    data.starts_with(&[0, 1])
}

/// Whether a STUN message is a success response to a binding request.
pub(super) fn is_success(data: &[u8]) -> bool {
    data.starts_with(&[1, 1])
}

/// Whether a message is the success response to a request.
pub(super) fn is_success_to(data: &[u8], request: &[u8]) -> bool {
    is_success(data) && transaction_id(data) == transaction_id(request)
}
