//! Sources that no limit of a source applies to, as networks.
use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::net::{IpAddr, Ipv6Addr};

use crate::hash::Spread;

/// Networks and single hosts, IPv4 ones in their mapped form (RFC 4291 §2.5.5.2).
#[derive(Default)]
pub(in crate::core) struct Networks {
    wide: Vec<(u128, u128)>,
    /// Found in one look, however many there are.
    hosts: HashSet<u128, BuildHasherDefault<Spread>>,
}

impl Networks {
    /// Networks by address and length of the prefix in bits.
    pub(in crate::core) fn new(all: &[(IpAddr, u8)]) -> Self {
        let masked = |&(address, length): &(IpAddr, u8)| {
            let width = if address.is_ipv4() { 32 } else { 128 };
            let free = u32::from(width - length.min(width));
            let mask = u128::MAX.checked_shl(free).unwrap_or(0);
            (mapped(address) & mask, mask)
        };
        let (single, wide): (Vec<_>, Vec<_>) = all
            .iter()
            .map(masked)
            .partition(|(_, mask)| *mask == u128::MAX);
        let hosts = single.into_iter().map(|(host, _)| host).collect();
        Self { wide, hosts }
    }

    pub(in crate::core) fn contain(&self, address: IpAddr) -> bool {
        let bits = mapped(address);
        let is_in = |(network, mask): &(u128, u128)| bits & mask == *network;
        self.hosts.contains(&bits) || self.wide.iter().any(is_in)
    }
}

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
    .to_bits()
}

/// The part of an address that is one customer's: all of an IPv4 one, the /64 of an IPv6 one.
pub(super) fn customer(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => mapped(v4.into()),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::{IpAddr, Networks};

    fn address(text: &str) -> IpAddr {
        text.parse().expect("it is an address")
    }

    #[test]
    fn an_address_is_in_the_networks_that_hold_it_and_in_no_other() {
        let known = Networks::new(&[
            (address("10.0.0.0"), 8),
            (address("192.0.2.7"), 32),
            (address("fc00::"), 7),
        ]);

        let inside = ["10.255.0.1", "::ffff:10.0.0.1", "192.0.2.7", "fd12::1"];
        let outside = ["11.0.0.1", "192.0.2.8", "2001:db8::1", "::1"];

        assert!(inside.iter().all(|one| known.contain(address(one))));
        assert!(!outside.iter().any(|one| known.contain(address(one))));
        assert!(Networks::new(&[(address("0.0.0.0"), 0)]).contain(address("203.0.113.9")));
    }
}
