//! Many ICE sessions on one socket: to which of them a datagram belongs.
//!
//! STUN requests go by the receiver's half of USERNAME, responses by the transaction id of the
//! request they answer, everything else by remote address; an address is entered only when a
//! session answers its check with success, that is, after the credentials were right, or when it
//! answers a check of ours.
//!
//! A session's ufrag changes when ICE restarts: after `create_offer` and `set_remote`, add that of
//! `offered_description` and of `description`.
//!
//! Two sessions that call each other through the same socket would see the same remote address:
//! give the offering and the answering sessions of a process sockets of their own.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::SocketAddr;

use super::stun;

/// Requests remembered per multiplexer; the oldest are forgotten first.
const TRANSACTIONS: usize = 65_536;

/// Address pairs per session: the sixteen addresses its gate holds, on eight local sockets.
const ADDRESSES: usize = 128;

/// Which session of type `K` a datagram on one socket belongs to.
#[derive(Debug)]
pub struct Mux<K> {
    ufrags: HashMap<String, K>,
    transactions: HashMap<[u8; 12], (K, SocketAddr)>,
    transaction_order: VecDeque<[u8; 12]>,
    addresses: HashMap<(SocketAddr, SocketAddr), Owner<K>>,
}

#[derive(Debug)]
struct Owner<K> {
    session: K,
    /// It has not proved itself again since a restart: the next one forgets it.
    is_former: bool,
}

impl<K> Default for Mux<K> {
    fn default() -> Self {
        Self {
            ufrags: HashMap::new(),
            transactions: HashMap::new(),
            transaction_order: VecDeque::new(),
            addresses: HashMap::new(),
        }
    }
}

impl<K: Copy + Eq + Hash> Mux<K> {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends requests for `ufrag` to `session`; a session has a second one while it restarts ICE.
    pub fn add_ufrag(&mut self, ufrag: &str, session: K) {
        self.ufrags.insert(ufrag.to_owned(), session);
    }

    /// Takes all ufrags of a session after a description.
    ///
    /// One that is gone was replaced by a restart: it is forgotten, and with it the addresses of
    /// the session that have not proved themselves since the restart before, but for `kept`, where
    /// its media still goes. The far end may send from the others until there is another path.
    pub fn update(&mut self, session: K, ufrags: &[String], kept: Option<SocketAddr>) {
        let before = self.ufrags.len();
        self.ufrags
            .retain(|known, owner| *owner != session || ufrags.contains(known));
        if self.ufrags.len() < before {
            self.age_addresses(session, kept);
        }
        for ufrag in ufrags {
            self.add_ufrag(ufrag, session);
        }
    }

    /// The session of a datagram that arrived at `local` from `from`; None: drop and count it.
    pub fn route(&mut self, local: SocketAddr, from: SocketAddr, data: &[u8]) -> Option<K> {
        if !stun::is_stun(data) {
            let owner = self.addresses.get(&(local, from));
            return owner.map(|owner| owner.session);
        }
        if stun::is_request(data) {
            return self.ufrags.get(stun::receiving_ufrag(data)?).copied();
        }
        let id = stun::transaction_id(data)?;
        let (session, asked) = self.transactions.remove(&id)?;
        if asked == from && stun::is_success(data) {
            // An ICE-lite peer sends no checks that we could answer: our own must do.
            self.add_address(session, local, from);
        }
        Some(session)
    }

    /// Looks at a datagram that `session` sends, to learn from it.
    pub fn note_sent(&mut self, session: K, local: SocketAddr, to: SocketAddr, data: &[u8]) {
        if !stun::is_stun(data) {
            return;
        }
        if stun::is_success(data) {
            self.add_address(session, local, to);
        } else if stun::is_request(data)
            && let Some(id) = stun::transaction_id(data)
        {
            self.add_transaction(session, id, to);
        }
    }

    /// Enters the address of a session's selected pair.
    ///
    /// An address stays with its first session until that ends, so that an authenticated peer
    /// cannot take another's address by forging its source.
    pub fn add_address(&mut self, session: K, local: SocketAddr, remote: SocketAddr) {
        if let Some(owner) = self.addresses.get_mut(&(local, remote)) {
            owner.is_former &= owner.session != session;
            return;
        }
        let owners = self.addresses.values();
        let held = owners.filter(|owner| owner.session == session).count();
        if held < ADDRESSES {
            let is_former = false;
            let owner = Owner { session, is_former };
            self.addresses.insert((local, remote), owner);
        }
    }

    fn age_addresses(&mut self, session: K, kept: Option<SocketAddr>) {
        self.addresses.retain(|(_, remote), owner| {
            if owner.session != session {
                return true;
            }
            let stays = !owner.is_former || Some(*remote) == kept;
            owner.is_former = true;
            stays
        });
    }

    /// Forgets everything about a session that has ended.
    pub fn forget(&mut self, session: K) {
        self.ufrags.retain(|_, owner| *owner != session);
        self.addresses.retain(|_, owner| owner.session != session);
        self.transactions.retain(|_, (owner, _)| *owner != session);
    }

    /// Entries held: ufrags, transactions, addresses.
    pub fn sizes(&self) -> (usize, usize, usize) {
        (
            self.ufrags.len(),
            self.transactions.len(),
            self.addresses.len(),
        )
    }

    fn add_transaction(&mut self, session: K, id: [u8; 12], to: SocketAddr) {
        if self.transaction_order.len() == TRANSACTIONS
            && let Some(oldest) = self.transaction_order.pop_front()
        {
            self.transactions.remove(&oldest);
        }
        self.transaction_order.push_back(id);
        self.transactions.insert(id, (session, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: SocketAddr = address(1);
    const PEER: SocketAddr = address(2);
    const MEDIA: [u8; 24] = [0x80; 24];

    const fn address(port: u16) -> SocketAddr {
        SocketAddr::new(
            std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
            port,
        )
    }

    fn stun_message(kind: u8, id: u8, username: &str) -> Vec<u8> {
        let padded = username.len().next_multiple_of(4);
        let mut message = vec![kind, 1, 0, (padded + 4) as u8, 0x21, 0x12, 0xa4, 0x42];
        message.extend([id; 12]);
        message.extend([0, 6, 0, username.len() as u8]);
        message.extend(username.as_bytes());
        message.resize(24 + padded, 0);
        message
    }

    #[test]
    fn requests_go_by_ufrag() {
        let mut mux = Mux::new();
        mux.add_ufrag("abcd", 1);

        assert_eq!(
            mux.route(LOCAL, PEER, &stun_message(0, 0, "abcd:peer")),
            Some(1)
        );
        assert_eq!(
            mux.route(LOCAL, PEER, &stun_message(0, 0, "else:peer")),
            None
        );
        assert_eq!(mux.route(LOCAL, PEER, &stun_message(0, 0, "abcd")), None);
    }

    #[test]
    fn a_response_goes_once_to_the_session_that_asked() {
        let mut mux = Mux::new();
        mux.note_sent(7, LOCAL, PEER, &stun_message(0, 9, "peer:abcd"));

        assert_eq!(mux.route(LOCAL, PEER, &stun_message(1, 9, "")), Some(7));
        assert_eq!(mux.route(LOCAL, PEER, &stun_message(1, 9, "")), None);
    }

    #[test]
    fn media_goes_by_address_once_a_check_was_answered() {
        let mut mux = Mux::new();
        assert_eq!(mux.route(LOCAL, PEER, &MEDIA), None);

        mux.note_sent(3, LOCAL, PEER, &stun_message(1, 0, ""));

        assert_eq!(mux.route(LOCAL, PEER, &MEDIA), Some(3));
    }

    #[test]
    fn media_goes_by_address_once_a_check_of_ours_was_answered_from_there() {
        let mut mux = Mux::new();
        mux.note_sent(4, LOCAL, PEER, &stun_message(0, 1, "peer:abcd"));
        mux.note_sent(4, LOCAL, PEER, &stun_message(0, 2, "peer:abcd"));

        mux.route(LOCAL, address(66), &stun_message(1, 1, ""));
        mux.route(LOCAL, PEER, &stun_message(1, 2, ""));

        assert_eq!(mux.route(LOCAL, address(66), &MEDIA), None);
        assert_eq!(mux.route(LOCAL, PEER, &MEDIA), Some(4));
    }

    #[test]
    fn an_address_stays_with_its_first_session_until_that_ends() {
        let mut mux = Mux::new();
        mux.add_address(1, LOCAL, PEER);
        mux.add_address(2, LOCAL, PEER);
        assert_eq!(mux.route(LOCAL, PEER, &MEDIA), Some(1));

        mux.forget(1);
        mux.add_address(2, LOCAL, PEER);

        assert_eq!(mux.route(LOCAL, PEER, &MEDIA), Some(2));
    }

    #[test]
    fn a_restart_forgets_the_old_ufrag_and_the_addresses_of_before_the_last_one() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let mut mux = Mux::new();
        mux.update(1, &names(&["old"]), None);
        mux.add_address(1, LOCAL, PEER);
        mux.add_address(1, LOCAL, address(3));

        mux.update(1, &names(&["old", "new"]), Some(PEER));
        assert_eq!(mux.sizes(), (2, 0, 2));

        mux.update(1, &names(&["new"]), Some(PEER));
        assert_eq!(mux.sizes(), (1, 0, 2));
        mux.add_address(1, LOCAL, address(4));
        mux.add_address(2, LOCAL, address(3));

        mux.update(1, &names(&["newer"]), Some(PEER));
        assert_eq!(mux.sizes(), (1, 0, 2));
        assert_eq!(mux.route(LOCAL, PEER, &MEDIA), Some(1));
        assert_eq!(mux.route(LOCAL, address(3), &MEDIA), None);
        assert_eq!(mux.route(LOCAL, address(4), &MEDIA), Some(1));
    }

    #[test]
    fn an_ended_session_leaves_nothing_behind() {
        let mut mux = Mux::new();
        mux.add_ufrag("abcd", 1);
        mux.note_sent(1, LOCAL, PEER, &stun_message(0, 9, "peer:abcd"));
        mux.add_address(1, LOCAL, PEER);

        mux.forget(1);

        assert_eq!(mux.sizes(), (0, 0, 0));
    }
}
