//! Messages on the streams of an association.

use std::time::Instant;

use rtc::sctp::{PayloadProtocolIdentifier, ReliabilityType};

use super::Association;
use super::guard::SINK;

/// What a message is (RFC 8831 §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Of the protocol that opens channels.
    Control,
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
    /// None of those.
    Unknown,
}

/// One message that was received whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub content: Content,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// How hard it is tried that messages arrive (RFC 8832 §5.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reliability {
    /// Until they do.
    #[default]
    Full,
    /// So many times after the first.
    Retransmits(u32),
    /// So many milliseconds long.
    LifetimeMs(u32),
}

impl Association {
    /// The streams that have a message to read.
    #[must_use]
    pub fn readable(&self) -> Vec<u16> {
        self.readable.iter().copied().collect()
    }

    /// Says how messages on a stream travel; it exists from here on.
    pub fn open(&mut self, stream: u16, is_ordered: bool, reliability: Reliability) {
        let Some(inner) = &mut self.inner else {
            return;
        };
        self.guard.take_up(stream);
        let (kind, value) = match reliability {
            Reliability::Full => (ReliabilityType::Reliable, 0),
            Reliability::Retransmits(times) => (ReliabilityType::Rexmit, times),
            Reliability::LifetimeMs(time) => (ReliabilityType::Timed, self.clock.lifetime_ms(time)),
        };
        // It is there already when the far end has sent on it.
        inner
            .open_stream(stream, PayloadProtocolIdentifier::Binary)
            .ok();
        if let Ok(mut open) = inner.stream(stream) {
            open.set_reliability_params(!is_ordered, kind, value).ok();
        }
    }

    /// Queues a message; false if the stream cannot be written.
    pub fn write(&mut self, now: Instant, stream: u16, content: Content, data: &[u8]) -> bool {
        let told = self.clock.told(now);
        let Some(Ok(mut open)) = self.inner.as_mut().map(|inner| inner.stream(stream)) else {
            return false;
        };
        // SCTP carries no empty messages: a kind of their own says so (RFC 8831 §6.6).
        let (kind, data) = match (content, data.is_empty()) {
            (Content::Text, true) => (PayloadProtocolIdentifier::StringEmpty, &[0][..]),
            (Content::Text, false) => (PayloadProtocolIdentifier::String, data),
            (Content::Control, _) => (PayloadProtocolIdentifier::Dcep, data),
            (_, true) => (PayloadProtocolIdentifier::BinaryEmpty, &[0][..]),
            (_, false) => (PayloadProtocolIdentifier::Binary, data),
        };
        let is_written = open.write_with_ppi(told, data, kind).is_ok();
        self.settle(now);
        is_written
    }

    /// Takes the next message of a stream.
    pub fn read(&mut self, now: Instant, stream: u16) -> Option<Message> {
        let read = match self.inner.as_mut()?.stream(stream) {
            Ok(mut open) => open.read_sctp().ok().flatten(),
            Err(_) => None,
        };
        let Some(chunks) = read else {
            self.readable.remove(&stream);
            return None;
        };
        self.guard.note_read(chunks.chunks.len(), chunks.len());
        let (content, is_empty) = match chunks.ppi {
            PayloadProtocolIdentifier::Dcep => (Content::Control, false),
            PayloadProtocolIdentifier::String => (Content::Text, false),
            PayloadProtocolIdentifier::StringEmpty => (Content::Text, true),
            PayloadProtocolIdentifier::Binary => (Content::Binary, false),
            PayloadProtocolIdentifier::BinaryEmpty => (Content::Binary, true),
            _ => (Content::Unknown, true),
        };
        let data = if is_empty {
            Vec::new()
        } else {
            chunks
                .to_payload(usize::MAX)
                .map_or_else(|_| Vec::new(), |data| data.to_vec())
        };
        if let Some(nudge) = self.guard.nudge() {
            self.give(now, &nudge);
        }
        if stream != SINK {
            self.settle(now);
        }
        Some(Message { content, data })
    }

    /// Bytes queued on a stream that the far end has not acknowledged.
    pub fn unsent(&mut self, stream: u16) -> usize {
        let open = self.inner.as_mut().map(|inner| inner.stream(stream));
        match open {
            Some(Ok(open)) => open.buffered_amount().unwrap_or(0),
            _ => 0,
        }
    }

    /// Closes our half of a stream once all that was written is sent, and throws away what comes.
    pub fn reset(&mut self, now: Instant, stream: u16) {
        // What can be read would keep the far end's half open.
        while self.read(now, stream).is_some() {}
        self.guard.discard(stream);
        let told = self.clock.told(now);
        if let Some(Ok(mut open)) = self.inner.as_mut().map(|inner| inner.stream(stream)) {
            open.close(told).ok();
        }
        self.settle(now);
    }
}
