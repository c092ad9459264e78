//! What one transaction remembers, and the four state tables.
pub(crate) mod key;
pub(crate) mod tables;

use std::sync::Arc;

use smallvec::SmallVec;

use crate::core::Address;
use crate::core::reliable::AwaitedPrack;
use crate::message::Message;
use tables::{Machine, State};

/// One client or server transaction. A finished one keeps its last message only.
pub(crate) struct Transaction {
    pub(crate) machine: Machine,
    pub(crate) state: State,
    pub(crate) is_reliable: bool,
    /// Belongs to a proxy: its 2xx is neither repeated nor acknowledged (RFC 6026 §7).
    pub(crate) is_proxied: bool,
    pub(crate) flow: u64,
    pub(crate) destination: Address,
    pub(crate) token: i64,
    pub(crate) key: u128,
    /// The request (client) or the last response (server), ready to be sent again.
    pub(crate) last: Vec<u8>,
    /// Present interval of the repeat timer.
    pub(crate) interval: f64,
    /// Serials of the live timers; 0 when not armed.
    pub(crate) repeat: u64,
    pub(crate) limit: u64,
    pub(crate) side: Side,
}

pub(crate) enum Side {
    Server(Server),
    Client(Box<Client>),
}

#[derive(Default)]
pub(crate) struct Server {
    /// Held until the final response.
    pub(crate) request: Option<Arc<Message>>,
    /// The tag of its responses, which a CANCEL's answer shares (RFC 3261 §9.2).
    pub(crate) local_tag: String,
    /// Key the ACK for a 2xx is found by.
    pub(crate) ack_key: Option<u128>,
    /// Key a copy that came another way is found by.
    pub(crate) merge_key: Option<u128>,
    pub(crate) is_acknowledged: bool,
    /// What a provisional response sent reliably waits for.
    pub(crate) prack: Option<AwaitedPrack>,
    /// Dialog made by a provisional response and not yet confirmed.
    pub(crate) early: Option<u128>,
    /// Its place among those that are kept; 0 for none.
    pub(crate) kept: u64,
}

/// A message and where it goes.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) flow: u64,
    pub(crate) destination: Address,
    pub(crate) data: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Client {
    pub(crate) method: String,
    pub(crate) branch: String,
    /// Of a request outside a dialog, whose responses make dialogs: the half they share with it.
    pub(crate) half_dialog: Option<u128>,
    /// Whether it is an INVITE within a dialog (RFC 3261 §14).
    pub(crate) is_reinvite: bool,
    /// Whether another server is to be asked if this one fails (RFC 3263 §4.3).
    pub(crate) has_next: bool,
    /// How often the network has sent it back.
    pub(crate) sent_back: u8,
    /// Responses already passed up.
    pub(crate) seen: SmallVec<[u64; 4]>,
    /// Dialogs bound by responses: key and whether a 2xx confirmed it.
    pub(crate) dialogs: SmallVec<[(u128, bool); 1]>,
    /// The ACK by To tag, sent again for each repeated 2xx (RFC 3261 §13.2.2.4).
    pub(crate) acks: SmallVec<[(Vec<u8>, Stored); 1]>,
}
