//! The data channels of a session: what is asked of them, and their way over its transport.

use std::time::Instant;

use super::Session;
use crate::MediaError;
use crate::data::dcep::ChannelSettings;
use crate::data::{ChannelFacts, Data};
use crate::transport::Transport;
use crate::transport::sctp::Message;

impl Session {
    /// Takes data channels the far end opens, or no longer; an offer of such a line is answered
    /// from the next description on.
    pub fn accept_channels(&mut self, accepts: bool) {
        self.offer_answer.accept_data(accepts);
        if accepts || self.data.is_some() {
            self.data.get_or_insert_default().accept(accepts);
        }
    }

    /// Opens a data channel; the far end hears of it once a line for it is agreed.
    ///
    /// # Errors
    /// See `Data::open`; `MediaError::State` without ICE, where there is no way for data.
    pub fn open_channel(
        &mut self,
        now: Instant,
        settings: ChannelSettings,
    ) -> Result<u64, MediaError> {
        self.offer_answer.check_data()?;
        let data = self.data.get_or_insert_default();
        let number = data.open(now, settings)?;
        self.flush_data(now);
        Ok(number)
    }

    /// Whether a line for data is agreed; until then an offer is due.
    pub fn has_data_line(&self) -> bool {
        self.offer_answer.agreed_data().is_some()
    }

    /// Queues a message; false when too much is queued.
    ///
    /// # Errors
    /// See `Data::send`.
    pub fn send_on_channel(
        &mut self,
        now: Instant,
        channel: u64,
        is_text: bool,
        data: &[u8],
    ) -> Result<bool, MediaError> {
        let sent = self.channels(channel)?.send(now, channel, is_text, data);
        self.flush_data(now);
        sent
    }

    /// Takes messages that wait on a channel.
    pub fn take_from_channel(&mut self, now: Instant, channel: u64, limit: usize) -> Vec<Message> {
        let taken = match &mut self.data {
            Some(data) => data.take(now, channel, limit),
            None => Vec::new(),
        };
        self.flush_data(now);
        taken
    }

    /// Closes a channel; one that is closed is ignored.
    pub fn close_channel(&mut self, now: Instant, channel: u64) {
        if let Some(data) = &mut self.data {
            data.close(now, channel);
        }
        self.flush_data(now);
    }

    /// What is known of a channel.
    ///
    /// # Errors
    /// `MediaError::Unknown` without such a channel.
    pub fn channel_facts(&mut self, channel: u64) -> Result<ChannelFacts, MediaError> {
        self.channels(channel)?.facts(channel)
    }

    /// Wants a line in the description that is written next if there are channels.
    pub(super) fn want_data_line(&mut self) {
        let is_wanted = self.data.as_ref().is_some_and(|data| data.has_channels());
        self.offer_answer.want_data(is_wanted);
    }

    fn channels(&mut self, number: u64) -> Result<&mut Data, MediaError> {
        let kind = "data channel";
        self.data
            .as_deref_mut()
            .ok_or(MediaError::Unknown { kind, number })
    }

    pub(super) fn take_data_packet(&mut self, now: Instant, packet: &[u8]) {
        // The first one may come with the end of the handshake.
        self.follow_data(now);
        if let Some(data) = &mut self.data {
            data.handle_packet(now, packet);
        }
        self.flush_data(now);
    }

    pub(super) fn tick_data(&mut self, now: Instant) {
        if let Some(data) = &mut self.data {
            data.handle_timeout(now);
            self.flush_data(now);
        }
    }

    pub(super) fn data_deadline(&self) -> Option<Instant> {
        self.data.as_ref()?.next_deadline()
    }

    pub(super) fn end_data(&mut self, now: Instant) {
        if let Some(data) = &mut self.data {
            data.end(now);
            self.flush_data(now);
        }
    }

    /// The transport is another one.
    pub(super) fn begin_data_anew(&mut self) {
        if let Some(data) = &mut self.data {
            data.begin_anew();
        }
    }

    /// Begins the association once there is a line for it and DTLS is there, and lets go of it when
    /// either is gone.
    pub(super) fn follow_data(&mut self, now: Instant) {
        let role = self.transport.as_ref().and_then(Transport::data_role);
        let agreed = self.offer_answer.agreed_data();
        let Some(data) = &mut self.data else {
            return;
        };
        match (role, agreed) {
            (Some(is_client), Some(longest)) => {
                data.agree(longest);
                if !data.has_association() {
                    data.begin(now, is_client);
                }
            }
            (None, _) if data.has_association() => data.begin_anew(),
            _ => {}
        }
        self.flush_data(now);
    }

    fn flush_data(&mut self, now: Instant) {
        while let Some(packet) = self.data.as_mut().and_then(|data| data.poll_transmit()) {
            if let Some(transport) = &mut self.transport {
                transport.send_data(now, &packet);
            }
        }
        while let Some(event) = self.data.as_mut().and_then(|data| data.poll_event()) {
            let (kind, channel, text) = event;
            self.emit(kind, channel as f64, text);
        }
    }

    /// An exchange of descriptions is over: without a line, nothing will come of the channels.
    pub(super) fn settle_data(&mut self) {
        let has_no_way = self.offer_answer.check_data().is_err();
        let is_refused = has_no_way || self.offer_answer.is_data_refused();
        if let Some(data) = self.data.as_mut().filter(|_| is_refused) {
            data.refuse("the far end takes no data channels");
        }
    }
}
