//! From bytes to events: framing, matching, absorption, and the answers that need no user.
use std::sync::Arc;

use super::act::Material;
use super::stateless::reply_address;
use super::stun::is_stun;
use super::{Address, Event, EventKind, Flow, Origin, SipCore};
use crate::error::ParseError;
use crate::framing::Framed;
use crate::message::{HeaderName, Mark, Message};
use crate::timers::Slot;
use crate::transaction::key::{ack_key, client_key, dialog_key, merge_key, server_key};
use crate::transaction::tables::{Input, Machine, State};
use crate::transaction::{Server, Side, Transaction};

/// A message's way in.
pub(super) struct Arrival {
    pub(super) flow: u64,
    pub(super) source: Address,
    pub(super) now: f64,
}

impl SipCore {
    /// Take one datagram, or one whole WebSocket message.
    pub fn receive_datagram<'a>(
        &mut self,
        flow: u64,
        data: &[u8],
        source: impl Into<Origin<'a>>,
        now: f64,
        events: &mut Vec<Event>,
    ) {
        let Some(Flow { is_reliable, .. }) = self.flows.get(&flow) else {
            self.counters.dropped += 1;
            return;
        };
        if !is_reliable && is_stun(data) {
            return self.take_stun(flow, data, source.into(), now, events);
        }
        // Blank lines before a message are allowed (§7.5); alone they are a keep-alive.
        let blank = data
            .iter()
            .take_while(|&&byte| byte == b'\r' || byte == b'\n')
            .count();
        if blank == data.len() {
            return;
        }
        self.counters.received += 1;
        let (data, source) = (&data[blank..], source.into());
        self.guarded(events, |core, events| {
            if core.comes_in(flow, data, source, now, events) {
                core.take_message(flow, data, source, now, events);
            }
        });
    }

    /// Parse a message that came in and act on it.
    pub(super) fn take_message(
        &mut self,
        flow: u64,
        data: &[u8],
        source: Origin<'_>,
        now: f64,
        events: &mut Vec<Event>,
    ) {
        let Ok(message) = Message::read(data) else {
            self.counters.malformed += 1;
            return;
        };
        let arrival = Arrival {
            flow,
            source: source.address(),
            now,
        };
        self.guarded(events, |core, events| {
            if message.is_request() {
                core.receive_request(message, arrival, events);
            } else {
                core.receive_response(message, arrival, events);
            }
        });
    }

    /// Take bytes of a connection, split anywhere.
    pub fn receive_stream(
        &mut self,
        flow: u64,
        data: &[u8],
        source: &Address,
        now: f64,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let Some(stream) = self.flows.get_mut(&flow) else {
            return events;
        };
        for framed in stream.framer.push(data) {
            match framed {
                Framed::Message(bytes) => {
                    let source = Origin::Known(source);
                    self.receive_datagram(flow, &bytes, source, now, &mut events);
                }
                Framed::Ping if self.is_silent_on(flow, source) => self.counters.silenced += 1,
                Framed::Ping => self.send(flow, source.clone(), b"\r\n".to_vec()),
                Framed::Broken(_) => {
                    self.counters.malformed += 1;
                    events.push(bare_event(EventKind::FlowBroken, flow, source.clone()));
                }
            }
        }
        events
    }

    fn receive_request(&mut self, mut message: Message, arrival: Arrival, events: &mut Vec<Event>) {
        let Some(via) = message.top_via() else {
            return self.refuse_without_via(&message, arrival.flow, arrival.source);
        };
        let needs_mark = via.parameter("rport").is_some()
            || !via
                .host
                .eq_ignore_ascii_case(arrival.source.host.as_bytes());
        let listens = via.parameter("oc").is_some();
        let destination =
            reply_address(&via, &arrival.source, self.flows[&arrival.flow].is_reliable);
        let key = server_key(&self.hash, &message, message.method(), &via);
        if needs_mark || listens {
            let feedback = listens.then(|| self.feedback(arrival.now));
            message.mark = Some(Mark {
                source: arrival.source.clone(),
                feedback,
            });
        }
        if message.method() == b"ACK" {
            return self.receive_ack(message, key, arrival, events);
        }
        if let Some(&id) = self.servers.get(&key) {
            self.counters.absorbed += 1;
            self.step(id, Input::Request, arrival.now, Material::default(), events);
            return;
        }
        if let Some(defect) = message.validate() {
            self.counters.malformed += 1;
            return self.answer_statelessly(&message, defect, arrival.flow, destination);
        }
        if self.transactions.len() >= self.settings.max_transactions {
            self.counters.refused += 1;
            let refusal = ParseError {
                status: 503,
                reason: "Service Unavailable",
            };
            return self.answer_statelessly(&message, refusal, arrival.flow, destination);
        }
        let token = self.token_of(&message);
        if self.is_stranger_too_many(&message, token, arrival.now) {
            return self.turn_away(&message, arrival.flow, destination, arrival.now);
        }
        if message.method() == b"CANCEL" {
            return self.receive_cancel(message, key, destination, arrival, events);
        }
        let merged = merge_key(&self.hash, &message);
        if let Some(first) = merged.and_then(|merged| self.first_of(merged)) {
            if !self.has_answered(first) && self.is_silent_about(&message, &destination) {
                return;
            }
            let merged = ParseError {
                status: 482,
                reason: "Loop Detected",
            };
            return self.answer_statelessly(&message, merged, arrival.flow, destination);
        }
        if message.method() == b"PRACK" {
            self.take_prack(&message, arrival.now, events);
        }
        let message = Arc::new(message);
        let id = self.open_server(Arc::clone(&message), key, destination, &arrival);
        self.remember_merge(id, merged);
        let mut event = self.event(EventKind::Request, id, Some(message));
        event.source = arrival.source;
        events.push(event);
    }

    /// The INVITE that a user agent has already; a proxy may well see it twice (a spiral).
    fn first_of(&self, key: u128) -> Option<u64> {
        let id = self.merges.get(&key).copied()?;
        let transaction = self.transactions.get(&id)?;
        (!transaction.is_proxied).then_some(id)
    }

    fn remember_merge(&mut self, id: u64, key: Option<u128>) {
        let Some(key) = key else { return };
        if let Some(Side::Server(server)) = self.transactions.get_mut(&id).map(|t| &mut t.side) {
            server.merge_key = Some(key);
            self.merges.insert(key, id);
        }
    }

    pub(super) fn open_server(
        &mut self,
        request: Arc<Message>,
        key: u128,
        destination: Address,
        arrival: &Arrival,
    ) -> u64 {
        let is_invite = request.method() == b"INVITE";
        let token = self.token_of(&request);
        let server = Server {
            request: Some(request),
            ..Server::default()
        };
        let id = self.insert(Transaction {
            machine: if is_invite {
                Machine::ServerInvite
            } else {
                Machine::ServerNonInvite
            },
            state: if is_invite {
                State::Proceeding
            } else {
                State::Trying
            },
            is_reliable: self.flows[&arrival.flow].is_reliable,
            is_proxied: false,
            flow: arrival.flow,
            destination,
            token,
            key,
            last: Vec::new(),
            interval: 0.0,
            repeat: 0,
            limit: 0,
            side: Side::Server(server),
        });
        if is_invite {
            self.arm(id, Slot::Repeat, 0.2, arrival.now);
        } else {
            self.arm(id, Slot::Repeat, self.late_trying(), arrival.now);
            self.arm(id, Slot::Limit, 64.0 * self.settings.t1, arrival.now);
        }
        self.work_on(id);
        id
    }

    /// When a client's Timer E reaches T2: the moment for a 100 to a non-INVITE (RFC 4320 §4.1).
    fn late_trying(&self) -> f64 {
        let (mut interval, mut sum) = (self.settings.t1, 0.0);
        while interval < self.settings.t2 {
            sum += interval;
            interval *= 2.0;
        }
        sum
    }

    /// The token of the dialog a request is in; 0 without one.
    pub(super) fn token_of(&self, request: &Message) -> i64 {
        let (to, from) = (request.tag(HeaderName::To), request.tag(HeaderName::From));
        if to.is_empty() {
            return 0;
        }
        let key = dialog_key(&self.hash, request.call_id(), to, from);
        self.dialogs.get(&key).copied().unwrap_or(0)
    }

    fn receive_ack(
        &mut self,
        message: Message,
        key: u128,
        arrival: Arrival,
        events: &mut Vec<Event>,
    ) {
        if message.validate().is_some() {
            self.counters.malformed += 1;
            return;
        }
        let (to, from) = (message.tag(HeaderName::To), message.tag(HeaderName::From));
        let number = message.cseq().map_or(0, |(number, _)| number);
        let by_dialog = ack_key(&self.hash, message.call_id(), to, from, number);
        let found = self
            .servers
            .get(&key)
            .or_else(|| self.acks.get(&by_dialog))
            .copied();
        if found.is_none() && to == self.stateless_tag(&message).as_bytes() {
            self.counters.absorbed += 1;
            return;
        }
        let token = self.token_of(&message);
        let message = Arc::new(message);
        match found {
            Some(id) => {
                let material = Material {
                    message: Some(message),
                    ..Material::default()
                };
                self.step(id, Input::Ack, arrival.now, material, events);
            }
            None => {
                let mut event = bare_event(EventKind::Ack, arrival.flow, arrival.source);
                event.token = token;
                event.method = "ACK".to_owned();
                event.message = Some(message);
                events.push(event);
            }
        }
    }

    fn receive_response(&mut self, message: Message, arrival: Arrival, events: &mut Vec<Event>) {
        let via = message.top_via().filter(|_| message.validate().is_none());
        let Some(via) = via else {
            self.counters.malformed += 1;
            return;
        };
        let key = client_key(&self.hash, via.branch(), message.method());
        let Some(&id) = self.clients.get(&key) else {
            let mut event = bare_event(EventKind::StrayResponse, arrival.flow, arrival.source);
            event.method = String::from_utf8_lossy(message.method()).into_owned();
            event.status = message.status();
            event.message = Some(Arc::new(message));
            events.push(event);
            return;
        };
        // One Via is ours; more belong to someone else unless we proxied (RFC 3261 §8.1.3.3).
        let is_foreign = message.values(HeaderName::Via).nth(1).is_some();
        if (is_foreign && !self.transactions[&id].is_proxied) || !self.is_of_ours(id, &message) {
            self.counters.dropped += 1;
            return;
        }
        if self.door.listens() {
            let neighbour = self.transactions[&id].destination.clone();
            self.hear_feedback(&message, &neighbour, arrival.now);
        }
        let input = input_of(message.status());
        let message = Some(Arc::new(message));
        let material = Material {
            message,
            source: Some(arrival.source),
            ..Material::default()
        };
        if !self.step(id, input, arrival.now, material, events) {
            self.counters.absorbed += 1;
        }
    }
}

/// The table's input for a response of that status.
pub(super) fn input_of(status: u16) -> Input {
    match status {
        ..200 => Input::Provisional,
        200..300 => Input::Success,
        300.. => Input::Failure,
    }
}

pub(super) fn bare_event(kind: EventKind, flow: u64, source: Address) -> Event {
    let (method, message) = (String::new(), None);
    Event {
        kind,
        token: 0,
        transaction: 0,
        method,
        status: 0,
        message,
        flow,
        source,
    }
}
