//! Consent of the far end to be sent to (RFC 7675): asked for over and over, and gone without an
//! answer.
//!
//! The agent counts any message of the far end as a sign of life. Consent is the answer to a
//! request of ours only; that the far end is still there, its media says too.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::super::{IceState, Transmit, TransportEvent, stun};
use super::IceTransport;
use crate::random::Random;

/// Between two requests, four to six seconds by chance (RFC 7675 §5.1).
const PERIOD: f64 = 5.0;
const SPREAD: f64 = 0.2;
/// Consent lasts so long (RFC 7675 §5.1).
const LIMIT: Duration = Duration::from_secs(30);
/// The longest wait for a request, and some time on the way: what the far end asks and sends by
/// itself counts too, so that one loss is no silence.
const DOUBT: Duration = Duration::from_secs(8);
/// Requests whose answers may come yet.
const MOST_ASKED: usize = 8;

/// What is known of the far end of a path.
#[derive(Debug)]
pub(super) struct Consent {
    asked: VecDeque<[u8; 12]>,
    next: Instant,
    heard: Instant,
    granted: Instant,
    state: IceState,
    random: Random,
}

impl Consent {
    /// Begins with the checks that have found the path.
    pub(super) fn new(now: Instant, seed: u64) -> Self {
        let mut consent = Self {
            asked: VecDeque::new(),
            next: now,
            heard: now,
            granted: now,
            state: IceState::Connected,
            random: Random::new(seed),
        };
        consent.put_off(now);
        consent
    }

    /// The next request is some seconds from now.
    pub(super) fn put_off(&mut self, now: Instant) {
        let factor = 1.0 + SPREAD * (2.0 * self.random.unit() - 1.0);
        self.next = now + Duration::from_secs_f64(PERIOD * factor);
    }

    /// The transaction of a request that leaves now.
    fn ask(&mut self) -> [u8; 12] {
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.random.bits().to_be_bytes());
        id[8..].copy_from_slice(&self.random.bits().to_be_bytes()[..4]);
        self.note_asked(id);
        id
    }

    fn note_asked(&mut self, id: [u8; 12]) {
        if self.asked.len() == MOST_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back(id);
    }

    fn has_asked(&self, id: [u8; 12]) -> bool {
        self.asked.contains(&id)
    }

    /// Whether an authentic answer from the path's far end is to a request of ours.
    pub(super) fn take_answer(&mut self, now: Instant, id: [u8; 12]) -> Option<IceState> {
        let place = self.asked.iter().position(|asked| *asked == id)?;
        self.asked.remove(place);
        self.granted = now;
        self.hear(now)
    }

    /// The far end has said something authentic; the state, if it is another by that.
    pub(super) fn hear(&mut self, now: Instant) -> Option<IceState> {
        self.heard = now;
        self.become_state(IceState::Connected)
    }

    /// When to ask, or when silence means something.
    pub(super) fn deadline(&self) -> Instant {
        let end = self.granted + LIMIT;
        let silent = match self.state {
            IceState::Connected => end.min(self.heard + DOUBT),
            _ => end,
        };
        silent.min(self.next)
    }

    /// The state, if it is another by now.
    pub(super) fn tick(&mut self, now: Instant) -> Option<IceState> {
        if now >= self.granted + LIMIT {
            return self.become_state(IceState::Failed);
        }
        if now >= self.heard + DOUBT {
            return self.become_state(IceState::Disconnected);
        }
        None
    }

    fn become_state(&mut self, state: IceState) -> Option<IceState> {
        let before = std::mem::replace(&mut self.state, state);
        (before != state).then_some(state)
    }
}

impl IceTransport {
    /// A path was found, or another one: the checks that found it are its first consent.
    pub(super) fn begin_consent(&mut self, now: Instant) {
        if self.lite.is_none() {
            // Chance of the agent's own: no two sessions ask in step.
            let seed = Random::seed_of(self.live.password.as_bytes());
            self.consent = Some(Consent::new(now, seed));
        }
    }

    /// The controlling far end has nominated another pair.
    pub(super) fn follow(&mut self, now: Instant, path: (SocketAddr, SocketAddr)) {
        if self.path.replace(path) != Some(path) && self.consent.is_some() {
            self.begin_consent(now);
        }
    }

    /// Whether a check of the agent's repeats what is asked here: it answers each of the far end's
    /// on the path with one of its own.
    pub(super) fn asks_again(&self, local: SocketAddr, to: SocketAddr) -> bool {
        self.consent.is_some() && self.path == Some((local, to))
    }

    /// Takes what a message on the path means; true for an answer to what was asked here.
    pub(super) fn take_consent(
        &mut self,
        now: Instant,
        path: (SocketAddr, SocketAddr),
        data: &[u8],
        admitted: stun::Admitted,
    ) -> bool {
        let crypto = self.identity.provider.clone();
        let Some(consent) = self.consent.as_mut().filter(|_| self.path == Some(path)) else {
            return false;
        };
        let (news, is_ours) = match admitted {
            stun::Admitted::Request { .. } => (consent.hear(now), false),
            stun::Admitted::Response => {
                let id = stun::transaction_id(data).filter(|id| consent.has_asked(*id));
                let Some(id) = id else { return false };
                if !stun::is_signed(data, &self.remote_password, crypto.crypto()) {
                    self.counts.refused_stun += 1;
                    return true;
                }
                (consent.take_answer(now, id), true)
            }
        };
        self.events.extend(news.map(TransportEvent::IceState));
        is_ours
    }

    /// Asks when it is time to, and notes silence on the path.
    pub(super) fn tick_consent(&mut self, now: Instant) {
        let (Some(consent), Some((local, to))) = (&mut self.consent, self.path) else {
            return;
        };
        if now >= consent.next {
            consent.put_off(now);
            let id = consent.ask();
            let request = stun::Request {
                id,
                username: format!(
                    "{}:{}",
                    self.remote_ufrag.as_deref().unwrap_or(""),
                    self.live.ufrag
                ),
                password: self.remote_password.clone(),
                controls: self.agent.role(),
            };
            let data = stun::request(request, self.identity.provider.crypto());
            let sent = data.map(|data| Transmit { local, to, data });
            self.transmits.extend(sent);
        }
        let news = consent.tick(now);
        self.events.extend(news.map(TransportEvent::IceState));
        if news == Some(IceState::Failed) {
            self.fail("the peer no longer answers ICE checks: consent is lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn begun() -> (Instant, Consent) {
        let now = Instant::now();
        (now, Consent::new(now, 7))
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// RFC 7675 §5.1: never more often than each four seconds, and never in step.
    #[test]
    fn requests_are_four_to_six_seconds_apart_by_chance() {
        let (now, mut consent) = begun();
        let waits: Vec<f64> = (0..1000)
            .map(|_| {
                consent.put_off(now);
                (consent.next - now).as_secs_f64()
            })
            .collect();

        assert!(waits.iter().all(|wait| (4.0..=6.0).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 4.1) && waits.iter().any(|wait| *wait > 5.9));
    }

    #[test]
    fn only_an_answer_to_a_request_prolongs_consent() {
        let (now, mut consent) = begun();
        consent.note_asked([1; 12]);
        assert_eq!(consent.take_answer(now + seconds(5), [2; 12]), None);
        for second in 0..30 {
            consent.hear(now + seconds(second));
        }

        assert_eq!(consent.tick(now + seconds(29)), None);
        assert_eq!(consent.tick(now + seconds(30)), Some(IceState::Failed));

        let (now, mut consent) = begun();
        consent.note_asked([1; 12]);
        consent.take_answer(now + seconds(20), [1; 12]);
        consent.hear(now + seconds(45));
        assert_eq!(consent.tick(now + seconds(49)), None);
        assert_eq!(consent.tick(now + seconds(50)), Some(IceState::Failed));
    }

    #[test]
    fn silence_is_told_once_and_so_is_its_end() {
        let (now, mut consent) = begun();

        assert_eq!(consent.deadline(), consent.next);
        consent.next = now + seconds(60);
        assert_eq!(consent.deadline(), now + DOUBT);
        assert_eq!(consent.tick(now + DOUBT), Some(IceState::Disconnected));
        assert_eq!(consent.tick(now + seconds(20)), None);
        assert_eq!(consent.hear(now + seconds(21)), Some(IceState::Connected));
        assert_eq!(consent.hear(now + seconds(22)), None);
        assert_eq!(consent.deadline(), now + LIMIT);
    }

    #[test]
    fn what_was_asked_is_forgotten_in_its_order() {
        let (now, mut consent) = begun();
        (0..=8).for_each(|number| consent.note_asked([number; 12]));

        consent.take_answer(now + seconds(9), [0; 12]);
        assert_eq!(consent.granted, now);
        consent.take_answer(now + seconds(9), [8; 12]);
        assert_eq!(consent.granted, now + seconds(9));
    }
}
