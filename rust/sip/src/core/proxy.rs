//! Commands of a stateful proxy (RFC 3261 §16).
use super::act::{Material, RESERVED};
use super::receive::input_of;
use super::{Forward, SipCore};
use crate::error::InvalidHeader;
use crate::message::{Builder, Head, HeaderName, Message, check_sent_by, check_value};
use crate::transaction::tables::{Input, Machine, State};
use crate::transaction::{Client, Side};

impl SipCore {
    /// Forward a request: a client transaction, or 0 for an ACK, which is sent without state.
    ///
    /// What the sender asserts of identities stays here: nobody beyond us is in its trust domain.
    pub fn forward(
        &mut self,
        message: &Message,
        forward: &Forward<'_>,
        now: f64,
    ) -> Result<u64, InvalidHeader> {
        let method = String::from_utf8_lossy(message.method()).into_owned();
        let branch = self.branch();
        let data = self.build_forwarded(message, forward, &method, &branch)?;
        let destination = forward.destination.clone();
        if method == "ACK" {
            self.send(forward.flow, destination, data);
            return Ok(0);
        }
        if let Some(server) = self.transactions.get_mut(&forward.server) {
            server.is_proxied = true;
        }
        let client = Client {
            method,
            branch,
            ..Client::default()
        };
        let id = self.open_client(client, forward.flow, destination, data, 0, now);
        if let Some(transaction) = self.transactions.get_mut(&id) {
            transaction.is_proxied = true;
        }
        Ok(id)
    }

    fn build_forwarded(
        &self,
        message: &Message,
        forward: &Forward<'_>,
        method: &str,
        branch: &str,
    ) -> Result<Vec<u8>, InvalidHeader> {
        check_sent_by(forward.sent_by)?;
        check_value("record_route", forward.record_route)?;
        let mut out = Builder::new(&Head::Request {
            method,
            uri: forward.uri,
        })?;
        let transport = self
            .flows
            .get(&forward.flow)
            .map_or("udp", |flow| &flow.transport);
        let offers = self.offers(forward.flow);
        out.via(transport, forward.sent_by, branch, offers);
        out.vias(message);
        out.line("Max-Forwards", forward.max_forwards.to_string().as_bytes());
        for route in &forward.routes {
            check_value("routes", route)?;
            out.line("Route", route);
        }
        if !forward.record_route.is_empty() {
            out.line("Record-Route", forward.record_route);
        }
        copy_rest(
            &mut out,
            message,
            &[
                HeaderName::Via,
                HeaderName::MaxForwards,
                HeaderName::Route,
                HeaderName::ContentLength,
            ],
            &forward.replaced,
        );
        let put = |(_, value): &&(String, Vec<u8>)| !value.is_empty();
        let put: Vec<_> = forward.replaced.iter().filter(put).cloned().collect();
        out.headers(&put, &RESERVED)?;
        Ok(out.finish(message.body()))
    }

    /// Send a response upstream through the server transaction, without its top Via.
    ///
    /// Neither a provisional one nor a 408 for a non-INVITE (RFC 4320 §4): those are not sent.
    pub fn forward_response(&mut self, server: u64, message: &Message, now: f64) -> bool {
        let status = message.status();
        let Some(transaction) = self.transactions.get_mut(&server) else {
            return false;
        };
        if status <= 100 || !matches!(transaction.side, Side::Server(_)) {
            return false;
        }
        if transaction.machine == Machine::ServerNonInvite && (status < 200 || status == 408) {
            return false;
        }
        transaction.is_proxied = true;
        let Some(data) = build_upstream(message) else {
            return false;
        };
        if (200..300).contains(&status) && self.has_refused(server) {
            let transaction = &self.transactions[&server];
            let (flow, destination) = (transaction.flow, transaction.destination.clone());
            self.send(flow, destination, data);
            return true;
        }
        if status >= 200 {
            self.finish_server(server);
        }
        let material = Material {
            data,
            ..Material::default()
        };
        let is_invite = self.transactions[&server].machine == Machine::ServerInvite;
        let input = if is_invite && status >= 300 {
            Input::ProxiedFailure
        } else {
            input_of(status)
        };
        self.step(server, input, now, material, &mut Vec::new())
    }

    /// Whether an INVITE has its refusal: a 2xx that comes then passes by its transaction
    /// (RFC 3261 §16.7 step 5).
    fn has_refused(&self, server: u64) -> bool {
        self.transactions
            .get(&server)
            .is_some_and(|transaction| transaction.is_proxied && transaction.state == State::Kept)
    }
}

fn build_upstream(message: &Message) -> Option<Vec<u8>> {
    let head = Head::Response {
        status: message.status(),
        reason: &message.reason(),
    };
    let mut out = Builder::new(&head).ok()?;
    let mut vias = message.values(HeaderName::Via).skip(1).peekable();
    vias.peek()?;
    vias.for_each(|value| out.line("Via", value));
    copy_rest(
        &mut out,
        message,
        &[HeaderName::Via, HeaderName::ContentLength],
        &[],
    );
    Some(out.finish(message.body()))
}

/// What only a member of a trust domain may say of somebody, and our users are none (RFC 3325 §5).
const ASSERTIONS: [&[u8]; 2] = [b"P-Asserted-Identity", b"P-Preferred-Identity"];

fn copy_rest(
    out: &mut Builder,
    message: &Message,
    except: &[HeaderName],
    replaced: &[(String, Vec<u8>)],
) {
    let replaced: Vec<_> = replaced
        .iter()
        .map(|(name, _)| (HeaderName::classify(name.as_bytes()), name.as_bytes()))
        .chain(ASSERTIONS.map(|name| (HeaderName::Other, name)))
        .collect();
    for (kind, name, value) in message.fields() {
        let is_replaced = replaced.iter().any(|&(other, spelt)| {
            kind == other && (kind != HeaderName::Other || name.eq_ignore_ascii_case(spelt))
        });
        if !is_replaced && !except.contains(&kind) {
            out.line(&String::from_utf8_lossy(name), value);
        }
    }
}
