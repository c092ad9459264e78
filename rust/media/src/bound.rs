//! A socket in the hands of a shard, and whose datagrams it receives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use mio::Token;

use crate::slot::Slot;
use crate::socket::Socket;
use crate::transport::Transmit;
use crate::transport::mux::Mux;

/// Whose datagrams a socket receives.
#[derive(Debug)]
pub(crate) enum Owner {
    /// One session's.
    Session(u64),
    /// Those of many browser calls.
    Shared(Mutex<Mux<u64>>),
}

/// A socket of a shard.
#[derive(Debug)]
pub(crate) struct BoundSocket {
    pub(crate) token: Token,
    pub(crate) socket: Socket,
    pub(crate) owner: Owner,
}

impl BoundSocket {
    pub(crate) fn local(&self) -> SocketAddr {
        self.socket.local()
    }

    /// The multiplexer of a shared socket.
    pub(crate) fn mux(&self) -> Option<MutexGuard<'_, Mux<u64>>> {
        match &self.owner {
            Owner::Session(_) => None,
            Owner::Shared(mux) => Some(mux.lock().expect("nothing panics holding a multiplexer")),
        }
    }
}

/// Datagrams of many sessions that leave through sockets they share, sent in as few calls as can be.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    batches: Vec<(Arc<BoundSocket>, Vec<Transmit>)>,
}

impl Outgoing {
    /// Takes what a session wants sent; what leaves through a socket of its own is sent at once.
    pub(crate) fn add(&mut self, slot: &Slot, transmits: Vec<Transmit>) {
        let mut socket: Option<Arc<BoundSocket>> = None;
        for transmit in transmits {
            if socket
                .as_ref()
                .is_none_or(|socket| socket.local() != transmit.local)
            {
                socket = slot.socket(transmit.local);
            }
            let Some(bound) = &socket else { continue };
            if matches!(bound.owner, Owner::Session(_)) {
                bound.socket.send(transmit.to, &transmit.data);
                continue;
            }
            if transmit.data.first().is_some_and(|&first| first < 4)
                && let Some(mut mux) = bound.mux()
            {
                mux.note_sent(slot.id, transmit.local, transmit.to, &transmit.data);
            }
            self.queue(bound, transmit);
        }
    }

    fn queue(&mut self, bound: &Arc<BoundSocket>, transmit: Transmit) {
        let found = self
            .batches
            .iter_mut()
            .find(|(socket, _)| Arc::ptr_eq(socket, bound));
        match found {
            Some((_, batch)) => batch.push(transmit),
            None => self.batches.push((Arc::clone(bound), vec![transmit])),
        }
    }

    /// Sends what was queued.
    pub(crate) fn flush(&mut self) {
        for (bound, batch) in self.batches.drain(..) {
            bound.socket.send_all(&batch);
        }
    }
}

/// Sends what one session wants sent.
pub(crate) fn transmit(slot: &Slot, transmits: Vec<Transmit>) {
    let mut outgoing = Outgoing::default();
    outgoing.add(slot, transmits);
    outgoing.flush();
}
