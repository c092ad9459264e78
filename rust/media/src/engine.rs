//! All sessions of a process: on shards with threads and sockets, or driven in virtual time.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::MediaError;
use crate::driven::Driven;
use crate::event::{Event, EventRing};
use crate::link::LinkSettings;
use crate::live::Live;
use crate::random::Random;
use crate::recordings::Recordings;
use crate::session::offer_answer::DescriptionKind;
use crate::session::port::Frame;
use crate::session::{Session, SessionSettings, Value};
use crate::shard;
use crate::slot::Slot;
pub use crate::socket::PortRange;
use crate::transport::Identity;

/// Events that may wait; enough for a second of 10,000 calls setting up at once.
const EVENTS: usize = 65_536;

/// What an engine is made with.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Seeds SSRCs, schedules, ports and the link; not keys.
    pub seed: Vec<u8>,
    /// Shards.
    pub threads: usize,
    /// Virtual time, no threads.
    pub is_driven: bool,
    /// The time of the program's clock at creation, seconds.
    pub now: f64,
    /// Ports for plain RTP; (0, 0) lets the system choose.
    pub ports: PortRange,
}

/// What is alive in an engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub sessions: usize,
    pub sockets: usize,
    pub playbacks: usize,
    pub recordings: usize,
    pub ports: usize,
    pub events_waiting: usize,
    pub events_lost: u64,
}

pub(crate) enum Mode {
    Live(Live),
    Driven(Mutex<Driven>),
}

/// The media engine.
///
/// A driven one is stepped by its owner: after every command sleep until `next_deadline`, call
/// `advance` with the time, then `drain`.
pub struct Engine {
    /// Declared first: threads end before what they use.
    mode: Mode,
    sessions: Mutex<BTreeMap<u64, Arc<Slot>>>,
    ports: Mutex<HashMap<u64, u64>>,
    ring: Arc<EventRing>,
    recordings: Arc<Recordings>,
    identity: Arc<Identity>,
    random: Mutex<Random>,
    next_number: AtomicU64,
    origin: Instant,
    start: f64,
}

impl Engine {
    /// Makes an engine and starts its threads.
    ///
    /// # Errors
    /// `MediaError::System` when threads or descriptors cannot be had.
    pub fn new(settings: &EngineSettings) -> Result<Self, MediaError> {
        let seed = Random::seed_of(&settings.seed);
        let ring = Arc::new(EventRing::new(EVENTS, !settings.is_driven)?);
        let recordings = Arc::new(Recordings::new(settings.is_driven)?);
        let origin = shard::now();
        let mode = if settings.is_driven {
            Mode::Driven(Mutex::new(Driven::new(origin, seed)))
        } else {
            let threads = settings.threads.clamp(1, 256);
            Mode::Live(Live::start(
                threads,
                settings.ports,
                seed,
                &ring,
                &recordings,
            )?)
        };
        Ok(Self {
            mode,
            sessions: Mutex::default(),
            ports: Mutex::default(),
            ring,
            recordings,
            identity: Arc::new(Identity::generate()?),
            random: Mutex::new(Random::new(seed)),
            next_number: AtomicU64::new(1),
            origin,
            start: settings.now,
        })
    }

    /// The descriptor that is readable while events wait; -1 when driven.
    pub fn event_descriptor(&self) -> i32 {
        self.ring.descriptor()
    }

    /// Takes up to `limit` events.
    pub fn drain(&self, limit: usize) -> Vec<Event> {
        self.ring.drain(limit)
    }

    /// Opens a session; sockets are bound with its first description.
    ///
    /// # Errors
    /// `MediaError::Argument` for settings no session can have.
    pub fn open_session(
        &self,
        settings: SessionSettings,
        addresses: Vec<IpAddr>,
    ) -> Result<u64, MediaError> {
        let is_usable = |address: &IpAddr| !address.is_unspecified();
        if addresses.is_empty() || !addresses.iter().all(is_usable) || settings.codecs.is_empty() {
            return Err(MediaError::Argument(
                "a session needs a codec and local addresses, none of them a wildcard".to_owned(),
            ));
        }
        if !(1..=120).contains(&settings.ptime_ms) {
            return Err(MediaError::Argument("ptime is from 1 to 120 ms".to_owned()));
        }
        let id = self.number();
        let random = Random::new(lock(&self.random).bits());
        let session = Session::new(id, settings, Arc::clone(&self.identity), self.now(), random);
        let slot = Arc::new(Slot::new(id, addresses, session));
        lock(&self.sessions).insert(id, Arc::clone(&slot));
        match &self.mode {
            Mode::Live(live) => live.add_session(slot),
            Mode::Driven(driven) => lock(driven).add_session(slot),
        }
        Ok(id)
    }

    /// Writes an offer.
    ///
    /// # Errors
    /// `MediaError::System` when no port is free, `MediaError::State` out of turn.
    pub fn create_offer(&self, session: u64, ice_restart: bool) -> Result<String, MediaError> {
        self.attach(session, true)?;
        let offer = self.command(session, |session, _| session.create_offer(ice_restart))?;
        self.register_ufrags(session)?;
        Ok(offer)
    }

    /// Takes a description of the peer.
    ///
    /// # Errors
    /// `MediaError::Negotiation` when both sides do not fit.
    pub fn set_remote(
        &self,
        session: u64,
        sdp: &str,
        kind: DescriptionKind,
        dialog: &str,
    ) -> Result<(), MediaError> {
        self.attach(session, false)?;
        self.command(session, |session, now| {
            session.set_remote(now, sdp, kind, dialog)
        })?;
        self.register_ufrags(session)
    }

    /// Writes the answer to the offer set before.
    ///
    /// # Errors
    /// `MediaError::State` when there is none.
    pub fn create_answer(&self, session: u64) -> Result<String, MediaError> {
        self.command(session, |session, now| session.create_answer(now))
    }

    /// Ends a session; an ended one is ignored.
    pub fn close_session(&self, session: u64) {
        let Some(slot) = lock(&self.sessions).remove(&session) else {
            return;
        };
        lock(&self.ports).retain(|_, owner| *owner != session);
        let now = self.now();
        slot.run(|session| session.close(now));
        match &self.mode {
            Mode::Live(live) => live.end_session(&slot),
            Mode::Driven(driven) => lock(driven).end_session(&slot),
        }
        self.recordings.poll(&self.ring);
    }

    /// Runs a command of a session and has the session served.
    ///
    /// # Errors
    /// What the command returns, or `MediaError::Unknown`.
    pub fn command<R>(
        &self,
        session: u64,
        run: impl FnOnce(&mut Session, Instant) -> Result<R, MediaError>,
    ) -> Result<R, MediaError> {
        let slot = self.slot(session)?;
        let now = self.now();
        let result = slot.command(|session| run(session, now));
        match &self.mode {
            Mode::Live(live) => live.touch(session),
            Mode::Driven(driven) => lock(driven).serve(&slot, &self.ring),
        }
        result
    }

    /// Starts a recording; see `Session::start_recording`.
    ///
    /// # Errors
    /// `MediaError::File` when the file cannot be created.
    pub fn start_recording(
        &self,
        session: u64,
        path: &Path,
        side: &str,
    ) -> Result<u64, MediaError> {
        self.command(session, |open, now| {
            let start =
                |writer: &crate::recorder::Writer| open.start_recording(now, path, side, writer);
            self.recordings.start(session, start)
        })
    }

    /// Ends a recording; returns its seconds.
    ///
    /// # Errors
    /// `MediaError::Unknown` when it has ended.
    pub fn stop_recording(&self, session: u64, recording: u64) -> Result<f64, MediaError> {
        let seconds = self.command(session, |session, now| {
            session.stop_recording(now, recording)
        })?;
        self.recordings.poll(&self.ring);
        Ok(seconds)
    }

    /// Opens an audio port; see `Session::open_audio`.
    ///
    /// # Errors
    /// `MediaError::Argument` for figures out of range.
    pub fn open_audio(
        &self,
        session: u64,
        rate_hz: u32,
        frame_ms: u32,
        batch: usize,
    ) -> Result<u64, MediaError> {
        let port = self.number();
        self.command(session, |open, _| {
            open.open_audio(port, rate_hz, frame_ms, batch)
        })?;
        lock(&self.ports).insert(port, session);
        Ok(port)
    }

    /// Closes an audio port; a closed one is ignored.
    pub fn close_audio(&self, port: u64) {
        let Some(session) = lock(&self.ports).remove(&port) else {
            return;
        };
        // A session that has ended has closed its ports.
        let _ = self.command(session, |session, _| {
            session.close_audio(port);
            Ok(())
        });
    }

    /// Runs a command on the session of an audio port, which is not served for it.
    ///
    /// # Errors
    /// `MediaError::Unknown` for a closed port, or what the command returns.
    pub fn on_port<R>(
        &self,
        port: u64,
        run: impl FnOnce(&mut Session) -> Result<R, MediaError>,
    ) -> Result<R, MediaError> {
        let owner = lock(&self.ports).get(&port).copied();
        let session = owner.ok_or(MediaError::Unknown {
            kind: "audio port",
            number: port,
        })?;
        self.slot(session)?.command(run)
    }

    /// Takes frames of an audio port; none of a closed one.
    pub fn take_frames(&self, port: u64, limit: usize) -> Vec<Frame> {
        self.on_port(port, |session| Ok(session.take_frames(port, limit)))
            .unwrap_or_default()
    }

    /// A session's statistics.
    ///
    /// # Errors
    /// `MediaError::Unknown` when it has ended.
    pub fn statistics(&self, session: u64) -> Result<Vec<(&'static str, Value)>, MediaError> {
        self.slot(session)?
            .command(|session| Ok(session.statistics()))
    }

    /// What is alive.
    pub fn counts(&self) -> Counts {
        let slots: Vec<_> = lock(&self.sessions).values().cloned().collect();
        let mut counts = Counts {
            sessions: slots.len(),
            sockets: match &self.mode {
                Mode::Live(live) => live.sockets(),
                Mode::Driven(driven) => lock(driven).sockets(),
            },
            recordings: self.recordings.active(),
            ..Counts::default()
        };
        for slot in slots {
            let (playbacks, ports, _) = slot
                .command(|session| Ok(session.counts()))
                .unwrap_or_default();
            counts.playbacks += playbacks;
            counts.ports += ports;
        }
        (counts.events_waiting, counts.events_lost) = self.ring.counts();
        counts
    }

    /// Ends all sessions and joins the threads; commands fail from here on.
    pub fn close(&self) {
        let ids: Vec<_> = lock(&self.sessions).keys().copied().collect();
        for id in ids {
            self.close_session(id);
        }
        if let Mode::Live(live) = &self.mode {
            live.stop();
        }
        self.recordings.finish(&self.ring);
    }

    /// Sets the link of a driven engine.
    pub fn set_link(&self, settings: LinkSettings) {
        if let Mode::Driven(driven) = &self.mode {
            lock(driven).set_link(settings);
        }
    }

    /// When a driven engine wants to be advanced, seconds of the program's clock.
    pub fn next_deadline(&self) -> Option<f64> {
        let Mode::Driven(driven) = &self.mode else {
            return None;
        };
        if self.ring.counts().0 > 0 {
            return Some(self.seconds(self.now()));
        }
        let deadline = lock(driven).next_deadline()?;
        Some(self.seconds(deadline))
    }

    /// Lets all happen in a driven engine that is due by `now`, seconds of the program's clock.
    pub fn advance(&self, now: f64) {
        if let Mode::Driven(driven) = &self.mode {
            let moment = self.origin + since(self.start, now);
            lock(driven).advance(moment, &self.ring);
            self.recordings.poll(&self.ring);
        }
    }

    /// To whole microseconds, upwards: a program that waits until then has waited long enough.
    fn seconds(&self, moment: Instant) -> f64 {
        let nanoseconds = moment.saturating_duration_since(self.origin).as_nanos();
        self.start + nanoseconds.div_ceil(1000) as f64 / 1e6
    }

    fn now(&self) -> Instant {
        match &self.mode {
            Mode::Live(_) => shard::now(),
            Mode::Driven(driven) => lock(driven).now(),
        }
    }

    fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    fn slot(&self, session: u64) -> Result<Arc<Slot>, MediaError> {
        let slot = lock(&self.sessions).get(&session).cloned();
        slot.ok_or(MediaError::Unknown {
            kind: "session",
            number: session,
        })
    }

    /// Binds sockets before the first description. Browser calls we answer share a port; one we
    /// offer has its own, since all peers behind one address would look alike on a shared one.
    fn attach(&self, session: u64, is_offer: bool) -> Result<(), MediaError> {
        let slot = self.slot(session)?;
        let kind =
            slot.command(|open| Ok(open.needs_sockets().then_some(open.transport_kind())))?;
        let Some(kind) = kind else { return Ok(()) };
        let locals: Vec<SocketAddr> = match &self.mode {
            Mode::Live(live) => live.bind(&slot, kind, is_offer)?,
            Mode::Driven(driven) => lock(driven).bind(&slot, kind),
        };
        let now = self.now();
        slot.command(|session| session.attach(now, &locals))
    }

    fn register_ufrags(&self, session: u64) -> Result<(), MediaError> {
        if let Mode::Live(live) = &self.mode {
            let slot = self.slot(session)?;
            let ufrags = slot.command(|session| Ok(session.ufrags()))?;
            live.register_ufrags(&slot, &ufrags);
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

fn since(start: f64, now: f64) -> Duration {
    Duration::from_micros(((now - start).max(0.0) * 1e6).round() as u64)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("panics of sessions are caught inside their slots")
}
