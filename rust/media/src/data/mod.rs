//! The data channels of a call (RFC 8831): messages between two programs, beside the media.
//!
//! Sans-I/O. After every call that changes something, take `poll_transmit` and `poll_event` until
//! both are empty, then come again with a packet or at `next_deadline`.

mod channel;
pub mod dcep;
mod facts;
mod receiving;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use crate::MediaError;
use crate::event::EventKind;
use crate::transport::sctp::{Association, Content, LONGEST_MESSAGE, MOST_STREAMS, Message};
use channel::Channel;
pub use channel::{Input, State, step};
use dcep::{ChannelSettings, Control};
pub use facts::ChannelFacts;

/// Channels of a call at a time, those counted that are closed and not looked at.
pub const MOST_CHANNELS: usize = 64;
/// The longest name of a channel or of what is spoken on it.
pub const LONGEST_NAME: usize = 1024;
/// Bytes that are queued for the far end, of all channels.
const MOST_UNSENT: usize = 1024 * 1024;
/// When the program is told that there is room again.
const LOW: usize = 256 * 1024;

/// An event: what it is, the channel, and a text.
pub type DataEvent = (EventKind, u64, String);

/// All data channels of one call.
#[derive(Default)]
pub struct Data {
    association: Option<Association>,
    channels: BTreeMap<u64, Channel>,
    last_number: u64,
    /// The next stream of ours; none is used twice, so that nothing late comes to another channel.
    next_stream: u16,
    /// We are the DTLS client: even streams are ours (RFC 8832 §6).
    is_client: bool,
    /// What the far end takes at most.
    longest: usize,
    /// Take channels the far end opens.
    accepts: bool,
    /// The program was told that too much is queued.
    is_full: bool,
    events: VecDeque<DataEvent>,
    refused: u64,
}

impl Data {
    /// Takes channels that the far end opens, or no longer.
    pub fn accept(&mut self, accepts: bool) {
        self.accepts = accepts;
    }

    /// Says what the far end takes at most, as agreed.
    pub fn agree(&mut self, longest: usize) {
        self.longest = longest.min(LONGEST_MESSAGE);
    }

    /// Whether there are channels that are not over.
    #[must_use]
    pub fn has_channels(&self) -> bool {
        let mut all = self.channels.values();
        all.any(|channel| channel.state != State::Closed)
    }

    /// Whether there is an association.
    #[must_use]
    pub fn has_association(&self) -> bool {
        self.association.is_some()
    }

    /// Begins an association; `is_client` is the role in DTLS.
    pub fn begin(&mut self, now: Instant, is_client: bool) {
        self.is_client = is_client;
        self.next_stream = u16::from(!is_client);
        self.association = Some(Association::new(now, is_client));
    }

    /// The way to the far end is another one: what was not open yet waits for it, the rest is over.
    pub fn begin_anew(&mut self) {
        self.association = None;
        let all = self.channels.iter_mut();
        for (_, channel) in all.filter(|(_, channel)| channel.state == State::Opening) {
            channel.state = State::Waiting;
            channel.stream = channel.settings.negotiated;
        }
        self.lose("the call has another far end now", |state| {
            state != State::Waiting
        });
    }

    /// There will be no association: all channels are over.
    pub fn refuse(&mut self, reason: &str) {
        self.association = None;
        self.lose(reason, |_| true);
    }

    fn lose(&mut self, reason: &str, which: impl Fn(State) -> bool) {
        let numbers: Vec<u64> = self.channels.keys().copied().collect();
        for number in numbers {
            if self
                .channels
                .get(&number)
                .is_some_and(|open| which(open.state))
            {
                self.apply(number, Input::Lost, reason);
            }
        }
    }

    /// Opens a channel; returns its number.
    ///
    /// # Errors
    /// `MediaError::Argument` for names that are too long or a stream that there is not,
    /// `MediaError::Full` with too many channels, `MediaError::State` once the far end has ended all.
    pub fn open(&mut self, now: Instant, settings: ChannelSettings) -> Result<u64, MediaError> {
        if settings.label.len().max(settings.protocol.len()) > LONGEST_NAME {
            return Err(MediaError::Argument(format!(
                "a channel's label and protocol have at most {LONGEST_NAME} bytes of UTF-8"
            )));
        }
        if self.channels.len() >= MOST_CHANNELS {
            return Err(MediaError::Full(format!(
                "a call has at most {MOST_CHANNELS} data channels: close some first"
            )));
        }
        if self.association.as_ref().is_some_and(Association::is_over) {
            return Err(MediaError::State(
                "the far end has ended the data channels of this call".to_owned(),
            ));
        }
        let negotiated = settings.negotiated;
        if negotiated.is_some_and(|id| id >= MOST_STREAMS || self.of_stream(id).is_some()) {
            return Err(MediaError::Argument(format!(
                "the id of a negotiated channel is below {MOST_STREAMS} and no other channel's"
            )));
        }
        let number = self.add(Channel::new(settings, negotiated, State::Waiting));
        self.announce(now);
        Ok(number)
    }

    fn add(&mut self, channel: Channel) -> u64 {
        self.last_number += 1;
        self.channels.insert(self.last_number, channel);
        self.last_number
    }

    /// The channel that has a stream; one that is over has none.
    fn of_stream(&self, stream: u16) -> Option<u64> {
        let mut all = self.channels.iter();
        let has =
            |channel: &Channel| channel.stream == Some(stream) && channel.state != State::Closed;
        all.find(|(_, channel)| has(channel))
            .map(|(number, _)| *number)
    }

    /// Tells the far end of the channels that wait.
    fn announce(&mut self, now: Instant) {
        if !self
            .association
            .as_ref()
            .is_some_and(Association::is_connected)
        {
            return;
        }
        let waiting = self.channels.iter();
        let waiting = waiting.filter(|(_, channel)| channel.state == State::Waiting);
        let waiting: Vec<u64> = waiting.map(|(number, _)| *number).collect();
        for number in waiting {
            self.announce_one(now, number);
        }
    }

    fn announce_one(&mut self, now: Instant, number: u64) {
        let negotiated = self.channels[&number].settings.negotiated;
        let Some(stream) = negotiated.or_else(|| self.free_stream()) else {
            self.apply(number, Input::Lost, "the call has used up its streams");
            return;
        };
        let (Some(channel), Some(association)) =
            (self.channels.get_mut(&number), &mut self.association)
        else {
            return;
        };
        channel.stream = Some(stream);
        let settings = &channel.settings;
        association.open(stream, !settings.is_unordered, settings.reliability);
        if negotiated.is_some() {
            self.apply(number, Input::Known, "");
        } else {
            let open = Control::Open(settings.clone()).write();
            association.write(now, stream, Content::Control, &open);
            self.apply(number, Input::Announced, "");
        }
    }

    fn free_stream(&mut self) -> Option<u16> {
        while self.next_stream < MOST_STREAMS {
            let stream = self.next_stream;
            self.next_stream += 2;
            if self.of_stream(stream).is_none() {
                return Some(stream);
            }
        }
        None
    }

    /// Steps a channel and tells of what has changed.
    fn apply(&mut self, number: u64, input: Input, reason: &str) {
        let Some(channel) = self.channels.get_mut(&number) else {
            return;
        };
        if !channel.step(input) {
            return;
        }
        match channel.state {
            State::Open => self
                .events
                .push_back((EventKind::ChannelOpened, number, String::new())),
            State::Closed => {
                self.events
                    .push_back((EventKind::ChannelClosed, number, reason.to_owned()));
            }
            _ => {}
        }
    }

    /// Takes one packet from the DTLS association.
    pub fn handle_packet(&mut self, now: Instant, packet: &[u8]) {
        match &mut self.association {
            Some(association) => association.handle_packet(now, packet),
            None => self.refused += 1,
        }
        self.settle(now);
    }

    /// Lets timers that are due act; harmless when called early.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(association) = &mut self.association {
            association.handle_timeout(now);
            self.settle(now);
        }
    }

    /// When `handle_timeout` wants to be called; may lie in the past.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.association.as_ref()?.next_deadline()
    }

    /// Queues a message; false when too much is queued, and `DataLow` comes when there is room.
    ///
    /// # Errors
    /// `MediaError::Unknown` and `MediaError::State` without such an open channel,
    /// `MediaError::Argument` for what the far end does not take.
    pub fn send(
        &mut self,
        now: Instant,
        number: u64,
        is_text: bool,
        data: &[u8],
    ) -> Result<bool, MediaError> {
        let channel = self.channel(number)?;
        let (state, stream) = (channel.state, channel.stream);
        let (State::Open, Some(stream)) = (state, stream) else {
            return Err(MediaError::State(format!(
                "the data channel is {}: send while it is open",
                state.as_str()
            )));
        };
        if data.len() > self.longest {
            return Err(MediaError::Argument(format!(
                "a message of {} bytes is longer than the far end takes: send at most {}",
                data.len(),
                self.longest
            )));
        }
        let unsent = self.unsent();
        if unsent > 0 && unsent + data.len() > MOST_UNSENT {
            self.is_full = true;
            return Ok(false);
        }
        let content = if is_text {
            Content::Text
        } else {
            Content::Binary
        };
        if let Some(association) = &mut self.association {
            association.write(now, stream, content, data);
        }
        self.settle(now);
        Ok(true)
    }

    fn channel(&self, number: u64) -> Result<&Channel, MediaError> {
        let kind = "data channel";
        self.channels
            .get(&number)
            .ok_or(MediaError::Unknown { kind, number })
    }

    fn unsent(&mut self) -> usize {
        let Some(association) = &mut self.association else {
            return 0;
        };
        let streams = self.channels.values().filter_map(|channel| channel.stream);
        streams.map(|stream| association.unsent(stream)).sum()
    }

    fn tell_room(&mut self) {
        if self.is_full && self.unsent() <= LOW {
            self.is_full = false;
            self.events
                .push_back((EventKind::DataLow, 0, String::new()));
        }
    }

    /// Takes messages that wait, whether text or not; of a channel that is over, the last ones.
    pub fn take(&mut self, now: Instant, number: u64, limit: usize) -> Vec<Message> {
        let Some(channel) = self.channels.get_mut(&number) else {
            return Vec::new();
        };
        let taken = channel.take(limit);
        if channel.state == State::Closed && channel.waiting_bytes() == 0 && taken.len() < limit {
            self.channels.remove(&number);
        }
        self.settle(now);
        taken
    }

    /// Closes a channel: what is queued still leaves. One that is closed is ignored.
    pub fn close(&mut self, now: Instant, number: u64) {
        let Some(channel) = self.channels.get_mut(&number) else {
            return;
        };
        let (before, stream) = (channel.state, channel.stream);
        channel.take(usize::MAX);
        self.apply(number, Input::Close, "");
        let is_known = matches!(before, State::Opening | State::Open);
        if is_known && let (Some(association), Some(stream)) = (&mut self.association, stream) {
            association.reset(now, stream);
        }
        if before == State::Closed {
            self.channels.remove(&number);
        }
        self.settle(now);
    }

    /// Ends all of it.
    pub fn end(&mut self, now: Instant) {
        if let Some(association) = &mut self.association {
            association.close(now);
        }
    }

    /// The next packet for the DTLS association.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.association.as_mut()?.poll_transmit()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<DataEvent> {
        self.events.pop_front()
    }
}
