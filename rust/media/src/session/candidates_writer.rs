//! Our candidates as a description names them (RFC 8839 §5.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::describe::NOWHERE;
use super::sdp_writer::{Lines, line, network_address};
use crate::transport::{ComponentId, GatheredCandidate, GatheredKind, IceDescription};

/// RFC 8445 §5.1.2.1.
const HOST_PREFERENCE: u32 = 126 << 24;
const REFLEXIVE_PREFERENCE: u32 = 100 << 24;
const RELAYED_PREFERENCE: u32 = 0;

/// Writes those of our sockets and those that were gathered, of each component.
pub(super) fn write_candidates(out: &mut Lines, ice: &IceDescription, advertised: IpAddr) {
    write_component(
        out,
        ComponentId::Rtp,
        (&ice.candidates, &ice.gathered),
        advertised,
    );
    if let Some(rtcp) = &ice.rtcp {
        let own = (rtcp.candidates.as_slice(), rtcp.gathered.as_slice());
        write_component(out, ComponentId::Rtcp, own, advertised);
    }
}

/// Writes where RTCP goes for who does no ICE (RFC 3605), if it has a component of its own.
pub(super) fn write_rtcp_address(out: &mut Lines, ice: &IceDescription, advertised: IpAddr) {
    let Some(rtcp) = &ice.rtcp else { return };
    let own = hosts(&rtcp.candidates, advertised);
    let gathered = rtcp.gathered.first().map(|one| one.address);
    let address = own.first().copied().or(gathered).unwrap_or(NOWHERE);
    let (port, home) = (address.port(), network_address(address.ip()));
    line!(out, "a=rtcp:{port} IN {home}");
}

fn write_component(
    out: &mut Lines,
    id: ComponentId,
    (candidates, gathered): (&[SocketAddr], &[GatheredCandidate]),
    advertised: IpAddr,
) {
    let component = id.number();
    for (place, address) in hosts(candidates, advertised).iter().enumerate() {
        let priority = priority(HOST_PREFERENCE, place, component);
        let (foundation, ip, port) = (place + 1, address.ip(), address.port());
        line!(
            out,
            "a=candidate:{foundation} {component} udp {priority} {ip} {port} typ host"
        );
    }
    for (place, candidate) in gathered.iter().enumerate() {
        write_gathered(out, (place, component), candidate);
    }
}

fn write_gathered(
    out: &mut Lines,
    (place, component): (usize, u16),
    candidate: &GatheredCandidate,
) {
    let (kind, preference) = match candidate.kind {
        GatheredKind::ServerReflexive => ("srflx", REFLEXIVE_PREFERENCE),
        GatheredKind::Relayed => ("relay", RELAYED_PREFERENCE),
    };
    let priority = priority(preference, place, component);
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
        "a=candidate:{kind}{place} {component} udp {priority} {ip} {port} typ {kind} raddr {base} \
         rport {base_port}"
    );
}

fn priority(preference: u32, place: usize, component: u16) -> u32 {
    preference + ((0xffff - place as u32) << 8) + 256 - u32::from(component)
}

/// Our sockets; an advertised address that none of them has comes first, with the first port.
fn hosts(own: &[SocketAddr], advertised: IpAddr) -> Vec<SocketAddr> {
    let is_own = own.iter().any(|address| address.ip() == advertised);
    let same_family = own
        .iter()
        .find(|address| address.is_ipv4() == advertised.is_ipv4());
    match same_family {
        Some(first) if !is_own && !advertised.is_unspecified() => {
            let mapped = SocketAddr::new(advertised, first.port());
            std::iter::once(mapped).chain(own.iter().copied()).collect()
        }
        _ => own.to_vec(),
    }
}
