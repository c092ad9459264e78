//! Plain RTP and RTCP, and who may take part.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The origin of virtual time; helpers.

mod wire;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use trivox_media::transport::{PlainTransport, RemotePlain, Transport, TransportEvent};
use wire::rtp;

const RTP: &str = "10.0.0.1:4000";
const RTCP: &str = "10.0.0.1:4001";
const PEER: &str = "10.0.0.2:5000";
const REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 2];

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn remote(rtp: Option<&str>, rtcp_mux: bool) -> RemotePlain {
    RemotePlain {
        rtp: rtp.map(at),
        rtcp: rtp.map(|_| at("10.0.0.2:5001")),
        rtcp_mux,
    }
}

fn transport(now: Instant, rtcp_mux: bool) -> Transport {
    let mut plain = PlainTransport::new(at(RTP), at(RTCP));
    plain.set_remote(now, remote(Some(PEER), rtcp_mux));
    let mut transport = Transport::Plain(Box::new(plain));
    assert_eq!(transport.poll_event(), Some(TransportEvent::Connected));
    transport
}

#[test]
fn a_spray_from_elsewhere_gets_nothing_in_and_nothing_out() {
    let now = Instant::now();
    let mut transport = transport(now, true);
    transport.handle_datagram(now, at(RTP), at(PEER), &rtp(7, 1));
    assert!(transport.poll_event().is_some());
    for n in 0..1000 {
        for port in [1, 2] {
            let attacker = SocketAddr::from(([10, 0, 0, 66], port));
            transport.handle_datagram(now, at(RTP), attacker, &rtp(7, n + 2));
            transport.handle_datagram(now, at(RTP), attacker, &REPORT);
        }
        assert!(transport.send_rtp(now, &rtp(1, n)));
        assert!(transport.send_rtcp(now, &REPORT));
    }

    assert_eq!(transport.poll_event(), None);
    let sent: Vec<_> = std::iter::from_fn(|| transport.poll_transmit()).collect();
    assert_eq!(sent.len(), 2000);
    assert!(sent.iter().all(|datagram| datagram.to == at(PEER)));
    assert_eq!(transport.counts().refused_source, 4000);
}

#[test]
fn rtcp_has_its_own_port_without_mux() {
    let now = Instant::now();
    let mut transport = transport(now, false);
    transport.handle_datagram(now, at(RTCP), at("10.0.0.2:5001"), &REPORT);
    assert!(transport.send_rtcp(now, &REPORT));
    let sent = transport.poll_transmit().unwrap();

    assert_eq!(
        transport.poll_event(),
        Some(TransportEvent::Rtcp(REPORT.to_vec()))
    );
    assert_eq!((sent.local, sent.to), (at(RTCP), at("10.0.0.2:5001")));
}

#[test]
fn answers_go_to_where_a_peer_behind_a_nat_sends_from() {
    let now = Instant::now();
    let mut transport = transport(now, true);
    let mapped = at("192.0.2.50:61000");
    for n in 0..4 {
        transport.handle_datagram(now, at(RTP), mapped, &rtp(7, n));
    }
    transport.send_rtp(now, &rtp(1, 1));

    assert_eq!(transport.poll_transmit().unwrap().to, mapped);
}

#[test]
fn the_hold_address_stops_sending_until_the_next_description() {
    let now = Instant::now();
    let mut transport = transport(now, true);
    transport.handle_datagram(now, at(RTP), at(PEER), &rtp(7, 1));
    let Transport::Plain(plain) = &mut transport else {
        panic!("not plain");
    };
    plain.set_remote(now, remote(None, true));
    assert!(!transport.is_ready());
    assert!(!transport.send_rtp(now, &rtp(1, 1)));

    let Transport::Plain(plain) = &mut transport else {
        panic!("not plain");
    };
    plain.set_remote(now + Duration::from_secs(60), remote(Some(PEER), true));

    assert!(transport.send_rtp(now, &rtp(1, 2)));
}

#[test]
fn what_is_no_rtp_is_counted_and_dropped() {
    let now = Instant::now();
    let mut transport = transport(now, true);
    for bad in [
        &b""[..],
        &[0x80],
        &[0; 40],
        &[0xff; 40],
        &[0x80, 0, 1, 2, 3, 4, 5, 6, 7],
    ] {
        transport.handle_datagram(now, at(RTP), at(PEER), bad);
    }

    assert_eq!(transport.poll_event(), None);
    assert_eq!(transport.counts().malformed, 5);
}

#[test]
fn a_closed_transport_is_silent() {
    let now = Instant::now();
    let mut transport = transport(now, true);
    transport.close(now);
    transport.handle_datagram(now, at(RTP), at(PEER), &rtp(7, 1));

    assert_eq!(transport.poll_event(), None);
    assert!(!transport.send_rtp(now, &rtp(1, 1)));
}

#[test]
fn a_goodbye_queued_before_the_close_still_leaves() {
    let now = Instant::now();
    let mut transport = transport(now, true);
    transport.send_rtcp(now, &REPORT);
    transport.close(now);

    assert_eq!(transport.poll_transmit().unwrap().data, REPORT);
}
