//! Targets of the transports that take keys from descriptions.

use std::net::SocketAddr;
use std::sync::Arc;

use trivox_media::session::crypto;
use trivox_media::transport::keys::{SrtpKey, Suite};
use trivox_media::transport::{RemotePlain, RemoteSdes, SdesTransport, Transport, TransportEvent};

use crate::cut::Pieces;
use crate::world::{IDENTITY, ORIGIN};

/// Reads `a=crypto`; what is read can be written and read again.
pub fn crypto(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for value in text.lines() {
        let Some(line) = crypto::read_untrusted(value) else {
            continue;
        };
        assert_eq!(line.key.key_and_salt().len(), line.key.suite().key_bytes());
        let rest = value.split_ascii_whitespace().skip(1);
        let again = format!("1 {}", rest.collect::<Vec<_>>().join(" "));
        let read = crypto::read_untrusted(&again).expect("only the tag is another");
        assert!(read.key == line.key && read.mki == line.mki);
    }
}

/// Sends datagrams to a call under a key that their author does not know: none is believed.
pub fn srtp(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let choice = *choice;
    let suite = Suite::ALL[usize::from(choice) % Suite::ALL.len()];
    let address = |text: &str| -> SocketAddr { text.parse().expect("an address") };
    let (local, peer) = (address("192.0.2.1:4000"), address("192.0.2.2:5000"));
    let mut sdes = SdesTransport::new(Arc::clone(&IDENTITY), local, address("192.0.2.1:4001"))
        .expect("it has keys");
    sdes.set_remote(
        *ORIGIN,
        &RemoteSdes {
            path: RemotePlain {
                rtp: Some(peer),
                rtcp: None,
                rtcp_mux: choice & 0x40 != 0,
            },
            tag: 1,
            // Not one of the tags of a mutated packet is right by chance: the shortest has 32 bits.
            key: SrtpKey::new(suite, vec![7; suite.key_bytes()]).expect("as long as it is"),
            mki: if choice & 0x80 != 0 {
                vec![1]
            } else {
                Vec::new()
            },
        },
    );
    let mut transport = Transport::Sdes(Box::new(sdes));
    let now = *ORIGIN;
    for (_, packet) in Pieces::new(data).take(64) {
        transport.handle_datagram(now, local, peer, packet);
    }
    while let Some(event) = transport.poll_event() {
        assert_eq!(event, TransportEvent::Connected);
    }
}
