//! Turns telephone-event packets into one start and one end per digit (RFC 4733 §2.5.2).

use super::{TelephoneEvent, digit_of};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// An event whose end packets were lost is over when nothing was heard of it for this long.
const LOST_END: Duration = Duration::from_millis(200);
/// After this long nothing of an earlier event is on its way any more. Half a turn of the timestamp
/// later (12 h at 48 kHz) a new event would look older than the last one.
const REPETITIONS: Duration = Duration::from_secs(60);
/// Events kept for the reader; the oldest is dropped beyond.
const MOST_WAITING: usize = 256;

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ReceivedDtmf {
    /// A digit began.
    Started {
        /// Which digit.
        digit: char,
    },
    /// A digit ended.
    Ended {
        /// Which digit.
        digit: char,
        /// How long it was, in seconds.
        duration: f64,
    },
}

#[derive(Debug)]
struct Sounding {
    event: u8,
    digit: char,
    timestamp: u32,
    longest: u16,
    earlier_ticks: u32,
    last_heard: Instant,
}

/// The receiving end of one session's telephone-events.
///
/// After [`push`](Self::push) or [`handle_timeout`](Self::handle_timeout), take events from
/// [`poll`](Self::poll) until there are none.
#[derive(Debug)]
pub struct DtmfReceiver {
    clock_rate_hz: u32,
    sounding: Option<Sounding>,
    last_timestamp: Option<u32>,
    last_heard: Option<Instant>,
    waiting: VecDeque<ReceivedDtmf>,
}

impl DtmfReceiver {
    /// Makes a receiver for the telephone-event clock rate that was negotiated.
    #[must_use]
    pub fn new(clock_rate_hz: u32) -> Self {
        let clock_rate_hz = clock_rate_hz.max(1);
        Self {
            clock_rate_hz,
            sounding: None,
            last_timestamp: None,
            last_heard: None,
            waiting: VecDeque::new(),
        }
    }

    /// Goes on with the clock of another agreement. A digit that sounds by the one before is over.
    pub fn change_clock(&mut self, clock_rate_hz: u32) {
        if clock_rate_hz != self.clock_rate_hz {
            self.reset();
            self.clock_rate_hz = clock_rate_hz.max(1);
        }
    }

    /// Forgets timestamps seen: the sender is another one (a new SSRC).
    pub fn reset(&mut self) {
        self.end();
        self.last_timestamp = None;
    }

    /// Takes one packet: its RTP timestamp and payload. False when it holds no DTMF event.
    pub fn push(&mut self, now: Instant, timestamp: u32, payload: &[u8]) -> bool {
        let Some(packet) = TelephoneEvent::parse(payload) else {
            return false;
        };
        let Some(digit) = digit_of(packet.event) else {
            return false;
        };
        if self
            .last_heard
            .is_some_and(|last| now >= last + REPETITIONS)
        {
            self.last_timestamp = None;
        }
        self.last_heard = Some(now);
        let is_news = self.is_news(timestamp);
        match &mut self.sounding {
            Some(current) if current.timestamp == timestamp => {
                current.longest = current.longest.max(packet.duration);
                current.last_heard = now;
            }
            Some(current) if current.is_continued_by(timestamp, packet.event) => {
                let segment = timestamp.wrapping_sub(current.timestamp);
                current.earlier_ticks = current.earlier_ticks.saturating_add(segment);
                current.timestamp = timestamp;
                current.longest = packet.duration;
                current.last_heard = now;
                self.last_timestamp = Some(timestamp);
            }
            _ if !is_news => return true,
            _ => {
                self.end();
                self.last_timestamp = Some(timestamp);
                self.report(ReceivedDtmf::Started { digit });
                self.sounding = Some(Sounding {
                    event: packet.event,
                    digit,
                    timestamp,
                    longest: packet.duration,
                    earlier_ticks: 0,
                    last_heard: now,
                });
            }
        }
        if packet.is_end {
            self.end();
        }
        true
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.sounding
            .as_ref()
            .map(|current| current.last_heard + LOST_END)
    }

    /// Ends a digit that went quiet without its end packets.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.end();
        }
    }

    /// Returns the next event.
    pub fn poll(&mut self) -> Option<ReceivedDtmf> {
        self.waiting.pop_front()
    }

    /// A timestamp not after the last event's is a repetition or an old packet.
    fn is_news(&self, timestamp: u32) -> bool {
        self.last_timestamp
            .is_none_or(|last| timestamp.wrapping_sub(last).cast_signed() > 0)
    }

    fn end(&mut self) {
        if let Some(ended) = self.sounding.take() {
            let ticks = ended.earlier_ticks.saturating_add(u32::from(ended.longest));
            let duration = f64::from(ticks) / f64::from(self.clock_rate_hz);
            self.report(ReceivedDtmf::Ended {
                digit: ended.digit,
                duration,
            });
        }
    }

    fn report(&mut self, event: ReceivedDtmf) {
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(event);
    }
}

impl Sounding {
    /// A long event goes on in a segment that begins where this one has reached its limit.
    fn is_continued_by(&self, timestamp: u32, event: u8) -> bool {
        let since = timestamp.wrapping_sub(self.timestamp);
        event == self.event
            && since > 0xc000
            && since <= u32::from(u16::MAX)
            && self.longest > 0x8000
    }
}
