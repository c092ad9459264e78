//! One relay of a session: where it is, the allocation there, and where it sends us instead.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::session::components::ComponentAt;
use crate::transport::Identity;
use crate::transport::relay::{Relay, RelayCredentials, RelaySettings};

/// Where a relay is reached, as a session is told of it.
#[derive(Debug, Clone)]
pub struct RelayAt {
    /// The socket of ours that leads there, and nowhere else.
    pub local: SocketAddr,
    /// The relay.
    pub server: SocketAddr,
    /// What the program calls it; for messages.
    pub name: String,
    /// Who we are there.
    pub credentials: RelayCredentials,
    /// What it is for.
    pub component: ComponentAt,
    /// `server` stands for a stream to the relay.
    pub is_stream: bool,
}

/// Times a relay may send us to another one.
const MOST_REDIRECTIONS: usize = 3;
pub(super) struct Entry {
    pub(super) at: RelayAt,
    pub(super) relay: Relay,
    /// Kept when the relay is gone, to say whose address it was.
    pub(super) relayed: Option<SocketAddr>,
    /// Relays that have sent us on.
    before: Vec<SocketAddr>,
}

impl Entry {
    pub(super) fn new(now: Instant, identity: &Arc<Identity>, at: RelayAt) -> Self {
        Self {
            relay: ask(now, identity, &at),
            at,
            relayed: None,
            before: Vec::new(),
        }
    }

    /// Asks the relay that this one has named; false if it is not followed.
    pub(super) fn follow(
        &mut self,
        now: Instant,
        identity: &Arc<Identity>,
        next: SocketAddr,
    ) -> bool {
        self.before.push(self.at.server);
        let is_followed = !self.at.is_stream
            && self.before.len() <= MOST_REDIRECTIONS
            && !self.before.contains(&next)
            && next.is_ipv4() == self.at.server.is_ipv4();
        if is_followed {
            self.at.server = next;
            self.relay = ask(now, identity, &self.at);
        }
        is_followed
    }
}

fn ask(now: Instant, identity: &Arc<Identity>, at: &RelayAt) -> Relay {
    let settings = RelaySettings {
        credentials: at.credentials.clone(),
        local: at.local.ip(),
        is_stream: at.is_stream,
    };
    Relay::new(now, Arc::clone(identity), settings)
}
