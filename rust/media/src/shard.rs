//! A thread with its sessions, sockets and timers. The only file that reads the clock.
//!
//! With few sessions it wakes on each arrival, for latency. From some fifty on, and while
//! sessions come and go quickly, it sleeps to a grid of 2 ms and then takes all that has come, which
//! saves a wake-up a packet. Receiving has a budget
//! a turn, so that a flood cannot keep sessions from sending.
//!
//! What changes from outside says when it is due; the thread is woken only if it would sleep past
//! that moment, so that a call set up and ended costs one wake-up or none.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};

use crate::bound::{BoundSocket, Owner};
use crate::error::MediaError;
use crate::event::EventRing;
use crate::inbox::{Change, Inbox};
use crate::intake::{self, Intake};
use crate::recordings::Recordings;
use crate::room::RoomSlot;
use crate::slot::Slot;
use crate::socket::Socket;
use crate::timers::Timers;
use crate::wake::Wake;
pub(crate) use neighbours::Neighbours;

mod neighbours;
mod serve;

/// From this many sessions on a shard wakes on the grid instead of on each arrival.
const GRID_SESSIONS: usize = 50;
/// So many changes lately, each turn counting half of the one after it, put it on the grid too.
const GRID_CHANGES: usize = 8;
const GRID: Duration = Duration::from_millis(2);
/// Datagrams read in a turn before sessions get their time again.
const RECEIVE_BUDGET: usize = 2048;
/// Datagrams read from one socket before the next one has its turn.
const SOCKET_BUDGET: usize = 256;
/// A session that asks for the past is not asked again sooner than this.
const LEAST_WAIT: Duration = Duration::from_millis(1);
/// How often the writer is asked for files that are complete.
const WRITER_POLL: Duration = Duration::from_millis(20);
/// Without anything due the thread looks around after so long.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);
const WAKE: Token = Token(usize::MAX);

/// Reads the monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock"
)]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Never before `now`: a session may ask for a moment in the past, but not for ever.
pub(crate) fn not_before(deadline: Option<Instant>, now: Instant) -> Option<Instant> {
    deadline.map(|deadline| {
        if deadline > now {
            deadline
        } else {
            now + LEAST_WAIT
        }
    })
}

/// What a thread and those who ask something of it share.
struct Shared {
    inbox: Mutex<Inbox>,
    wake: Wake,
    registry: Registry,
    next_token: AtomicUsize,
    unrouted: AtomicU64,
}

/// The handle of a shard's thread.
pub(crate) struct Shard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Shard {
    /// Starts the thread.
    pub(crate) fn start(
        number: usize,
        ring: Arc<EventRing>,
        recordings: Arc<Recordings>,
        neighbours: Arc<Neighbours>,
    ) -> Result<Self, MediaError> {
        let fault = |error| MediaError::system("cannot start a media thread", error);
        let poll = Poll::new().map_err(fault)?;
        let wake = Wake::new()?;
        let registry = poll.registry().try_clone().map_err(fault)?;
        registry
            .register(&mut SourceFd(&wake.descriptor()), WAKE, Interest::READABLE)
            .map_err(fault)?;
        let shared = Arc::new(Shared {
            inbox: Mutex::default(),
            wake,
            registry,
            next_token: AtomicUsize::new(0),
            unrouted: AtomicU64::new(0),
        });
        neighbours.add(Arc::downgrade(&shared));
        let worker = Worker {
            neighbours,
            ..Worker::new(Arc::clone(&shared), ring, recordings, poll)
        };
        let thread = std::thread::Builder::new()
            .name(format!("trivox-media-{number}"))
            .spawn(move || worker.run())
            .map_err(fault)?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Takes a socket in; it is read from now on.
    pub(crate) fn add_socket(
        &self,
        socket: Socket,
        owner: Owner,
    ) -> Result<Arc<BoundSocket>, MediaError> {
        let token = Token(self.shared.next_token.fetch_add(1, Ordering::Relaxed));
        let descriptor: RawFd = socket.descriptor();
        let bound = Arc::new(BoundSocket {
            token,
            socket,
            owner,
        });
        // First the thread must know the token, then events of it may come.
        self.change(Change::Socket(token, Arc::downgrade(&bound)), None);
        let registry = &self.shared.registry;
        match registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE) {
            Ok(()) => Ok(bound),
            Err(error) => {
                self.change(Change::SocketGone(token), None);
                Err(MediaError::system("cannot watch a media socket", error))
            }
        }
    }

    /// Forgets a socket; it closes, and is watched no more, with the last reference to it.
    pub(crate) fn remove_socket(&self, bound: &BoundSocket) {
        self.change(Change::SocketGone(bound.token), None);
    }

    pub(crate) fn add_session(&self, slot: Arc<Slot>) {
        self.change(Change::Session(slot), None);
    }

    pub(crate) fn add_room(&self, slot: Arc<RoomSlot>) {
        self.change(Change::Room(slot), None);
    }

    pub(crate) fn remove_session(&self, id: u64) {
        self.change(Change::SessionGone(id), None);
    }

    /// Has a session served when its deadline comes. A sleeping thread is woken if it would be
    /// later than it is on the grid.
    pub(crate) fn schedule(&self, id: u64, deadline: Instant) {
        self.change(Change::Due(id, deadline), Some(deadline.max(now() + GRID)));
    }

    /// Has a session served soon, after a command. Many commands at once make one change.
    pub(crate) fn touch(&self, slot: &Slot) {
        if !slot.touch() {
            self.change(Change::Touched(slot.id), Some(now()));
        }
    }

    /// Datagrams that were for no session.
    pub(crate) fn unrouted(&self) -> u64 {
        self.shared.unrouted.load(Ordering::Relaxed)
    }

    fn change(&self, change: Change, due: Option<Instant>) {
        self.shared.change(change, due);
    }
}

impl Shared {
    /// Hands a change to the thread, and wakes it if it would sleep past the moment it is due.
    fn change(&self, change: Change, due: Option<Instant>) {
        let mut inbox = self.inbox();
        if inbox.put(change, due) {
            self.wake.signal();
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox
            .lock()
            .expect("nothing panics holding the changes")
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.change(Change::Stop, Some(now()));
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed where it happened.
            let _ = thread.join();
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    ring: Arc<EventRing>,
    recordings: Arc<Recordings>,
    neighbours: Arc<Neighbours>,
    poll: Poll,
    sockets: HashMap<Token, Weak<BoundSocket>>,
    sessions: HashMap<u64, Arc<Slot>>,
    rooms: HashMap<u64, Arc<RoomSlot>>,
    timers: Timers,
    /// Sockets that may hold more than a turn's budget let us read.
    unread: Vec<Token>,
    touched: Vec<u64>,
    recent_changes: usize,
    is_stopping: bool,
}

impl Worker {
    fn new(
        shared: Arc<Shared>,
        ring: Arc<EventRing>,
        recordings: Arc<Recordings>,
        poll: Poll,
    ) -> Self {
        Self {
            shared,
            ring,
            recordings,
            neighbours: Arc::default(),
            poll,
            sockets: HashMap::new(),
            sessions: HashMap::new(),
            rooms: HashMap::new(),
            timers: Timers::default(),
            unread: Vec::new(),
            touched: Vec::new(),
            recent_changes: 0,
            is_stopping: false,
        }
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        let mut intake = Intake::new();
        while !self.is_stopping {
            self.wait(&mut events);
            self.apply_changes();
            self.unread.extend(
                events
                    .iter()
                    .map(|event| event.token())
                    .filter(|t| *t != WAKE),
            );
            self.receive(&mut intake);
            self.serve();
            if self.recordings.active() > 0 {
                self.recordings.poll(&self.ring);
            }
        }
    }

    fn wait(&mut self, events: &mut Events) {
        let now = now();
        let mut until = self.timers.next().unwrap_or(now + LONGEST_SLEEP);
        if self.recordings.active() > 0 {
            // The writer has no way to wake us when a file is complete.
            until = until.min(now + WRITER_POLL);
        }
        if !self.unread.is_empty() {
            until = now;
        }
        let is_on_grid =
            self.sessions.len() >= GRID_SESSIONS || self.recent_changes >= GRID_CHANGES;
        // On the grid nobody need wake us: changes are taken together, as datagrams are.
        let until = self.shared.inbox().sleep(now, until, !is_on_grid);
        let mut wait = until.saturating_duration_since(now);
        if is_on_grid && !wait.is_zero() {
            // Past what is due before: hundreds of sessions would each want a moment of their own.
            self.shared.wake.wait(GRID);
            wait = Duration::ZERO;
        }
        // Interrupted or not: what is ready shows in the events.
        let _ = self.poll.poll(events, Some(wait));
    }

    fn apply_changes(&mut self) {
        let changes = {
            let mut inbox = self.shared.inbox();
            let (changes, is_signalled) = inbox.take();
            if is_signalled {
                self.shared.wake.clear();
            }
            changes
        };
        self.recent_changes = self.recent_changes / 2 + changes.len();
        for change in changes {
            match change {
                Change::Socket(token, socket) => drop(self.sockets.insert(token, socket)),
                Change::SocketGone(token) => drop(self.sockets.remove(&token)),
                Change::Session(slot) => drop(self.sessions.insert(slot.id, slot)),
                Change::Room(slot) => drop(self.rooms.insert(slot.id, slot)),
                Change::SessionGone(id) => {
                    self.sessions.remove(&id);
                    self.rooms.remove(&id);
                    self.timers.set(id, None);
                }
                Change::Touched(id) => {
                    if let Some(slot) = self.sessions.get(&id) {
                        slot.clear_touched();
                        self.touched.push(id);
                    }
                }
                Change::Due(id, deadline) => {
                    if self.sessions.contains_key(&id) || self.rooms.contains_key(&id) {
                        self.timers.set(id, Some(deadline));
                    }
                }
                Change::Stop => self.is_stopping = true,
            }
        }
    }

    fn receive(&mut self, intake: &mut Intake) {
        let mut budget = RECEIVE_BUDGET;
        let now = now();
        for token in std::mem::take(&mut self.unread) {
            let Some(socket) = self.sockets.get(&token).and_then(Weak::upgrade) else {
                continue;
            };
            let most = match socket.owner {
                Owner::Session(_) => intake::FEW,
                Owner::Shared(_) => intake::MANY,
            };
            let mut left = SOCKET_BUDGET.min(budget);
            budget -= left;
            let is_drained = loop {
                let room = most.min(left);
                if room == 0 {
                    break false;
                }
                let count = intake.receive(&socket.socket, room, |from, data| {
                    self.deliver(now, &socket, from, data);
                });
                left -= count;
                if count < room {
                    break true;
                }
            };
            if !is_drained {
                self.unread.push(token);
            }
            budget += left;
        }
    }

    fn deliver(&mut self, now: Instant, socket: &BoundSocket, from: SocketAddr, data: &[u8]) {
        let local = socket.local();
        let owner = match &socket.owner {
            Owner::Session(id) => Some(*id),
            Owner::Shared(_) => socket
                .mux()
                .and_then(|mut mux| mux.route(local, from, data)),
        };
        let Some(slot) = owner.and_then(|id| self.sessions.get(&id)) else {
            self.shared.unrouted.fetch_add(1, Ordering::Relaxed);
            return;
        };
        slot.run(|session| session.input(now, local, from, data));
        if self.touched.last() != Some(&slot.id) {
            self.touched.push(slot.id);
        }
    }
}
