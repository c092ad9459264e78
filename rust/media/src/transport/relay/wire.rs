//! The messages between us and a relay: requests written, responses and data read.

use std::net::{IpAddr, SocketAddr};

use rtc::crypto::RTCCrypto;
use rtc::stun::addr::MappedAddress;
use rtc::stun::attributes::{
    ATTR_ALTERNATE_SERVER, ATTR_CHANNEL_NUMBER, ATTR_DATA, ATTR_LIFETIME, ATTR_NONCE, ATTR_REALM,
    ATTR_REQUESTED_ADDRESS_FAMILY, ATTR_REQUESTED_TRANSPORT, ATTR_USERNAME, ATTR_XOR_PEER_ADDRESS,
    ATTR_XOR_RELAYED_ADDRESS, AttrType,
};
use rtc::stun::error_code::ErrorCodeAttribute;
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_INDICATION, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, Getter,
    METHOD_ALLOCATE, METHOD_BINDING, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION, METHOD_DATA,
    METHOD_REFRESH, METHOD_SEND, Message, MessageType, Method, Setter, TransactionId,
};
use rtc::stun::xoraddr::XorMappedAddress;

/// Relayed transport: UDP (RFC 8656 §18.6), then three bytes for later.
const UDP: [u8; 4] = [17, 0, 0, 0];
const IPV4: u8 = 1;
const IPV6: u8 = 2;
const CHANNEL_HEADER_BYTES: usize = 4;
/// Letters of a relay's reason that are shown.
const REASON_LETTERS: usize = 80;

/// What a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// An allocation for the family of this address.
    Allocate(IpAddr),
    /// Seconds the allocation is to live on; 0 ends it.
    Refresh(u32),
    /// That this address may send to us.
    Permission(SocketAddr),
    /// A short header for what goes to and comes from a peer.
    Channel(u16, SocketAddr),
}

impl Ask {
    fn method(self) -> Method {
        match self {
            Self::Allocate(_) => METHOD_ALLOCATE,
            Self::Refresh(_) => METHOD_REFRESH,
            Self::Permission(_) => METHOD_CREATE_PERMISSION,
            Self::Channel(..) => METHOD_CHANNEL_BIND,
        }
    }

    fn write(self, message: &mut Message) {
        match self {
            Self::Allocate(ip) => {
                message.add(ATTR_REQUESTED_TRANSPORT, &UDP);
                if ip.is_ipv6() {
                    message.add(ATTR_REQUESTED_ADDRESS_FAMILY, &[IPV6, 0, 0, 0]);
                }
            }
            Self::Refresh(seconds) => message.add(ATTR_LIFETIME, &seconds.to_be_bytes()),
            Self::Permission(peer) => add_address(message, ATTR_XOR_PEER_ADDRESS, peer),
            Self::Channel(number, peer) => {
                let [high, low] = number.to_be_bytes();
                message.add(ATTR_CHANNEL_NUMBER, &[high, low, 0, 0]);
                add_address(message, ATTR_XOR_PEER_ADDRESS, peer);
            }
        }
    }
}

/// What requests are signed with, once the relay has named its realm.
pub(super) struct Proof {
    pub(super) username: String,
    pub(super) realm: Vec<u8>,
    pub(super) nonce: Vec<u8>,
    pub(super) key: Vec<u8>,
}

/// A response to a request of ours.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::transport) enum Answer {
    Success(Granted),
    Refused(Refusal),
}

/// What a success response says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::transport) struct Granted {
    pub(in crate::transport) relayed: Option<SocketAddr>,
    pub(in crate::transport) mapped: Option<SocketAddr>,
    pub(in crate::transport) lifetime: Option<u32>,
}

/// What an error response says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::transport) struct Refusal {
    pub(in crate::transport) code: u16,
    pub(in crate::transport) reason: String,
    pub(in crate::transport) realm: Option<Vec<u8>>,
    pub(in crate::transport) nonce: Option<Vec<u8>>,
    /// Where it sends us instead.
    pub(in crate::transport) alternate: Option<SocketAddr>,
}

/// What came from the relay.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::transport) enum Received {
    Answer([u8; 12], Answer),
    Data(SocketAddr, Vec<u8>),
    Channel(u16, Vec<u8>),
}

/// Writes a request; returns its transaction id and its bytes.
pub(super) fn request(
    ask: Ask,
    proof: Option<&Proof>,
    crypto: &dyn RTCCrypto,
) -> ([u8; 12], Vec<u8>) {
    let mut message = begin(MessageType::new(ask.method(), CLASS_REQUEST));
    ask.write(&mut message);
    if let Some(proof) = proof {
        message.add(ATTR_USERNAME, proof.username.as_bytes());
        message.add(ATTR_REALM, &proof.realm);
        message.add(ATTR_NONCE, &proof.nonce);
        MessageIntegrity::new_raw_integrity_with_provider(proof.key.clone(), crypto)
            .add_to(&mut message)
            .ok();
    }
    FINGERPRINT.add_to(&mut message).ok();
    (message.transaction_id.0, message.raw)
}

/// Writes a request for the address others see us by (RFC 8489 §2).
pub(in crate::transport) fn binding_request() -> ([u8; 12], Vec<u8>) {
    let mut message = begin(MessageType::new(METHOD_BINDING, CLASS_REQUEST));
    FINGERPRINT.add_to(&mut message).ok();
    (message.transaction_id.0, message.raw)
}

/// Writes what keeps the way to a server open and is not answered.
pub(in crate::transport) fn keep_alive() -> Vec<u8> {
    begin(MessageType::new(METHOD_BINDING, CLASS_INDICATION)).raw
}

/// Wraps data for a peer without a channel.
pub(super) fn send_indication(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut message = begin(MessageType::new(METHOD_SEND, CLASS_INDICATION));
    add_address(&mut message, ATTR_XOR_PEER_ADDRESS, peer);
    message.add(ATTR_DATA, data);
    message.raw
}

/// Wraps data for the peer of a channel, padded as streams need it (RFC 8656 §12.5).
pub(super) fn channel_data(number: u16, data: &[u8]) -> Vec<u8> {
    let mut wrapped = Vec::with_capacity(CHANNEL_HEADER_BYTES + data.len() + 3);
    wrapped.extend(number.to_be_bytes());
    wrapped.extend((data.len() as u16).to_be_bytes());
    wrapped.extend(data);
    wrapped.resize(wrapped.len().next_multiple_of(4), 0);
    wrapped
}

/// The long-term key (RFC 8489 §9.2.2); None when the cryptography refuses.
pub(super) fn long_term_key(
    username: &str,
    realm: &[u8],
    password: &str,
    crypto: &dyn RTCCrypto,
) -> Option<Vec<u8>> {
    let realm = String::from_utf8(realm.to_vec()).ok()?;
    let (user, secret) = (username.to_owned(), password.to_owned());
    MessageIntegrity::long_term_integrity_key(user, realm, secret, crypto).ok()
}

/// Reads what came from a relay; None for what makes no sense.
pub(in crate::transport) fn read_untrusted(data: &[u8]) -> Option<Received> {
    if data.first()? & 0xc0 == 0x40 {
        let number = u16::from_be_bytes([data[0], *data.get(1)?]);
        let length = usize::from(u16::from_be_bytes([*data.get(2)?, *data.get(3)?]));
        let payload = data.get(CHANNEL_HEADER_BYTES..CHANNEL_HEADER_BYTES + length)?;
        return Some(Received::Channel(number, payload.to_vec()));
    }
    let message = decoded(data)?;
    if message.typ == MessageType::new(METHOD_DATA, CLASS_INDICATION) {
        let peer = address(&message, ATTR_XOR_PEER_ADDRESS)?;
        return Some(Received::Data(peer, message.get(ATTR_DATA).ok()?));
    }
    let answer = match message.typ.class {
        CLASS_SUCCESS_RESPONSE => Answer::Success(Granted {
            relayed: address(&message, ATTR_XOR_RELAYED_ADDRESS),
            mapped: mapped(&message),
            lifetime: number(&message, ATTR_LIFETIME),
        }),
        CLASS_ERROR_RESPONSE => Answer::Refused(refusal(&message)?),
        _ => return None,
    };
    Some(Received::Answer(message.transaction_id.0, answer))
}

/// Whether a response is signed with the key of the request it answers.
pub(super) fn is_signed(data: &[u8], key: &[u8], crypto: &dyn RTCCrypto) -> bool {
    decoded(data)
        .is_some_and(|mut message| MessageIntegrity::check(&mut message, key, crypto).is_ok())
}

fn begin(kind: MessageType) -> Message {
    let mut message = Message::new();
    message.set_type(kind);
    message.transaction_id = TransactionId::new();
    message.write_header();
    message
}

fn decoded(data: &[u8]) -> Option<Message> {
    let length = usize::from(u16::from_be_bytes([*data.get(2)?, *data.get(3)?]));
    if !length.is_multiple_of(4) || data.len() != 20 + length {
        return None;
    }
    let mut message = Message {
        raw: data.to_vec(),
        ..Message::default()
    };
    message.decode().ok()?;
    Some(message)
}

fn refusal(message: &Message) -> Option<Refusal> {
    let mut code = ErrorCodeAttribute::default();
    code.get_from(message).ok()?;
    let reason = String::from_utf8_lossy(&code.reason);
    let reason = reason.chars().filter(|letter| !letter.is_control());
    Some(Refusal {
        code: code.code.0,
        reason: reason.take(REASON_LETTERS).collect(),
        realm: message.get(ATTR_REALM).ok(),
        nonce: message.get(ATTR_NONCE).ok(),
        alternate: alternate(message),
    })
}

fn alternate(message: &Message) -> Option<SocketAddr> {
    let mut found = MappedAddress::default();
    found.get_from_as(message, ATTR_ALTERNATE_SERVER).ok()?;
    let is_usable = !found.ip.is_unspecified() && !found.ip.is_multicast() && found.port != 0;
    is_usable.then(|| SocketAddr::new(found.ip, found.port))
}

fn add_address(message: &mut Message, kind: AttrType, address: SocketAddr) {
    let (ip, port) = (address.ip(), address.port());
    XorMappedAddress { ip, port }.add_to_as(message, kind).ok();
}

fn address(message: &Message, kind: AttrType) -> Option<SocketAddr> {
    let value = message.get(kind).ok()?;
    // The reader of the crate takes an address that is shorter than its family says.
    let is_whole = matches!((value.len(), value.get(1)?), (8, &IPV4) | (20, &IPV6));
    let mut found = XorMappedAddress::default();
    (is_whole && found.get_from_as(message, kind).is_ok())
        .then(|| SocketAddr::new(found.ip, found.port))
}

fn mapped(message: &Message) -> Option<SocketAddr> {
    address(message, rtc::stun::attributes::ATTR_XORMAPPED_ADDRESS)
}

fn number(message: &Message, kind: AttrType) -> Option<u32> {
    let value = message.get(kind).ok()?;
    Some(u32::from_be_bytes(value.try_into().ok()?))
}
