//! Sends queued digits as telephone-events, one packet a tick (RFC 4733 §2.5.1).

use super::{TelephoneEvent, event_of};
use std::collections::VecDeque;

/// Level of sent digits: -10 dBm0, what telephones use (RFC 4733 §2.3.4 allows 0 to -63).
const VOLUME: u8 = 10;
/// The packet that ends an event is sent three times (RFC 4733 §2.5.1.4).
const END_PACKETS: u8 = 3;
/// What a ',' waits, in seconds, as modems and dialling strings have it.
pub(super) const PAUSE: f64 = 2.0;
/// Requests and tones that may wait; one more is refused.
const MOST_TONES: usize = 1024;
/// A tone longer than this is refused: it would be a mistake of units.
const LONGEST_TONE: f64 = 10.0;

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

#[derive(Debug, Clone, Copy)]
struct Step {
    sending: u64,
    event: Option<u8>,
    duration_ticks: u32,
    gap_ticks: u32,
    is_last: bool,
}

#[derive(Debug)]
struct Running {
    step: Step,
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
    queue: VecDeque<Step>,
    running: Option<Running>,
    finished: VecDeque<u64>,
    next_sending: u64,
}

impl DtmfSender {
    /// Makes a sender for the telephone-event clock rate that was negotiated.
    #[must_use]
    pub fn new(clock_rate_hz: u32) -> Self {
        Self {
            clock_rate_hz: clock_rate_hz.max(8_000),
            queue: VecDeque::new(),
            running: None,
            finished: VecDeque::new(),
            next_sending: 1,
        }
    }

    /// Queues digits, each for `duration` seconds and `gap` seconds apart; returns their number.
    ///
    /// ',' pauses for two seconds. Nothing is queued when any digit is wrong.
    pub fn send(&mut self, tones: &str, duration: f64, gap: f64) -> Result<u64, DtmfError> {
        let count = checked(tones, duration, gap, self.queue.len())?;
        let ticks = |seconds: f64| (seconds * f64::from(self.clock_rate_hz)) as u32;
        let sending = self.next_sending;
        let mut steps = Vec::with_capacity(count);
        for (index, digit) in tones.chars().enumerate() {
            let is_last = index + 1 == count;
            steps.push(if digit == ',' {
                let gap_ticks = ticks(PAUSE);
                Step {
                    sending,
                    event: None,
                    duration_ticks: 0,
                    gap_ticks,
                    is_last,
                }
            } else {
                let event = Some(event_of(digit).ok_or(DtmfError::Digit(digit))?);
                let (duration_ticks, gap_ticks) = (ticks(duration), ticks(gap));
                Step {
                    sending,
                    event,
                    duration_ticks,
                    gap_ticks,
                    is_last,
                }
            });
        }
        self.next_sending += 1;
        if steps.is_empty() {
            self.finished.push_back(sending);
        }
        self.queue.extend(steps);
        Ok(sending)
    }

    /// Drops the digits of that number that have not begun; one that sounds is finished.
    pub fn cancel(&mut self, sending: u64) {
        let waiting = self.queue.len();
        self.queue.retain(|step| step.sending != sending);
        match &mut self.running {
            Some(running) if running.step.sending == sending => running.step.is_last = true,
            _ if self.queue.len() < waiting => self.finished.push_back(sending),
            _ => {}
        }
    }

    /// Goes on at another clock rate; what waits keeps its durations.
    pub fn change_clock(&mut self, clock_rate_hz: u32) {
        let (old, new) = (self.clock_rate_hz, clock_rate_hz.max(8_000));
        if old == new {
            return;
        }
        let scale = |ticks: &mut u32| {
            *ticks = (u64::from(*ticks) * u64::from(new) / u64::from(old)) as u32;
        };
        let running = self.running.as_mut();
        let steps = self.queue.iter_mut();
        for step in steps.chain(running.map(|running| &mut running.step)) {
            scale(&mut step.duration_ticks);
            scale(&mut step.gap_ticks);
        }
        if let Some(running) = &mut self.running {
            scale(&mut running.elapsed);
            scale(&mut running.segment_elapsed);
            scale(&mut running.gap_elapsed);
        }
        self.clock_rate_hz = new;
    }

    /// Drops all that waits or sounds and reports each request as finished.
    pub fn drop_all(&mut self) {
        let running = self.running.take().map(|running| running.step);
        let steps = running.into_iter().chain(self.queue.drain(..));
        let mut dropped: Vec<u64> = steps.map(|step| step.sending).collect();
        dropped.dedup();
        self.finished.extend(dropped);
    }

    /// Tells whether digits wait or sound.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.running.is_some() || !self.queue.is_empty()
    }

    /// Returns the number of a request whose digits are all sent or dropped.
    pub fn poll_finished(&mut self) -> Option<u64> {
        self.finished.pop_front()
    }

    /// Moves on by one packet interval of `ticks`, beginning at RTP timestamp `timestamp`.
    pub fn tick(&mut self, timestamp: u32, ticks: u32) -> Option<DtmfPacket> {
        if self.running.is_none() {
            let step = self.queue.pop_front()?;
            self.running = Some(Running {
                step,
                timestamp,
                elapsed: 0,
                segment_elapsed: 0,
                ends_sent: 0,
                gap_elapsed: 0,
                is_started: false,
            });
        }
        let running = self.running.as_mut()?;
        let packet = running
            .step
            .event
            .and_then(|event| running.packet(event, ticks));
        if packet.is_none() {
            running.gap_elapsed += ticks;
            if running.gap_elapsed >= running.step.gap_ticks {
                let step = running.step;
                self.running = None;
                if step.is_last {
                    self.finished.push_back(step.sending);
                }
            }
        }
        packet
    }
}

/// How many digits there are, if they may be queued behind those that wait.
pub(super) fn checked(
    tones: &str,
    duration: f64,
    gap: f64,
    waiting: usize,
) -> Result<usize, DtmfError> {
    let in_range = |value: f64, least: f64| (least..=LONGEST_TONE).contains(&value);
    if !in_range(duration, 0.04) || !in_range(gap, 0.03) {
        return Err(DtmfError::Timing);
    }
    let count = tones.chars().count();
    if waiting + count > MOST_TONES {
        return Err(DtmfError::Full);
    }
    Ok(count)
}

impl Running {
    /// Makes the next packet of the event, or none when its last end packet is sent.
    fn packet(&mut self, event: u8, ticks: u32) -> Option<DtmfPacket> {
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
        let is_end = self.elapsed >= self.step.duration_ticks;
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
