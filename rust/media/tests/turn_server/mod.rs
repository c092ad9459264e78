//! A small TURN server in virtual time: long-term credentials, nonces that go stale, lifetimes.
#![allow(dead_code, clippy::disallowed_methods, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::crypto::RTCCryptoProvider;
use rtc::stun::addr::MappedAddress;
use rtc::stun::attributes::{
    ATTR_ALTERNATE_SERVER, ATTR_CHANNEL_NUMBER, ATTR_DATA, ATTR_LIFETIME, ATTR_NONCE, ATTR_REALM,
    ATTR_XOR_PEER_ADDRESS, ATTR_XOR_RELAYED_ADDRESS, ATTR_XORMAPPED_ADDRESS,
};
use rtc::stun::error_code::{ErrorCode, ErrorCodeAttribute};
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_INDICATION, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, METHOD_ALLOCATE,
    METHOD_BINDING, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION, METHOD_DATA, METHOD_REFRESH,
    METHOD_SEND, Message, MessageClass, MessageType, Method, Setter, TransactionId,
};
use rtc::stun::xoraddr::XorMappedAddress;

pub(crate) const REALM: &str = "relay.test";
pub(crate) const RELAYED: &str = "203.0.113.9:49152";
pub(crate) const MAPPED: &str = "198.51.100.7:5000";
const PERMISSION: Duration = Duration::from_secs(300);
const CHANNEL: Duration = Duration::from_secs(600);

pub(crate) struct TurnServer {
    provider: Arc<dyn RTCCryptoProvider>,
    key: Vec<u8>,
    nonce: u32,
    /// How long a nonce is good for.
    pub(crate) nonce_life: Duration,
    nonce_since: Instant,
    pub(crate) lifetime: u32,
    /// It says nothing any more.
    pub(crate) is_dead: bool,
    /// The relay it sends everybody to.
    pub(crate) alternate: Option<SocketAddr>,
    /// Peers it lets nobody send to.
    pub(crate) forbidden: Option<IpAddr>,
    /// Channels are refused.
    pub(crate) has_channels: bool,
    /// The address it gives, and the one it sees the client by.
    pub(crate) gives: [SocketAddr; 2],
    allocated_until: Option<Instant>,
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, (SocketAddr, Instant)>,
    /// What it was asked, in order, and how it answered: 0 is success.
    pub(crate) log: Vec<(Method, u16)>,
    /// What it has sent on to peers, and whether by a channel.
    pub(crate) relayed: Vec<(SocketAddr, Vec<u8>, bool)>,
}

impl TurnServer {
    pub(crate) fn new(now: Instant, user: &str, password: &str) -> Self {
        let provider = rtc::crypto::default_provider().unwrap();
        let key = MessageIntegrity::long_term_integrity_key(
            user.to_owned(),
            REALM.to_owned(),
            password.to_owned(),
            provider.crypto(),
        );
        Self {
            key: key.unwrap(),
            provider,
            nonce: 1,
            nonce_life: Duration::from_secs(1_000_000),
            nonce_since: now,
            lifetime: 600,
            is_dead: false,
            alternate: None,
            forbidden: None,
            has_channels: true,
            gives: [RELAYED, MAPPED].map(|at| at.parse().unwrap()),
            allocated_until: None,
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
            log: Vec::new(),
            relayed: Vec::new(),
        }
    }

    pub(crate) fn is_allocated(&self, now: Instant) -> bool {
        self.allocated_until.is_some_and(|until| until > now)
    }

    pub(crate) fn permits(&self, now: Instant, peer: &str) -> bool {
        let ip: SocketAddr = peer.parse().unwrap();
        self.permissions
            .get(&ip.ip())
            .is_some_and(|until| *until > now)
    }

    pub(crate) fn asked(&self, method: Method) -> usize {
        self.log
            .iter()
            .filter(|(asked, _)| *asked == method)
            .count()
    }

    /// Takes a message of the client; returns what it answers.
    pub(crate) fn take(&mut self, now: Instant, data: &[u8]) -> Option<Vec<u8>> {
        if self.is_dead {
            return None;
        }
        if data[0] & 0xc0 == 0x40 {
            let number = u16::from_be_bytes([data[0], data[1]]);
            let length = usize::from(u16::from_be_bytes([data[2], data[3]]));
            let (peer, until) = self.channels[&number];
            assert!(
                until > now && self.is_allocated(now),
                "a channel that lives"
            );
            self.relayed
                .push((peer, data[4..4 + length].to_vec(), true));
            return None;
        }
        let mut message = Message {
            raw: data.to_vec(),
            ..Message::default()
        };
        message.decode().unwrap();
        match message.typ.class {
            CLASS_REQUEST => Some(self.answer(now, &mut message)),
            CLASS_INDICATION if message.typ.method == METHOD_SEND => {
                let peer = peer_of(&message);
                if self
                    .permissions
                    .get(&peer.ip())
                    .is_some_and(|until| *until > now)
                {
                    let data = message.get(ATTR_DATA).unwrap();
                    self.relayed.push((peer, data, false));
                }
                None
            }
            _ => None,
        }
    }

    /// What the client gets of a datagram that a peer has sent to the relayed address.
    pub(crate) fn sent_by(&self, now: Instant, peer: &str, data: &[u8]) -> Option<Vec<u8>> {
        let from: SocketAddr = peer.parse().unwrap();
        if !self.permits(now, peer) {
            return None;
        }
        let channel = self.channels.iter().find(|(_, (to, _))| *to == from);
        if let Some((number, _)) = channel {
            let mut wrapped = number.to_be_bytes().to_vec();
            wrapped.extend((data.len() as u16).to_be_bytes());
            wrapped.extend(data);
            return Some(wrapped);
        }
        let mut message = reply(METHOD_DATA, CLASS_INDICATION, TransactionId::new());
        add(&mut message, ATTR_XOR_PEER_ADDRESS, from);
        message.add(ATTR_DATA, data);
        Some(message.raw)
    }

    fn answer(&mut self, now: Instant, asked: &mut Message) -> Vec<u8> {
        if now >= self.nonce_since + self.nonce_life {
            self.nonce += 1;
            self.nonce_since = now;
        }
        let method = asked.typ.method;
        let code = self.verdict(now, asked);
        self.log.push((method, code));
        let id = asked.transaction_id;
        if code != 0 {
            let mut message = reply(method, CLASS_ERROR_RESPONSE, id);
            let code = ErrorCodeAttribute {
                code: ErrorCode(code),
                reason: b"No".to_vec(),
            };
            code.add_to(&mut message).unwrap();
            if let (300, Some(alternate)) = (code.code.0, self.alternate) {
                let mut other = MappedAddress::default();
                (other.ip, other.port) = (alternate.ip(), alternate.port());
                other
                    .add_to_as(&mut message, ATTR_ALTERNATE_SERVER)
                    .unwrap();
            }
            message.add(ATTR_REALM, REALM.as_bytes());
            message.add(ATTR_NONCE, self.nonce.to_string().as_bytes());
            return message.raw;
        }
        let mut message = reply(method, CLASS_SUCCESS_RESPONSE, id);
        self.carry_out(now, asked, &mut message);
        MessageIntegrity::new_raw_integrity_with_provider(self.key.clone(), self.provider.crypto())
            .add_to(&mut message)
            .unwrap();
        message.raw
    }

    fn verdict(&self, now: Instant, asked: &mut Message) -> u16 {
        let crypto = self.provider.crypto();
        let method = asked.typ.method;
        if self.alternate.is_some() {
            return 300;
        }
        if MessageIntegrity::check(asked, &self.key, crypto).is_err() {
            return 401;
        }
        if asked.get(ATTR_NONCE).unwrap() != self.nonce.to_string().as_bytes() {
            return 438;
        }
        if method != METHOD_ALLOCATE && !self.is_allocated(now) {
            return 437;
        }
        let names_peer = [METHOD_CREATE_PERMISSION, METHOD_CHANNEL_BIND].contains(&method);
        if names_peer && Some(peer_of(asked).ip()) == self.forbidden {
            return 403;
        }
        if method == METHOD_CHANNEL_BIND && !self.has_channels {
            return 400;
        }
        0
    }

    fn carry_out(&mut self, now: Instant, asked: &Message, answer: &mut Message) {
        match asked.typ.method {
            METHOD_ALLOCATE => {
                self.prolong(now, self.lifetime, answer);
                add(answer, ATTR_XOR_RELAYED_ADDRESS, self.gives[0]);
                add(answer, ATTR_XORMAPPED_ADDRESS, self.gives[1]);
            }
            METHOD_REFRESH => {
                let asked = asked.get(ATTR_LIFETIME).unwrap();
                let asked = u32::from_be_bytes(asked.try_into().unwrap());
                self.prolong(now, asked.min(self.lifetime), answer);
            }
            METHOD_CREATE_PERMISSION => {
                self.permissions
                    .insert(peer_of(asked).ip(), now + PERMISSION);
            }
            METHOD_CHANNEL_BIND => {
                let number = asked.get(ATTR_CHANNEL_NUMBER).unwrap();
                let number = u16::from_be_bytes([number[0], number[1]]);
                assert!((0x4000..=0x4fff).contains(&number));
                let peer = peer_of(asked);
                let known = self.channels.get(&number);
                assert!(known.is_none_or(|(to, until)| *to == peer || *until <= now));
                self.channels.insert(number, (peer, now + CHANNEL));
                self.permissions.insert(peer.ip(), now + PERMISSION);
            }
            other => panic!("{other} is no request of a client"),
        }
    }

    fn prolong(&mut self, now: Instant, seconds: u32, answer: &mut Message) {
        self.allocated_until = Some(now + Duration::from_secs(seconds.into()));
        answer.add(ATTR_LIFETIME, &seconds.to_be_bytes());
    }
}

/// What a STUN server answers to who it sees by `mapped`.
pub(crate) fn seen_as(data: &[u8], mapped: SocketAddr) -> Vec<u8> {
    let id = TransactionId(data[8..20].try_into().unwrap());
    let mut message = reply(METHOD_BINDING, CLASS_SUCCESS_RESPONSE, id);
    add(&mut message, ATTR_XORMAPPED_ADDRESS, mapped);
    message.raw
}

fn reply(method: Method, class: MessageClass, id: TransactionId) -> Message {
    let mut message = Message::new();
    message.set_type(MessageType::new(method, class));
    message.transaction_id = id;
    message.write_header();
    message
}

fn add(message: &mut Message, kind: rtc::stun::attributes::AttrType, address: SocketAddr) {
    let (ip, port) = (address.ip(), address.port());
    XorMappedAddress { ip, port }
        .add_to_as(message, kind)
        .unwrap();
}

fn peer_of(message: &Message) -> SocketAddr {
    let mut found = XorMappedAddress::default();
    found.get_from_as(message, ATTR_XOR_PEER_ADDRESS).unwrap();
    SocketAddr::new(found.ip, found.port)
}
