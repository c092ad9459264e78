//! A panic is a bug of ours: it costs the transaction that was worked on, and no other.
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Address, Event, EventKind, Outgoing, SipCore};
use crate::error::ParseError;
use crate::transaction::tables::Machine;
use crate::transaction::{Client, Side};

impl SipCore {
    /// Panic in the so-many-th step from now, after the state has changed and before anybody is
    /// told. For tests of what becomes of it; 0 withdraws it.
    pub fn inject_fault(&mut self, steps: u64) {
        self.fault_in = steps;
    }

    /// Do a command; `None` when it panicked. What that ended is told by the next `handle_timeout`.
    pub fn command<T>(&mut self, now: f64, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.at_work = 0;
        let done = catch_unwind(AssertUnwindSafe(|| work(self))).ok();
        if done.is_none() {
            let mut events = Vec::new();
            self.recover(&mut events);
            self.pending
                .extend(events.into_iter().map(|event| (now, event)));
        }
        done
    }

    /// Give a request up before it was sent, as one whose flow is gone.
    pub fn fail_request(&mut self, outgoing: &Outgoing<'_>, token: i64, now: f64) -> u64 {
        let client = Client {
            method: outgoing.method.to_owned(),
            ..Client::default()
        };
        let to: Address = outgoing.destination.clone();
        self.fail_client(client, outgoing.flow, to, token, now)
    }

    /// Handle one input; events of others, told before, stay.
    pub(super) fn guarded(
        &mut self,
        events: &mut Vec<Event>,
        work: impl FnOnce(&mut Self, &mut Vec<Event>),
    ) {
        self.at_work = 0;
        if catch_unwind(AssertUnwindSafe(|| work(self, events))).is_err() {
            self.recover(events);
        }
    }

    /// Note what is worked on; here an injected fault strikes.
    pub(super) fn work_on(&mut self, id: u64) {
        self.at_work = id;
        if self.fault_in > 0 {
            self.fault_in -= 1;
            assert!(self.fault_in > 0, "a fault was asked for");
        }
    }

    /// End the transaction that was worked on: tell its user, who would wait for it for ever, and
    /// the far end, which would send it again.
    fn recover(&mut self, events: &mut Vec<Event>) {
        self.counters.panics += 1;
        let id = std::mem::take(&mut self.at_work);
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return;
        };
        let is_invite = transaction.machine == Machine::ServerInvite;
        let (flow, destination) = (transaction.flow, transaction.destination.clone());
        let kind = match &mut transaction.side {
            Side::Client(_) => Some(EventKind::TransportError),
            Side::Server(server) => match server.request.take() {
                Some(request) => {
                    let defect = ParseError {
                        status: 500,
                        reason: "Server Internal Error",
                    };
                    let is_proxied = transaction.is_proxied;
                    self.answer_statelessly(&request, defect, flow, destination);
                    let cancelled = if is_proxied {
                        EventKind::ProxyCancelled
                    } else {
                        EventKind::Cancel
                    };
                    is_invite.then_some(cancelled)
                }
                // As if the ACK had never come: whoever answered it gives the call up.
                None => (is_invite && !server.is_acknowledged).then_some(EventKind::AckTimeout),
            },
        };
        events.extend(kind.map(|kind| self.event(kind, id, None)));
        self.remove(id);
    }
}
