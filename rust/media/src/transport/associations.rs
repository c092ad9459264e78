//! The DTLS handshakes of one socket without ICE: with whom, and which of them wins.
//!
//! There is no check that proves an address, so several may try: the signalled one always, and for
//! a while after signalling a few others, as a peer behind an address translator comes from one
//! that nobody could know. What decides is the certificate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::dtls::config::ExtendedMasterSecretType;

use super::Identity;
use super::dtls::{Dtls, DtlsOutcome};
use super::srtp::Srtp;

/// How long after signalling another address than the signalled one may begin.
const WINDOW: Duration = Duration::from_secs(10);
/// Other addresses at a time.
const MOST_OTHERS: usize = 4;
/// How long a peer may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a datagram or a timer led to.
pub(super) enum Outcome {
    /// Nothing to tell.
    Continues,
    /// Not from anybody who may begin a handshake, or no part of one.
    Refused,
    /// The peer of the description has proved itself, from this address.
    Complete(SocketAddr, Box<Srtp>),
    /// The peer ended the association.
    Closed,
    /// Nobody will complete one.
    Failed(&'static str),
}

/// Handshakes under way, and the one that was completed.
pub(super) struct Associations {
    identity: Arc<Identity>,
    is_client: bool,
    fingerprints: Vec<String>,
    signalled: Option<(SocketAddr, Instant)>,
    trying: Vec<(SocketAddr, Dtls)>,
    established: Option<(SocketAddr, Dtls)>,
    /// One was established at some time: nobody waits for a first hello any more.
    has_begun: bool,
}

impl Associations {
    pub(super) fn new(identity: Arc<Identity>, is_client: bool, fingerprints: Vec<String>) -> Self {
        Self {
            identity,
            is_client,
            fingerprints,
            signalled: None,
            trying: Vec::new(),
            established: None,
            has_begun: false,
        }
    }

    /// Whether a description with these values goes on with them; once one is established, the
    /// roles of a renegotiation no longer matter (RFC 8842 §5.5).
    pub(super) fn serves(&self, is_client: bool, fingerprints: &[String]) -> bool {
        self.fingerprints == fingerprints
            && (self.established.is_some() || self.is_client == is_client)
    }

    /// Takes the signalled address; a client says hello to it.
    pub(super) fn signal(&mut self, now: Instant, address: Option<SocketAddr>) {
        let before = self.signalled.map(|(address, _)| address);
        if before == address {
            return;
        }
        self.signalled = address.map(|address| (address, now));
        if self.is_client && self.established.is_none() {
            self.trying.clear();
            if let Some(address) = address {
                self.begin(now, address);
            }
        }
    }

    fn begin(&mut self, now: Instant, address: SocketAddr) {
        let made = Dtls::new(
            Arc::clone(&self.identity),
            self.is_client,
            self.fingerprints.clone(),
            // Phones older than RFC 7627 do not know it; without resumption and with fingerprints
            // on both sides its absence lets nobody in between.
            ExtendedMasterSecretType::Request,
        );
        // The same configuration has made others: what refuses one refuses all, and no peer's
        // doing. The handshake's time limit ends it.
        if let Ok(mut dtls) = made {
            dtls.start(now);
            self.trying.push((address, dtls));
        }
    }

    /// Takes one DTLS datagram.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        data: &[u8],
    ) -> Outcome {
        // Anybody can write an alert that is not encrypted: it ends nothing.
        if is_bare(data, ALERT) {
            return Outcome::Refused;
        }
        if !is_client_hello(data)
            && let Some((_, dtls)) = self.established.as_mut().filter(|(peer, _)| *peer == from)
            && !self.trying.iter().any(|(peer, _)| *peer == from)
        {
            return match dtls.handle_datagram(now, data) {
                DtlsOutcome::Closed => {
                    self.established = None;
                    Outcome::Closed
                }
                _ => Outcome::Continues,
            };
        }
        if !self.trying.iter().any(|(peer, _)| *peer == from) {
            if !is_client_hello(data) || !self.may_begin(now, from) {
                return Outcome::Refused;
            }
            self.begin(now, from);
        }
        let Some(index) = self.trying.iter().position(|(peer, _)| *peer == from) else {
            return Outcome::Refused;
        };
        let outcome = self.trying[index].1.handle_datagram(now, data);
        self.act(index, outcome)
    }

    /// The peer has ended the one there was, and begun no other.
    pub(super) fn is_over(&self) -> bool {
        self.has_begun && self.established.is_none() && self.trying.is_empty()
    }

    /// Whether a hello from there begins a handshake.
    fn may_begin(&self, now: Instant, from: SocketAddr) -> bool {
        let Some((signalled, since)) = self.signalled.filter(|_| !self.is_client) else {
            return false;
        };
        let is_known = self
            .established
            .as_ref()
            .is_some_and(|(peer, _)| *peer == from);
        if from == signalled || is_known {
            return true;
        }
        let others = self.trying.iter().filter(|(peer, _)| *peer != signalled);
        self.established.is_none() && now < since + WINDOW && others.count() < MOST_OTHERS
    }

    fn act(&mut self, index: usize, outcome: DtlsOutcome) -> Outcome {
        match outcome {
            DtlsOutcome::Continues => Outcome::Continues,
            DtlsOutcome::Complete(srtp) => {
                let (from, dtls) = self.trying.swap_remove(index);
                self.trying.clear();
                self.established = Some((from, dtls));
                self.has_begun = true;
                Outcome::Complete(from, srtp)
            }
            DtlsOutcome::Closed => {
                self.trying.swap_remove(index);
                Outcome::Continues
            }
            DtlsOutcome::Failed(reason) => {
                let (from, _) = self.trying.swap_remove(index);
                let is_signalled = self.signalled.is_some_and(|(peer, _)| peer == from);
                if is_signalled && self.established.is_none() {
                    return Outcome::Failed(reason);
                }
                Outcome::Continues
            }
        }
    }

    /// Retransmits, or gives up.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Outcome {
        let mut verdict = Outcome::Continues;
        for index in (0..self.trying.len()).rev() {
            let outcome = self.trying[index].1.handle_timeout(now);
            match self.act(index, outcome) {
                Outcome::Continues => {}
                other => verdict = other,
            }
        }
        if self.beginning_ends().is_some_and(|end| end <= now) {
            self.signalled = None;
            return Outcome::Failed("the peer did not begin a DTLS handshake within 30 s");
        }
        verdict
    }

    /// When a peer that has not begun is given up.
    fn beginning_ends(&self) -> Option<Instant> {
        let is_idle = self.trying.is_empty() && !self.has_begun;
        self.signalled
            .filter(|_| is_idle)
            .map(|(_, since)| since + PATIENCE)
    }

    /// When `handle_timeout` wants to be called.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let trying = self
            .trying
            .iter()
            .filter_map(|(_, dtls)| dtls.next_deadline());
        trying.chain(self.beginning_ends()).min()
    }

    /// The next datagram, and for whom.
    pub(super) fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        let mut all = self.trying.iter_mut().chain(self.established.as_mut());
        all.find_map(|(to, dtls)| Some((*to, dtls.poll_transmit()?)))
    }

    /// Queues a close_notify.
    pub(super) fn close(&mut self, now: Instant) {
        self.trying.clear();
        if let Some((_, dtls)) = &mut self.established {
            dtls.close(now);
        }
    }
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// Whether the first record is of that type and not encrypted: epoch 0 (RFC 6347 §4.1).
fn is_bare(data: &[u8], content: u8) -> bool {
    data.first() == Some(&content) && data.get(3..5) == Some(&[0, 0])
}

pub(super) fn is_client_hello(data: &[u8]) -> bool {
    is_bare(data, HANDSHAKE) && data.get(13) == Some(&CLIENT_HELLO)
}
