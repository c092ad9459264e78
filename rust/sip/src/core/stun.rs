//! STUN on the UDP ports of SIP: keep-alives that are answered (RFC 5626 §4.4.2, §8; RFC 8489).
//!
//! Only what a keep-alive needs: a Binding request without attributes that must be understood, and
//! its answer with the address the request came from.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::receive::bare_event;
use super::{Address, Event, EventKind, Origin, SipCore};
use crate::hash::Map;

/// Keep-alives answered in a second, whoever sends them; the rest is dropped.
const MAX_STUN_ANSWERS: u32 = 1000;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const HEAD: usize = 20;
const REQUEST: [u8; 2] = [0x00, 0x01];
const SUCCESS: [u8; 2] = [0x01, 0x01];
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// Attributes below this must be understood (RFC 8489 §14).
const OPTIONAL: u16 = 0x8000;
const IPV4: u8 = 1;
const IPV6: u8 = 2;

type Transaction = [u8; 12];

/// A keep-alive of ours.
struct Ping {
    transaction: Transaction,
    flow: u64,
    destination: Address,
    /// Where we were seen last.
    mapped: Option<(IpAddr, u16)>,
}

/// Keep-alives under way, by token, and how many of others were answered in this second.
#[derive(Default)]
pub(super) struct Stun {
    pings: Map<i64, Ping>,
    second: u64,
    answered: u32,
}

/// Whether a datagram is STUN and no SIP: no message of SIP begins with two zero bits.
pub(super) fn is_stun(data: &[u8]) -> bool {
    data.len() >= HEAD && data[0] < 0x40 && data[4..8] == COOKIE
}

impl SipCore {
    /// Send a STUN keep-alive; what comes back is a `Pong` of that token.
    ///
    /// A repetition is the same request again, as the one before may be lost.
    pub fn ping(&mut self, token: i64, flow: u64, destination: Address, repeats: bool) {
        let before = self.stun.pings.remove(&token);
        let mapped = before.as_ref().and_then(|ping| ping.mapped);
        let transaction = match before {
            Some(ping) if repeats => ping.transaction,
            _ => self.new_transaction(),
        };
        let mut data = Vec::with_capacity(HEAD);
        data.extend_from_slice(&REQUEST);
        data.extend_from_slice(&[0, 0]);
        data.extend_from_slice(&COOKIE);
        data.extend_from_slice(&transaction);
        let ping = Ping {
            transaction,
            flow,
            destination: destination.clone(),
            mapped,
        };
        self.stun.pings.insert(token, ping);
        self.send(flow, destination, data);
    }

    /// Forget the keep-alives of a token.
    pub fn forget_ping(&mut self, token: i64) {
        self.stun.pings.remove(&token);
    }

    pub(super) fn take_stun(
        &mut self,
        flow: u64,
        data: &[u8],
        source: Origin<'_>,
        now: f64,
        events: &mut Vec<Event>,
    ) {
        let Some(attributes) = attributes(data) else {
            self.counters.dropped += 1;
            return;
        };
        let transaction: Transaction = data[8..HEAD].try_into().expect("the head is whole");
        let source = source.address();
        match [data[0], data[1]] {
            REQUEST if attributes.iter().all(|(kind, _)| *kind >= OPTIONAL) => {
                self.answer_ping(flow, &transaction, source, now);
            }
            SUCCESS => self.take_pong(flow, &transaction, &attributes, source, events),
            _ => self.counters.dropped += 1,
        }
    }

    fn answer_ping(&mut self, flow: u64, transaction: &Transaction, source: Address, now: f64) {
        // Seconds of a monotonic clock are never negative.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let second = now as u64;
        if second != self.stun.second {
            (self.stun.second, self.stun.answered) = (second, 0);
        }
        let Ok(ip) = source.host.parse() else {
            self.counters.dropped += 1;
            return;
        };
        if self.is_silent_to(&source) {
            self.count_silenced();
            return;
        }
        if self.stun.answered >= MAX_STUN_ANSWERS {
            self.counters.dropped += 1;
            return;
        }
        self.stun.answered += 1;
        let data = answer(transaction, ip, source.port);
        self.send(flow, source, data);
    }

    fn take_pong(
        &mut self,
        flow: u64,
        transaction: &Transaction,
        attributes: &[(u16, &[u8])],
        source: Address,
        events: &mut Vec<Event>,
    ) {
        let mapped = attributes
            .iter()
            .find(|(kind, _)| *kind == XOR_MAPPED_ADDRESS)
            .and_then(|(_, value)| mapped_address(value, transaction));
        let found = self.stun.pings.iter_mut().find(|(_, ping)| {
            ping.flow == flow && ping.transaction == *transaction && ping.destination == source
        });
        let (Some(mapped), Some((&token, ping))) = (mapped, found) else {
            self.counters.dropped += 1;
            return;
        };
        let has_moved = ping.mapped.is_some_and(|before| before != mapped);
        ping.mapped = Some(mapped);
        events.push(Event {
            token,
            status: u16::from(has_moved),
            ..bare_event(EventKind::Pong, flow, source)
        });
    }

    fn new_transaction(&mut self) -> Transaction {
        let number = self.next_id().to_be_bytes();
        let drawn = self.hash.token(b"stun", &[&number]);
        let value = u128::from_str_radix(&drawn, 16).expect("a token is hexadecimal");
        value.to_be_bytes()[4..]
            .try_into()
            .expect("twelve of sixteen bytes")
    }
}

/// The attributes of a message; `None` when they do not fill it.
fn attributes(data: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let length = usize::from(u16::from_be_bytes([data[2], data[3]]));
    let mut rest = &data[HEAD..];
    if rest.len() != length || length % 4 != 0 {
        return None;
    }
    let mut found = Vec::new();
    while let [kind_high, kind_low, high, low, behind @ ..] = rest {
        let size = usize::from(u16::from_be_bytes([*high, *low]));
        let value = behind.get(..size)?;
        found.push((u16::from_be_bytes([*kind_high, *kind_low]), value));
        rest = behind.get(size.next_multiple_of(4)..)?;
    }
    Some(found)
}

/// A Binding success response (RFC 8489 §14.2).
fn answer(transaction: &Transaction, ip: IpAddr, port: u16) -> Vec<u8> {
    let (family, octets) = match ip {
        IpAddr::V4(ip) => (IPV4, ip.octets().to_vec()),
        IpAddr::V6(ip) => (IPV6, ip.octets().to_vec()),
    };
    #[expect(clippy::cast_possible_truncation)] // 4 + 16 octets at most
    let size = (4 + octets.len()) as u8;
    let mut data = Vec::with_capacity(HEAD + 4 + usize::from(size));
    data.extend_from_slice(&SUCCESS);
    data.extend_from_slice(&[0, size + 4]);
    data.extend_from_slice(&COOKIE);
    data.extend_from_slice(transaction);
    data.extend_from_slice(&XOR_MAPPED_ADDRESS.to_be_bytes());
    data.extend_from_slice(&[0, size, 0, family]);
    data.extend(port.to_be_bytes().iter().zip(COOKIE).map(|(a, b)| a ^ b));
    data.extend(octets.iter().zip(mask(transaction)).map(|(a, b)| a ^ b));
    data
}

fn mapped_address(value: &[u8], transaction: &Transaction) -> Option<(IpAddr, u16)> {
    let [_, family, high, low, hidden @ ..] = value else {
        return None;
    };
    let port = u16::from_be_bytes([high ^ COOKIE[0], low ^ COOKIE[1]]);
    let octets: Vec<u8> = hidden
        .iter()
        .zip(mask(transaction))
        .map(|(a, b)| a ^ b)
        .collect();
    let ip = match (*family, hidden.len()) {
        (IPV4, 4) => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?)),
        (IPV6, 16) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?)),
        _ => return None,
    };
    Some((ip, port))
}

fn mask(transaction: &Transaction) -> impl Iterator<Item = u8> {
    COOKIE.into_iter().chain(*transaction)
}
