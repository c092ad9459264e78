//! A room: members hear each other and not themselves.
//!
//! It ticks every 20 ms on one shard. Members run on theirs, decode there, and exchange frames
//! with the room by their seats. Whoever is silent hears the sum of all who are heard, which is
//! encoded once a codec; whoever is heard gets a sum without itself, and encodes it by itself.

mod activity;
mod member;
mod mix;
pub(crate) mod seat;
mod slot;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use activity::Floor;
use member::Member;
pub use member::MemberSettings;
pub(crate) use slot::RoomSlot;

use crate::MediaError;
use crate::event::{Event, EventKind};
use crate::fan::Fan;
use crate::recorder::Recorder;
use seat::{Mixed, Seat};

/// Members of one room. Beyond, mixing alone takes a tenth of a core.
const MOST_MEMBERS: usize = 1000;
const FRAME: Duration = Duration::from_millis(20);
/// Beyond this much behind, the grid starts anew instead of catching up.
const LONGEST_STALL: Duration = Duration::from_millis(200);
const LEAST_RATE_HZ: u32 = 8_000;

/// Members, and what they hear.
pub(crate) struct Room {
    id: u64,
    members: BTreeMap<u64, Member>,
    rate_hz: u32,
    next_tick: Option<Instant>,
    floor: Floor,
    fan: Fan,
    sum: Vec<i32>,
    recordings: BTreeMap<u64, Recorder>,
    events: Vec<Event>,
}

impl Room {
    pub(crate) fn new(id: u64) -> Self {
        Self {
            id,
            members: BTreeMap::new(),
            rate_hz: LEAST_RATE_HZ,
            next_tick: None,
            floor: Floor::default(),
            fan: Fan::default(),
            sum: Vec::new(),
            recordings: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// Gives a session a seat.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        session: u64,
        seat: Arc<Seat>,
        settings: MemberSettings,
    ) -> Result<(), MediaError> {
        settings.check()?;
        self.members.retain(|_, member| !member.seat.is_closed());
        if self.members.len() >= MOST_MEMBERS {
            return Err(MediaError::Full(
                "the room has 1000 members: open another one".to_owned(),
            ));
        }
        self.members.insert(session, Member::new(seat, settings));
        self.next_tick.get_or_insert(now);
        Ok(())
    }

    /// Changes how a member is heard and what it hears.
    pub(crate) fn set(&mut self, session: u64, settings: MemberSettings) -> Result<(), MediaError> {
        settings.check()?;
        let member = self.members.get_mut(&session).ok_or(MediaError::Unknown {
            kind: "member",
            number: session,
        })?;
        member.settings = settings;
        Ok(())
    }

    pub(crate) fn remove(&mut self, session: u64) {
        if let Some(member) = self.members.remove(&session) {
            member.seat.close();
        }
    }

    pub(crate) fn add_recording(&mut self, recorder: Recorder) {
        self.recordings.insert(recorder.number(), recorder);
    }

    pub(crate) fn take_recording(&mut self, recording: u64) -> Result<Recorder, MediaError> {
        let taken = self.recordings.remove(&recording);
        taken.ok_or(MediaError::Unknown {
            kind: "recording",
            number: recording,
        })
    }

    /// (members, frames dropped between them and the room).
    pub(crate) fn counts(&self) -> (usize, u64) {
        let present = self.members.values().filter(|one| !one.seat.is_closed());
        let dropped = self.members.values().map(|one| one.seat.dropped()).sum();
        (present.count(), dropped)
    }

    /// Ends it: all seats are left, recordings given back.
    pub(crate) fn close(&mut self) -> Vec<Recorder> {
        for member in std::mem::take(&mut self.members).into_values() {
            member.seat.close();
        }
        self.next_tick = None;
        std::mem::take(&mut self.recordings).into_values().collect()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.next_tick
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Lets 20 ms happen for each time they are due.
    pub(crate) fn tick(&mut self, now: Instant) {
        while let Some(due) = self.next_tick.filter(|due| *due <= now) {
            let is_stalled = now.saturating_duration_since(due) > LONGEST_STALL;
            self.next_tick = Some(if is_stalled { now } else { due } + FRAME);
            self.members.retain(|_, member| !member.seat.is_closed());
            self.frame(now);
            if self.members.is_empty() {
                self.next_tick = None;
            }
        }
    }

    fn frame(&mut self, now: Instant) {
        let wanted = self.members.values_mut().map(Member::take).max();
        let rate_hz = wanted.unwrap_or(LEAST_RATE_HZ).max(LEAST_RATE_HZ);
        self.rate_hz = rate_hz;
        let samples = (rate_hz / 50) as usize;
        self.sum.clear();
        self.sum.resize(samples, 0);
        for member in self.members.values_mut() {
            member.prepare(rate_hz);
            if member.is_in_sum() {
                mix::add(&mut self.sum, &member.frame);
            }
        }
        let all: Arc<[i16]> = mix::limited(self.sum.iter().copied()).into();
        for recorder in self.recordings.values_mut() {
            recorder.push_received(now, rate_hz, &all);
        }
        self.fan.push(rate_hz, all);
        self.hand_out();
        self.watch_floor();
    }

    /// Leaves each member what it is to hear.
    fn hand_out(&mut self) {
        let whispers: Vec<(u64, u64)> = self
            .members
            .iter()
            .filter(|(_, member)| member.is_heard)
            .filter_map(|(number, member)| Some((member.settings.whispers_to?, *number)))
            .collect();
        for (number, member) in &self.members {
            if member.settings.is_deaf {
                continue;
            }
            let mut to_it = whispers.iter().filter(|(to, _)| to == number).peekable();
            if !member.is_in_sum() && to_it.peek().is_none() {
                let wants = member.wants;
                let payload = wants
                    .encoding
                    .and_then(|encoding| Some((encoding, self.fan.payload(encoding)?)));
                let rate_hz = payload
                    .as_ref()
                    .map_or(self.rate_hz, |(own, _)| own.codec.sample_rate_hz());
                let samples = self.fan.samples(rate_hz);
                member.seat.put(Mixed {
                    rate_hz,
                    samples,
                    payload,
                });
                continue;
            }
            let mut own = self.sum.clone();
            if member.is_in_sum() {
                mix::subtract(&mut own, &member.frame);
            }
            for (_, from) in to_it {
                if let Some(from) = self.members.get(from) {
                    mix::add(&mut own, &from.frame);
                }
            }
            member.seat.put(Mixed {
                rate_hz: self.rate_hz,
                samples: mix::limited(own.into_iter()).into(),
                payload: None,
            });
        }
    }

    fn watch_floor(&mut self) {
        let heard = self
            .members
            .iter()
            .filter(|(_, member)| member.is_in_sum())
            .map(|(number, member)| (*number, &member.activity));
        if let Some(speaker) = self.floor.push(heard) {
            self.events.push(Event {
                session: self.id,
                kind: EventKind::ActiveSpeaker,
                number: speaker.unwrap_or(0) as f64,
                text: String::new(),
            });
        }
    }
}
