//! An old phone: DTLS 1.2 without extended master secret and without ICE, on two sockets.
#![allow(dead_code, clippy::disallowed_methods, clippy::unwrap_used)] // Helpers of tests.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::crypto::RTCCryptoProvider;
use rtc::dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc::dtls::crypto::Certificate;
use rtc::dtls::endpoint::{Endpoint, EndpointEvent};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::shared::TransportProtocol;
use rtc::srtp::config::{Config, LABEL_EXTRACTOR_DTLS_SRTP};
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;
use trivox_media::transport::{
    DtlsTransport, Identity, RemoteDtls, RemotePlain, Transmit, Transport, TransportEvent,
};

pub(crate) const RTP: &str = "10.0.0.1:4000";
const RTCP: &str = "10.0.0.1:4001";
pub(crate) const PEER: &str = "10.0.0.2:5000";
pub(crate) const PEER_RTCP: &str = "10.0.0.2:5001";
const TRANSLATED: &str = "192.0.2.50:61000";
pub(crate) const REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 2];
const DELAY: Duration = Duration::from_millis(2);

/// The phone's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

pub(crate) fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

struct Port {
    local: SocketAddr,
    remote: SocketAddr,
    endpoint: Endpoint,
    contexts: Option<[Context; 2]>,
}

/// The phone.
pub(crate) struct Phone {
    role: Role,
    config: Arc<HandshakeConfig>,
    certificate: Vec<u8>,
    ports: Vec<Port>,
    waiting: Vec<Vec<u8>>,
    pub(crate) rtp: Vec<Vec<u8>>,
    pub(crate) rtcp: Vec<Vec<u8>>,
    pub(crate) rtcp_came_to: Option<SocketAddr>,
    pub(crate) is_translated: bool,
    pub(crate) is_mute: bool,
}

fn configuration(provider: &Arc<dyn RTCCryptoProvider>, role: Role) -> (HandshakeConfig, Vec<u8>) {
    let names = vec!["phone".to_owned()];
    let certificate = Certificate::generate_self_signed(names, provider.crypto()).unwrap();
    let der = certificate.certificate.first().unwrap().as_ref().to_vec();
    let config = ConfigBuilder::default()
        .with_crypto_provider(provider.clone())
        .with_certificates(vec![certificate])
        .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80])
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        .with_insecure_skip_verify(true)
        .with_extended_master_secret(ExtendedMasterSecretType::Disable)
        .build(role == Role::Client, None)
        .unwrap();
    (config, der)
}

impl Phone {
    fn new(now: Instant, role: Role, has_mux: bool) -> Self {
        let provider = rtc::crypto::default_provider().unwrap();
        let (config, certificate) = configuration(&provider, role);
        let mut phone = Self {
            role,
            config: Arc::new(config),
            certificate,
            ports: Vec::new(),
            waiting: Vec::new(),
            rtp: Vec::new(),
            rtcp: Vec::new(),
            rtcp_came_to: None,
            is_translated: false,
            is_mute: false,
        };
        phone.open(now, has_mux);
        phone
    }

    fn open(&mut self, now: Instant, has_mux: bool) {
        let pairs = [(PEER, RTP), (PEER_RTCP, RTCP)];
        let used = if has_mux { &pairs[..1] } else { &pairs[..] };
        self.ports = used
            .iter()
            .map(|(local, remote)| {
                let is_server = self.role == Role::Server;
                let server = is_server.then(|| self.config.clone());
                let mut endpoint = Endpoint::new(at(local), TransportProtocol::UDP, server);
                if !is_server {
                    endpoint
                        .connect(now, at(remote), self.config.clone(), None)
                        .unwrap();
                }
                Port {
                    local: at(local),
                    remote: at(remote),
                    endpoint,
                    contexts: None,
                }
            })
            .collect();
    }

    /// Forgets everything, as after a crash, and begins another handshake.
    pub(crate) fn start_again(&mut self, now: Instant) {
        self.open(now, self.ports.len() == 1);
    }

    /// Says that it is done, as before a BYE.
    pub(crate) fn close(&mut self, now: Instant) {
        for port in &mut self.ports {
            port.endpoint.close(now).unwrap();
        }
    }

    /// Sends RTP.
    pub(crate) fn send(&mut self, packet: &[u8]) {
        let [sending, _] = self.ports[0].contexts.as_mut().unwrap();
        self.waiting
            .push(sending.encrypt_rtp(packet).unwrap().into());
    }

    fn handle(&mut self, now: Instant, to: SocketAddr, data: &[u8]) {
        let Some(port) = self.ports.iter_mut().find(|port| port.local == to) else {
            return;
        };
        if data[0] < 64 {
            let events = port.endpoint.read(now, port.remote, None, data.into());
            let is_complete =
                |event: &EndpointEvent| matches!(event, EndpointEvent::HandshakeComplete);
            if events.unwrap_or_default().iter().any(is_complete) {
                port.contexts = Some(contexts(&port.endpoint, port.remote));
            }
            return;
        }
        let Some([_, receiving]) = &mut port.contexts else {
            return;
        };
        if (64..96).contains(&(data[1] & 0x7f)) {
            self.rtcp
                .extend(receiving.decrypt_rtcp(data).map(Vec::from));
            self.rtcp_came_to = Some(to);
        } else {
            self.rtp.extend(receiving.decrypt_rtp(data).map(Vec::from));
        }
    }

    fn drain(&mut self, now: Instant) -> Vec<Transmit> {
        let mut all = Vec::new();
        for port in &mut self.ports {
            let (local, to) = (port.local, port.remote);
            let due = port.endpoint.poll_timeout(&to).is_some_and(|at| at <= now);
            if due {
                port.endpoint.handle_timeout(to, now).ok();
            }
            while let Some(sent) = port.endpoint.poll_transmit() {
                let data = sent.message.into();
                all.push(Transmit { local, to, data });
            }
        }
        let (local, to) = (at(PEER), at(RTP));
        let media = self.waiting.drain(..);
        all.extend(media.map(|data| Transmit { local, to, data }));
        if self.is_mute { Vec::new() } else { all }
    }
}

/// Sending and receiving, from a finished handshake.
fn contexts(endpoint: &Endpoint, remote: SocketAddr) -> [Context; 2] {
    let state = endpoint.get_connection_state(remote).unwrap();
    let profile = ProtectionProfile::Aes128CmHmacSha1_80;
    let mut config = Config {
        profile,
        ..Config::default()
    };
    let length = config.keying_material_len();
    let material = state
        .export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], length)
        .unwrap();
    config
        .set_session_keys_from_keying_material(material.as_ref(), state.is_client())
        .unwrap();
    let provider = rtc::crypto::default_provider().unwrap();
    let make = |key: &[u8], salt: &[u8]| {
        Context::new(key, salt, profile, None, None, provider.crypto()).unwrap()
    };
    let keys = &config.keys;
    [
        make(&keys.local_master_key, &keys.local_master_salt),
        make(&keys.remote_master_key, &keys.remote_master_salt),
    ]
}

/// Our transport and the phone, with 2 ms between them.
pub(crate) struct Call {
    pub(crate) now: Instant,
    pub(crate) transport: Transport,
    pub(crate) phone: Phone,
    pub(crate) events: Vec<TransportEvent>,
    pub(crate) sent_elsewhere: usize,
    remote: RemoteDtls,
    flight: VecDeque<(Instant, Transmit)>,
}

impl Call {
    pub(crate) fn new(role: Role, has_mux: bool) -> Self {
        Self::with(role, has_mux, |der| fingerprint(der, &ring::digest::SHA256))
    }

    pub(crate) fn with_hash(role: Role, hash: &'static ring::digest::Algorithm) -> Self {
        Self::with(role, true, |der| fingerprint(der, hash))
    }

    pub(crate) fn with_fingerprint(role: Role, fingerprint: String) -> Self {
        Self::with(role, true, |_| fingerprint)
    }

    fn with(role: Role, has_mux: bool, print: impl FnOnce(&[u8]) -> String) -> Self {
        let mut call = Self::offered(role, has_mux, print);
        call.answer();
        call
    }

    /// The phone has our offer and begins; its answer is still on the way.
    pub(crate) fn unanswered(role: Role, has_mux: bool) -> Self {
        Self::offered(role, has_mux, |der| fingerprint(der, &ring::digest::SHA256))
    }

    /// The phone's answer comes.
    pub(crate) fn answer(&mut self) {
        let Transport::Dtls(dtls) = &mut self.transport else {
            unreachable!("made so");
        };
        dtls.set_remote(self.now, &self.remote, self.phone.role == Role::Server);
    }

    fn offered(role: Role, has_mux: bool, print: impl FnOnce(&[u8]) -> String) -> Self {
        let now = Instant::now();
        let phone = Phone::new(now, role, has_mux);
        let identity = Arc::new(Identity::generate().unwrap());
        let dtls = DtlsTransport::new(identity, at(RTP), at(RTCP));
        let remote = RemoteDtls {
            path: RemotePlain {
                rtp: Some(at(PEER)),
                rtcp: Some(at(PEER_RTCP)),
                rtcp_mux: has_mux,
            },
            fingerprints: vec![print(&phone.certificate)],
        };
        Self {
            now,
            transport: Transport::Dtls(Box::new(dtls)),
            phone,
            events: Vec::new(),
            sent_elsewhere: 0,
            remote,
            flight: VecDeque::new(),
        }
    }

    /// Another phone, with a certificate of its own and from another address, comes instead.
    pub(crate) fn replace_phone_by_stranger(&mut self) {
        self.phone = Phone::new(self.now, Role::Client, true);
        self.phone.is_translated = true;
    }

    pub(crate) fn inject(&mut self, from: SocketAddr, data: &[u8]) {
        self.transport
            .handle_datagram(self.now, at(RTP), from, data);
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.drain();
        while self.now < end {
            let arrival = self.flight.front().map(|(at, _)| *at);
            let next = [self.transport.next_deadline(), arrival, Some(end)];
            let next = next.into_iter().flatten().min().unwrap();
            let step = self.now + Duration::from_micros(100);
            self.now = next
                .clamp(step.min(end), end)
                .min(self.now + Duration::from_millis(50));
            while self.flight.front().is_some_and(|(at, _)| *at <= self.now) {
                let (_, Transmit { local, to, data }) = self.flight.pop_front().unwrap();
                self.deliver(local, to, &data);
            }
            self.transport.handle_timeout(self.now);
            self.drain();
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, data: &[u8]) {
        let is_phone = |address| [at(PEER), at(PEER_RTCP)].contains(&address);
        if is_phone(from) {
            let seen = if self.phone.is_translated {
                at(TRANSLATED)
            } else {
                from
            };
            self.transport.handle_datagram(self.now, to, seen, data);
        } else if to == at(TRANSLATED) {
            self.phone.handle(self.now, at(PEER), data);
        } else if is_phone(to) && !self.phone.is_translated {
            self.phone.handle(self.now, to, data);
        } else {
            self.sent_elsewhere += 1;
        }
    }

    fn drain(&mut self) {
        let at = self.now + DELAY;
        let ours = std::iter::from_fn(|| self.transport.poll_transmit());
        self.flight.extend(ours.map(|datagram| (at, datagram)));
        let theirs = self.phone.drain(self.now).into_iter();
        self.flight.extend(theirs.map(|datagram| (at, datagram)));
        self.events
            .extend(std::iter::from_fn(|| self.transport.poll_event()));
    }
}

fn fingerprint(der: &[u8], hash: &'static ring::digest::Algorithm) -> String {
    let digest = ring::digest::digest(hash, der);
    let bytes: Vec<String> = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    bytes.join(":")
}
