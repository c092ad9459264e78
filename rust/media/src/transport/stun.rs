//! What must be true of a STUN message before the ICE agent may see it.
//!
//! The agent acts on role conflicts before it looks at credentials, so one forged request would
//! turn its role. Requests are therefore authenticated here, and responses are taken only if they
//! answer a request of ours.

use std::net::SocketAddr;

use rtc::crypto::RTCCrypto;
use rtc::stun::attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{
    BINDING_SUCCESS, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, METHOD_BINDING, Message,
};
use rtc::stun::xoraddr::XorMappedAddress;

const HEADER_BYTES: usize = 20;

/// The kinds of STUN messages that pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    /// A binding request with valid credentials.
    Request {
        /// It nominates its pair (RFC 8445 §7.1.2).
        use_candidate: bool,
    },
    /// A success response; the agent checks its integrity.
    Response,
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
    if message.typ.class != CLASS_REQUEST {
        return None;
    }
    let username = message.get(ATTR_USERNAME).ok()?;
    let rest = username.strip_prefix(ufrag.as_bytes())?;
    if rest.first() != Some(&b':') {
        return None;
    }
    MessageIntegrity::check(&mut message, password.as_bytes(), crypto).ok()?;
    Some(Admitted::Request {
        use_candidate: message.contains(ATTR_USE_CANDIDATE),
    })
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

/// The transaction id of a STUN message.
pub(super) fn transaction_id(data: &[u8]) -> Option<[u8; 12]> {
    data.get(8..HEADER_BYTES)?.try_into().ok()
}

/// The receiver's half of USERNAME, without checking anything else.
pub(super) fn receiving_ufrag(data: &[u8]) -> Option<&str> {
    const USERNAME: u16 = 0x0006;
    let mut rest = data.get(HEADER_BYTES..)?;
    while rest.len() >= 4 {
        let kind = u16::from_be_bytes([rest[0], rest[1]]);
        let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        let value = rest.get(4..4 + length)?;
        if kind == USERNAME {
            let text = std::str::from_utf8(value).ok()?;
            return text.split_once(':').map(|(ours, _theirs)| ours);
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
