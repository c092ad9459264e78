//! SRTP and SRTCP against packets that other implementations agree on: nothing of them is ours.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The origin of virtual time; helpers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use trivox_media::transport::keys::{SrtpKey, Suite};
use trivox_media::transport::{
    Identity, RemotePlain, RemoteSdes, SdesTransport, Transport, TransportEvent,
};

const CM_128: &str = "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6";
const CM_256: &str = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6\
    3b04803de51ee7c96423ab5b78d2";
const GCM_128: &str = "000102030405060708090a0b0c0d0e0fa0a1a2a3a4a5a6a7a8a9aaab";
const RTP_HEAD: &str = "800f1234decafbadcafebabe";
const RTCP_HEAD: &str = "81c8000bcafebabe";

/// Suite, key and salt, and what follows the head of an SRTP packet of sixteen octets of 0xab.
const RTP: [(Suite, &str, &str); 4] = [
    (
        Suite::AesCm128Sha1_80,
        CM_128,
        "4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
    ),
    // The same tag, cut (RFC 4568 §6.2.2).
    (
        Suite::AesCm128Sha1_32,
        CM_128,
        "4e55dc4ce79978d88ca4d215949d2402b78d6acc",
    ),
    (
        Suite::AesCm256Sha1_80,
        CM_256,
        "f1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b",
    ),
    (
        Suite::AeadAes128Gcm,
        GCM_128,
        "c5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392",
    ),
];

/// The same of an SRTCP packet, which has its index behind it.
const RTCP: [(Suite, &str, &str); 3] = [
    (
        Suite::AesCm128Sha1_80,
        CM_128,
        "7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798",
    ),
    // Reports have tags of 80 bits here too.
    (
        Suite::AesCm128Sha1_32,
        CM_128,
        "7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798",
    ),
    (
        Suite::AeadAes128Gcm,
        GCM_128,
        "c98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001",
    ),
];

fn octets(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let pairs = pairs.map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|p| u8::from_str_radix(p, 16).unwrap()).collect()
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// A transport whose far end sends under that key.
fn transport(suite: Suite, key: &str, now: Instant) -> Transport {
    let identity = Arc::new(Identity::generate().unwrap());
    let (rtp, rtcp) = (at("10.0.0.1:4000"), at("10.0.0.1:4001"));
    let mut sdes = SdesTransport::new(identity, rtp, rtcp).unwrap();
    sdes.set_remote(
        now,
        &RemoteSdes {
            path: RemotePlain {
                rtp: Some(at("10.0.0.2:5000")),
                rtcp: Some(at("10.0.0.2:5001")),
                rtcp_mux: false,
            },
            tag: 1,
            key: SrtpKey::new(suite, octets(key)).unwrap(),
            mki: Vec::new(),
        },
    );
    let mut transport = Transport::Sdes(Box::new(sdes));
    assert_eq!(transport.poll_event(), Some(TransportEvent::Connected));
    transport
}

/// RFC 3711 §3.3, RFC 6188 §2, RFC 7714 §8.
#[test]
fn packets_under_a_known_key_are_opened() {
    let now = Instant::now();
    for (suite, key, protected) in RTP {
        let mut transport = transport(suite, key, now);
        let packet = [octets(RTP_HEAD), octets(protected)].concat();
        let mut forged = packet.clone();
        forged[13] ^= 1;

        let (local, peer) = (at("10.0.0.1:4000"), at("10.0.0.2:5000"));
        transport.handle_datagram(now, local, peer, &forged);
        assert_eq!(transport.poll_event(), None, "{suite:?}");
        transport.handle_datagram(now, local, peer, &packet);

        let plain = [octets(RTP_HEAD), vec![0xab; 16]].concat();
        let event = transport.poll_event();
        assert_eq!(event, Some(TransportEvent::Rtp(plain)), "{suite:?}");
    }
}

/// RFC 3711 §3.4, RFC 7714 §9.
#[test]
fn reports_under_a_known_key_are_opened() {
    let now = Instant::now();
    for (suite, key, protected) in RTCP {
        let mut transport = transport(suite, key, now);
        let packet = [octets(RTCP_HEAD), octets(protected)].concat();

        let (local, peer) = (at("10.0.0.1:4001"), at("10.0.0.2:5001"));
        transport.handle_datagram(now, local, peer, &packet);

        let plain = [octets(RTCP_HEAD), vec![0xab; 16]].concat();
        let event = transport.poll_event();
        assert_eq!(event, Some(TransportEvent::Rtcp(plain)), "{suite:?}");
    }
}
