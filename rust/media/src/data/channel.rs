//! One data channel: its state, and the messages that wait for the program.

use std::collections::VecDeque;

use super::dcep::ChannelSettings;
use crate::transport::sctp::Message;

/// Messages that wait for the program; the rest stays with the far end.
const MOST_WAITING: usize = 16;
/// Their bytes; a message that is longer waits alone.
const MOST_WAITING_BYTES: usize = 16 * 1024;

/// Where a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is no association yet.
    Waiting,
    /// The far end was told of it and has not answered.
    Opening,
    /// Messages flow.
    Open,
    /// What is queued still leaves; the far end is to close its half.
    Closing,
    /// It is over.
    Closed,
}

impl State {
    /// The word the Python side knows it by.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Opening => "opening",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

/// What happens to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The association is up, and the far end was told.
    Announced,
    /// The association is up, and the far end knows the channel; or it has answered, or sent.
    Known,
    /// The program closes it.
    Close,
    /// The far end has closed it.
    Reset,
    /// The association is dead, or never comes.
    Lost,
}

/// RFC 8832 §5 and §6, RFC 8831 §6.7. None: nothing changes.
#[must_use]
pub const fn step(state: State, input: Input) -> Option<State> {
    match (state, input) {
        (State::Waiting, Input::Announced) => Some(State::Opening),
        (State::Waiting | State::Opening, Input::Known) => Some(State::Open),
        (State::Waiting, Input::Close | Input::Lost) => Some(State::Closed),
        (State::Opening | State::Open, Input::Close) => Some(State::Closing),
        (State::Opening | State::Open | State::Closing, Input::Reset | Input::Lost) => {
            Some(State::Closed)
        }
        _ => None,
    }
}

/// One data channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) settings: ChannelSettings,
    /// Its stream, once the role in the association says which are ours.
    pub(super) stream: Option<u16>,
    pub(super) state: State,
    /// The program has been told that messages wait.
    is_told: bool,
    inbox: VecDeque<Message>,
    waiting_bytes: usize,
}

impl Channel {
    pub(super) fn new(settings: ChannelSettings, stream: Option<u16>, state: State) -> Self {
        Self {
            settings,
            stream,
            state,
            is_told: false,
            inbox: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// Goes on; whether anything has changed.
    pub(super) fn step(&mut self, input: Input) -> bool {
        let next = step(self.state, input);
        self.state = next.unwrap_or(self.state);
        next.is_some()
    }

    /// Whether another message may wait.
    pub(super) fn has_room(&self) -> bool {
        self.inbox.len() < MOST_WAITING && self.waiting_bytes < MOST_WAITING_BYTES
    }

    /// Keeps a message; true if the program is to be told.
    pub(super) fn keep(&mut self, message: Message) -> bool {
        self.waiting_bytes += message.data.len();
        self.inbox.push_back(message);
        !std::mem::replace(&mut self.is_told, true)
    }

    /// Gives the program what waits.
    pub(super) fn take(&mut self, limit: usize) -> Vec<Message> {
        let count = limit.min(self.inbox.len());
        let taken: Vec<Message> = self.inbox.drain(..count).collect();
        let bytes: usize = taken.iter().map(|message| message.data.len()).sum();
        self.waiting_bytes -= bytes;
        self.is_told = !self.inbox.is_empty();
        taken
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }
}
