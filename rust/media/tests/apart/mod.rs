//! A far end by ICE that sends RTCP by itself, of the modules of the `rtc` crate: for each component
//! an agent, a DTLS association and keys of its own. And a session of ours, with a network between.
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
use rtc::ice::Agent;
use rtc::ice::agent::Event as AgentEvent;
use rtc::ice::agent::agent_config::AgentConfig;
use rtc::ice::candidate::candidate_host::CandidateHostConfig;
use rtc::ice::candidate::{CandidateConfig, CandidateType, unmarshal_candidate};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use rtc::srtp::config::{Config, LABEL_EXTRACTOR_DTLS_SRTP};
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;
use trivox_media::codec::CodecKind;
use trivox_media::event::{Event, EventKind};
use trivox_media::random::Random;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::{Session, SessionSettings, TransportKind, Value};
use trivox_media::transport::{Identity, Transmit};

const DELAY: Duration = Duration::from_millis(2);
pub(crate) const RTP: &str = "10.0.0.1:4000";
pub(crate) const RTCP: &str = "10.0.0.1:4500";
pub(crate) const PEER_RTP: &str = "10.0.0.2:5000";
pub(crate) const PEER_RTCP: &str = "10.0.0.2:5501";
pub(crate) const STRANGER: &str = "10.0.0.66:6000";
/// What DTLS knows the other side by, wherever that is.
const OTHER: &str = "192.0.2.1:9";

pub(crate) fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// One component of the far end.
struct Part {
    number: u16,
    local: SocketAddr,
    agent: Agent,
    is_client: bool,
    endpoint: Option<Endpoint>,
    contexts: Option<[Context; 2]>,
    path: Option<SocketAddr>,
    sent: VecDeque<Transmit>,
}

/// The far end.
pub(crate) struct FarEnd {
    /// As DTLS server and as client.
    configs: [Arc<HandshakeConfig>; 2],
    fingerprint: String,
    credentials: (String, String),
    parts: Vec<Part>,
    pub(crate) rtp: Vec<Vec<u8>>,
    /// RTCP packets, with where they came to.
    pub(crate) rtcp: Vec<(SocketAddr, Vec<u8>)>,
    /// When our last sender report came.
    told: Option<Instant>,
    /// These sockets take and send nothing.
    pub(crate) silent: Vec<SocketAddr>,
    sequence_number: u16,
}

fn configurations(provider: &Arc<dyn RTCCryptoProvider>) -> ([Arc<HandshakeConfig>; 2], String) {
    let names = vec!["far".to_owned()];
    let certificate = Certificate::generate_self_signed(names, provider.crypto()).unwrap();
    let der = certificate.certificate.first().unwrap().as_ref().to_vec();
    let config = |is_client| {
        let built = ConfigBuilder::default()
            .with_crypto_provider(provider.clone())
            .with_certificates(vec![certificate.clone()])
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_insecure_skip_verify(true)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .build(is_client, None);
        Arc::new(built.unwrap())
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, &der);
    let bytes: Vec<String> = digest.as_ref().iter().map(|b| format!("{b:02X}")).collect();
    ([config(false), config(true)], bytes.join(":"))
}

fn agent(now: Instant, local: SocketAddr, number: u16, own: &(String, String)) -> Agent {
    let config = AgentConfig {
        local_ufrag: own.0.clone(),
        local_pwd: own.1.clone(),
        multicast_dns_mode: MulticastDnsMode::Disabled,
        candidate_types: vec![CandidateType::Host],
        check_interval: Duration::from_millis(20),
        max_binding_requests: Some(100),
        prflx_acceptance_min_wait: Some(Duration::ZERO),
        ..AgentConfig::default()
    };
    let provider = rtc::crypto::default_provider().unwrap();
    let mut agent = Agent::new(now, Arc::new(config), provider).unwrap();
    let base_config = CandidateConfig {
        network: "udp".to_owned(),
        address: local.ip().to_string(),
        port: local.port(),
        component: number,
        ..CandidateConfig::default()
    };
    let config = CandidateHostConfig {
        base_config,
        ..CandidateHostConfig::default()
    };
    let candidate = config.new_candidate_host().unwrap();
    agent.add_local_candidate(candidate).unwrap();
    agent
}

impl FarEnd {
    fn new(now: Instant, sockets: &[&str]) -> Self {
        let provider = rtc::crypto::default_provider().unwrap();
        let (configs, fingerprint) = configurations(&provider);
        let mut far = Self {
            configs,
            fingerprint,
            credentials: Default::default(),
            parts: Vec::new(),
            rtp: Vec::new(),
            rtcp: Vec::new(),
            told: None,
            silent: Vec::new(),
            sequence_number: 0,
        };
        far.open(now, sockets);
        far
    }

    /// Takes new credentials and sockets, as for another offer.
    fn open(&mut self, now: Instant, sockets: &[&str]) {
        let generation = self.credentials.0.len();
        self.credentials = (
            format!("far{}", "x".repeat(generation.max(2))),
            "a-password-of-some-length".to_owned(),
        );
        let before: Vec<Part> = std::mem::take(&mut self.parts);
        let mut before = before.into_iter();
        for (index, socket) in sockets.iter().enumerate() {
            let number = index as u16 + 1;
            let kept = before.next();
            let (is_client, endpoint, contexts, path) = kept
                .map(|part| (part.is_client, part.endpoint, part.contexts, part.path))
                .unwrap_or_default();
            self.parts.push(Part {
                number,
                local: at(socket),
                agent: agent(now, at(socket), number, &self.credentials),
                is_client,
                endpoint,
                contexts,
                path,
                sent: VecDeque::new(),
            });
        }
    }

    /// Its description: with as many components as it has, and without rtcp-mux unless asked.
    pub(crate) fn description(&self, setup: &str, has_mux: bool) -> String {
        let rtp = self.parts[0].local;
        let mut lines = vec![
            "v=0".to_owned(),
            format!("o=- 1 1 IN IP4 {}", rtp.ip()),
            "s=-".to_owned(),
            format!("c=IN IP4 {}", rtp.ip()),
            "t=0 0".to_owned(),
            format!("m=audio {} UDP/TLS/RTP/SAVPF 0", rtp.port()),
            "a=rtpmap:0 PCMU/8000".to_owned(),
            format!("a=ice-ufrag:{}", self.credentials.0),
            format!("a=ice-pwd:{}", self.credentials.1),
            format!("a=fingerprint:sha-256 {}", self.fingerprint),
            format!("a=setup:{setup}"),
        ];
        for part in &self.parts {
            let (number, ip, port) = (part.number, part.local.ip(), part.local.port());
            let priority = 2_130_706_432 - u32::from(number);
            lines.push(format!(
                "a=candidate:1 {number} udp {priority} {ip} {port} typ host"
            ));
            if number == 2 {
                lines.push(format!("a=rtcp:{port} IN IP4 {ip}"));
            }
        }
        if has_mux {
            lines.push("a=rtcp-mux".to_owned());
        }
        lines.join("\r\n") + "\r\n"
    }

    /// Takes our description and begins its checks.
    pub(crate) fn take(&mut self, now: Instant, sdp: &str, controls: bool) {
        let value = |name: &str| {
            let prefix = format!("a={name}:");
            let mut lines = sdp.lines();
            let line = lines.find_map(|line| line.strip_prefix(prefix.as_str()));
            line.unwrap_or_default().to_owned()
        };
        let (ufrag, password, setup) = (value("ice-ufrag"), value("ice-pwd"), value("setup"));
        let candidates = sdp
            .lines()
            .filter_map(|line| line.strip_prefix("a=candidate:"));
        let candidates: Vec<_> = candidates
            .map(|c| unmarshal_candidate(c).unwrap())
            .collect();
        for part in &mut self.parts {
            part.agent
                .start_connectivity_checks(now, controls, ufrag.clone(), password.clone())
                .unwrap();
            for candidate in candidates.iter().filter(|c| c.component() == part.number) {
                part.agent.add_remote_candidate(candidate.clone()).unwrap();
            }
            if part.endpoint.is_none() {
                // It says hello to whom leaves it the choice, once it has a path.
                part.is_client = setup != "active";
                let server = (!part.is_client).then(|| self.configs[0].clone());
                let endpoint = Endpoint::new(part.local, TransportProtocol::UDP, server);
                part.endpoint = Some(endpoint);
            }
        }
    }

    /// Has as many components as there are sockets left: the others are closed.
    pub(crate) fn keep(&mut self, count: usize) {
        self.parts.truncate(count);
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.parts.iter().all(|part| part.contexts.is_some())
    }

    /// Says 20 ms of silence.
    pub(crate) fn say(&mut self) {
        self.sequence_number += 1;
        let mut packet = vec![0x80, 0];
        packet.extend(self.sequence_number.to_be_bytes());
        packet.extend((u32::from(self.sequence_number) * 160).to_be_bytes());
        packet.extend(7_u32.to_be_bytes());
        packet.extend([0xff; 160]);
        let [sending, _] = self.parts[0].contexts.as_mut().unwrap();
        let data = sending.encrypt_rtp(&packet).unwrap().into();
        self.send(0, data);
    }

    /// Reports by a component: a block about what came from `ssrc`, after its last sender report;
    /// nothing before the first.
    pub(crate) fn report(&mut self, now: Instant, component: usize, ssrc: u32) {
        let mut reports = self.rtcp.iter().filter(|(_, packet)| packet[1] == 200);
        let (Some((_, last)), Some(told)) = (reports.next_back(), self.told) else {
            return;
        };
        let since = (now - told).as_secs_f64() * 65536.0;
        let mut packet = vec![0x81, 201, 0, 7];
        packet.extend(7_u32.to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        packet.extend([0; 12]);
        // The middle of its time.
        packet.extend(&last[10..14]);
        packet.extend((since as u32).to_be_bytes());
        let [sending, _] = self.parts[component].contexts.as_mut().unwrap();
        let data = sending.encrypt_rtcp(&packet).unwrap().into();
        self.send(component, data);
    }

    fn send(&mut self, component: usize, data: Vec<u8>) {
        let part = &mut self.parts[component];
        let (local, to) = (part.local, part.path.unwrap());
        part.sent.push_back(Transmit { local, to, data });
    }

    fn handle(&mut self, now: Instant, to: SocketAddr, from: SocketAddr, data: &[u8]) {
        let Some(part) = self.parts.iter_mut().find(|part| part.local == to) else {
            return;
        };
        match data[0] {
            0..=3 => {
                let transport = TransportContext {
                    local_addr: to,
                    peer_addr: from,
                    transport_protocol: TransportProtocol::UDP,
                    ecn: None,
                };
                let message = data.into();
                let tagged = TaggedBytesMut {
                    now,
                    transport,
                    message,
                };
                part.agent.handle_read(tagged).ok();
            }
            20..=63 => {
                let Some(endpoint) = &mut part.endpoint else {
                    return;
                };
                let events = endpoint.read(now, at(OTHER), None, data.into());
                let is_complete =
                    |event: &EndpointEvent| matches!(event, EndpointEvent::HandshakeComplete);
                if events.unwrap_or_default().iter().any(is_complete) {
                    part.contexts = Some(contexts(endpoint));
                }
            }
            _ => {
                let Some([_, receiving]) = &mut part.contexts else {
                    return;
                };
                if (64..96).contains(&(data[1] & 0x7f)) {
                    let plain = receiving.decrypt_rtcp(data).map(Vec::from);
                    self.told = Some(now);
                    self.rtcp.extend(plain.map(|plain| (to, plain)));
                } else {
                    self.rtp.extend(receiving.decrypt_rtp(data).map(Vec::from));
                }
            }
        }
    }

    fn drain(&mut self, now: Instant) -> Vec<Transmit> {
        let mut all = Vec::new();
        for part in &mut self.parts {
            part.step(now, &self.configs[1]);
            if self.silent.contains(&part.local) {
                part.sent.clear();
            }
            all.extend(part.sent.drain(..));
        }
        all
    }
}

impl Part {
    fn step(&mut self, now: Instant, config: &Arc<HandshakeConfig>) {
        self.agent.handle_timeout(now).ok();
        while let Some(message) = self.agent.poll_write() {
            self.sent.push_back(Transmit {
                local: message.transport.local_addr,
                to: message.transport.peer_addr,
                data: message.message.into(),
            });
        }
        while let Some(tagged) = self.agent.poll_event() {
            if let AgentEvent::SelectedCandidatePairChange(_, remote) = tagged.event {
                let is_first = self.path.replace(remote.addr()).is_none();
                if let Some(endpoint) = self.endpoint.as_mut()
                    && is_first
                    && self.is_client
                {
                    endpoint
                        .connect(now, at(OTHER), config.clone(), None)
                        .unwrap();
                }
            }
        }
        let (Some(endpoint), Some(to)) = (&mut self.endpoint, self.path) else {
            return;
        };
        if endpoint
            .poll_timeout(&at(OTHER))
            .is_some_and(|due| due <= now)
        {
            endpoint.handle_timeout(at(OTHER), now).ok();
        }
        while let Some(sent) = endpoint.poll_transmit() {
            let (local, data) = (self.local, sent.message.into());
            self.sent.push_back(Transmit { local, to, data });
        }
    }
}

/// Sending and receiving, from a finished handshake.
fn contexts(endpoint: &Endpoint) -> [Context; 2] {
    let state = endpoint.get_connection_state(at(OTHER)).unwrap();
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

/// What stands in the network beside both; None for a datagram that is not for it.
pub(crate) type Servers = Box<dyn FnMut(Instant, &Transmit) -> Option<Vec<Transmit>>>;

/// A session of ours and the far end, with 2 ms between them.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) session: Session,
    pub(crate) far: FarEnd,
    pub(crate) events: Vec<Event>,
    /// All that we have sent, to whom it may be.
    pub(crate) sent: Vec<Transmit>,
    pub(crate) servers: Option<Servers>,
    /// Nothing passes between our sockets and the far end directly.
    pub(crate) is_walled: bool,
    pub(crate) locals: Vec<SocketAddr>,
    flight: VecDeque<(Instant, Transmit)>,
}

impl World {
    /// With a far end of so many components.
    pub(crate) fn new(sockets: &[&str]) -> Self {
        let now = Instant::now();
        let settings = SessionSettings {
            transport: TransportKind::Ice,
            accepts: Vec::new(),
            codecs: vec![CodecKind::Pcmu],
            dtmf: true,
            ptime_ms: 20,
            advertised: None,
        };
        let identity = Arc::new(Identity::generate().unwrap());
        let session = Session::new(1, settings, identity, now, Random::new(7));
        Self {
            now,
            session,
            far: FarEnd::new(now, sockets),
            events: Vec::new(),
            sent: Vec::new(),
            servers: None,
            is_walled: false,
            locals: vec![at(RTP), at(RTCP)],
            flight: VecDeque::new(),
        }
    }

    pub(crate) fn attach(&mut self) {
        self.session.attach(self.now, &[at(RTP)]).unwrap();
    }

    /// Binds a socket for RTCP where one is needed, as the engine does; whether one was.
    pub(crate) fn bind_rtcp(&mut self) -> bool {
        let paths = self.session.rtcp_without_sockets(self.now).unwrap();
        for line in &paths {
            self.session
                .attach_rtcp(self.now, *line, &[at(RTCP)])
                .unwrap();
        }
        !paths.is_empty()
    }

    /// Takes an offer and answers it.
    pub(crate) fn answer(&mut self, offer: &str) -> String {
        self.session
            .set_remote(self.now, offer, DescriptionKind::Offer, "")
            .unwrap();
        self.bind_rtcp();
        self.session.create_answer(self.now).unwrap()
    }

    /// The far end offers, without rtcp-mux, and takes our answer.
    pub(crate) fn far_end_offers(&mut self) -> String {
        let offer = self.far.description("actpass", false);
        let answer = self.answer(&offer);
        self.far.take(self.now, &answer, true);
        answer
    }

    /// The far end begins ICE anew, at these sockets, and we answer.
    pub(crate) fn far_end_restarts(&mut self, sockets: &[&str], has_mux: bool) -> String {
        self.far.open(self.now, sockets);
        let offer = self.far.description("actpass", has_mux);
        let answer = self.answer(&offer);
        self.far.take(self.now, &answer, true);
        answer
    }

    /// We offer; the far end answers as it likes. Returns our offer.
    pub(crate) fn we_offer(&mut self, has_mux: bool) -> String {
        self.bind_rtcp();
        let offer = self.session.create_offer(self.now, false).unwrap();
        self.far.take(self.now, &offer, false);
        if has_mux {
            self.far.keep(1);
        }
        let answer = self.far.description("active", has_mux);
        self.session
            .set_remote(self.now, &answer, DescriptionKind::Answer, "tag")
            .unwrap();
        offer
    }

    pub(crate) fn connect(&mut self) {
        self.run(Duration::from_secs(2));
        assert!(self.far.is_connected());
        assert_eq!(self.count(EventKind::Connected), 1);
    }

    pub(crate) fn count(&self, kind: EventKind) -> usize {
        let is_kind = |event: &&Event| event.kind == kind;
        self.events.iter().filter(is_kind).count()
    }

    /// The ICE states told so far.
    pub(crate) fn states(&self) -> Vec<&str> {
        let told = self.events.iter();
        let told = told.filter(|event| event.kind == EventKind::IceState);
        told.map(|event| event.text.as_str()).collect()
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        let report = self.session.statistics();
        let found = report.into_iter().find(|(known, _)| *known == name);
        found.and_then(|(_, value)| match value {
            Value::Number(value) => Some(value),
            _ => None,
        })
    }

    /// Somebody's datagram arrives at a socket of ours.
    pub(crate) fn inject(&mut self, local: &str, from: &str, data: &[u8]) {
        self.session.input(self.now, at(local), at(from), data);
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.drain();
        while self.now < end {
            let arrival = self.flight.front().map(|(at, _)| *at);
            let timers = [self.session.next_deadline(), arrival];
            let next = timers.into_iter().flatten().min().unwrap_or(end);
            // The far end is looked at each 20 ms.
            let soon = (self.now + Duration::from_millis(20)).min(end);
            let step = self.now + Duration::from_micros(100);
            self.now = next.clamp(step.min(soon), soon);
            while self.flight.front().is_some_and(|(at, _)| *at <= self.now) {
                let (_, datagram) = self.flight.pop_front().unwrap();
                self.deliver(datagram);
            }
            self.session.tick(self.now);
            self.drain();
        }
    }

    fn deliver(&mut self, datagram: Transmit) {
        let mut servers = self.servers.as_mut();
        let told = servers.as_mut().and_then(|own| own(self.now, &datagram));
        if let Some(answers) = told {
            let at = self.now + DELAY;
            let answers = answers.into_iter().map(|answer| (at, answer));
            self.flight.extend(answers);
            return;
        }
        let Transmit { local, to, data } = datagram;
        let far = self.far.parts.iter().map(|part| part.local);
        let is_far = |address: SocketAddr| far.clone().any(|own| own == address);
        let is_direct = is_far(local) || is_far(to) && self.locals.contains(&local);
        if self.locals.contains(&to) && !(self.is_walled && is_direct) {
            self.session.input(self.now, to, local, &data);
        } else if is_far(to) && !self.far.silent.contains(&to) && !(self.is_walled && is_direct) {
            self.far.handle(self.now, to, local, &data);
        }
    }

    fn drain(&mut self) {
        let at = self.now + DELAY;
        let ours = std::iter::from_fn(|| self.session.poll_transmit());
        let ours: Vec<Transmit> = ours.collect();
        self.sent.extend(ours.iter().cloned());
        let theirs = self.far.drain(self.now);
        let all = ours.into_iter().chain(theirs);
        self.flight.extend(all.map(|datagram| (at, datagram)));
        self.events
            .extend(std::iter::from_fn(|| self.session.poll_event()));
    }
}
