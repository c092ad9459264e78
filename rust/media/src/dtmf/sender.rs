//! Sends queued digits as telephone-events, one packet a tick (RFC 4733 §2.5.1).

use super::queue::{DigitQueue, Step};
use super::{TelephoneEvent, event_of};

/// Level of sent digits: -10 dBm0, what telephones use (RFC 4733 §2.3.4 allows 0 to -63).
const VOLUME: u8 = 10;
/// The packet that ends an event is sent three times (RFC 4733 §2.5.1.4).
const END_PACKETS: u8 = 3;
/// Why digits were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DtmfError {
    /// A character that is no digit.
    #[error("{0:?} is not a DTMF digit: use 0-9, A-D, * and #, and ',' for a pause of 2 s")]
    Digit(char),
    /// Duration or gap out of range.
    #[error("a DTMF duration is 0.04 to 10 s and a gap 0.03 to 10 s")]
    Timing,
    /// Too many digits wait.
    #[error("more than 1024 DTMF digits wait to be sent: wait until some are")]
    Full,
}

/// A packet to send now, with the telephone-event payload type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DtmfPacket {
    /// RTP marker bit: set on the first packet of an event.
    pub marker: bool,
    /// RTP timestamp: that of the event's start, the same in all its packets.
    pub timestamp: u32,
    /// The payload.
    pub payload: [u8; 4],
}

/// How far a digit is, in ticks of the clock.
#[derive(Debug)]
struct Progress {
    timestamp: u32,
    elapsed: u32,
    segment_elapsed: u32,
    ends_sent: u8,
    gap_elapsed: u32,
    is_started: bool,
}

/// The queue of digits of one session.
///
/// Call [`tick`](Self::tick) once per packet interval with the RTP timestamp of that interval.
/// When it returns a packet, send it in place of audio.
#[derive(Debug)]
pub struct DtmfSender {
    clock_rate_hz: u32,
    queue: DigitQueue<Progress>,
}

impl DtmfSender {
    /// Makes a sender for the telephone-event clock rate that was negotiated.
    #[must_use]
    pub fn new(clock_rate_hz: u32) -> Self {
        Self {
            clock_rate_hz: clock_rate_hz.max(8_000),
            queue: DigitQueue::new(1),
        }
    }

    /// Queues digits, each for `duration` seconds and `gap` seconds apart; returns their number.
    ///
    /// ',' pauses for two seconds. Nothing is queued when any digit is wrong.
    pub fn send(&mut self, tones: &str, duration: f64, gap: f64) -> Result<u64, DtmfError> {
        self.queue.send(tones, duration, gap)
    }

    /// Drops the digits of that number that have not begun; one that sounds is finished.
    pub fn cancel(&mut self, sending: u64) {
        self.queue.cancel(sending);
    }

    /// Goes on at another clock rate; what waits keeps its durations.
    pub fn change_clock(&mut self, clock_rate_hz: u32) {
        let (old, new) = (self.clock_rate_hz, clock_rate_hz.max(8_000));
        self.clock_rate_hz = new;
        if let Some(running) = self.queue.progress().filter(|_| old != new) {
            let elapsed = [
                &mut running.elapsed,
                &mut running.segment_elapsed,
                &mut running.gap_elapsed,
            ];
            for ticks in elapsed {
                *ticks = (u64::from(*ticks) * u64::from(new) / u64::from(old)) as u32;
            }
        }
    }

    /// Drops all that waits or sounds and reports each request as finished.
    pub fn drop_all(&mut self) {
        self.queue.drop_all();
    }

    /// Tells whether digits wait or sound.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.queue.is_busy()
    }

    /// Returns the number of a request whose digits are all sent or dropped.
    pub fn poll_finished(&mut self) -> Option<u64> {
        self.queue.poll_finished()
    }

    /// Moves on by one packet interval of `ticks`, beginning at RTP timestamp `timestamp`.
    pub fn tick(&mut self, timestamp: u32, ticks: u32) -> Option<DtmfPacket> {
        let clock = f64::from(self.clock_rate_hz);
        let (step, running) = self.queue.current(|| Progress {
            timestamp,
            elapsed: 0,
            segment_elapsed: 0,
            ends_sent: 0,
            gap_elapsed: 0,
            is_started: false,
        })?;
        let packet = running.packet(step, clock, ticks);
        if packet.is_none() {
            running.gap_elapsed += ticks;
            if running.gap_elapsed >= (step.gap * clock) as u32 {
                self.queue.finish();
            }
        }
        packet
    }
}

impl Progress {
    /// Makes the next packet of the event, or none when its last end packet is sent.
    fn packet(&mut self, step: &Step, clock: f64, ticks: u32) -> Option<DtmfPacket> {
        let event = event_of(step.digit?)?;
        if self.ends_sent >= END_PACKETS {
            return None;
        }
        let marker = !self.is_started;
        self.is_started = true;
        if self.ends_sent == 0 {
            // A duration beyond 16 bits goes on as a new segment (RFC 4733 §2.5.1.3).
            let longest = u32::from(u16::MAX);
            if self.segment_elapsed + ticks > longest {
                self.timestamp = self.timestamp.wrapping_add(self.segment_elapsed);
                self.segment_elapsed = 0;
            }
            self.elapsed += ticks;
            self.segment_elapsed += ticks;
        }
        let is_end = self.elapsed >= (step.duration * clock) as u32;
        if is_end {
            self.ends_sent += 1;
        }
        let duration = u16::try_from(self.segment_elapsed).unwrap_or(u16::MAX);
        let payload = TelephoneEvent {
            event,
            is_end,
            volume: VOLUME,
            duration,
        }
        .to_bytes();
        Some(DtmfPacket {
            marker,
            timestamp: self.timestamp,
            payload,
        })
    }
}
