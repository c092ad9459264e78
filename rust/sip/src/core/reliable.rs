//! Provisional responses sent reliably: repeated until their PRACK is here (RFC 3262 §3).
use super::{Event, Reply, SipCore, act::Material};
use crate::message::{HeaderName, Message};
use crate::transaction::Side;
use crate::transaction::key::prack_key;
use crate::transaction::tables::{Input, State};

/// What one reliable response waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AwaitedPrack {
    /// The key its PRACK finds the INVITE by.
    pub(crate) key: u128,
    /// Its RSeq.
    pub(crate) serial: u32,
}

impl SipCore {
    /// Remember what the PRACK of a reply will carry; whether the reply is to be sent reliably.
    pub(super) fn await_prack(&mut self, id: u64, reply: &Reply<'_>) -> bool {
        let Some(serial) = serial_of(reply) else {
            return false;
        };
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return false;
        };
        let is_free = transaction.state == State::Proceeding;
        let (Side::Server(server), true) = (&mut transaction.side, is_free) else {
            return false;
        };
        let Some(request) = &server.request else {
            return false;
        };
        let own = request.tag(HeaderName::To);
        let local = if own.is_empty() {
            reply.to_tag.as_bytes()
        } else {
            own
        };
        let number = request.cseq().map_or(0, |(number, _)| number);
        let remote = request.tag(HeaderName::From);
        let key = prack_key(&self.hash, request.call_id(), local, remote, number);
        server.prack = Some(AwaitedPrack { key, serial });
        self.acks.insert(key, id);
        true
    }

    /// Stop repeating the response that a PRACK is for; the request itself goes up as any other.
    pub(super) fn take_prack(&mut self, message: &Message, now: f64, events: &mut Vec<Event>) {
        let Some((serial, number)) = rack_of(message) else {
            return;
        };
        let (to, from) = (message.tag(HeaderName::To), message.tag(HeaderName::From));
        let key = prack_key(&self.hash, message.call_id(), to, from, number);
        let Some(&id) = self.acks.get(&key) else {
            return;
        };
        let Some(Side::Server(server)) = self.transactions.get_mut(&id).map(|t| &mut t.side) else {
            return;
        };
        if server.prack == Some(AwaitedPrack { key, serial }) {
            server.prack = None;
            self.acks.remove(&key);
            self.step(id, Input::Prack, now, Material::default(), events);
        }
    }
}

/// The RSeq of a provisional reply that has one.
fn serial_of(reply: &Reply<'_>) -> Option<u32> {
    if !(101..200).contains(&reply.status) {
        return None;
    }
    let (_, value) = reply
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("RSeq"))?;
    number(value)
}

/// The response number and CSeq number of RAck (RFC 3262 §7.2).
fn rack_of(message: &Message) -> Option<(u32, u32)> {
    let line = message.header_lines("RAck").next()?;
    let mut words = line
        .split(|byte| byte.is_ascii_whitespace())
        .filter(|word| !word.is_empty());
    Some((number(words.next()?)?, number(words.next()?)?))
}

fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
