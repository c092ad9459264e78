//! Commands of a user agent client.
use super::act::{RESERVED, hop_request};
use super::{Address, Event, EventKind, Outgoing, SipCore};
use crate::error::InvalidHeader;
use crate::message::{ALIAS, Builder, Head, HeaderName, Message, OFFER, check_sent_by};
use crate::timers::Slot;
use crate::transaction::key::{client_key, half_dialog};
use crate::transaction::tables::{Machine, State};
use crate::transaction::{Client, Side, Stored, Transaction};

impl SipCore {
    /// Start a client transaction; its events carry `token`.
    pub fn request(
        &mut self,
        outgoing: &Outgoing<'_>,
        token: i64,
        now: f64,
    ) -> Result<u64, InvalidHeader> {
        let branch = self.branch();
        let data = self.build(outgoing, &branch)?;
        let half_dialog = matches!(outgoing.method, "INVITE" | "SUBSCRIBE" | "REFER")
            .then(|| Message::read(&data).ok())
            .flatten()
            .filter(|own| own.tag(HeaderName::To).is_empty())
            .map(|own| half_dialog(&self.hash, &own));
        let is_new = half_dialog.is_some();
        let client = Client {
            method: outgoing.method.to_owned(),
            branch,
            half_dialog,
            is_reinvite: outgoing.method == "INVITE" && !is_new,
            ..Client::default()
        };
        if self.falls_to_loss(outgoing, now) {
            let (flow, to) = (outgoing.flow, outgoing.destination.clone());
            return Ok(self.fail_client(client, flow, to, token, now));
        }
        Ok(self.open_client(
            client,
            outgoing.flow,
            outgoing.destination.clone(),
            data,
            token,
            now,
        ))
    }

    /// Wait `limit` seconds and not 64·T1 for a first response: other targets remain to be tried
    /// (RFC 3263 §4.3).
    pub fn shorten(&mut self, id: u64, limit: f64, now: f64) {
        let is_trying = self
            .transactions
            .get(&id)
            .is_some_and(|transaction| transaction.state == State::Trying);
        if is_trying {
            self.arm(id, Slot::Limit, limit, now);
            if let Some(Side::Client(client)) = self.transactions.get_mut(&id).map(|t| &mut t.side)
            {
                client.has_next = true;
            }
        }
    }

    /// Whether a response may make a dialog of ours: it has the Call-ID and From tag that the
    /// request gave it (RFC 3261 §12.1.2).
    pub(super) fn is_of_ours(&self, id: u64, response: &Message) -> bool {
        match &self.transactions[&id].side {
            Side::Client(client) => client
                .half_dialog
                .is_none_or(|ours| ours == half_dialog(&self.hash, response)),
            Side::Server(_) => true,
        }
    }

    /// A branch nobody can guess (RFC 3261 §8.1.1.7).
    pub(super) fn branch(&mut self) -> String {
        let number = self.next_id().to_be_bytes();
        format!("z9hG4bK{}", self.hash.token(b"branch", &[&number]))
    }

    /// Say in the Via of what leaves by this connection that requests may come back by it
    /// (RFC 5923 §8.1).
    pub fn offer_reuse(&mut self, flow: u64) {
        if let Some(flow) = self.flows.get_mut(&flow) {
            flow.is_offered = true;
        }
    }

    /// What our Via offers: to listen to feedback, and to take requests by the same connection.
    pub(super) fn offers(&self, flow: u64) -> [&'static str; 2] {
        let is_offered = self.flows.get(&flow).is_some_and(|flow| flow.is_offered);
        [
            if self.door.listens() { OFFER } else { "" },
            if is_offered { ALIAS } else { "" },
        ]
    }

    fn build(&self, outgoing: &Outgoing<'_>, branch: &str) -> Result<Vec<u8>, InvalidHeader> {
        check_sent_by(outgoing.sent_by)?;
        let head = Head::Request {
            method: outgoing.method,
            uri: outgoing.uri,
        };
        let mut out = Builder::new(&head)?;
        let transport = self
            .flows
            .get(&outgoing.flow)
            .map_or("udp", |flow| &flow.transport);
        let offers = self.offers(outgoing.flow);
        out.via(transport, outgoing.sent_by, branch, offers);
        out.headers(
            &outgoing.headers,
            &[HeaderName::Via, HeaderName::ContentLength],
        )?;
        Ok(out.finish(outgoing.body))
    }

    pub(super) fn open_client(
        &mut self,
        client: Client,
        flow: u64,
        destination: Address,
        data: Vec<u8>,
        token: i64,
        now: f64,
    ) -> u64 {
        let is_invite = client.method == "INVITE";
        let key = client_key(
            &self.hash,
            client.branch.as_bytes(),
            client.method.as_bytes(),
        );
        let Some(is_reliable) = self.flows.get(&flow).map(|flow| flow.is_reliable) else {
            return self.fail_client(client, flow, destination, token, now);
        };
        let id = self.insert(Transaction {
            machine: if is_invite {
                Machine::ClientInvite
            } else {
                Machine::ClientNonInvite
            },
            state: State::Trying,
            is_reliable,
            is_proxied: false,
            flow,
            destination,
            token,
            key,
            last: data,
            interval: 0.0,
            repeat: 0,
            limit: 0,
            side: Side::Client(Box::new(client)),
        });
        self.resend(id);
        if !is_reliable {
            self.repeat_after(id, self.settings.t1, now);
        }
        self.arm(id, Slot::Limit, 64.0 * self.settings.t1, now);
        id
    }

    /// The flow is gone already: the caller hears it from the next `handle_timeout`.
    pub(super) fn fail_client(
        &mut self,
        client: Client,
        flow: u64,
        source: Address,
        token: i64,
        now: f64,
    ) -> u64 {
        let transaction = self.next_id();
        let (kind, method) = (EventKind::TransportError, client.method);
        let event = Event {
            kind,
            token,
            transaction,
            method,
            status: 0,
            message: None,
            flow,
            source,
        };
        self.pending.push((now, event));
        transaction
    }

    /// ACK the 2xx with that To tag, and keep the ACK for its repetitions (RFC 3261 §13.2.2.4).
    pub fn acknowledge(
        &mut self,
        id: u64,
        to_tag: &[u8],
        ack: &Outgoing<'_>,
    ) -> Result<(), InvalidHeader> {
        let branch = self.branch();
        let data = self.build(ack, &branch)?;
        let (flow, destination) = (ack.flow, ack.destination.clone());
        let client = self
            .transactions
            .get_mut(&id)
            .and_then(|transaction| match &mut transaction.side {
                Side::Client(client) => Some(client),
                Side::Server(_) => None,
            });
        if let Some(client) = client {
            client.acks.retain(|(tag, _)| tag != to_tag);
            let stored = Stored {
                flow,
                destination: destination.clone(),
                data: data.clone(),
            };
            client.acks.push((to_tag.to_vec(), stored));
        }
        self.send(flow, destination, data);
        Ok(())
    }

    /// CANCEL an INVITE that has had a provisional response; 0 when it is not in that state.
    pub fn cancel(
        &mut self,
        id: u64,
        headers: &[(String, Vec<u8>)],
        token: i64,
        now: f64,
    ) -> Result<u64, InvalidHeader> {
        let head = Head::Request {
            method: "CANCEL",
            uri: b"sip:check",
        };
        Builder::new(&head)?.headers(headers, &RESERVED)?;
        let Some(transaction) = self.transactions.get(&id) else {
            return Ok(0);
        };
        let is_cancellable = transaction.machine == Machine::ClientInvite
            && transaction.state == State::Proceeding
            && transaction.limit == 0;
        let (Side::Client(client), true) = (&transaction.side, is_cancellable) else {
            return Ok(0);
        };
        let Ok(request) = Message::read(&transaction.last) else {
            return Ok(0);
        };
        let Some(data) = hop_request(&request, "CANCEL", None, headers) else {
            return Ok(0);
        };
        let cancel = Client {
            method: "CANCEL".to_owned(),
            branch: client.branch.clone(),
            ..Client::default()
        };
        let (flow, destination) = (transaction.flow, transaction.destination.clone());
        // Without a final response in 64·T1 the INVITE counts as cancelled (§9.1).
        self.arm(id, Slot::Limit, 64.0 * self.settings.t1, now);
        Ok(self.open_client(cancel, flow, destination, data, token, now))
    }
}
