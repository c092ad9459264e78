//! SCTP over DTLS for data channels (RFC 8261, RFC 8831): streams of messages between two ends.
//!
//! Sans-I/O, and around the association of `rtc`: packets, `now` and messages go in; packets,
//! events and messages come out. After every call that changes something, take `poll_transmit` and
//! `poll_event` until both are empty.

mod clock;
mod guard;
mod limits;
mod packet;
mod repeats;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use rtc::sctp::{
    AssociationHandle, ClientConfig, DatagramEvent, Endpoint, Event, Payload, StreamEvent,
};

use clock::Clock;
use guard::{Guard, SINK};
use limits::{endpoint, limits};
use packet::{INIT, Packet};
use repeats::Repeats;
pub use streams::{Content, Message, Reliability};

/// The one SCTP port there is; DTLS does what ports are for.
pub const PORT: u16 = 5000;
/// Streams each way; a channel is one of each.
pub const MOST_STREAMS: u16 = 1024;
/// The longest message, each way.
pub const LONGEST_MESSAGE: usize = 256 * 1024;
/// Bytes of messages that may wait to be read.
const WINDOW: u32 = 512 * 1024;
/// The association has one far end, whatever its address.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// What an association reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SctpEvent {
    /// Messages may be sent.
    Connected,
    /// The far end has reset a stream that we have something queued on; `Reset` comes when that has
    /// arrived.
    Resetting(u16),
    /// The far end has reset a stream: all it sent on it before has been read.
    Reset(u16),
    /// The association is dead; the sentence says why.
    Lost(&'static str),
}

/// One association.
pub struct Association {
    endpoint: Endpoint,
    handle: AssociationHandle,
    inner: Option<rtc::sctp::Association>,
    clock: Clock,
    guard: Guard,
    repeats: Repeats,
    is_client: bool,
    is_connected: bool,
    is_over: bool,
    /// The far end's INIT, and our answer to it.
    init: Option<(Packet, Option<Packet>)>,
    readable: BTreeSet<u16>,
    /// A reset of the far end's that waits until all of ours on those streams has arrived.
    held: Option<Packet>,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<SctpEvent>,
}

impl Association {
    /// Begins one; the client, which DTLS knows too, says INIT.
    #[must_use]
    pub fn new(now: Instant, is_client: bool) -> Self {
        let mut association = Self {
            endpoint: endpoint(is_client),
            handle: AssociationHandle(0),
            inner: None,
            clock: Clock::new(now),
            guard: Guard::default(),
            repeats: Repeats::default(),
            is_client,
            is_connected: false,
            is_over: false,
            init: None,
            readable: BTreeSet::new(),
            held: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        if is_client {
            let config = ClientConfig::new(limits());
            // Nothing can refuse the first one to an address with a port.
            if let Ok((handle, inner)) = association.endpoint.connect(now, config, PEER) {
                association.handle = handle;
                association.inner = Some(inner);
            }
        }
        association.settle(now);
        association
    }

    /// Takes one packet of the far end.
    pub fn handle_packet(&mut self, now: Instant, bytes: &[u8]) {
        if self.is_over {
            return;
        }
        if let Some(answer) = self.guard.answer_again(bytes) {
            self.transmits.push_back(answer.write());
        }
        let Some(packet) = self.guard.admit_untrusted(bytes) else {
            self.judge(now);
            return;
        };
        self.repeats.note_received(&packet);
        if packet.chunks[0].kind() == INIT && !self.takes_init(&packet) {
            return;
        }
        if self.must_wait(&packet) {
            self.held = Some(packet);
            return;
        }
        self.give(now, &packet);
        self.settle(now);
        self.judge(now);
    }

    /// Whether a packet resets a stream that something of ours is still queued on. The association
    /// would reset its half at once and send the rest behind, which no far end can read any more.
    fn must_wait(&mut self, packet: &Packet) -> bool {
        let streams = Guard::asked(packet);
        let mut is_waiting = false;
        for stream in streams {
            if self.unsent(stream) > 0 {
                is_waiting = true;
                self.events.push_back(SctpEvent::Resetting(stream));
            }
        }
        is_waiting
    }

    /// Gives the association a reset that had to wait.
    fn give_held(&mut self, now: Instant) {
        let streams = self.held.as_ref().map(Guard::asked).unwrap_or_default();
        if streams.iter().any(|stream| self.unsent(*stream) > 0) {
            return;
        }
        if let Some(packet) = self.held.take() {
            self.give(now, &packet);
            self.settle(now);
        }
    }

    /// Whether an INIT begins something; one that comes again is answered as before.
    fn takes_init(&mut self, packet: &Packet) -> bool {
        if let Some((known, answer)) = &self.init
            && known == packet
        {
            self.transmits.extend(answer.iter().map(Packet::write));
            return false;
        }
        // A browser says it too when we are the client: ours is answered.
        if self.is_client || self.is_connected {
            return false;
        }
        self.guard = Guard::default();
        self.guard
            .begin(packet.chunks[0].number(12).unwrap_or_default());
        self.endpoint = endpoint(false);
        self.inner = None;
        self.init = Some((packet.clone(), None));
        true
    }

    fn give(&mut self, now: Instant, packet: &Packet) {
        let bytes = packet.write().into();
        let told = self.clock.told(now);
        let Some((handle, event)) = self.endpoint.handle(told, PEER, None, bytes) else {
            return;
        };
        match event {
            DatagramEvent::NewAssociation(inner) => {
                self.handle = handle;
                self.inner = Some(inner);
            }
            DatagramEvent::AssociationEvent(event) if handle == self.handle => {
                if let Some(inner) = &mut self.inner {
                    inner.handle_event(event);
                }
            }
            _ => {}
        }
    }

    /// Takes what the association has to send and to say.
    fn settle(&mut self, now: Instant) {
        self.take_events();
        self.empty_sink(now);
        self.take_packets(now);
        for stream in self.guard.take_resets() {
            self.readable.remove(&stream);
            self.events.push_back(SctpEvent::Reset(stream));
        }
        let began = self.is_connected || self.is_client;
        let is_closed = self.inner.as_ref().is_some_and(|inner| inner.is_closed());
        if is_closed && began || self.is_over {
            self.end("the far end has ended the data channels' association");
        }
        let due = self.inner.as_ref().and_then(|inner| inner.poll_timeout());
        self.clock.follow(now, due);
        if self.held.is_some() {
            self.give_held(now);
        }
    }

    fn take_events(&mut self) {
        let Some(inner) = &mut self.inner else {
            return;
        };
        while let Some(event) = inner.poll() {
            match event {
                Event::Connected => {
                    self.is_connected = true;
                    self.events.push_back(SctpEvent::Connected);
                }
                Event::HandshakeFailed { .. } => self.is_over = true,
                Event::Stream(StreamEvent::Opened { .. }) => {
                    // Without this it would be announced for ever.
                    inner.accept_stream();
                }
                Event::Stream(StreamEvent::Readable { id }) => {
                    self.readable.insert(id);
                }
                _ => {}
            }
        }
    }

    fn take_packets(&mut self, now: Instant) {
        let Some(inner) = &mut self.inner else {
            return;
        };
        while let Some(message) = inner.poll_transmit(self.clock.told(now)) {
            let Payload::RawEncode(packets) = message.message else {
                continue;
            };
            for bytes in packets {
                if let Some(packet) = Packet::read_untrusted(&bytes) {
                    self.guard.note_sent(&packet);
                    self.repeats.note_sent(now, &packet);
                    if let Some((_, answer @ None)) = &mut self.init {
                        *answer = Some(packet);
                    }
                }
                self.transmits.push_back(bytes.into());
            }
        }
    }

    fn empty_sink(&mut self, now: Instant) {
        if self.readable.contains(&SINK) {
            while self.read(now, SINK).is_some() {}
        }
    }

    /// Ends what can never go on: so much waits that nothing more is taken, and none can be read.
    fn judge(&mut self, now: Instant) {
        if !self.guard.is_overfull() || !self.readable.is_empty() {
            return;
        }
        if let Some(ask) = self.guard.ask() {
            self.give(now, &ask);
            self.settle(now);
        }
        if self.guard.is_overfull() {
            self.abort(now);
            self.end("the far end sends a message that has no end");
        }
    }

    fn end(&mut self, reason: &'static str) {
        if self.inner.take().is_some() {
            self.is_over = true;
            self.readable.clear();
            self.events.push_back(SctpEvent::Lost(reason));
        }
    }

    fn abort(&mut self, now: Instant) {
        if let Some(inner) = &mut self.inner {
            // It has nothing to refuse: it is dropped either way.
            inner.abort().ok();
            while let Some(message) = inner.poll_transmit(self.clock.told(now)) {
                if let Payload::RawEncode(packets) = message.message {
                    self.transmits.extend(packets.into_iter().map(Into::into));
                }
            }
        }
    }

    /// Ends it: an ABORT is queued, as a browser does it.
    pub fn close(&mut self, now: Instant) {
        self.abort(now);
        self.inner = None;
        self.is_over = true;
        self.events.clear();
    }

    /// Lets timers that are due act; harmless when called early.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some(inner) = &mut self.inner else {
            return;
        };
        self.clock.wake(now);
        inner.handle_timeout(self.clock.told(now));
        for packet in self.repeats.take_due(now) {
            self.transmits.push_back(packet.write());
        }
        self.settle(now);
    }

    /// When `handle_timeout` wants to be called; may lie in the past.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.inner.as_ref()?;
        let all = [self.clock.deadline(), self.repeats.next_deadline()];
        all.into_iter().flatten().min()
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<SctpEvent> {
        self.events.pop_front()
    }

    /// Whether messages may be sent.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.is_connected && !self.is_over
    }

    /// Whether nothing is sent or received any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Chunks and packets of the far end that were passed over.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.guard.refused
    }
}
