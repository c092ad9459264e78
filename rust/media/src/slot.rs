//! A session behind its lock, with a wall that keeps a panic from harming others.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crate::bound::BoundSocket;
use crate::engine::gathering::Gathering;
use crate::error::MediaError;
use crate::event::{Event, EventKind};
use crate::session::Session;
use crate::transport::Transmit;

/// One session and what the engine holds for it.
pub(crate) struct Slot {
    /// The session's number.
    pub(crate) id: u64,
    /// The hosts it may be bound on.
    pub(crate) addresses: Vec<IpAddr>,
    guarded: Mutex<Guarded>,
    is_touched: AtomicBool,
}

struct Guarded {
    session: Session,
    sockets: Vec<Arc<BoundSocket>>,
    fault: Option<String>,
    is_fault_reported: bool,
    gathering: Option<Gathering>,
}

/// What a session wants done after it has run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) transmits: Vec<Transmit>,
    pub(crate) events: Vec<Event>,
    pub(crate) deadline: Option<Instant>,
    /// Sessions it has left something for.
    pub(crate) wakes: Vec<u64>,
}

impl Slot {
    pub(crate) fn new(id: u64, addresses: Vec<IpAddr>, session: Session) -> Self {
        let guarded = Guarded {
            session,
            sockets: Vec::new(),
            fault: None,
            is_fault_reported: false,
            gathering: None,
        };
        Self {
            id,
            addresses,
            guarded: Mutex::new(guarded),
            is_touched: AtomicBool::new(false),
        }
    }

    /// Notes that the shard is to serve it; true when that was noted already.
    pub(crate) fn touch(&self) -> bool {
        self.is_touched.swap(true, Ordering::AcqRel)
    }

    /// Notes that the shard is about to serve it.
    pub(crate) fn clear_touched(&self) {
        self.is_touched.store(false, Ordering::Release);
    }

    /// Keeps what servers were asked, for lines that come later.
    pub(crate) fn remember(&self, gathering: &Gathering) {
        self.lock().gathering = Some(gathering.clone());
    }

    /// What servers were asked last.
    pub(crate) fn gathering(&self) -> Option<Gathering> {
        self.lock().gathering.clone()
    }

    /// Runs a command. A panic in it ends this session alone.
    pub(crate) fn command<R>(
        &self,
        run: impl FnOnce(&mut Session) -> Result<R, MediaError>,
    ) -> Result<R, MediaError> {
        let mut guarded = self.lock();
        if let Some(fault) = &guarded.fault {
            return Err(MediaError::Fault(fault.clone()));
        }
        match catch_unwind(AssertUnwindSafe(|| run(&mut guarded.session))) {
            Ok(result) => result,
            Err(panic) => {
                let fault = sentence(panic.as_ref());
                guarded.fault = Some(fault.clone());
                Err(MediaError::Fault(fault))
            }
        }
    }

    /// Lets a session take input or time; what goes wrong is told by `collect`.
    pub(crate) fn run(&self, run: impl FnOnce(&mut Session)) {
        // The error is kept in the slot and becomes an event.
        let _ = self.command(|session| {
            run(session);
            Ok(())
        });
    }

    /// Takes all that the session wants done.
    pub(crate) fn collect(&self) -> Outcome {
        let collected = self.command(|session| {
            let mut outcome = Outcome::default();
            while let Some(transmit) = session.poll_transmit() {
                outcome.transmits.push(transmit);
            }
            while let Some(event) = session.poll_event() {
                outcome.events.push(event);
            }
            while let Some(woken) = session.poll_video_wake() {
                outcome.wakes.push(woken);
            }
            outcome.deadline = session.next_deadline();
            outcome.wakes.extend(session.poll_wake());
            Ok(outcome)
        });
        collected.unwrap_or_else(|error| self.report_fault(&error))
    }

    fn report_fault(&self, error: &MediaError) -> Outcome {
        let mut outcome = Outcome::default();
        let mut guarded = self.lock();
        if !std::mem::replace(&mut guarded.is_fault_reported, true) {
            let (session, kind) = (self.id, EventKind::Failed);
            outcome.events.push(Event {
                session,
                kind,
                number: 0.0,
                text: error.to_string(),
            });
        }
        outcome
    }

    /// Gives the session sockets of its own or a share in one.
    pub(crate) fn add_sockets(&self, sockets: impl IntoIterator<Item = Arc<BoundSocket>>) {
        self.lock().sockets.extend(sockets);
    }

    /// Its socket bound to that address.
    pub(crate) fn socket(&self, local: std::net::SocketAddr) -> Option<Arc<BoundSocket>> {
        self.lock()
            .sockets
            .iter()
            .find(|socket| socket.local() == local)
            .cloned()
    }

    /// Takes one of its sockets from it.
    pub(crate) fn drop_socket(&self, local: std::net::SocketAddr) -> Option<Arc<BoundSocket>> {
        let mut guarded = self.lock();
        let place = guarded
            .sockets
            .iter()
            .position(|socket| socket.local() == local)?;
        Some(guarded.sockets.swap_remove(place))
    }

    /// The address of ours that a server is asked from.
    pub(crate) fn address_towards(
        &self,
        server: std::net::SocketAddr,
    ) -> Result<IpAddr, MediaError> {
        let mut fitting = self.addresses.iter();
        fitting
            .find(|own| own.is_ipv4() == server.is_ipv4())
            .copied()
            .ok_or_else(|| {
                MediaError::Argument(format!("there is no address to reach {server} from"))
            })
    }

    /// All of its sockets.
    pub(crate) fn sockets(&self) -> Vec<Arc<BoundSocket>> {
        self.lock().sockets.clone()
    }

    /// Takes its sockets from it.
    pub(crate) fn take_sockets(&self) -> Vec<Arc<BoundSocket>> {
        std::mem::take(&mut self.lock().sockets)
    }

    fn lock(&self) -> MutexGuard<'_, Guarded> {
        self.guarded
            .lock()
            .expect("panics are caught while the lock is held")
    }
}

fn sentence(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}
