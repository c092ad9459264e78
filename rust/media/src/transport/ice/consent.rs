//! Consent of the far end to be sent to (RFC 7675): asked for over and over, and gone without an
//! answer.
//!
//! The agent counts any message of the far end as a sign of life. Consent is the answer to a
//! request of ours only; that the far end is still there, its media says too.
//!
//! DEVIATION: RFC 7675 §5.1 has a request each four seconds at most, answered or not. Where a fifth
//! of all packets is lost each way, a request is answered with 0.8 × 0.8; the five of half a minute
//! are in vain once in 165 times, and with them ends a call that can be heard. So each half second
//! one that is not answered yet is followed by another, with a transaction of its own: of the 48
//! that follow the first within half a minute at the least, none is answered with 0.36^48 < 1e-21
//! where a fifth is lost, and with 0.51^48 < 1e-13 where three in ten are.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtc::ice::state::ConnectionState;
use rtc::stun::message::TransactionId;

use super::super::{IceState, Transmit, TransportEvent, stun};
use super::Component;
use crate::random::Random;

/// Between an answer and the next request, four to six seconds by chance (RFC 7675 §5.1).
const PERIOD: f64 = 5.0;
const SPREAD: f64 = 0.2;
/// Between a request that is not answered and the next one.
const REPEAT: Duration = Duration::from_millis(500);
/// Consent lasts so long (RFC 7675 §5.1).
const LIMIT: Duration = Duration::from_secs(30);
/// The longest wait for a request, and eight requests more: what the far end asks and sends by
/// itself counts too, so that losses are no silence.
const DOUBT: Duration = Duration::from_secs(10);
/// Requests whose answers may come yet: those of eight seconds.
const MOST_ASKED: usize = 16;
/// What a far end answers that is in the role we are in (RFC 8445 §7.3.1.1).
const ROLE_CONFLICT: u16 = 487;
/// What a far end answers that wants nothing from us any more (RFC 7675 §5.2).
const FORBIDDEN: u16 = 403;

/// What is known of the far end of a path.
#[derive(Debug)]
pub(super) struct Consent {
    terms: stun::Terms,
    /// ICE has begun anew: the path is used until it has found another one (RFC 7675 §5.1).
    is_of_old: bool,
    asked: VecDeque<[u8; 12]>,
    next: Instant,
    heard: Instant,
    granted: Instant,
    state: IceState,
    random: Random,
}

impl Consent {
    /// Begins with the checks that have found the path.
    pub(super) fn new(now: Instant, terms: stun::Terms, random: Random) -> Self {
        let mut consent = Self {
            terms,
            is_of_old: false,
            asked: VecDeque::new(),
            next: now,
            heard: now,
            granted: now,
            state: IceState::Connected,
            random,
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
    fn ask(&mut self, now: Instant) -> [u8; 12] {
        self.next = now + REPEAT;
        // Nobody may guess it (RFC 7675 §5.1).
        let id = TransactionId::new().0;
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
        // Answers to those before it mean nothing any more.
        self.asked.drain(..=place);
        self.granted = now;
        self.put_off(now);
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

impl Component {
    /// A path was found, or another one: the checks that found it are its first consent.
    pub(super) fn begin_consent(&mut self, now: Instant) {
        let (Some(path), false) = (self.path, self.lite.is_some()) else {
            return;
        };
        let theirs = self.remote_ufrag.as_deref().unwrap_or("");
        let terms = stun::Terms {
            username: format!("{theirs}:{}", self.live.ufrag),
            password: self.remote_password.clone(),
            controls: self.agent.role(),
        };
        // No two sessions ask in step, and in virtual time each does as it did before.
        let seed = Random::seed_of(format!("{path:?}").as_bytes());
        self.consent = Some(Consent::new(now, terms, Random::new(seed)));
    }

    /// ICE begins anew: what is sent until there is another path, its far end must want still.
    pub(super) fn keep_consent(&mut self) {
        if let Some(consent) = &mut self.consent {
            consent.is_of_old = true;
        }
    }

    /// The far end of the path is in our role, and keeps it.
    pub(super) fn take_role(&mut self, controls: bool) {
        if let Some(consent) = &mut self.consent {
            consent.terms.controls = controls;
        }
        // Another path is looked for in the roles of the descriptions.
        if self
            .consent
            .as_ref()
            .is_none_or(|consent| !consent.is_of_old)
        {
            self.agent.set_role(controls);
        }
    }

    /// The controlling far end has nominated another pair.
    pub(super) fn follow(&mut self, now: Instant, path: (SocketAddr, SocketAddr)) {
        if self.path.replace(path) == Some(path) {
            return;
        }
        if let Some(former) = self.consent.take() {
            self.begin_consent(now);
            let is_back = former.state == IceState::Disconnected;
            self.tell(is_back.then_some(IceState::Connected));
        }
    }

    /// Whether a check of the agent's repeats what is asked here: it answers each of the far end's
    /// on the path with one of its own.
    pub(super) fn asks_again(&self, local: SocketAddr, to: SocketAddr) -> bool {
        let consent = self.consent.as_ref();
        let is_of_path = consent.is_some_and(|consent| !consent.is_of_old);
        let has_found_it = self.agent.state() == ConnectionState::Connected;
        is_of_path && has_found_it && self.path == Some((local, to))
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
        if let stun::Admitted::Request { .. } = admitted {
            self.hear(now);
            return false;
        }
        let id = stun::transaction_id(data).filter(|id| consent.has_asked(*id));
        let Some(id) = id else { return false };
        if !stun::is_signed(data, &consent.terms.password, crypto.crypto()) {
            self.counts.refused_stun += 1;
            return true;
        }
        let news = match admitted {
            stun::Admitted::Error(ROLE_CONFLICT) => {
                // A second copy of the refusal must not turn the role back.
                consent.asked.clear();
                consent.next = now;
                let ours = consent.terms.controls;
                self.take_role(!ours);
                None
            }
            stun::Admitted::Error(FORBIDDEN) => {
                self.end_consent("the peer has withdrawn its consent to be sent to");
                None
            }
            stun::Admitted::Error(_) => None,
            _ => consent.take_answer(now, id),
        };
        self.tell(news);
        true
    }

    /// Asks when it is time to, and notes silence on the path.
    pub(super) fn tick_consent(&mut self, now: Instant) {
        let (Some(consent), Some((local, to))) = (&mut self.consent, self.path) else {
            return;
        };
        if now >= consent.next {
            let id = consent.ask(now);
            let data = stun::request(id, &consent.terms, self.identity.provider.crypto());
            let sent = data.map(|data| Transmit { local, to, data });
            self.transmits.extend(sent);
        }
        let news = consent.tick(now);
        self.tell(news);
        if news == Some(IceState::Failed) {
            self.end_consent("the peer no longer answers ICE checks: consent is lost");
        }
    }

    /// Tells of the path in use; while another one is looked for, the agent tells of that.
    pub(super) fn tell(&mut self, news: Option<IceState>) {
        let is_of_old = self.consent.as_ref().is_none_or(|one| one.is_of_old);
        let news = news.filter(|_| !is_of_old);
        self.events.extend(news.map(TransportEvent::IceState));
    }

    /// Nothing is sent on the path any more; what looks for another one goes on.
    fn end_consent(&mut self, why: &str) {
        let ended = self.consent.take();
        if ended.is_some_and(|consent| consent.is_of_old) {
            self.path = None;
        } else {
            self.lose(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn begun() -> (Instant, Consent) {
        let now = Instant::now();
        let terms = stun::Terms {
            username: "theirs:ours".to_owned(),
            password: "secret".to_owned(),
            controls: true,
        };
        (now, Consent::new(now, terms, Random::new(7)))
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
    fn an_unanswered_request_is_followed_by_others_each_half_second() {
        let (now, mut consent) = begun();
        let mut ids = Vec::new();
        for _ in 0..4 {
            let at = consent.next;
            ids.push(consent.ask(at));
            assert_eq!(consent.next, at + REPEAT);
        }
        ids.dedup();
        assert_eq!(ids.len(), 4);

        // Any of them may be answered, the first one too.
        let at = now + seconds(9);
        consent.take_answer(at, ids[0]);
        assert_eq!(consent.granted, at);
        assert!(consent.next >= at + seconds(4));
    }

    /// What the limit is worth on a line that loses.
    #[test]
    fn of_the_requests_of_half_a_minute_one_is_answered_but_for_one_in_ten_trillion_times() {
        let slowest = Duration::from_secs_f64(PERIOD * (1.0 + SPREAD));
        let requests = ((LIMIT - slowest).as_millis() / REPEAT.as_millis()) as i32;
        let in_vain = |lost: f64| (1.0 - (1.0 - lost).powi(2)).powi(requests);

        assert_eq!(requests, 48);
        assert!(in_vain(0.2) < 1e-21);
        assert!(in_vain(0.3) < 1e-13);
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
        (0..=16).for_each(|number| consent.note_asked([number; 12]));

        consent.take_answer(now + seconds(9), [0; 12]);
        assert_eq!(consent.granted, now);
        consent.take_answer(now + seconds(9), [16; 12]);
        assert_eq!(consent.granted, now + seconds(9));
    }
}
