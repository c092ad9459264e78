//! A ClientHello that overtakes the answer to our offer.
//!
//! The peer that answers says hello at once, and media often goes a shorter way than signalling.
//! Who may begin is known only with the answer: until then one hello waits, unanswered, so that
//! it need not be sent again a second later.

use std::net::SocketAddr;

use super::associations::is_client_hello;

/// More than any hello; no handshake needs one that is longer (RFC 6347 §4.1.1 keeps to the MTU).
const MOST_BYTES: usize = 2048;

/// The latest hello of one socket that nobody could judge yet.
#[derive(Default)]
pub(super) struct EarlyHello(Option<(SocketAddr, Vec<u8>)>);

impl EarlyHello {
    /// Keeps a hello in place of the one before; false if a datagram is lost by that, this one
    /// or that of another peer.
    pub(super) fn keep(&mut self, from: SocketAddr, data: &[u8]) -> bool {
        if !is_client_hello(data) || data.len() > MOST_BYTES {
            return false;
        }
        let before = self.0.replace((from, data.to_vec()));
        before.is_none_or(|(peer, _)| peer == from)
    }

    /// The hello, once.
    pub(super) fn take(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.0.take()
    }
}
