//! Silent mode: who is not known gets no answer, so that a scan finds nobody here.
use std::net::IpAddr;

use super::act::Material;
use super::door::Networks;
use super::types::Origin;
use super::{Address, SipCore};
use crate::message::Message;
use crate::transaction::Side;
use crate::transaction::tables::Input;

/// Whom the core itself answers.
#[derive(Default)]
pub(super) struct Silence {
    is_on: bool,
    known: Networks,
}

impl SipCore {
    /// Answer nobody of our own accord but sources in these networks, by address and length of the
    /// prefix: neither what is malformed nor what is refused, no CANCEL of nothing and no keep-alive.
    /// What names a dialog of ours is answered all the same.
    pub fn set_silence(&mut self, is_on: bool, known: &[(IpAddr, u8)]) {
        self.silence = Silence {
            is_on,
            known: Networks::new(known),
        };
    }

    /// Let a request go unanswered, as if it had never come. Over UDP it is kept for 64·T1, in which its
    /// sender may repeat it (Timers B and F), and its repetitions go unanswered unseen.
    /// False when it is over, or was answered.
    pub fn drop_request(&mut self, id: u64, now: f64) -> bool {
        let is_open = self.transactions.get(&id).is_some_and(|transaction| {
            matches!(&transaction.side, Side::Server(server) if server.request.is_some())
                && transaction.last.is_empty()
        });
        if is_open {
            self.finish_server(id);
            self.step(
                id,
                Input::Silence,
                now,
                Material::default(),
                &mut Vec::new(),
            );
            self.counters.silenced += 1;
        }
        is_open
    }

    /// Whether anything was said to a request, or will be: who sent it may know that somebody is here.
    pub(super) fn has_answered(&self, id: u64) -> bool {
        let transaction = self.transactions.get(&id);
        transaction
            .is_some_and(|transaction| !transaction.last.is_empty() || transaction.is_proxied)
    }

    /// Whether a request of a stranger's stays without the answer that we would give; counts it.
    pub(super) fn is_silent_about(&mut self, request: &Message, source: &Address) -> bool {
        self.is_silent_to(source) && self.token_of(request) == 0 && self.count_silenced()
    }

    /// Whether who is at this address gets no answer.
    pub(super) fn is_silent_to(&self, source: &Address) -> bool {
        self.is_silent_towards(&Origin::Known(source))
    }

    /// The same of a source that nobody has looked at yet.
    pub(super) fn is_silent_towards(&self, source: &Origin<'_>) -> bool {
        let known = &self.silence.known;
        self.silence.is_on && !source.ip().is_some_and(|host| known.contain(host))
    }

    /// Whether a keep-alive on a connection stays without answer: one by which nothing was said yet.
    pub(super) fn is_silent_on(&self, flow: u64, source: &Address) -> bool {
        let has_spoken = self.flows.get(&flow).is_some_and(|flow| flow.has_spoken);
        !has_spoken && self.is_silent_to(source)
    }

    /// Count what was not answered. Always true.
    pub(super) fn count_silenced(&mut self) -> bool {
        self.counters.silenced += 1;
        true
    }
}
