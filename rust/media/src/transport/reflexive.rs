//! The address others see a socket of ours by, asked of a STUN server (RFC 8489 §2, RFC 8445 §5.1.1.2).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Transmit;
use super::relay::{self, Answer, StunReceived};

/// First wait for an answer; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const MOST_SENDS: u32 = 4;
/// How often the way is kept open until ICE has found one (RFC 8445 §11).
const KEEP_ALIVE: Duration = Duration::from_secs(15);

enum State {
    Asking { sends: u32, due: Instant },
    Known { mapped: SocketAddr, due: Instant },
    Over,
}

/// One question from one socket to one server.
pub struct Reflexive {
    local: SocketAddr,
    server: SocketAddr,
    id: [u8; 12],
    request: Vec<u8>,
    state: State,
    transmits: VecDeque<Vec<u8>>,
}

impl Reflexive {
    /// Asks.
    pub fn new(now: Instant, local: SocketAddr, server: SocketAddr) -> Self {
        let (id, request) = relay::binding_request();
        Self {
            local,
            server,
            id,
            transmits: VecDeque::from([request.clone()]),
            request,
            state: State::Asking {
                sends: 1,
                due: now + FIRST_WAIT,
            },
        }
    }

    /// The socket that asks.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// What the server said.
    pub fn mapped(&self) -> Option<SocketAddr> {
        match self.state {
            State::Known { mapped, .. } => Some(mapped),
            State::Asking { .. } | State::Over => None,
        }
    }

    /// Whether an answer is waited for.
    pub fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking { .. })
    }

    /// Takes a datagram if it answers the question; false leaves it to others.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
    ) -> bool {
        if (local, from) != (self.local, self.server) || !self.is_asking() {
            return false;
        }
        match relay::read_untrusted(data) {
            Some(StunReceived::Answer(id, answer)) if id == self.id => {
                self.state = match answer {
                    Answer::Success(granted) => {
                        granted.mapped.map_or(State::Over, |mapped| State::Known {
                            mapped,
                            due: now + KEEP_ALIVE,
                        })
                    }
                    Answer::Refused(_) => State::Over,
                };
                true
            }
            _ => false,
        }
    }

    /// ICE has found a way: nothing is kept open any more.
    pub fn finish(&mut self) {
        self.state = State::Over;
    }

    /// When `handle_timeout` wants to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Asking { due, .. } | State::Known { due, .. } => Some(due),
            State::Over => None,
        }
    }

    /// Asks again, gives up, or keeps the way open; harmless when called early.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Asking { sends, due } if *due <= now => {
                if *sends == MOST_SENDS {
                    self.state = State::Over;
                    return;
                }
                *due = now + FIRST_WAIT * 2_u32.pow(*sends);
                *sends += 1;
                self.transmits.push_back(self.request.clone());
            }
            State::Known { due, .. } if *due <= now => {
                *due = now + KEEP_ALIVE;
                self.transmits.push_back(relay::keep_alive());
            }
            _ => {}
        }
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let (local, to) = (self.local, self.server);
        let data = self.transmits.pop_front()?;
        Some(Transmit { local, to, data })
    }
}
