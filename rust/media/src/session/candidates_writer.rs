//! Our candidates as a description names them (RFC 8839 §5.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::sdp_writer::{Lines, line};
use crate::transport::{GatheredCandidate, GatheredKind, IceDescription};

/// RFC 8445 §5.1.2.1.
const HOST_PREFERENCE: u32 = 126 << 24;
const REFLEXIVE_PREFERENCE: u32 = 100 << 24;
const RELAYED_PREFERENCE: u32 = 0;

/// Writes those of our sockets and those that were gathered.
pub(super) fn write_candidates(out: &mut Lines, ice: &IceDescription, advertised: IpAddr) {
    for (place, address) in hosts(ice, advertised).iter().enumerate() {
        let priority = priority(HOST_PREFERENCE, place);
        let (foundation, ip, port) = (place + 1, address.ip(), address.port());
        line!(
            out,
            "a=candidate:{foundation} 1 udp {priority} {ip} {port} typ host"
        );
    }
    for (place, candidate) in ice.gathered.iter().enumerate() {
        write_gathered(out, place, candidate);
    }
}

fn write_gathered(out: &mut Lines, place: usize, candidate: &GatheredCandidate) {
    let (kind, preference) = match candidate.kind {
        GatheredKind::ServerReflexive => ("srflx", REFLEXIVE_PREFERENCE),
        GatheredKind::Relayed => ("relay", RELAYED_PREFERENCE),
    };
    let priority = priority(preference, place);
    let (ip, port) = (candidate.address.ip(), candidate.address.port());
    // An address that must not be told is written as none (RFC 8828 §5.2).
    let nowhere: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let related = candidate.related.unwrap_or(SocketAddr::new(nowhere, 0));
    let (base, base_port) = (related.ip(), related.port());
    line!(
        out,
        "a=candidate:{kind}{place} 1 udp {priority} {ip} {port} typ {kind} raddr {base} rport \
         {base_port}"
    );
}

fn priority(preference: u32, place: usize) -> u32 {
    preference + ((0xffff - place as u32) << 8) + 255
}

/// Our sockets; an advertised address that none of them has comes first, with the first port.
fn hosts(ice: &IceDescription, advertised: IpAddr) -> Vec<SocketAddr> {
    let own = ice.candidates.clone();
    let is_own = own.iter().any(|address| address.ip() == advertised);
    let same_family = own
        .iter()
        .find(|address| address.is_ipv4() == advertised.is_ipv4());
    match same_family {
        Some(first) if !is_own && !advertised.is_unspecified() => {
            let mapped = SocketAddr::new(advertised, first.port());
            std::iter::once(mapped).chain(own).collect()
        }
        _ => own,
    }
}
