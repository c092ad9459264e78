//! Our transport and our descriptions against the peer connection of the `rtc` crate.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The origin of virtual time; helpers.

mod browser;
mod wire;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use browser::Browser;
use trivox_media::codec::CodecKind;
use trivox_media::session::AudioSettings;
use trivox_media::session::offer_answer::{
    DescriptionKind, LocalMedia, OfferAnswer, RemoteTransport, Settings, TransportKind,
};
use trivox_media::transport::{IceTransport, Identity, Transmit, Transport, TransportEvent};
use wire::rtp;

const DELAY: Duration = Duration::from_millis(2);

struct Call {
    now: Instant,
    machine: OfferAnswer,
    transport: Transport,
    local: SocketAddr,
    received: Vec<u16>,
    browser: Browser,
    flight: VecDeque<(Instant, Transmit)>,
}

impl Call {
    fn new() -> Self {
        let now = Instant::now();
        let local: SocketAddr = "10.0.0.1:1000".parse().unwrap();
        let identity = Arc::new(Identity::generate().unwrap());
        let ice = IceTransport::new(now, identity, &[local]).unwrap();
        let settings = Settings {
            kind: TransportKind::Ice,
            accepts: Vec::new(),
            codecs: vec![CodecKind::Opus, CodecKind::Pcmu],
            dtmf: true,
            ptime_ms: 20,
            session_id: 7,
            ssrc: 1,
            cname: "here".to_owned(),
            audio: AudioSettings::default(),
        };
        Self {
            now,
            machine: OfferAnswer::new(settings),
            transport: Transport::Ice(Box::new(ice)),
            local,
            received: Vec::new(),
            browser: Browser::new(now, "10.0.0.2:2000".parse().unwrap()),
            flight: VecDeque::new(),
        }
    }

    fn ice(&mut self) -> &mut IceTransport {
        match &mut self.transport {
            Transport::Ice(ice) => ice,
            _ => panic!("not ICE"),
        }
    }

    fn local_media(&mut self, is_offer: bool) -> LocalMedia {
        let ice = if is_offer {
            self.ice().offered_description()
        } else {
            self.ice().description()
        };
        LocalMedia {
            address: self.local.ip(),
            fingerprint: None,
            keys: Vec::new(),
            rtp_port: self.local.port(),
            rtcp_port: self.local.port(),
            ice: Some(ice),
            lines: Vec::new(),
        }
    }

    fn take(&mut self, sdp: &str, kind: DescriptionKind) {
        let applied = self.machine.set_remote(sdp, kind, "").unwrap();
        let RemoteTransport::Ice {
            remote,
            is_dtls_client,
        } = applied.negotiated.transport
        else {
            panic!("not ICE");
        };
        let (now, is_offer) = (self.now, kind == DescriptionKind::Offer);
        let ice = self.ice();
        ice.set_remote(now, &remote, is_offer, is_dtls_client)
            .unwrap();
    }

    fn we_offer(&mut self, restart: bool) {
        if restart {
            self.ice().prepare_restart().unwrap();
        }
        let local = self.local_media(true);
        let offer = self.machine.create_offer(&local).unwrap();
        let answer = self.browser.answer(self.now, offer);
        self.take(&answer, DescriptionKind::Answer);
    }

    fn the_browser_offers(&mut self, restart: bool) {
        let offer = self.browser.offer(self.now, restart);
        self.take(&offer, DescriptionKind::Offer);
        let local = self.local_media(false);
        let answer = self.machine.create_answer(&local).unwrap();
        self.browser.take_answer(self.now, answer);
    }

    fn is_connected(&self) -> bool {
        self.transport.is_ready() && self.browser.is_connected
    }

    fn talk(&mut self, from: u16, count: u16) {
        for n in from..from + count {
            let mut packet = rtp(1, n);
            packet[1] = self.machine.negotiated().unwrap().send_payload_type;
            self.transport.send_rtp(self.now, &packet);
            self.browser.send(self.now, &rtp(2, n));
            self.run(Duration::from_millis(20));
        }
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.drain();
        // The far end may name a past deadline again and again: time moves on regardless.
        while self.now < end {
            let arrival = self.flight.front().map(|(at, _)| *at);
            let timers = [
                self.transport.next_deadline(),
                self.browser.next_deadline(),
                arrival,
            ];
            let next = timers.into_iter().flatten().min().unwrap_or(end);
            self.now = next.max(self.now + Duration::from_micros(100)).min(end);
            self.deliver();
            self.transport.handle_timeout(self.now);
            self.browser.handle_timeout(self.now);
            self.drain();
        }
    }

    fn deliver(&mut self) {
        while self.flight.front().is_some_and(|(at, _)| *at <= self.now) {
            let Some((_, Transmit { local, to, data })) = self.flight.pop_front() else {
                return;
            };
            if to == self.local {
                self.transport.handle_datagram(self.now, to, local, &data);
            } else if to == self.browser.local {
                self.browser.handle_datagram(self.now, local, &data);
            }
        }
    }

    fn drain(&mut self) {
        let at = self.now + DELAY;
        let ours = std::iter::from_fn(|| self.transport.poll_transmit());
        self.flight.extend(ours.map(|datagram| (at, datagram)));
        let theirs = self.browser.drain().into_iter();
        self.flight.extend(theirs.map(|datagram| (at, datagram)));
        while let Some(event) = self.transport.poll_event() {
            if let TransportEvent::Rtp(packet) = event {
                self.received
                    .push(u16::from_be_bytes([packet[2], packet[3]]));
            }
        }
    }
}

#[test]
fn media_flows_both_ways_when_we_offer() {
    let mut call = Call::new();
    call.we_offer(false);
    call.run(Duration::from_secs(2));
    assert!(call.is_connected());
    call.talk(100, 50);

    assert_eq!(call.received, (100..150).collect::<Vec<_>>());
    assert_eq!(call.browser.received, (100..150).collect::<Vec<_>>());
}

#[test]
fn media_flows_both_ways_when_the_browser_offers() {
    let mut call = Call::new();
    call.the_browser_offers(false);
    call.run(Duration::from_secs(2));
    assert!(call.is_connected());
    call.talk(100, 50);

    assert_eq!(call.received, (100..150).collect::<Vec<_>>());
    assert_eq!(call.browser.received, (100..150).collect::<Vec<_>>());
}

#[test]
fn renegotiation_without_restart_disturbs_nothing() {
    let mut call = Call::new();
    call.the_browser_offers(false);
    call.run(Duration::from_secs(2));
    for round in 0..4 {
        if round % 2 == 0 {
            call.we_offer(false);
        } else {
            call.the_browser_offers(false);
        }
        call.talk(100 + round * 10, 10);
    }

    assert_eq!(call.received.len(), 40);
    assert_eq!(call.browser.received.len(), 40);
}

#[test]
fn ice_restarts_by_both_sides_keep_what_we_receive() {
    for we_offered in [true, false] {
        let mut call = Call::new();
        if we_offered {
            call.we_offer(false);
        } else {
            call.the_browser_offers(false);
        }
        call.run(Duration::from_secs(2));
        call.talk(100, 10);
        call.we_offer(true);
        call.run(Duration::from_secs(1));
        call.talk(110, 10);
        call.the_browser_offers(true);
        call.run(Duration::from_secs(1));
        call.talk(120, 10);

        assert!(call.is_connected());
        assert_eq!(call.received.len(), 30, "{:?}", call.received);
        assert_eq!(
            call.browser.received.len(),
            30,
            "{:?}",
            call.browser.received
        );
    }
}
