//! Commands of a user agent server.
use super::act::Material;
use super::receive::input_of;
use super::{Reply, SipCore};
use crate::error::InvalidHeader;
use crate::message::{HeaderName, check_tag};
use crate::transaction::Side;
use crate::transaction::key::{ack_key, dialog_key};
use crate::transaction::tables::{Input, Machine, State};

impl SipCore {
    /// Answer a request. `Ok(false)` when the transaction is over or answered already.
    ///
    /// A non-INVITE takes no provisional but 100 and no 408 (RFC 4320 §4): those are not sent.
    pub fn respond(&mut self, id: u64, reply: &Reply<'_>, now: f64) -> Result<bool, InvalidHeader> {
        check_reply(reply)?;
        let Some(transaction) = self.transactions.get(&id) else {
            return Ok(false);
        };
        let Side::Server(server) = &transaction.side else {
            return Ok(false);
        };
        let Some(request) = server.request.clone() else {
            return Ok(false);
        };
        let is_invite = transaction.machine == Machine::ServerInvite;
        let is_proxied = transaction.is_proxied;
        let is_new = request.tag(HeaderName::To).is_empty();
        if !is_invite && ((101..200).contains(&reply.status) || reply.status == 408) {
            return Ok(false);
        }
        let data = self.compose(transaction, &request, reply)?;
        let is_first_word = Self::is_first_word(transaction);
        self.bind_server(id, reply);
        if reply.status >= 200 {
            self.finish_server(id);
        }
        let material = Material {
            data,
            is_first_word,
            ..Material::default()
        };
        let input = if is_invite && self.await_prack(id, reply) {
            Input::Reliable
        } else if is_invite && is_proxied && reply.status >= 300 {
            Input::ProxiedFailure
        } else {
            input_of(reply.status)
        };
        let is_taken = self.step(id, input, now, material, &mut Vec::new());
        if is_taken && is_invite && is_new && input == Input::Success {
            self.await_ack(id, now);
        }
        Ok(is_taken)
    }

    /// Bind the dialog of an answer and remember what its ACK will carry.
    fn bind_server(&mut self, id: u64, reply: &Reply<'_>) {
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return;
        };
        let Side::Server(server) = &mut transaction.side else {
            return;
        };
        let Some(request) = &server.request else {
            return;
        };
        let own = request.tag(HeaderName::To);
        let local = if own.is_empty() {
            reply.to_tag.as_bytes()
        } else {
            own
        };
        let (remote, call_id) = (request.tag(HeaderName::From), request.call_id());
        let is_success = (200..300).contains(&reply.status);
        if reply.token != 0 {
            transaction.token = reply.token;
        }
        if own.is_empty() {
            if transaction.machine == Machine::ServerInvite && reply.status > 100 {
                reply.to_tag.clone_into(&mut server.local_tag);
            }
            let makes = matches!(request.method(), b"INVITE" | b"SUBSCRIBE" | b"REFER");
            let key = dialog_key(&self.hash, call_id, local, remote);
            if makes && reply.token != 0 && !local.is_empty() && (101..300).contains(&reply.status)
            {
                self.dialogs.insert(key, reply.token);
                server.early = (!is_success).then_some(key);
            } else if reply.status >= 300
                && let Some(early) = server.early.take()
            {
                self.dialogs.remove(&early);
            }
        }
        if is_success && transaction.machine == Machine::ServerInvite {
            let number = request.cseq().map_or(0, |(number, _)| number);
            let key = ack_key(&self.hash, call_id, local, remote, number);
            server.ack_key = Some(key);
            self.acks.insert(key, id);
        }
    }

    /// Let the request go: what is left answers its repetitions.
    pub(super) fn finish_server(&mut self, id: u64) {
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return;
        };
        debug_assert_ne!(transaction.state, State::Terminated);
        if let Side::Server(server) = &mut transaction.side {
            server.request = None;
        }
    }
}

fn check_reply(reply: &Reply<'_>) -> Result<(), InvalidHeader> {
    if !(100..700).contains(&reply.status) {
        let why = "is not between 100 and 699";
        return Err(InvalidHeader {
            what: "status".to_owned(),
            why,
        });
    }
    check_tag(reply.to_tag)
}
