//! Requests to a relay that are not answered yet: sent again over UDP, given up in time, signed
//! with the credentials the relay asks for (RFC 8489 §6.2, §9.2).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::dtls::Identity;
use super::wire::{self, Answer, Ask, Proof, Refusal};

/// First wait for an answer; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// DEVIATION: RFC 8489 §6.2.1 sends seven times, in 39.5 s. A call whose relay is gone must find
/// another path sooner: four times, and given up after 7.5 s.
const MOST_SENDS: u32 = 4;
/// When a stream is given up that answers nothing; a datagram's last repeat has waited as long.
const STREAM_PATIENCE: Duration = Duration::from_millis(7500);
/// Times in a row that a nonce may be stale: a relay that gives none we could use is of none.
const MOST_STALE: u8 = 3;
const MOST_PENDING: usize = 64;

const UNAUTHENTICATED: u16 = 401;
const STALE_NONCE: u16 = 438;

/// Who we are at the relay. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayCredentials {
    /// User name.
    pub username: String,
    /// Its password.
    pub password: String,
}

impl std::fmt::Debug for RelayCredentials {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("RelayCredentials { .. }")
    }
}

struct Pending {
    id: [u8; 12],
    ask: Ask,
    bytes: Vec<u8>,
    is_signed: bool,
    sends: u32,
    stale: u8,
    due: Instant,
}

/// What an answer, or the want of one, leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The relay did it.
    Done(Ask, wire::Granted),
    /// The relay did not.
    Refused(Ask, Refusal),
    /// The relay does not take our credentials.
    NotAuthenticated,
}

/// The requests of one allocation.
pub(super) struct Requests {
    identity: Arc<Identity>,
    credentials: RelayCredentials,
    is_stream: bool,
    proof: Option<Proof>,
    pending: Vec<Pending>,
    transmits: VecDeque<Vec<u8>>,
}

impl Requests {
    pub(super) fn new(
        identity: Arc<Identity>,
        credentials: RelayCredentials,
        is_stream: bool,
    ) -> Self {
        Self {
            identity,
            credentials,
            is_stream,
            proof: None,
            pending: Vec::new(),
            transmits: VecDeque::new(),
        }
    }

    /// Sends a request; false when too many wait for their answers.
    pub(super) fn ask(&mut self, now: Instant, ask: Ask) -> bool {
        self.pending.len() < MOST_PENDING && {
            self.send(now, ask, 0);
            true
        }
    }

    /// Sends a request whose answer nobody waits for.
    pub(super) fn tell(&mut self, ask: Ask) {
        let crypto = self.identity.provider.crypto();
        let (_, bytes) = wire::request(ask, self.proof.as_ref(), crypto);
        self.transmits.push_back(bytes);
    }

    /// Whether such a request waits for its answer.
    pub(super) fn is_asking(&self, which: impl Fn(Ask) -> bool) -> bool {
        self.pending.iter().any(|one| which(one.ask))
    }

    fn send(&mut self, now: Instant, ask: Ask, stale: u8) {
        let crypto = self.identity.provider.crypto();
        let (id, bytes) = wire::request(ask, self.proof.as_ref(), crypto);
        self.transmits.push_back(bytes.clone());
        self.pending.push(Pending {
            id,
            ask,
            bytes,
            is_signed: self.proof.is_some(),
            sends: if self.is_stream { MOST_SENDS } else { 1 },
            stale,
            due: now
                + if self.is_stream {
                    STREAM_PATIENCE
                } else {
                    FIRST_WAIT
                },
        });
    }

    /// Takes a response; None when it answers nothing, is forged, or the request goes on.
    pub(super) fn take(
        &mut self,
        now: Instant,
        id: [u8; 12],
        answer: Answer,
        data: &[u8],
    ) -> Option<Outcome> {
        let index = self.pending.iter().position(|one| one.id == id)?;
        let is_success = matches!(answer, Answer::Success(_));
        if is_success && self.pending[index].is_signed && !self.is_signed(data) {
            return None;
        }
        let request = self.pending.swap_remove(index);
        match answer {
            Answer::Success(granted) => Some(Outcome::Done(request.ask, granted)),
            Answer::Refused(refusal) => self.take_refusal(now, &request, refusal),
        }
    }

    fn take_refusal(
        &mut self,
        now: Instant,
        request: &Pending,
        refusal: Refusal,
    ) -> Option<Outcome> {
        // A 401 to what was signed with an old nonce is a stale nonce by another name.
        let is_again = match refusal.code {
            UNAUTHENTICATED if request.is_signed => {
                let nonce = self.proof.as_ref().map(|proof| proof.nonce.as_slice());
                if refusal.nonce.as_deref() == nonce || request.stale > 0 {
                    return Some(Outcome::NotAuthenticated);
                }
                true
            }
            UNAUTHENTICATED => true,
            STALE_NONCE => request.stale < MOST_STALE,
            _ => false,
        };
        if !is_again {
            return Some(Outcome::Refused(request.ask, refusal));
        }
        if !self.prove(&refusal) {
            return Some(Outcome::NotAuthenticated);
        }
        let stale = request.stale + u8::from(request.is_signed);
        self.send(now, request.ask, stale);
        None
    }

    /// Takes realm and nonce; false when the relay names none, or we have nothing to prove with.
    fn prove(&mut self, refusal: &Refusal) -> bool {
        let known = self.proof.as_ref().map(|proof| proof.realm.clone());
        let (Some(nonce), Some(realm)) = (&refusal.nonce, refusal.realm.clone().or(known)) else {
            return false;
        };
        let RelayCredentials { username, password } = &self.credentials;
        if username.is_empty() {
            return false;
        }
        let crypto = self.identity.provider.crypto();
        let Some(key) = wire::long_term_key(username, &realm, password, crypto) else {
            return false;
        };
        self.proof = Some(Proof {
            username: username.clone(),
            realm,
            nonce: nonce.clone(),
            key,
        });
        true
    }

    fn is_signed(&self, data: &[u8]) -> bool {
        let crypto = self.identity.provider.crypto();
        self.proof
            .as_ref()
            .is_some_and(|proof| wire::is_signed(data, &proof.key, crypto))
    }

    /// Sends again what is due; true when a request was given up: the relay does not answer.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        for request in &mut self.pending {
            if request.due > now {
                continue;
            }
            if request.sends == MOST_SENDS {
                return true;
            }
            request.due = now + FIRST_WAIT * 2_u32.pow(request.sends);
            request.sends += 1;
            self.transmits.push_back(request.bytes.clone());
        }
        false
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.pending.iter().map(|one| one.due).min()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    /// Nothing is waited for any more.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }
}
