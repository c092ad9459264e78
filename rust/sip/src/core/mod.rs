//! Messages, transactions and their timers for any number of flows.
//!
//! Drain rule: after every call that takes `now`, take the output until it is empty and deliver it,
//! then sleep until `next_deadline()` and call `handle_timeout()`. `now` is seconds on one monotonic
//! clock.
mod act;
mod brief;
mod cancel;
mod client;
mod door;
mod fault;
mod kept;
mod overload;
mod proxy;
mod receive;
pub(crate) mod reliable;
mod server;
mod silence;
mod stateless;
mod stun;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_brief;
#[cfg(test)]
mod tests_of_silence;
mod types;
mod unacknowledged;
mod undelivered;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use door::DoorSettings;
use kept::Kept;
pub use types::{
    Address, Counters, Event, EventKind, Forward, Origin, Outgoing, Output, Reply, Settings,
};

use crate::framing::Framer;
use crate::hash::{HashKey, Map};
use crate::message::Message;
use crate::timers::{Slot, Timer, Timers};
use crate::transaction::key::dialog_key;
use crate::transaction::tables::{Input, Machine};
use crate::transaction::{Side, Transaction};

/// A socket (udp) or a connection (tcp, ws).
struct Flow {
    transport: String,
    is_reliable: bool,
    framer: Framer,
    /// Whether anything was sent by it.
    has_spoken: bool,
    /// Whether its far end is told that requests may come back by it (RFC 5923 §8.1).
    is_offered: bool,
}

/// The sans-I/O core; see the module for the drain rule.
pub struct SipCore {
    settings: Settings,
    hash: HashKey,
    counter: u64,
    flows: Map<u64, Flow>,
    transactions: Map<u64, Transaction>,
    servers: Map<u128, u64>,
    clients: Map<u128, u64>,
    /// INVITE server transactions by what the ACK for their 2xx carries.
    acks: Map<u128, u64>,
    dialogs: Map<u128, i64>,
    /// INVITE server transactions by what a merged copy shares with them (RFC 3261 §8.2.2.2).
    merges: Map<u128, u64>,
    /// Answered INVITEs that made a dialog and whose ACK is not here, in order of their arrival.
    unacknowledged: BTreeSet<u64>,
    /// Server transactions that are over and kept.
    kept: Kept,
    /// Client transactions by flow, for when one is closed.
    by_flow: BTreeSet<(u64, u64)>,
    timers: Timers,
    output: Vec<Output>,
    /// Events made by a command, delivered by the next `handle_timeout`.
    pending: Vec<(f64, Event)>,
    counters: Counters,
    /// The transaction of the input that is being handled; 0 for none.
    at_work: u64,
    fault_in: u64,
    door: door::Door,
    loss: overload::Loss,
    throttles: overload::Throttles,
    stun: stun::Stun,
    silence: silence::Silence,
}

impl SipCore {
    /// Make a core; `seed` is the secret behind its branches, tags and table keys.
    pub fn new(seed: &[u8], settings: Settings) -> Self {
        let hash = HashKey::from_seed(seed);
        Self {
            settings,
            door: door::Door::new(&hash),
            loss: overload::Loss::default(),
            throttles: overload::Throttles::default(),
            stun: stun::Stun::default(),
            silence: silence::Silence::default(),
            hash,
            counter: 0,
            flows: Map::default(),
            transactions: Map::default(),
            servers: Map::default(),
            clients: Map::default(),
            acks: Map::default(),
            merges: Map::default(),
            dialogs: Map::default(),
            unacknowledged: BTreeSet::new(),
            kept: Kept::default(),
            by_flow: BTreeSet::new(),
            timers: Timers::default(),
            output: Vec::new(),
            pending: Vec::new(),
            counters: Counters::default(),
            at_work: 0,
            fault_in: 0,
        }
    }

    /// Register a socket or connection under an id of the caller's that is never reused.
    pub fn open_flow(&mut self, flow: u64, transport: &str) {
        let transport = transport.to_ascii_lowercase();
        let is_reliable = transport != "udp";
        self.flows.insert(
            flow,
            Flow {
                transport,
                is_reliable,
                framer: Framer::default(),
                has_spoken: false,
                is_offered: false,
            },
        );
    }

    /// Forget a flow; client transactions that still wait on it fail.
    pub fn close_flow(&mut self, flow: u64, now: f64) -> Vec<Event> {
        let mut events = Vec::new();
        self.flows.remove(&flow);
        self.door.forget_flow(flow);
        self.output.retain(|output| output.flow != flow);
        let waiting: Vec<u64> = self
            .by_flow
            .range((flow, 0)..=(flow, u64::MAX))
            .map(|&(_, id)| id)
            .collect();
        for id in waiting {
            self.guarded(&mut events, |core, events| {
                if core.transactions[&id].is_waiting() {
                    let error = core.event(EventKind::TransportError, id, None);
                    core.remove(id);
                    events.push(error);
                }
            });
        }
        self.take_pending(now, &mut events);
        events
    }

    /// What to send, in order; empties the queue.
    pub fn take_output(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.output)
    }

    /// What to send by one flow, in order; the rest stays in the queue.
    pub fn take_output_of(&mut self, flow: u64) -> Vec<Output> {
        self.output
            .extract_if(.., |output| output.flow == flow)
            .collect()
    }

    /// When `handle_timeout` must be called next.
    pub fn next_deadline(&mut self) -> Option<f64> {
        if let Some((at, _)) = self.pending.first() {
            return Some(*at);
        }
        let transactions = &self.transactions;
        self.timers.next(|timer| is_live(transactions, timer))
    }

    /// Run every timer due by `now`.
    pub fn handle_timeout(&mut self, now: f64) -> Vec<Event> {
        let mut events = Vec::new();
        self.take_pending(now, &mut events);
        while let Some(timer) = self.timers.pop(now) {
            if !is_live(&self.transactions, &timer) {
                continue;
            }
            let Some(transaction) = self.transactions.get_mut(&timer.transaction) else {
                continue;
            };
            let input = match timer.slot {
                Slot::Repeat => {
                    transaction.repeat = 0;
                    Input::Repeat
                }
                Slot::Limit => {
                    transaction.limit = 0;
                    Input::Limit
                }
            };
            self.guarded(&mut events, |core, events| {
                let nothing = act::Material::default();
                core.step(timer.transaction, input, now, nothing, events);
            });
        }
        events
    }

    /// Bind a dialog to a call's token.
    pub fn bind(&mut self, call_id: &[u8], local: &[u8], remote: &[u8], token: i64) {
        self.dialogs
            .insert(dialog_key(&self.hash, call_id, local, remote), token);
    }

    /// Drop a dialog's token.
    pub fn forget(&mut self, call_id: &[u8], local: &[u8], remote: &[u8]) {
        self.dialogs
            .remove(&dialog_key(&self.hash, call_id, local, remote));
    }

    /// Live objects and counters, by name.
    pub fn statistics(&self) -> Vec<(&'static str, u64)> {
        let armed = |t: &Transaction| u64::from(t.repeat != 0) + u64::from(t.limit != 0);
        let mut all = vec![
            ("transactions", self.transactions.len() as u64),
            ("dialogs", self.dialogs.len() as u64),
            ("timers", self.transactions.values().map(armed).sum()),
            ("flows", self.flows.len() as u64),
            ("unacknowledged", self.unacknowledged.len() as u64),
            ("kept", self.kept.len() as u64),
        ];
        all.extend(self.counters.items());
        all.extend(self.door.items());
        all
    }

    /// Messages received so far, malformed ones included.
    pub fn received(&self) -> u64 {
        self.counters.received
    }

    fn take_pending(&mut self, now: f64, events: &mut Vec<Event>) {
        let due = self.pending.partition_point(|(at, _)| *at <= now);
        events.extend(self.pending.drain(..due).map(|(_, event)| event));
    }

    /// An event about a transaction.
    fn event(&self, kind: EventKind, id: u64, message: Option<Arc<Message>>) -> Event {
        let transaction = &self.transactions[&id];
        let method = match (&message, &transaction.side) {
            (Some(message), _) => message.method().to_vec(),
            (None, Side::Client(client)) => client.method.clone().into_bytes(),
            (None, Side::Server(_)) => b"INVITE".to_vec(),
        };
        let status = message.as_ref().map_or(0, |message| message.status());
        Event {
            kind,
            token: transaction.token,
            transaction: id,
            method: String::from_utf8_lossy(&method).into_owned(),
            status,
            message,
            flow: transaction.flow,
            source: transaction.destination.clone(),
        }
    }

    fn send(&mut self, flow: u64, destination: Address, data: Vec<u8>) {
        if let Some(own) = self.flows.get_mut(&flow) {
            own.has_spoken = true;
            self.counters.sent += 1;
            self.output.push(Output {
                flow,
                destination,
                data,
            });
        } else {
            self.counters.dropped += 1;
        }
    }

    fn next_id(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn insert(&mut self, transaction: Transaction) -> u64 {
        let id = self.next_id();
        let is_client = matches!(transaction.side, Side::Client(_));
        if is_client {
            self.clients.insert(transaction.key, id);
            self.by_flow.insert((transaction.flow, id));
        } else {
            self.servers.insert(transaction.key, id);
        }
        self.transactions.insert(id, transaction);
        id
    }

    fn remove(&mut self, id: u64) {
        let Some(transaction) = self.transactions.remove(&id) else {
            return;
        };
        match &transaction.side {
            Side::Client(client) => {
                self.clients.remove(&transaction.key);
                self.by_flow.remove(&(transaction.flow, id));
                for (key, _) in client
                    .dialogs
                    .iter()
                    .filter(|(_, is_confirmed)| !is_confirmed)
                {
                    self.dialogs.remove(key);
                }
            }
            Side::Server(server) => {
                self.servers.remove(&transaction.key);
                self.unacknowledged.remove(&id);
                if server.kept != 0 {
                    self.kept.forget(server.kept);
                }
                if let Some(key) = server.ack_key {
                    self.acks.remove(&key);
                }
                if let Some(prack) = server.prack {
                    self.acks.remove(&prack.key);
                }
                // A later copy may stand there by now: a spiral through a proxy.
                if let Some(key) = server.merge_key
                    && self.merges.get(&key) == Some(&id)
                {
                    self.merges.remove(&key);
                }
            }
        }
    }

    fn arm(&mut self, id: u64, slot: Slot, delay: f64, now: f64) {
        let serial = self.timers.arm(now, delay, id, slot);
        if let Some(transaction) = self.transactions.get_mut(&id) {
            match slot {
                Slot::Repeat => transaction.repeat = serial,
                Slot::Limit => transaction.limit = serial,
            }
        }
    }
}

fn is_live(transactions: &Map<u64, Transaction>, timer: &Timer) -> bool {
    transactions
        .get(&timer.transaction)
        .is_some_and(|transaction| match timer.slot {
            Slot::Repeat => transaction.repeat == timer.serial,
            Slot::Limit => transaction.limit == timer.serial,
        })
}

impl Transaction {
    fn is_reinvite(&self) -> bool {
        matches!(&self.side, Side::Client(client) if client.is_reinvite)
    }

    /// Whether a client still waits for a final response.
    fn is_waiting(&self) -> bool {
        use crate::transaction::tables::State;
        matches!(
            self.machine,
            Machine::ClientInvite | Machine::ClientNonInvite
        ) && matches!(self.state, State::Trying | State::Proceeding)
    }
}
