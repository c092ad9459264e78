//! DTLS with certificates that are known by their fingerprint in the SDP (RFC 8122, RFC 5763).

mod flights;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rtc::crypto::RTCCryptoProvider;
use rtc::dtls::config::{
    ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig,
    VerifyPeerCertificateFn,
};
use rtc::dtls::crypto::Certificate;
use rtc::dtls::endpoint::{Endpoint, EndpointEvent};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::shared::TransportProtocol;
use rtc::shared::error::Error;

use super::fingerprint;
use super::hello::FirstHello;
use super::srtp::{Srtp, profiles};
use crate::MediaError;

use flights::{FIRST_WAIT, Flights};

/// Longest time from the first flight to the keys.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// More than any handshake takes, certificates and retransmissions included.
const HANDSHAKE_BYTES: usize = 128 * 1024;

/// The endpoint knows its peer by this address for ever, so that address changes and ICE restarts
/// do not touch the association.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1)), 9);

/// The certificate of an engine and the cryptography it was made with; shared by all sessions.
pub struct Identity {
    pub(super) provider: Arc<dyn RTCCryptoProvider>,
    certificate: Certificate,
    fingerprint: String,
}

impl Identity {
    /// Makes a key pair (ECDSA P-256) and a self-signed certificate.
    pub fn generate() -> Result<Self, MediaError> {
        let fault =
            |what: &dyn std::fmt::Display| MediaError::Fault(format!("certificate: {what}"));
        let provider = rtc::crypto::default_provider().map_err(|error| fault(&error))?;
        let certificate =
            Certificate::generate_self_signed(vec!["trivox".to_owned()], provider.crypto())
                .map_err(|error| fault(&error))?;
        let der = certificate
            .certificate
            .first()
            .ok_or_else(|| fault(&"none was made"))?;
        let fingerprint = fingerprint::of(der.as_ref(), &ring::digest::SHA256);
        Ok(Self {
            provider,
            certificate,
            fingerprint,
        })
    }

    /// The SHA-256 fingerprint as SDP writes it: `AB:CD:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// What a datagram or a timer led to.
pub(super) enum DtlsOutcome {
    /// Nothing to tell.
    Continues,
    /// The handshake is done and the peer's certificate is the one of the SDP.
    Complete(Box<Srtp>),
    /// The peer ended the association.
    Closed,
    /// It will never complete.
    Failed(&'static str),
}

/// One DTLS association.
pub(super) struct Dtls {
    identity: Arc<Identity>,
    config: Arc<HandshakeConfig>,
    endpoint: Endpoint,
    is_client: bool,
    fingerprints: Vec<String>,
    master_secret: ExtendedMasterSecretType,
    verdict: Arc<CertificateVerdict>,
    started: Option<Instant>,
    /// A server's, until the hello of its client is whole.
    first: Option<FirstHello>,
    flights: Flights,
    is_complete: bool,
    received_bytes: usize,
    /// What the peer sent beside its media.
    application: VecDeque<Vec<u8>>,
}

impl Dtls {
    /// Prepares an association with a peer whose certificate has one of `fingerprints`.
    ///
    /// A client says nothing before `start`. `master_secret` says what of a peer that does not
    /// know the extended master secret (RFC 7627): browsers do, old phones do not.
    pub(super) fn new(
        identity: Arc<Identity>,
        is_client: bool,
        fingerprints: Vec<String>,
        master_secret: ExtendedMasterSecretType,
    ) -> Result<Self, MediaError> {
        let verdict = Arc::new(CertificateVerdict::default());
        let verify = verifier(&fingerprints, &verdict);
        let config = configure(&identity, is_client, master_secret, verify, profiles())?;
        let server = (!is_client).then(|| config.clone());
        Ok(Self {
            endpoint: Endpoint::new(PEER, TransportProtocol::UDP, server),
            identity,
            config,
            is_client,
            fingerprints,
            master_secret,
            verdict,
            started: None,
            first: (!is_client).then(FirstHello::default),
            flights: Flights::default(),
            is_complete: false,
            received_bytes: 0,
            application: VecDeque::new(),
        })
    }

    /// Whether this association serves a description with these values; once it is established,
    /// the roles of a renegotiation no longer matter (RFC 8842 §5.5).
    pub(super) fn serves(&self, is_client: bool, fingerprints: &[String]) -> bool {
        self.fingerprints == fingerprints && (self.is_complete || self.is_client == is_client)
    }

    /// Begins, once there is an address to talk to; the client sends its hello.
    pub(super) fn start(&mut self, now: Instant) {
        if self.started.is_some() {
            return;
        }
        self.started = Some(now);
        if self.is_client {
            // What cannot be begun ends like what is not answered: by the handshake's time limit.
            self.endpoint
                .connect(now, PEER, self.config.clone(), None)
                .ok();
            self.flights
                .follow(now, None, self.endpoint.poll_timeout(&PEER));
        }
    }

    /// Takes one DTLS datagram from an address the gate admits.
    pub(super) fn handle_datagram(&mut self, now: Instant, data: &[u8]) -> DtlsOutcome {
        if self.is_client && self.started.is_none() {
            return DtlsOutcome::Continues;
        }
        self.started.get_or_insert(now);
        if !self.is_complete {
            self.received_bytes += data.len();
            if self.received_bytes > HANDSHAKE_BYTES {
                return DtlsOutcome::Failed("the DTLS handshake took over 128 KiB");
            }
        }
        if let Some(mut first) = self.first.take() {
            if !first.take_untrusted(data) {
                self.first = Some(first);
                return DtlsOutcome::Continues;
            }
            self.prefer_profile(&first);
            for datagram in first.into_datagrams() {
                match self.read(now, &datagram) {
                    DtlsOutcome::Continues => {}
                    outcome => return outcome,
                }
            }
            return DtlsOutcome::Continues;
        }
        self.read(now, data)
    }

    fn read(&mut self, now: Instant, data: &[u8]) -> DtlsOutcome {
        // The last flight is the server's: only the server sends it again (RFC 6347 §4.2.4).
        let is_over = self.is_complete && self.is_client && data.first() == Some(&22);
        if is_over || !self.is_complete && self.flights.is_repeat(data) {
            return DtlsOutcome::Continues;
        }
        let timer = self.endpoint.poll_timeout(&PEER);
        let outcome = self.read_new(now, data);
        self.flights
            .follow(now, timer, self.endpoint.poll_timeout(&PEER));
        outcome
    }

    fn read_new(&mut self, now: Instant, data: &[u8]) -> DtlsOutcome {
        // An error is a datagram that does not fit; what ends the handshake is asked below.
        let events = self
            .endpoint
            .read(now, PEER, None, data.into())
            .unwrap_or_default();
        let mut outcome = None;
        for event in events {
            match event {
                // The first data may be in the datagram that ends the handshake.
                EndpointEvent::HandshakeComplete => outcome = Some(self.complete()),
                EndpointEvent::ApplicationData(data) if self.is_complete => {
                    self.application.push_back(data.to_vec());
                }
                EndpointEvent::PeerClosed => return self.closed(),
                _ => {}
            }
        }
        outcome.unwrap_or_else(|| self.verdict())
    }

    /// Takes the best profile the client has, not its own first one.
    fn prefer_profile(&mut self, first: &FirstHello) {
        let Some(best) = first.best_profile(&profiles()) else {
            return;
        };
        let verify = verifier(&self.fingerprints, &self.verdict);
        let master_secret = self.master_secret;
        // It differs from the one that was made before in this list alone.
        if let Ok(config) = configure(&self.identity, false, master_secret, verify, vec![best]) {
            self.endpoint.set_server_config(Some(config));
        }
    }

    /// Retransmits, or gives up.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> DtlsOutcome {
        if self.is_complete {
            return DtlsOutcome::Continues;
        }
        if self
            .started
            .is_some_and(|started| now >= started + HANDSHAKE_TIMEOUT)
        {
            return DtlsOutcome::Failed("the DTLS handshake did not complete within 30 s");
        }
        if self.flights.is_due(now) && self.endpoint.handle_timeout(PEER, now).is_err() {
            return DtlsOutcome::Failed("the DTLS handshake was not answered");
        }
        self.verdict()
    }

    /// When `handle_timeout` wants to be called.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        if self.is_complete {
            return None;
        }
        let limit = self.started.map(|started| started + HANDSHAKE_TIMEOUT);
        [limit, self.flights.deadline()].into_iter().flatten().min()
    }

    /// The next datagram for the peer.
    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.endpoint
            .poll_transmit()
            .map(|transmit| transmit.message.into())
    }

    /// What the peer sent beside its media, oldest first.
    pub(super) fn poll_application(&mut self) -> Option<Vec<u8>> {
        self.application.pop_front()
    }

    /// Queues data beside the media; false if the association is not there.
    pub(super) fn send(&mut self, now: Instant, data: &[u8]) -> bool {
        self.is_complete && self.endpoint.write(now, PEER, data).is_ok()
    }

    /// Our role once the association is there: whether we are its client.
    pub(super) fn established_role(&self) -> Option<bool> {
        self.is_complete.then_some(self.is_client)
    }

    /// Queues a close_notify.
    pub(super) fn close(&mut self, now: Instant) {
        // It has nothing to refuse: the association is dropped either way.
        self.endpoint.close(now).ok();
        self.endpoint.set_server_config(None);
    }

    fn complete(&mut self) -> DtlsOutcome {
        let Some(state) = self.endpoint.get_connection_state(PEER) else {
            return DtlsOutcome::Failed("the DTLS association is gone");
        };
        // A peer that sent no certificate was neither refused nor verified.
        if !self.verdict.verified.load(Ordering::Relaxed) {
            return DtlsOutcome::Failed(WRONG_CERTIFICATE);
        }
        match Srtp::new(state, &self.identity.provider) {
            Some(srtp) => {
                self.is_complete = true;
                DtlsOutcome::Complete(Box::new(srtp))
            }
            None => DtlsOutcome::Failed("the DTLS handshake agreed on no SRTP profile"),
        }
    }

    fn closed(&mut self) -> DtlsOutcome {
        if self.is_complete {
            // Without this the next packet would make a new association (RFC 5763 knows none).
            self.endpoint.set_server_config(None);
            return DtlsOutcome::Closed;
        }
        DtlsOutcome::Failed("the peer broke off the DTLS handshake")
    }

    fn verdict(&self) -> DtlsOutcome {
        if self.verdict.refused.load(Ordering::Relaxed) {
            return DtlsOutcome::Failed(WRONG_CERTIFICATE);
        }
        DtlsOutcome::Continues
    }
}

fn configure(
    identity: &Identity,
    is_client: bool,
    master_secret: ExtendedMasterSecretType,
    verify: VerifyPeerCertificateFn,
    profiles: Vec<SrtpProtectionProfile>,
) -> Result<Arc<HandshakeConfig>, MediaError> {
    ConfigBuilder::default()
        .with_crypto_provider(identity.provider.clone())
        .with_certificates(vec![identity.certificate.clone()])
        .with_srtp_protection_profiles(profiles)
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        // Chains mean nothing for self-signed certificates: the fingerprint is the check.
        .with_insecure_skip_verify(true)
        .with_verify_peer_certificate(Some(verify))
        .with_extended_master_secret(master_secret)
        .with_flight_interval(FIRST_WAIT)
        .build(is_client, None)
        .map(Arc::new)
        .map_err(|error| MediaError::Fault(format!("DTLS configuration: {error}")))
}

const WRONG_CERTIFICATE: &str =
    "the peer's certificate does not have the fingerprint of its session description";

/// What the verification, which runs inside the handshake, found.
#[derive(Default)]
struct CertificateVerdict {
    verified: AtomicBool,
    refused: AtomicBool,
}

fn verifier(fingerprints: &[String], verdict: &Arc<CertificateVerdict>) -> VerifyPeerCertificateFn {
    let expected = fingerprints.to_vec();
    let verdict = verdict.clone();
    Arc::new(move |certificates, _chains| {
        let is_theirs = |der: &Vec<u8>| fingerprint::is_among(der, &expected);
        if certificates.first().is_some_and(is_theirs) {
            verdict.verified.store(true, Ordering::Relaxed);
            return Ok(());
        }
        verdict.refused.store(true, Ordering::Relaxed);
        Err(Error::Other("fingerprint mismatch".to_owned()))
    })
}
