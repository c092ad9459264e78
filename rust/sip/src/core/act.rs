//! Carrying out the rows of the transaction tables.
use std::sync::Arc;

use super::{Address, Event, EventKind, SipCore};
use crate::message::{Builder, Head, HeaderName, Message};
use crate::timers::Slot;
use crate::transaction::key::dialog_key;
use crate::transaction::tables::{self, Action, Input, Machine, State};
use crate::transaction::{Side, Stored};

/// Most different provisional responses remembered per client transaction.
const MAX_SEEN: usize = 64;

/// What a step works on, beside the transaction itself.
#[derive(Default)]
pub(super) struct Material {
    /// The message received, for what is reported or acknowledged.
    pub(super) message: Option<Arc<Message>>,
    /// The response to send.
    pub(super) data: Vec<u8>,
    /// Where the message came from.
    pub(super) source: Option<Address>,
    /// Whether the response is the first that is said to an INVITE outside of a dialog.
    pub(super) is_first_word: bool,
}

/// Seconds a re-INVITE that was heard of may take: its dialog may end meanwhile and its answer be
/// lost, and then nothing else ends it. As long as a proxy waits (RFC 3261 §16.6, Timer C).
const LONGEST_REINVITE: f64 = 180.0;

impl SipCore {
    /// Step one transaction by its table. Returns whether the input had a row.
    pub(super) fn step(
        &mut self,
        id: u64,
        input: Input,
        now: f64,
        mut material: Material,
        events: &mut Vec<Event>,
    ) -> bool {
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return false;
        };
        let row = tables::step(transaction.machine, transaction.state, input);
        let Some((state, actions)) = row else {
            return false;
        };
        transaction.state = state;
        self.work_on(id);
        for action in actions {
            self.act(id, *action, now, &mut material, events);
        }
        if self
            .transactions
            .get(&id)
            .is_some_and(|t| t.state == State::Terminated)
        {
            self.remove(id);
        }
        true
    }

    fn act(
        &mut self,
        id: u64,
        action: Action,
        now: f64,
        material: &mut Material,
        events: &mut Vec<Event>,
    ) {
        let (t1, t2) = (self.settings.t1, self.settings.t2);
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return;
        };
        match action {
            Action::Send => {
                transaction.last = std::mem::take(&mut material.data);
                // It may be kept for 32 s; the builder's spare room need not.
                transaction.last.shrink_to_fit();
                let is_forwarded = transaction.is_proxied && transaction.state == State::Accepted;
                self.resend(id);
                if is_forwarded {
                    self.release(id);
                }
            }
            Action::Resend if transaction.last.is_empty() => self.send_trying(id),
            Action::Resend => {
                self.counters.retransmitted += 1;
                self.resend(id);
            }
            Action::SendTrying => self.send_trying(id),
            Action::Acknowledge => self.acknowledge_failure(id, material),
            Action::Report => self.report(id, material, events),
            Action::ReportAck => self.report_ack(id, material, events),
            Action::ReportTimeout => events.push(self.event(EventKind::Timeout, id, None)),
            Action::ReportUnacknowledged => self.report_unacknowledged(id, events),
            Action::StartRepeat if transaction.is_reliable || material.is_first_word => {}
            Action::StartRepeatOfSuccess if transaction.is_proxied => {}
            Action::StartRepeat | Action::StartRepeatOfSuccess => self.repeat_after(id, t1, now),
            Action::RepeatDoubled => {
                let interval = transaction.interval * 2.0;
                self.repeat_after(id, interval, now);
            }
            Action::RepeatDoubledToT2 => {
                let interval = (transaction.interval * 2.0).min(t2);
                self.repeat_after(id, interval, now);
            }
            Action::RepeatAtT2 => self.repeat_after(id, t2, now),
            Action::Release => self.release(id),
            Action::StopRepeat => transaction.repeat = 0,
            Action::StopLimit if transaction.is_reinvite() => {
                self.arm(id, Slot::Limit, LONGEST_REINVITE, now);
            }
            Action::StopLimit => transaction.limit = 0,
            Action::Limit => self.arm(id, Slot::Limit, 64.0 * t1, now),
            Action::Linger => self.linger(id, 64.0 * t1, now),
            Action::LingerShort => self.linger(id, self.settings.t4, now),
            Action::Keep => self.keep(id),
        }
    }

    pub(super) fn repeat_after(&mut self, id: u64, interval: f64, now: f64) {
        if let Some(transaction) = self.transactions.get_mut(&id) {
            transaction.interval = interval;
        }
        self.arm(id, Slot::Repeat, interval, now);
    }

    /// Wait for late copies; nothing can come late over a reliable transport.
    fn linger(&mut self, id: u64, delay: f64, now: f64) {
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return;
        };
        if transaction.is_reliable {
            transaction.state = State::Terminated;
        } else {
            self.arm(id, Slot::Limit, delay, now);
        }
    }

    /// Let the kept message go: nothing can ask for it any more.
    fn release(&mut self, id: u64) {
        if let Some(transaction) = self.transactions.get_mut(&id) {
            transaction.last = Vec::new();
        }
    }

    pub(super) fn resend(&mut self, id: u64) {
        let transaction = &self.transactions[&id];
        let destination = transaction.destination.clone();
        self.send(transaction.flow, destination, transaction.last.clone());
    }

    fn send_trying(&mut self, id: u64) {
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return;
        };
        transaction.repeat = 0;
        let Side::Server(server) = &transaction.side else {
            return;
        };
        let Some(request) = &server.request else {
            return;
        };
        let Ok(mut out) = Builder::new(&Head::Response {
            status: 100,
            reason: b"Trying",
        }) else {
            return;
        };
        out.vias(request);
        for kind in [
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
            HeaderName::CSeq,
        ] {
            out.copy(request, kind);
        }
        transaction.last = out.finish(b"");
        self.resend(id);
    }

    /// The ACK of the transaction itself (RFC 3261 §17.1.1.3).
    fn acknowledge_failure(&mut self, id: u64, material: &Material) {
        let transaction = &self.transactions[&id];
        let (Some(response), Ok(request)) = (&material.message, Message::read(&transaction.last))
        else {
            return;
        };
        let (flow, destination) = (transaction.flow, transaction.destination.clone());
        if let Some(data) = hop_request(&request, "ACK", response.first(HeaderName::To), &[]) {
            self.send(flow, destination, data);
        }
    }

    /// Pass a response up: the first copy of each, dialogs bound (RFC 3261 §12.1.2).
    fn report(&mut self, id: u64, material: &mut Material, events: &mut Vec<Event>) {
        let Some(message) = material.message.take() else {
            return;
        };
        if !self.is_news(id, &message) {
            return;
        }
        self.bind_client(id, &message);
        let mut event = self.event(EventKind::Response, id, Some(message));
        if let Some(source) = material.source.take() {
            event.source = source;
        }
        events.push(event);
    }

    /// Whether a response is the first of its kind; a repeated 2xx gets its ACK again.
    fn is_news(&mut self, id: u64, message: &Message) -> bool {
        let status = message.status();
        let to_tag = message.tag(HeaderName::To);
        // A further 1xx may hold the description that the one before did not.
        let body = message.body();
        let serial = message
            .header_lines("RSeq")
            .next()
            .unwrap_or_default()
            .into_owned();
        let fingerprint = self
            .hash
            .hash(&[&status.to_be_bytes(), to_tag, &serial, body]) as u64;
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return false;
        };
        let is_proxied = transaction.is_proxied;
        let Side::Client(client) = &mut transaction.side else {
            return false;
        };
        let is_success = (200..300).contains(&status);
        if client.seen.contains(&fingerprint) {
            // A proxy passes every copy of a 2xx on (RFC 6026 §7.2), and every 1xx, which keeps the
            // call from running out of Timer C (RFC 3261 §13.3.1.1, §16.7 step 2).
            if is_proxied && status < 300 {
                return true;
            }
            self.counters.absorbed += 1;
            let again = client
                .acks
                .iter()
                .find(|(tag, _)| is_success && tag == to_tag);
            if let Some((_, ack)) = again {
                let Stored {
                    flow,
                    destination,
                    data,
                } = ack.clone();
                self.counters.retransmitted += 1;
                self.send(flow, destination, data);
            }
            return false;
        }
        // Far more dialogs than any fork makes: a flood, not worth remembering. Room is kept for the
        // final responses after any number of provisional ones.
        let room = if status < 200 { MAX_SEEN } else { 2 * MAX_SEEN };
        if client.seen.len() >= room {
            self.counters.dropped += 1;
            return false;
        }
        client.seen.push(fingerprint);
        true
    }

    /// Bind the dialog a response to an INVITE makes to the call's token. That of a SUBSCRIBE is made
    /// by its NOTIFY, and bound by whoever has that one (RFC 6665 §4.4.1).
    fn bind_client(&mut self, id: u64, message: &Message) {
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return;
        };
        let token = transaction.token;
        let Side::Client(client) = &mut transaction.side else {
            return;
        };
        let to_tag = message.tag(HeaderName::To);
        let makes_dialog = client.method == "INVITE"
            && client.half_dialog.is_some()
            && (101..300).contains(&message.status());
        if !makes_dialog || to_tag.is_empty() || token == 0 {
            return;
        }
        let is_success = message.status() >= 200;
        let from_tag = message.tag(HeaderName::From);
        let key = dialog_key(&self.hash, message.call_id(), from_tag, to_tag);
        match client.dialogs.iter_mut().find(|(known, _)| *known == key) {
            Some((_, is_confirmed)) => *is_confirmed |= is_success,
            None => {
                client.dialogs.push((key, is_success));
                self.dialogs.insert(key, token);
            }
        }
    }

    fn report_ack(&mut self, id: u64, material: &mut Material, events: &mut Vec<Event>) {
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return;
        };
        let Side::Server(server) = &mut transaction.side else {
            return;
        };
        if server.is_acknowledged {
            self.counters.absorbed += 1;
            return;
        }
        server.is_acknowledged = true;
        self.unacknowledged.remove(&id);
        let event = self.event(EventKind::Ack, id, material.message.take());
        events.push(event);
    }

    fn report_unacknowledged(&mut self, id: u64, events: &mut Vec<Event>) {
        let transaction = &self.transactions[&id];
        debug_assert_eq!(transaction.machine, Machine::ServerInvite);
        let Side::Server(server) = &transaction.side else {
            return;
        };
        if !server.is_acknowledged && !transaction.is_proxied {
            events.push(self.event(EventKind::AckTimeout, id, None));
        }
    }
}

/// ACK or CANCEL made from the request it belongs to: same Request-URI, top Via, From, Call-ID,
/// CSeq number and Route (RFC 3261 §9.1, §17.1.1.3).
pub(super) fn hop_request(
    request: &Message,
    method: &str,
    to: Option<&[u8]>,
    headers: &[(String, Vec<u8>)],
) -> Option<Vec<u8>> {
    let mut out = Builder::new(&Head::Request {
        method,
        uri: request.uri(),
    })
    .ok()?;
    out.line("Via", request.values(HeaderName::Via).next()?);
    out.line("Max-Forwards", b"70");
    out.copy(request, HeaderName::From);
    out.line("To", to.or_else(|| request.first(HeaderName::To))?);
    out.copy(request, HeaderName::CallId);
    let (number, _) = request.cseq()?;
    out.line("CSeq", format!("{number} {method}").as_bytes());
    out.copy(request, HeaderName::Route);
    out.headers(headers, &RESERVED).ok()?;
    Some(out.finish(b""))
}

/// Headers of a CANCEL or response that only the core writes.
pub(super) const RESERVED: [HeaderName; 6] = [
    HeaderName::Via,
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::ContentLength,
];
