//! One way to a relay: messages on the inside, a stream on the outside.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::net::{TcpStream, UdpSocket};
use rustls::ClientConnection;

use crate::socket::DATAGRAM_BYTES;
use crate::transport::relay::{Framing, STREAM_OVER};

/// How long connecting may take, and the last words when it ends.
const CONNECT: Duration = Duration::from_secs(5);
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Octets that wait to leave; more is lost, as on any full line.
const MOST_WAITING: usize = 65_536;
const CHUNK: usize = 16_384;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Open,
    /// Nobody is inside any more; what is left is sent.
    Closing,
}

/// Why it is over; told inside.
type Over = String;

/// The two sockets and what lies between them.
pub(super) struct Stream {
    pub(super) inside: UdpSocket,
    pub(super) outside: TcpStream,
    tls: Option<Box<ClientConnection>>,
    state: State,
    until: Instant,
    framing: Framing,
    waiting: Vec<u8>,
    /// The session has sent something: it listens.
    is_heard: bool,
    /// What it is told once it listens.
    over: Option<Over>,
}

impl Stream {
    pub(super) fn new(
        now: Instant,
        (inside, outside): (UdpSocket, TcpStream),
        tls: Option<Box<ClientConnection>>,
    ) -> Self {
        Self {
            inside,
            outside,
            tls,
            state: State::Connecting,
            until: now + CONNECT,
            framing: Framing::default(),
            waiting: Vec::new(),
            is_heard: false,
            over: None,
        }
    }

    /// When it is over unless something comes; None while it is in use.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.state != State::Open).then_some(self.until)
    }

    /// The session has let go: what it said last still leaves.
    pub(super) fn close(&mut self, now: Instant) {
        self.state = State::Closing;
        self.until = now + LAST_WORDS;
        self.take_inside();
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
    }

    /// Does all that can be done now; false when it is over.
    pub(super) fn turn(&mut self, now: Instant) -> bool {
        if self.over.is_none() {
            match self.go_on(now) {
                Ok(is_alive) => return is_alive,
                Err(over) => self.over = Some(over),
            }
            let _ = self.outside.shutdown(Shutdown::Both);
            self.state = State::Closing;
            self.until = now + CONNECT;
        }
        self.take_inside();
        if !self.is_heard {
            return now < self.until;
        }
        let mut words = vec![STREAM_OVER];
        words.extend(self.over.iter().flat_map(|over| over.bytes()));
        // Inside nobody may be left to hear it.
        let _ = self.inside.send(&words);
        false
    }

    fn go_on(&mut self, now: Instant) -> Result<bool, Over> {
        if self.state == State::Connecting && !self.is_connected(now)? {
            return Ok(true);
        }
        self.take_outside()?;
        self.take_inside();
        self.send_outside()?;
        if self.state != State::Closing {
            return Ok(true);
        }
        let is_empty =
            self.waiting.is_empty() && !self.tls.as_ref().is_some_and(|tls| tls.wants_write());
        if is_empty || now >= self.until {
            let _ = self.outside.shutdown(Shutdown::Both);
            return Ok(false);
        }
        Ok(true)
    }

    fn is_connected(&mut self, now: Instant) -> Result<bool, Over> {
        if let Ok(Some(error)) | Err(error) = self.outside.take_error() {
            return Err(format!("it cannot be connected to: {error}"));
        }
        if self.outside.peer_addr().is_err() {
            return if now >= self.until {
                Err("it cannot be connected to within 5 s".to_owned())
            } else {
                Ok(false)
            };
        }
        // Audio waits for nothing; a system that knows no better sends all the same.
        let _ = self.outside.set_nodelay(true);
        self.state = State::Open;
        Ok(true)
    }

    fn take_outside(&mut self) -> Result<(), Over> {
        let mut chunk = [0; CHUNK];
        loop {
            let count = match self.read_some(&mut chunk) {
                Ok(0) => return Err("it has closed the connection".to_owned()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("the connection broke: {error}")),
            };
            self.framing.push(&chunk[..count]);
            let wrong = |_| "it speaks something else than TURN".to_owned();
            while let Some(message) = self.framing.next_untrusted().map_err(wrong)? {
                if message.len() <= DATAGRAM_BYTES {
                    // Inside it is a datagram: a full socket loses it.
                    let _ = self.inside.send(&message);
                }
            }
        }
    }

    /// Reads what is meant for us, through TLS where there is TLS.
    fn read_some(&mut self, chunk: &mut [u8]) -> std::io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.outside.read(chunk);
        };
        loop {
            match tls.reader().read(chunk) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(&mut self.outside)? == 0 {
                return Ok(0);
            }
            let read = tls.process_new_packets().map_err(std::io::Error::other);
            if read.is_err() {
                // The alert says why, to those who run the relay.
                let _ = tls.write_tls(&mut self.outside);
            }
            read?;
        }
    }

    fn take_inside(&mut self) {
        let mut chunk = [0; DATAGRAM_BYTES];
        while let Ok(count) = self.inside.recv(&mut chunk) {
            let data = &chunk[..count];
            self.is_heard = true;
            match &mut self.tls {
                // Its own limit of what may wait cuts nothing in two: see below.
                Some(tls) if self.waiting.is_empty() => {
                    let written = tls.writer().write(data).unwrap_or(0);
                    self.waiting.extend_from_slice(&data[written..]);
                }
                _ if self.waiting.len() + count <= MOST_WAITING => {
                    self.waiting.extend_from_slice(data);
                }
                _ => {}
            }
        }
    }

    fn send_outside(&mut self) -> Result<(), Over> {
        let broke = |error: std::io::Error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(()),
            _ => Err(format!("the connection broke: {error}")),
        };
        let Some(tls) = &mut self.tls else {
            while !self.waiting.is_empty() {
                match self.outside.write(&self.waiting) {
                    Ok(count) => drop(self.waiting.drain(..count)),
                    Err(error) => return broke(error),
                }
            }
            return Ok(());
        };
        loop {
            while tls.wants_write() {
                if let Err(error) = tls.write_tls(&mut self.outside) {
                    return broke(error);
                }
            }
            if self.waiting.is_empty() {
                return Ok(());
            }
            let written = tls.writer().write(&self.waiting).unwrap_or(0);
            self.waiting.drain(..written);
            if written == 0 {
                return Ok(());
            }
        }
    }
}
