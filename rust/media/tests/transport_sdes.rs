//! SRTP under keys of the descriptions, against contexts of the `rtc` crate as the far end.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The origin of virtual time; helpers.

mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;
use trivox_media::transport::keys::{SrtpKey, Suite};
use trivox_media::transport::{
    Identity, RemotePlain, RemoteSdes, SdesTransport, Transport, TransportEvent,
};
use wire::rtp;

const RTP: &str = "10.0.0.1:4000";
const RTCP: &str = "10.0.0.1:4001";
const PEER: &str = "10.0.0.2:5000";
const ELSEWHERE: &str = "192.0.2.50:61000";
const REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 2];
const SUITES: [(Suite, ProtectionProfile); 6] = [
    (Suite::AeadAes128Gcm, ProtectionProfile::AeadAes128Gcm),
    (Suite::AeadAes256Gcm, ProtectionProfile::AeadAes256Gcm),
    (
        Suite::AesCm128Sha1_80,
        ProtectionProfile::Aes128CmHmacSha1_80,
    ),
    (
        Suite::AesCm128Sha1_32,
        ProtectionProfile::Aes128CmHmacSha1_32,
    ),
    (
        Suite::AesCm256Sha1_80,
        ProtectionProfile::Aes256CmHmacSha1_80,
    ),
    (
        Suite::AesCm256Sha1_32,
        ProtectionProfile::Aes256CmHmacSha1_32,
    ),
];

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// One direction of a far end, made from a key as SDP carries it.
fn context(key: &SrtpKey) -> Context {
    let (_, profile) = SUITES
        .iter()
        .find(|(suite, _)| *suite == key.suite())
        .unwrap();
    let (master, salt) = key.key_and_salt().split_at(profile.key_len());
    let provider = rtc::crypto::default_provider().unwrap();
    Context::new(master, salt, *profile, None, None, provider.crypto()).unwrap()
}

fn key(suite: Suite, fill: u8) -> SrtpKey {
    SrtpKey::new(suite, vec![fill; suite.key_bytes()]).unwrap()
}

fn remote(key: SrtpKey, mki: &[u8]) -> RemoteSdes {
    RemoteSdes {
        path: RemotePlain {
            rtp: Some(at(PEER)),
            rtcp: Some(at("10.0.0.2:5001")),
            rtcp_mux: false,
        },
        tag: 1,
        key,
        mki: mki.to_vec(),
    }
}

/// A transport, and the far end's two halves.
struct Call {
    now: Instant,
    transport: Transport,
    theirs: Context,
    ours: Context,
}

impl Call {
    fn new(suite: Suite) -> Self {
        let identity = Arc::new(Identity::generate().unwrap());
        let mut sdes = SdesTransport::new(identity, at(RTP), at(RTCP)).unwrap();
        let own = sdes.keys().iter().find(|key| key.suite() == suite).cloned();
        let theirs = key(suite, 7);
        let now = Instant::now();
        sdes.set_remote(now, &remote(theirs.clone(), &[]));
        Self {
            now,
            transport: Transport::Sdes(Box::new(sdes)),
            theirs: context(&theirs),
            ours: context(&own.unwrap()),
        }
    }

    fn describe(&mut self, remote: &RemoteSdes) {
        let now = self.now;
        self.sdes().set_remote(now, remote);
    }

    fn sdes(&mut self) -> &mut SdesTransport {
        match &mut self.transport {
            Transport::Sdes(sdes) => sdes,
            _ => panic!("not SDES"),
        }
    }

    fn hear(&mut self, from: &str, packet: &[u8]) {
        let protected = self.theirs.encrypt_rtp(packet).unwrap();
        self.take(from, &protected);
    }

    fn take(&mut self, from: &str, data: &[u8]) {
        self.transport
            .handle_datagram(self.now, at(RTP), at(from), data);
    }

    fn heard(&mut self) -> Vec<Vec<u8>> {
        let events = std::iter::from_fn(|| self.transport.poll_event());
        let packets = events.filter_map(|event| match event {
            TransportEvent::Rtp(packet) => Some(packet),
            _ => None,
        });
        packets.collect()
    }

    fn sent_to(&mut self) -> SocketAddr {
        assert!(self.transport.send_rtp(self.now, &rtp(1, 1)));
        self.transport.poll_transmit().unwrap().to
    }
}

#[test]
fn every_suite_carries_rtp_and_rtcp_both_ways() {
    for (suite, _) in SUITES {
        let mut call = Call::new(suite);
        assert_eq!(call.transport.poll_event(), Some(TransportEvent::Connected));

        call.hear(PEER, &rtp(2, 8));
        let report = call.theirs.encrypt_rtcp(&REPORT).unwrap();
        call.transport
            .handle_datagram(call.now, at(RTCP), at("10.0.0.2:5001"), &report);
        assert!(call.transport.send_rtp(call.now, &rtp(1, 7)));
        assert!(call.transport.send_rtcp(call.now, &REPORT));

        let [media, control] = [(); 2].map(|()| call.transport.poll_transmit().unwrap());
        assert_eq!(call.ours.decrypt_rtp(&media.data).unwrap(), rtp(1, 7)[..]);
        assert_eq!(call.ours.decrypt_rtcp(&control.data).unwrap(), REPORT[..]);
        assert_eq!((media.to, control.to), (at(PEER), at("10.0.0.2:5001")));
        assert_eq!((media.local, control.local), (at(RTP), at(RTCP)));
        assert_eq!(
            call.transport.poll_event(),
            Some(TransportEvent::Rtp(rtp(2, 8)))
        );
        assert_eq!(
            call.transport.poll_event(),
            Some(TransportEvent::Rtcp(REPORT.to_vec()))
        );
    }
}

#[test]
fn wrong_tags_end_nothing_and_turn_nothing() {
    let mut call = Call::new(Suite::AesCm128Sha1_80);
    call.hear(PEER, &rtp(2, 1));
    for n in 0..10_000_u16 {
        let mut forged = rtp(u32::from(n), n);
        forged.extend([0; 10]);
        call.take(ELSEWHERE, &forged);
    }
    call.hear(PEER, &rtp(2, 2));

    assert_eq!(call.heard(), [rtp(2, 1), rtp(2, 2)]);
    assert_eq!(call.sent_to(), at(PEER));
    assert_eq!(call.transport.counts().refused_srtp, 10_000);
}

#[test]
fn a_replay_is_neither_heard_nor_followed() {
    let mut call = Call::new(Suite::AeadAes128Gcm);
    call.hear(PEER, &rtp(2, 1));
    let caught = call.theirs.encrypt_rtp(&rtp(2, 2)).unwrap();
    call.take(PEER, &caught);
    (0..10).for_each(|_| call.take(ELSEWHERE, &caught));

    assert_eq!(call.heard().len(), 2);
    assert_eq!(call.sent_to(), at(PEER));
}

#[test]
fn a_peer_behind_a_nat_is_followed_by_its_tags() {
    let mut call = Call::new(Suite::AesCm128Sha1_80);
    call.hear(ELSEWHERE, &rtp(2, 1));

    assert_eq!(call.sent_to(), at(ELSEWHERE));
    (2..5).for_each(|n| call.hear(PEER, &rtp(2, n)));
    assert_eq!(call.sent_to(), at(PEER));
}

#[test]
fn rollover_counters_are_kept_for_each_source_through_losses() {
    let mut call = Call::new(Suite::AesCm128Sha1_80);
    let mut sent = 0;
    let mut stream = |call: &mut Call, ssrc: u32, from: u32, to: u32| {
        for index in (from..to).filter(|index| index % 20 != 3) {
            call.hear(PEER, &rtp(ssrc, index as u16));
            sent += 1;
        }
    };
    // Over the wrap, to another source below its own wrap, over it, and back to the first.
    stream(&mut call, 2, 65_400, 65_700);
    stream(&mut call, 3, 65_500, 65_600);
    stream(&mut call, 2, 65_700, 65_800);

    assert_eq!(call.heard().len(), sent);
    assert_eq!(call.transport.counts().refused_srtp, 0);
}

#[test]
fn sending_goes_over_its_wrap() {
    let mut call = Call::new(Suite::AesCm128Sha1_80);
    for index in 65_500..65_600_u32 {
        assert!(call.transport.send_rtp(call.now, &rtp(1, index as u16)));
        let sent = call.transport.poll_transmit().unwrap();
        assert!(call.ours.decrypt_rtp(&sent.data).is_ok(), "{index}");
    }
}

#[test]
fn a_new_key_is_taken_and_the_old_one_no_more_after_a_while() {
    let mut call = Call::new(Suite::AesCm128Sha1_80);
    call.hear(PEER, &rtp(2, 1));
    let next = key(Suite::AesCm128Sha1_80, 9);

    call.describe(&remote(next.clone(), &[]));
    call.now += std::time::Duration::from_secs(2);
    call.hear(PEER, &rtp(2, 2));
    let mut theirs = context(&next);
    let packet = theirs.encrypt_rtp(&rtp(2, 3)).unwrap();
    call.take(PEER, &packet);

    assert_eq!(call.heard(), [rtp(2, 1), rtp(2, 3)]);
    assert!(call.transport.send_rtp(call.now, &rtp(1, 1)));
    let sent = call.transport.poll_transmit().unwrap();
    assert!(
        call.ours.decrypt_rtp(&sent.data).is_ok(),
        "our own key stays"
    );
}

#[test]
fn a_new_key_may_keep_or_reset_the_rollover_counter() {
    for is_kept in [true, false] {
        let mut call = Call::new(Suite::AesCm128Sha1_80);
        let wrapped = (0..70_000_u32).step_by(500);
        wrapped.for_each(|index| call.hear(PEER, &rtp(2, index as u16)));
        let before = call.heard().len();
        let next = key(Suite::AesCm128Sha1_80, 9);

        call.describe(&remote(next.clone(), &[]));
        let mut theirs = context(&next);
        if is_kept {
            for index in (0..70_000_u32).step_by(500) {
                theirs.encrypt_rtp(&rtp(2, index as u16)).unwrap();
            }
        }
        for index in 70_000..70_010_u32 {
            let packet = theirs.encrypt_rtp(&rtp(2, index as u16)).unwrap();
            call.take(PEER, &packet);
        }

        assert_eq!((before, call.heard().len()), (140, 10), "kept: {is_kept}");
    }
}

#[test]
fn a_report_under_a_new_key_does_not_reset_the_rollover_counter() {
    let mut call = Call::new(Suite::AesCm128Sha1_80);
    let wrapped = (0..70_000_u32).step_by(500);
    wrapped.for_each(|index| call.hear(PEER, &rtp(2, index as u16)));
    call.heard();
    let [held, next] = [9, 10].map(|fill| key(Suite::AesCm128Sha1_80, fill));
    let mut theirs = context(&next);
    for index in (0..70_000_u32).step_by(500) {
        theirs.encrypt_rtp(&rtp(2, index as u16)).unwrap();
    }

    call.describe(&remote(held, &[]));
    call.describe(&remote(next, &[]));
    let report = theirs.encrypt_rtcp(&REPORT).unwrap();
    call.take(PEER, &report);
    let packet = theirs.encrypt_rtp(&rtp(2, 70_000_u32 as u16)).unwrap();
    call.take(PEER, &packet);

    assert_eq!(call.heard(), [rtp(2, 70_000_u32 as u16)]);
}

#[test]
fn a_suite_that_comes_back_uses_no_key_stream_twice() {
    let mut call = Call::new(Suite::AesCm128Sha1_80);
    let mut indices = Vec::new();
    for suite in [
        Suite::AesCm128Sha1_80,
        Suite::AesCm128Sha1_32,
        Suite::AesCm128Sha1_80,
    ] {
        call.describe(&remote(key(suite, 7), &[]));
        assert!(call.transport.send_rtcp(call.now, &REPORT));
        let sent = call.transport.poll_transmit().unwrap().data;
        // Header and sender are in the clear, the index stands behind them.
        indices.push(sent[8..12].to_vec());
    }

    assert_ne!(indices[0], indices[2]);
}

#[test]
fn a_key_identifier_is_taken_out_of_each_packet() {
    for (suite, tag, control_tag) in [
        (Suite::AesCm128Sha1_80, 10, 10),
        (Suite::AesCm128Sha1_32, 4, 10),
        (Suite::AeadAes128Gcm, 0, 0),
    ] {
        let mut call = Call::new(suite);
        call.describe(&remote(key(suite, 7), &[0, 1]));
        let mut with_identifier = |packet: Vec<u8>, tag: usize, mki: [u8; 2]| {
            let (head, tail) = packet.split_at(packet.len() - tag);
            let data = [head, &mki, tail].concat();
            call.transport
                .handle_datagram(call.now, at(RTP), at(PEER), &data);
        };
        with_identifier(
            call.theirs.encrypt_rtp(&rtp(2, 1)).unwrap().into(),
            tag,
            [0, 1],
        );
        with_identifier(
            call.theirs.encrypt_rtp(&rtp(2, 2)).unwrap().into(),
            tag,
            [0, 2],
        );
        let report = call.theirs.encrypt_rtcp(&REPORT).unwrap().into();
        with_identifier(report, control_tag, [0, 1]);

        let events: Vec<_> = std::iter::from_fn(|| call.transport.poll_event()).collect();
        assert_eq!(
            events[1..],
            [
                TransportEvent::Rtp(rtp(2, 1)),
                TransportEvent::Rtcp(REPORT.to_vec())
            ],
            "{suite:?}"
        );
    }
}

#[test]
fn a_hold_address_silences_and_a_closed_transport_is_deaf() {
    let mut call = Call::new(Suite::AesCm128Sha1_80);
    let mut held = remote(key(Suite::AesCm128Sha1_80, 7), &[]);
    held.path.rtp = None;
    call.describe(&held);

    assert!(!call.transport.send_rtp(call.now, &rtp(1, 1)));
    assert!(!call.transport.send_rtcp(call.now, &REPORT));
    call.transport.close(call.now);
    call.hear(PEER, &rtp(2, 1));
    assert!(call.heard().is_empty());
}

#[test]
fn what_is_under_way_with_the_key_of_before_is_taken_for_two_seconds() {
    let mut call = Call::new(Suite::AesCm128Sha1_80);
    call.hear(PEER, &rtp(2, 1));
    let late = |call: &mut Call, number| call.theirs.encrypt_rtp(&rtp(2, number)).unwrap();
    let (on_its_way, stale) = (late(&mut call, 2), late(&mut call, 3));
    let next = key(Suite::AesCm128Sha1_80, 9);
    call.describe(&remote(next.clone(), &[]));
    let mut fresh = context(&next);
    let packet = fresh.encrypt_rtp(&rtp(2, 4)).unwrap();

    call.take(PEER, &packet);
    call.take(PEER, &on_its_way);
    call.now += std::time::Duration::from_secs(2);
    call.take(PEER, &stale);

    assert_eq!(call.heard(), [rtp(2, 1), rtp(2, 4), rtp(2, 2)]);
    assert_eq!(call.transport.counts().refused_srtp, 1);
}
