//! ClientHellos that overtake the answer to our offer.
//!
//! The peer that answers says hello at once, and media often goes a shorter way than signalling.
//! Who may begin is known only with the answer: until then hellos wait, unanswered, so that they
//! need not be sent again a second later. A stranger's takes the place of nobody else's.

use std::net::SocketAddr;

use super::associations::is_client_hello;

/// More than any hello; no handshake needs one that is longer (RFC 6347 §4.1.1 keeps to the MTU).
const MOST_BYTES: usize = 2048;

/// Hosts whose hello is kept: the peer, and as many others as may begin a handshake at a time.
const MOST_HOSTS: usize = 5;

/// The latest hello of each host to one socket, while nobody can judge them.
#[derive(Default)]
pub(super) struct EarlyHellos(Vec<(SocketAddr, Vec<u8>)>);

impl EarlyHellos {
    /// Keeps a hello in place of the one its host sent before; false if the datagram is lost.
    pub(super) fn keep(&mut self, from: SocketAddr, data: &[u8]) -> bool {
        if !is_client_hello(data) || data.len() > MOST_BYTES {
            return false;
        }
        let known = self.0.iter().position(|(peer, _)| peer.ip() == from.ip());
        match known {
            Some(index) => self.0[index] = (from, data.to_vec()),
            None if self.0.len() < MOST_HOSTS => self.0.push((from, data.to_vec())),
            None => return false,
        }
        true
    }

    /// The hellos, once, in the order of their hosts.
    pub(super) fn take(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(last: u8) -> Vec<u8> {
        let mut record = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
        record.extend([1, last]);
        record
    }

    fn host(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], port))
    }

    #[test]
    fn a_later_hello_of_somebody_else_displaces_nobody() {
        let mut early = EarlyHellos::default();
        assert!(early.keep(host(1, 5000), &hello(1)));
        for port in 1..100 {
            early.keep(host(66, port), &hello(2));
        }
        for other in 2..50 {
            early.keep(host(other, 1), &hello(3));
        }

        let kept = early.take();

        assert_eq!(kept.len(), MOST_HOSTS);
        assert_eq!(kept[0], (host(1, 5000), hello(1)));
        assert!(early.take().is_empty());
    }

    #[test]
    fn the_latest_hello_of_a_host_is_the_one_kept() {
        let mut early = EarlyHellos::default();
        early.keep(host(1, 5000), &hello(1));
        early.keep(host(1, 6000), &hello(2));

        assert_eq!(early.take(), [(host(1, 6000), hello(2))]);
    }
}
