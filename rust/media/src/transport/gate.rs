//! The addresses a session takes DTLS, SRTP and SRTCP from: those whose ICE check passed.

use std::net::SocketAddr;

/// More addresses than an honest peer checks from successfully at one time.
const LIMIT: usize = 8;

/// Addresses that proved they know the session's ICE password.
///
/// Without it anybody who knows the port can disturb a DTLS handshake.
#[derive(Debug, Default)]
pub(super) struct Gate {
    addresses: Vec<SocketAddr>,
    /// Those of before the last restart: until it has found its path, the far end may send from
    /// any of them, and it may choose another one than media has come from.
    former: Vec<SocketAddr>,
}

impl Gate {
    /// Lets `address` in; the address let in longest ago makes room.
    pub(super) fn admit(&mut self, address: SocketAddr) {
        if self.addresses.contains(&address) {
            return;
        }
        if self.addresses.len() == LIMIT {
            self.addresses.remove(0);
        }
        self.addresses.push(address);
    }

    /// Whether media and DTLS from `address` are taken.
    pub(super) fn admits(&self, address: SocketAddr) -> bool {
        self.addresses.contains(&address) || self.former.contains(&address)
    }

    /// ICE begins anew: addresses prove themselves again, and those before the restart before are
    /// forgotten.
    pub(super) fn restart(&mut self) {
        self.former = std::mem::take(&mut self.addresses);
    }

    /// Forgets every address.
    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn the_ninth_address_displaces_the_first() {
        let mut gate = Gate::default();
        (1..=9).for_each(|port| gate.admit(address(port)));

        assert!(!gate.admits(address(1)));
        assert!(gate.admits(address(2)));
        assert!(gate.admits(address(9)));
    }

    #[test]
    fn a_restart_keeps_the_addresses_since_the_one_before() {
        let mut gate = Gate::default();
        gate.admit(address(1));
        gate.restart();
        gate.admit(address(2));
        assert!(gate.admits(address(1)));

        gate.restart();

        assert!(!gate.admits(address(1)));
        assert!(gate.admits(address(2)));
        gate.forget_all();
        assert!(!gate.admits(address(2)));
    }
}
