//! What comes from the far end: channels it opens, messages, ends.

use std::time::Instant;

use super::channel::{Channel, Input, State};
use super::dcep::{ChannelSettings, Control};
use super::{Data, LONGEST_NAME, MOST_CHANNELS};
use crate::event::EventKind;
use crate::transport::sctp::{Association, Content, Message, SctpEvent};

/// Bytes that wait for the program, of all channels.
const MOST_WAITING: usize = 512 * 1024;

impl Data {
    /// Reads what can be read, and takes in what the association tells.
    pub(super) fn settle(&mut self, now: Instant) {
        loop {
            self.read(now);
            let Some(event) = self.association.as_mut().and_then(Association::poll_event) else {
                break;
            };
            match event {
                SctpEvent::Connected => self.announce(now),
                SctpEvent::Resetting(stream) => {
                    if let Some(number) = self.of_stream(stream) {
                        self.apply(number, Input::Close, "");
                    }
                }
                SctpEvent::Reset(stream) => {
                    if let Some(number) = self.of_stream(stream) {
                        self.apply(number, Input::Reset, "");
                    }
                }
                SctpEvent::Lost(reason) => self.lose(reason, |_| true),
            }
        }
        self.tell_room();
    }

    fn read(&mut self, now: Instant) {
        let readable = self.association.as_ref().map(Association::readable);
        for stream in readable.unwrap_or_default() {
            while self.has_room(stream)
                && let Some(association) = &mut self.association
                && let Some(message) = association.read(now, stream)
            {
                self.take_message(now, stream, message);
            }
        }
    }

    /// Whether a message of a stream may be read: what nobody has is read and thrown away.
    fn has_room(&self, stream: u16) -> bool {
        let waiting: usize = self.channels.values().map(Channel::waiting_bytes).sum();
        let open = self.of_stream(stream).map(|number| &self.channels[&number]);
        open.is_none_or(|channel| channel.has_room() && waiting < MOST_WAITING)
    }

    fn take_message(&mut self, now: Instant, stream: u16, message: Message) {
        let Some(number) = self.of_stream(stream) else {
            if message.content == Content::Control
                && let Some(Control::Open(settings)) = Control::read_untrusted(&message.data)
            {
                self.take_open(now, stream, settings);
            } else {
                self.refused += 1;
            }
            return;
        };
        match message.content {
            Content::Text | Content::Binary => {
                // It may overtake the answer (RFC 8832 §6).
                self.apply(number, Input::Known, "");
                let open = self.channels.get_mut(&number);
                if open.is_some_and(|channel| channel.keep(message)) {
                    self.events
                        .push_back((EventKind::DataReady, number, String::new()));
                }
            }
            Content::Control if Control::read_untrusted(&message.data) == Some(Control::Ack) => {
                self.apply(number, Input::Known, "");
            }
            _ => self.refused += 1,
        }
    }

    fn take_open(&mut self, now: Instant, stream: u16, settings: ChannelSettings) {
        let is_theirs = stream.is_multiple_of(2) != self.is_client;
        let fits = settings.label.len().max(settings.protocol.len()) <= LONGEST_NAME;
        let has_room = self.channels.len() < MOST_CHANNELS;
        let Some(association) = &mut self.association else {
            return;
        };
        if !(self.accepts && is_theirs && fits && has_room) {
            self.refused += 1;
            association.reset(now, stream);
            return;
        }
        association.open(stream, !settings.is_unordered, settings.reliability);
        association.write(now, stream, Content::Control, &Control::Ack.write());
        let number = self.add(Channel::new(settings, Some(stream), State::Waiting));
        self.apply(number, Input::Known, "");
    }
}
