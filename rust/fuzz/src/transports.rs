//! Targets of the transports that take keys from descriptions.

use std::net::SocketAddr;
use std::sync::Arc;

use trivox_media::session::crypto;
use trivox_media::transport::keys::{SrtpKey, Suite};
use trivox_media::transport::relay::{Framing, Relay, RelayCredentials, RelayEvent, RelaySettings};
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

/// Answers the requests of a relay's client with anything, in datagrams or in a stream.
pub fn relay(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let (is_stream, now) = (choice & 1 != 0, *ORIGIN);
    let settings = RelaySettings {
        credentials: RelayCredentials {
            username: "ann".to_owned(),
            password: "secret".to_owned(),
        },
        local: [192, 0, 2, 1].into(),
        is_stream,
    };
    let mut relay = Relay::new(now, Arc::clone(&IDENTITY), settings);
    let mut framing = Framing::default();
    let mut asked = relay.poll_transmit().unwrap_or_default();
    for (_, piece) in Pieces::new(data).take(64) {
        let mut messages = vec![piece.to_vec()];
        if is_stream {
            framing.push(piece);
            messages = std::iter::from_fn(|| framing.next_untrusted().ok().flatten()).collect();
        }
        for mut message in messages {
            // An answer that is none of ours is dropped at once: most are made to be.
            if choice & 2 == 0 && message.len() >= 20 && asked.len() >= 20 {
                message[8..20].copy_from_slice(&asked[8..20]);
            }
            relay.handle_message(now, &message);
        }
        relay.send(now, ([192, 0, 2, 9], 4000).into(), b"media");
        asked = std::iter::from_fn(|| relay.poll_transmit())
            .last()
            .unwrap_or(asked);
    }
    while let Some(event) = relay.poll_event() {
        if let RelayEvent::Data(peer, _) = event {
            assert_eq!(
                peer.ip(),
                std::net::IpAddr::from([192, 0, 2, 9]),
                "nobody else is let in"
            );
        }
    }
}
