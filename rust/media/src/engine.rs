//! All sessions of a process: on shards with threads and sockets, or driven in virtual time.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crate::MediaError;
use crate::driven::Driven;
use crate::event::{Event, EventRing};
use crate::live::Live;
use crate::player::FileReader;
use crate::random::Random;
use crate::recordings::Recordings;
use crate::room::RoomSlot;
use crate::room::seat::Seat;
use crate::session::offer_answer::DescriptionKind;
use crate::session::streams::Figures;
use crate::session::{Session, SessionSettings, TransportKind};
use crate::shard;
use crate::slot::Slot;
pub use crate::socket::PortRange;
use crate::transport::Identity;
use crate::watch::Sample;
use bridge::Bridge;
pub use counts::Counts;

mod audio;
mod bridge;
mod components;
mod counts;
pub mod gathering;
pub mod rooms;
mod stepping;
mod taps;
mod transports;
mod trickle;
mod video;
mod video_layers;
mod video_recording;

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

/// A session's figures, those of its streams, and one sample for each of its last seconds.
pub type SessionReport = (Figures, Vec<Figures>, Vec<Sample>);

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
    /// Pushes of video, by the sessions they feed.
    video_pushes: Mutex<HashMap<u64, u64>>,
    bridges: Mutex<HashMap<u64, Bridge>>,
    rooms: Mutex<HashMap<u64, Arc<RoomSlot>>>,
    /// The last seat of each session that had one.
    seats: Mutex<HashMap<u64, Arc<Seat>>>,
    ring: Arc<EventRing>,
    recordings: Arc<Recordings>,
    /// Reads files that play; None when driven, where they are read as they play.
    reader: Option<FileReader>,
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
    /// `MediaError::System` when threads or descriptors cannot be had, `MediaError::Argument` for
    /// ports that hold no pair.
    pub fn new(settings: &EngineSettings) -> Result<Self, MediaError> {
        settings.ports.check()?;
        let seed = Random::seed_of(&settings.seed);
        let ring = Arc::new(EventRing::new(EVENTS, !settings.is_driven)?);
        let recordings = Arc::new(Recordings::new(settings.is_driven)?);
        let reader = (!settings.is_driven)
            .then(FileReader::start)
            .transpose()
            .map_err(|error| MediaError::system("starting the reader of files", error))?;
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
            video_pushes: Mutex::default(),
            bridges: Mutex::default(),
            rooms: Mutex::default(),
            seats: Mutex::default(),
            ring,
            recordings,
            reader,
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
        self.attach_lines(session)?;
        let offer = self.describe(session, |session, now| {
            session.create_offer(now, ice_restart)
        })?;
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
        self.describe(session, |session, now| {
            session.set_remote(now, sdp, kind, dialog)
        })?;
        self.release_idle(session)?;
        self.register_ufrags(session)
    }

    /// Writes the answer to the offer set before.
    ///
    /// # Errors
    /// `MediaError::State` when there is none.
    pub fn create_answer(&self, session: u64) -> Result<String, MediaError> {
        self.attach_lines(session)?;
        let answer = self.describe(session, |session, now| session.create_answer(now))?;
        self.release_idle(session)?;
        self.register_ufrags(session)?;
        Ok(answer)
    }

    /// Ends a session; an ended one is ignored.
    pub fn close_session(&self, session: u64) {
        let Some(slot) = lock(&self.sessions).remove(&session) else {
            return;
        };
        lock(&self.ports).retain(|_, owner| *owner != session);
        lock(&self.video_pushes).retain(|_, owner| *owner != session);
        self.close_bridges_of(session);
        if let Some(seat) = lock(&self.seats).remove(&session) {
            seat.close();
        }
        let now = self.now();
        let recorders = slot.command(|session| Ok(session.close(now)));
        for recorder in recorders.unwrap_or_default() {
            recorder.stop(now);
        }
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
            Mode::Live(live) => live.touch(&slot),
            Mode::Driven(driven) => lock(driven).serve(&slot, &self.ring),
        }
        result
    }

    /// Runs a command that gives or takes a description; what comes of it is done here and now, as
    /// far as it waits for no time, so that the session's thread need not wake up for it.
    fn describe<R>(
        &self,
        session: u64,
        run: impl FnOnce(&mut Session, Instant) -> Result<R, MediaError>,
    ) -> Result<R, MediaError> {
        let Mode::Live(live) = &self.mode else {
            return self.command(session, run);
        };
        let slot = self.slot(session)?;
        let now = self.now();
        let mut kind = TransportKind::Ice;
        let result = slot.command(|session| {
            kind = session.transport_kind();
            run(session, now)
        });
        match kind {
            // Its agent acts in its own turn.
            TransportKind::Ice => live.touch(&slot),
            _ => live.serve(&slot, &self.ring),
        }
        result
    }

    /// A session's statistics and its last seconds.
    ///
    /// # Errors
    /// `MediaError::Unknown` when it has ended.
    pub fn report(&self, session: u64) -> Result<SessionReport, MediaError> {
        self.slot(session)?
            .command(|open| Ok((open.statistics(), open.streams(), open.history())))
    }

    /// A session's statistics.
    ///
    /// # Errors
    /// `MediaError::Unknown` when it has ended.
    pub fn statistics(&self, session: u64) -> Result<Figures, MediaError> {
        self.slot(session)?
            .command(|session| Ok(session.statistics()))
    }

    /// Ends all sessions and joins the threads; commands fail from here on.
    pub fn close(&self) {
        let ids: Vec<_> = lock(&self.sessions).keys().copied().collect();
        for id in ids {
            self.close_session(id);
        }
        let rooms: Vec<_> = lock(&self.rooms).keys().copied().collect();
        for id in rooms {
            self.close_room(id);
        }
        if let Mode::Live(live) = &self.mode {
            live.stop();
        }
        if let Some(reader) = &self.reader {
            reader.stop();
        }
        self.recordings.finish(&self.ring);
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
        let is_by_relays = slot.command(|open| Ok(open.is_by_relays()))?;
        let locals: Vec<SocketAddr> = match &self.mode {
            _ if is_by_relays => Vec::new(),
            Mode::Live(live) => live.bind(&slot, kind, is_offer)?,
            Mode::Driven(driven) => lock(driven).bind(&slot, kind),
        };
        let now = self.now();
        slot.command(|session| session.attach(now, &locals))
    }

    fn register_ufrags(&self, session: u64) -> Result<(), MediaError> {
        if let Mode::Live(live) = &self.mode {
            let slot = self.slot(session)?;
            let (ufrags, path) = slot.command(|session| Ok((session.ufrags(), session.path())))?;
            live.register_ufrags(&slot, &ufrags, path);
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("panics of sessions are caught inside their slots")
}
