//! DTMF as RTP telephone-events (RFC 4733): sender, receiver and the payload they share. And in the
//! audio itself, where a far end knows nothing else.

mod inband;
mod inband_sender;
mod queue;
mod receiver;
mod sender;

pub use inband::{InbandReceiver, RATE_HZ as INBAND_RATE_HZ, frequencies_of};
pub use inband_sender::InbandSender;
pub use receiver::{DtmfReceiver, ReceivedDtmf};
pub use sender::{DtmfError, DtmfPacket, DtmfSender};

/// Digits by event code, 0 to 15 (RFC 4733 §3.2 table 3).
const DIGITS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];

/// Returns the event code of a digit, ignoring case; none for anything else.
#[must_use]
pub fn event_of(digit: char) -> Option<u8> {
    let digit = digit.to_ascii_uppercase();
    (0..16_u8).find(|&code| DIGITS[code as usize] == digit)
}

/// Returns the digit of an event code; none for events that are not DTMF.
#[must_use]
pub fn digit_of(event: u8) -> Option<char> {
    DIGITS.get(event as usize).copied()
}

/// One telephone-event payload (RFC 4733 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Event code; 0 to 15 are DTMF digits.
    pub event: u8,
    /// Whether the event is over.
    pub is_end: bool,
    /// Power level, as -dBm0, 0 to 63.
    pub volume: u8,
    /// How long it has lasted, in RTP clock ticks.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads a payload; none when it is too short. Further events in it are ignored.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[event, flags, high, low, ..] = payload else {
            return None;
        };
        Some(Self {
            event,
            is_end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// Writes the payload.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 4] {
        let flags = (u8::from(self.is_end) << 7) | (self.volume & 0x3f);
        let [high, low] = self.duration.to_be_bytes();
        [self.event, flags, high, low]
    }
}

#[cfg(test)]
mod tests;
