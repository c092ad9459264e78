//! CANCEL: answered here, told to whoever handles its INVITE (RFC 3261 §9.2).
use std::sync::Arc;

use super::act::Material;
use super::receive::Arrival;
use super::stateless::plain_response;
use super::{Address, Event, EventKind, SipCore};
use crate::message::Message;
use crate::transaction::Side;
use crate::transaction::key::server_key;
use crate::transaction::tables::{Input, State};

impl SipCore {
    /// Answer a CANCEL and tell the user of the INVITE it is for (RFC 3261 §9.2).
    pub(super) fn receive_cancel(
        &mut self,
        message: Message,
        key: u128,
        destination: Address,
        arrival: Arrival,
        events: &mut Vec<Event>,
    ) {
        let via = message.top_via();
        let invite = via.map(|via| server_key(&self.hash, &message, b"INVITE", &via));
        let invite = invite.and_then(|key| self.servers.get(&key).copied());
        let is_answered = invite.is_some_and(|id| self.has_answered(id));
        if !is_answered && self.is_silent_about(&message, &destination) {
            return;
        }
        let message = Arc::new(message);
        let id = self.open_server(Arc::clone(&message), key, destination, &arrival);
        let local_tag = invite.and_then(|id| self.local_tag(id));
        let tag = local_tag.unwrap_or_else(|| self.stateless_tag(&message));
        let (status, reason): (u16, &[u8]) = match invite {
            Some(_) => (200, b"OK"),
            None => (481, b"Call/Transaction Does Not Exist"),
        };
        if let Some(data) = plain_response(&message, status, reason, &tag, None) {
            let input = if status == 200 {
                Input::Success
            } else {
                Input::Failure
            };
            let material = Material {
                data,
                ..Material::default()
            };
            self.finish_server(id);
            self.step(id, input, arrival.now, material, events);
        }
        let Some(invite) = invite else { return };
        let transaction = &self.transactions[&invite];
        if matches!(transaction.state, State::Proceeding | State::Reliable) {
            let is_proxied = transaction.is_proxied;
            let kind = if is_proxied {
                EventKind::ProxyCancelled
            } else {
                EventKind::Cancel
            };
            let mut event = self.event(kind, invite, Some(message));
            event.source = arrival.source;
            events.push(event);
        }
    }

    /// The tag an INVITE was answered with, if it was.
    fn local_tag(&self, id: u64) -> Option<String> {
        match &self.transactions.get(&id)?.side {
            Side::Server(server) => Some(server.local_tag.clone()).filter(|tag| !tag.is_empty()),
            Side::Client(_) => None,
        }
    }
}
