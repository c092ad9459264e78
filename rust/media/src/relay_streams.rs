//! Ways to relays over TCP and TLS (RFC 8656 §3.1): one thread that turns streams into datagrams.
//!
//! A session and its shard know datagrams only. A relay over a stream is to them a relay on this
//! machine: a socket here takes its messages and writes them into the stream, and what the stream
//! brings comes from there. The thread exists once a program has such a relay.

mod stream;
mod tls;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::{TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use crate::MediaError;
use crate::engine::lock;
use crate::shard;
use stream::Stream;

pub use tls::TrustedRoots;

const WAKE: Token = Token(usize::MAX);
const EVENTS: usize = 256;

/// How a relay is reached.
#[derive(Debug, Clone)]
pub enum RelayWay {
    /// In datagrams.
    Udp,
    /// In a stream.
    Tcp,
    /// In a stream under TLS, whose certificate must have this name or address.
    Tls(String, TrustedRoots),
}

enum Command {
    Open(SocketAddr, Box<Stream>),
    End(SocketAddr),
    Stop,
}

struct Running {
    commands: Arc<Mutex<Vec<Command>>>,
    waker: Arc<Waker>,
    thread: JoinHandle<()>,
}

/// All streams of an engine, by the session's socket that leads to each.
#[derive(Default)]
pub(crate) struct RelayStreams {
    running: Mutex<Option<Running>>,
}

impl RelayStreams {
    /// Begins to connect; returns where the relay is to the socket `local` of a session.
    ///
    /// # Errors
    /// `MediaError::System` when sockets or a thread cannot be had, `MediaError::Argument` for a
    /// name that no certificate could have.
    pub(crate) fn open(
        &self,
        local: SocketAddr,
        server: SocketAddr,
        way: &RelayWay,
    ) -> Result<SocketAddr, MediaError> {
        let system = |error| MediaError::system("a stream to a relay", error);
        let tls = match way {
            RelayWay::Tls(name, roots) => Some(Box::new(roots.begin(name)?)),
            RelayWay::Tcp | RelayWay::Udp => None,
        };
        let inside = UdpSocket::bind(SocketAddr::new(local.ip(), 0)).map_err(system)?;
        inside.connect(local).map_err(system)?;
        let here = inside.local_addr().map_err(system)?;
        let outside = TcpStream::connect(server).map_err(system)?;
        let stream = Stream::new(shard::now(), (inside, outside), tls);
        self.command(Command::Open(local, Box::new(stream)))?;
        Ok(here)
    }

    /// Ends the stream that a socket led to, if it led to one.
    pub(crate) fn end(&self, local: SocketAddr) {
        if let Some(running) = &*lock(&self.running) {
            running.tell(Command::End(local));
        }
    }

    fn command(&self, command: Command) -> Result<(), MediaError> {
        let mut running = lock(&self.running);
        let running = match &mut *running {
            Some(running) => running,
            empty => empty.insert(Running::start()?),
        };
        running.tell(command);
        Ok(())
    }
}

impl Drop for RelayStreams {
    fn drop(&mut self) {
        if let Some(running) = lock(&self.running).take() {
            running.tell(Command::Stop);
            // A panic in it has ended it already.
            let _ = running.thread.join();
        }
    }
}

impl Running {
    fn start() -> Result<Self, MediaError> {
        let system = |error| MediaError::system("the thread of relays", error);
        let poll = Poll::new().map_err(system)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(system)?);
        let commands: Arc<Mutex<Vec<Command>>> = Arc::default();
        let mut work = Work {
            poll,
            commands: Arc::clone(&commands),
            streams: HashMap::new(),
            next: 0,
        };
        let thread = std::thread::Builder::new()
            .name("trivox-relays".to_owned())
            .spawn(move || while work.turn() {})
            .map_err(system)?;
        Ok(Self {
            commands,
            waker,
            thread,
        })
    }

    fn tell(&self, command: Command) {
        lock(&self.commands).push(command);
        // Without it the thread reads the command with its next event.
        let _ = self.waker.wake();
    }
}

struct Work {
    poll: Poll,
    commands: Arc<Mutex<Vec<Command>>>,
    streams: HashMap<usize, (SocketAddr, Box<Stream>)>,
    next: usize,
}

impl Work {
    /// Waits for something to do and does it; false at the end.
    fn turn(&mut self) -> bool {
        let deadlines = self.streams.values().filter_map(|(_, one)| one.deadline());
        let wait = deadlines.min().map(|at| {
            let left = at.saturating_duration_since(shard::now());
            left + Duration::from_millis(1)
        });
        let mut events = Events::with_capacity(EVENTS);
        if let Err(error) = self.poll.poll(&mut events, wait)
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            return false;
        }
        let now = shard::now();
        let mut ready: Vec<usize> = events.iter().map(|event| event.token().0 / 2).collect();
        let commands = std::mem::take(&mut *lock(&self.commands));
        for command in commands {
            match command {
                Command::Open(local, stream) => ready.extend(self.add(local, stream)),
                Command::End(local) => ready.extend(self.close(now, local)),
                Command::Stop => return false,
            }
        }
        let late = self.streams.iter();
        let late = late.filter(|(_, (_, one))| one.deadline().is_some_and(|at| at <= now));
        ready.extend(late.map(|(number, _)| *number));
        for number in ready {
            self.serve(now, number);
        }
        true
    }

    fn add(&mut self, local: SocketAddr, mut stream: Box<Stream>) -> Option<usize> {
        let number = self.next;
        self.next += 1;
        let registry = self.poll.registry();
        // Without it nothing comes of the stream: its relay does not answer.
        register(registry, number, &mut stream).ok()?;
        self.streams.insert(number, (local, stream));
        Some(number)
    }

    fn close(&mut self, now: Instant, local: SocketAddr) -> Option<usize> {
        let mut streams = self.streams.iter_mut();
        let (number, (_, stream)) = streams.find(|(_, (known, _))| *known == local)?;
        stream.close(now);
        Some(*number)
    }

    fn serve(&mut self, now: Instant, number: usize) {
        let Some((_, stream)) = self.streams.get_mut(&number) else {
            return;
        };
        if !stream.turn(now) {
            self.streams.remove(&number);
        }
    }
}

fn register(registry: &Registry, number: usize, stream: &mut Stream) -> std::io::Result<()> {
    let both = Interest::READABLE | Interest::WRITABLE;
    registry.register(&mut stream.inside, Token(number * 2), Interest::READABLE)?;
    registry.register(&mut stream.outside, Token(number * 2 + 1), both)
}
