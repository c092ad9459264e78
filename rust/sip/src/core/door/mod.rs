//! The door: which requests from outside come in, decided on their raw bytes (RFC 6357, RFC 7339 §5).
//!
//! A turn takes a number of new requests; what is above it waits, in order, for a turn to come. So a
//! core under load works all the time and on what it has begun: messages inside dialogs, responses,
//! copies and CANCELs never wait. When the wait has been long for a while, or the room is full, or a
//! limit is reached, new requests are refused from their bytes: the first of a second are answered
//! 503, the rest are dropped and counted.
mod bucket;
mod networks;
mod refusal;
mod refusing;
mod room;
mod scan;
mod settings;
mod sources;
mod strangers;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_sources;
mod turns;

use std::net::IpAddr;

use bucket::Bucket;
pub(super) use networks::Networks;
use networks::customer;
use room::{Room, Waiting};
use scan::{Glance, Kind};
use sources::{SourceLimit, Sources, Standing};
use turns::Turns;

pub use settings::DoorSettings;
use settings::{Cause, Refusals};

use super::types::Origin;
use super::{Event, SipCore};
use crate::hash::HashKey;
use crate::message::Message;
use crate::transaction::key::{server_key, server_key_of};

/// What the core keeps for its door.
pub(super) struct Door {
    settings: DoorSettings,
    mark: String,
    /// No new call is wanted: too many are up, or the program is closing.
    is_shut: bool,
    turns: Turns,
    calls: Bucket,
    strangers: Bucket,
    sources: Sources,
    /// Sources without a limit of their own.
    unlimited: Networks,
    room: Room,
    /// 503s left in the second that began then.
    answers: (f64, u32),
    /// Until when an ACK for a refusal may come.
    marked_until: f64,
    refusals: Refusals,
}

impl Door {
    pub(super) fn new(hash: &HashKey) -> Self {
        let settings = DoorSettings::default();
        Self {
            settings,
            mark: hash.token(b"door", &[]).split_off(8),
            is_shut: false,
            turns: Turns::default(),
            calls: Bucket::full(0.0, 0.0),
            strangers: Bucket::full(0.0, 0.0),
            sources: Sources::default(),
            unlimited: Networks::default(),
            room: Room::default(),
            answers: (f64::NEG_INFINITY, 0),
            marked_until: f64::NEG_INFINITY,
            refusals: Refusals::default(),
        }
    }

    /// Whether our neighbours' feedback is heard.
    pub(super) fn listens(&self) -> bool {
        self.settings.overload_control
    }

    /// How many answered calls may wait for their ACK.
    pub(super) fn most_unacknowledged(&self) -> usize {
        self.settings.unacknowledged
    }

    /// How many server transactions that are over may be kept, of each kind.
    pub(super) fn most_kept(&self) -> usize {
        self.settings.kept
    }

    /// Whether nothing is to be asked of a new request but whether the turn has room for it.
    fn is_wide_open(&self, source: Origin<'_>) -> bool {
        let settings = &self.settings;
        !self.is_shut
            && self.room.is_empty()
            && settings.calls_per_second == 0.0
            && (settings.requests_per_source == 0.0 || self.limited(source).is_none())
    }

    /// The address of a source that has a limit.
    fn limited(&self, source: Origin<'_>) -> Option<IpAddr> {
        source
            .ip()
            .filter(|&address| !self.unlimited.contain(address))
    }

    /// Take one of the answers of this second; false when there is none left.
    fn has_answer(&mut self, now: f64) -> bool {
        if now - self.answers.0 >= 1.0 {
            self.answers = (now, self.settings.refusals_per_second);
        }
        let has_one = self.answers.1 > 0;
        self.answers.1 -= u32::from(has_one);
        has_one
    }

    pub(super) fn forget_flow(&mut self, flow: u64) {
        self.room.forget_flow(flow);
    }

    pub(super) fn items(&self) -> [(&'static str, u64); 12] {
        let all = &self.refusals;
        [
            ("waiting", self.room.len() as u64),
            ("sources", self.sources.len() as u64),
            ("waited", all.waited),
            ("refused_by_load", all.by_load),
            ("refused_by_rate", all.by_rate),
            ("refused_by_calls", all.by_calls),
            ("refused_by_source", all.by_source),
            ("refused_strangers", all.strangers),
            ("refusals_answered", all.answered),
            ("refusals_dropped", all.dropped),
            ("refusals_acknowledged", all.acknowledged),
            ("bans", all.bans),
        ]
    }
}

/// A new request at the door.
struct Caller<'a> {
    flow: u64,
    data: &'a [u8],
    branch: &'a [u8],
    key: u128,
    source: Origin<'a>,
    now: f64,
}

impl SipCore {
    /// Set the limits at the door.
    pub fn set_door(&mut self, settings: DoorSettings) {
        self.door.settings = settings;
        self.door.calls = Bucket::full(settings.calls_per_second, f64::NEG_INFINITY);
        self.door.strangers = Bucket::full(settings.strangers_per_second, f64::NEG_INFINITY);
    }

    /// Name the networks, by address and prefix length, whose sources have no limit of their own.
    pub fn exempt_sources(&mut self, networks: &[(IpAddr, u8)]) {
        self.door.unlimited = Networks::new(networks);
    }

    /// Want no new calls, or want them again.
    pub fn shut_door(&mut self, is_shut: bool) {
        self.door.is_shut = is_shut;
    }

    /// How many new requests wait for a turn.
    pub fn waiting(&self) -> usize {
        self.door.room.len()
    }

    /// Begin a turn: take in what has waited, as much as a turn takes.
    pub fn admit(&mut self, now: f64) -> Vec<Event> {
        let mut events = Vec::new();
        let delay = self.door.room.oldest().map_or(0.0, |since| now - since);
        let settings = self.door.settings;
        self.door.turns.begin(now, delay, &settings);
        while let Some(since) = self.door.room.oldest() {
            let is_late = now - since > settings.waiting_seconds;
            if !is_late && !self.door.turns.take() {
                break;
            }
            let Some(waiting) = self.door.room.pop() else {
                break;
            };
            if is_late || self.door.is_shut {
                self.refuse_waiting(&waiting, is_late, now);
            } else {
                self.let_in(&waiting, now, &mut events);
            }
        }
        events
    }

    /// Whether a message comes in; if not, all that is due has been done.
    pub(super) fn comes_in(
        &mut self,
        flow: u64,
        data: &[u8],
        source: Origin<'_>,
        now: f64,
        events: &mut Vec<Event>,
    ) -> bool {
        match scan::kind(data) {
            Kind::Other => true,
            Kind::Ack => now > self.door.marked_until || !self.absorb_ack(data),
            Kind::Cancel => {
                if !self.door.room.is_empty() {
                    self.hurry(data, now, events);
                }
                true
            }
            Kind::New => {
                self.door.turns.renew(now, self.door.room.is_empty());
                let comes = (self.door.is_wide_open(source) && self.door.turns.take())
                    || self.is_admitted(flow, data, source, now);
                self.loss.admitted += u64::from(comes);
                comes
            }
        }
    }

    /// Drop the ACK for a refusal.
    fn absorb_ack(&mut self, data: &[u8]) -> bool {
        let is_ours = scan::glance(data)
            .is_some_and(|glance| scan::tag(glance.to).starts_with(self.door.mark.as_bytes()));
        self.door.refusals.acknowledged += u64::from(is_ours);
        is_ours
    }

    /// A CANCEL for what waits: the INVITE comes in first, so that there is something to cancel.
    fn hurry(&mut self, data: &[u8], now: f64, events: &mut Vec<Event>) {
        let key = scan::glance(data).and_then(|glance| self.key_of(data, &glance, b"INVITE"));
        let waiting = key.and_then(|(key, _)| self.door.room.take(key));
        if let Some(waiting) = waiting {
            self.let_in(&waiting, now, events);
        }
    }

    fn is_admitted(&mut self, flow: u64, data: &[u8], source: Origin<'_>, now: f64) -> bool {
        let Some(glance) = scan::glance(data) else {
            // Not even a Via and a To: the parser says what is wrong, while there is time for it.
            return self.is_idle_turn() || !self.drop_silently(Cause::Load);
        };
        if !scan::tag(glance.to).is_empty() {
            return true;
        }
        let space = data.iter().position(|&byte| byte == b' ').unwrap_or(0);
        let Some((key, branch)) = self.key_of(data, &glance, &data[..space]) else {
            return self.is_idle_turn() || !self.drop_silently(Cause::Load);
        };
        if self.servers.contains_key(&key) {
            return true;
        }
        if self.door.room.holds(key) {
            self.counters.absorbed += 1;
            return false;
        }
        let caller = Caller {
            flow,
            data,
            branch,
            key,
            source,
            now,
        };
        self.judge(&caller)
    }

    /// Whether there is time for what cannot be told apart from its bytes.
    fn is_idle_turn(&mut self) -> bool {
        self.door.room.is_empty() && self.door.turns.take()
    }

    /// The limits in turn; a request that none of them touches comes in, waits or is too much.
    fn judge(&mut self, caller: &Caller<'_>) -> bool {
        let (door, now) = (&mut self.door, caller.now);
        let settings = door.settings;
        if settings.requests_per_source > 0.0 && !self.is_source_fine(caller) {
            return false;
        }
        let door = &mut self.door;
        let is_call = caller.data.starts_with(b"INVITE");
        if is_call && door.is_shut {
            return self.refuse(caller, Cause::Calls);
        }
        let has_turn = door.room.is_empty() && door.turns.take();
        let customer = caller.source.ip().map_or(0, customer);
        let is_full = !has_turn && door.room.len() >= door.turns.room(&settings, now);
        let mut loser = None;
        if is_full {
            door.turns.extend(now);
            loser = door.room.place_for(customer);
            if loser.is_none() {
                return self.refuse(caller, Cause::Load);
            }
        }
        let rate = settings.calls_per_second;
        if is_call && rate > 0.0 && !door.calls.take(rate, now) {
            return self.refuse(caller, Cause::Rate);
        }
        if has_turn {
            return true;
        }
        // Nobody loses a place to a caller that does not come in.
        if let Some(guest) = loser.and_then(|loser| door.room.take_last_of(loser)) {
            self.refuse_waiting(&guest, true, now);
        }
        let door = &mut self.door;
        door.refusals.waited += 1;
        door.room.push(Waiting {
            key: caller.key,
            customer,
            flow: caller.flow,
            data: caller.data.into(),
            source: caller.source.address(),
            since: now,
        });
        false
    }

    fn is_source_fine(&mut self, caller: &Caller<'_>) -> bool {
        let settings = &self.door.settings;
        let limit = SourceLimit {
            rate: settings.requests_per_source,
            ban: settings.source_ban,
            capacity: settings.sources,
        };
        let Some(address) = self.door.limited(caller.source) else {
            return true;
        };
        match self.door.sources.judge(address, limit, caller.now) {
            Standing::Fine => true,
            Standing::Exceeds => {
                self.door.refusals.bans += 1;
                self.refuse(caller, Cause::Source)
            }
            Standing::Banned => !self.drop_silently(Cause::Source),
        }
    }

    fn let_in(&mut self, waiting: &Waiting, now: f64, events: &mut Vec<Event>) {
        self.loss.admitted += 1;
        let source = Origin::Known(&waiting.source);
        self.take_message(waiting.flow, &waiting.data, source, now, events);
    }

    /// The key of a request's server transaction and its branch, as the parser would find them.
    fn key_of<'a>(
        &self,
        data: &'a [u8],
        glance: &Glance<'a>,
        method: &[u8],
    ) -> Option<(u128, &'a [u8])> {
        let plain = scan::via_key(glance.via);
        if let Some((sent_by, branch)) = plain
            && let Some(key) = server_key_of(&self.hash, branch, sent_by, method)
        {
            return Some((key, branch));
        }
        // A branch without the cookie, or quotes in the Via: rare enough for the whole grammar.
        let message = Message::read(data).ok()?;
        let key = server_key(&self.hash, &message, method, &message.top_via()?);
        Some((key, plain.map_or(b"", |(_, branch)| branch)))
    }
}
