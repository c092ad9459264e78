//! DTMF in the audio itself, made: two sines in place of what else is sent (ITU-T Q.23).

use super::inband::frequencies_of;
use super::sender::{PAUSE, checked};
use super::{DtmfError, event_of};
use std::collections::VecDeque;
use std::f64::consts::{SQRT_2, TAU};

/// Levels of the lower and the higher tone, in dBov: -9 and -7 dBm0. Lines weaken the higher more.
const LEVELS_DBOV: [f64; 2] = [-15.2, -13.2];
/// Tones fade in and out over this time, so that they do not click.
const RAMP: f64 = 0.002;
/// Requests are numbered from here on, those that are sent as events of RTP from 1 on: so a number
/// tells which of the two it is.
const FIRST_NUMBER: u64 = 1 << 32;

#[derive(Debug, Clone, Copy)]
struct Step {
    sending: u64,
    /// None for a pause, in which other audio is heard.
    tones_hz: Option<[f64; 2]>,
    duration: f64,
    gap: f64,
    is_last: bool,
}

/// The queue of digits that one session sends as sound.
#[derive(Debug)]
pub struct InbandSender {
    queue: VecDeque<Step>,
    /// What sounds, and for how long already, in seconds.
    running: Option<(Step, f64)>,
    finished: VecDeque<u64>,
    next_sending: u64,
}

impl Default for InbandSender {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            running: None,
            finished: VecDeque::new(),
            next_sending: FIRST_NUMBER,
        }
    }
}

impl InbandSender {
    /// Queues digits, each for `duration` seconds and `gap` seconds apart; returns their number.
    ///
    /// # Errors
    /// `DtmfError` for what is no digit, times out of range, or too many that wait; then nothing
    /// is queued.
    pub fn send(&mut self, tones: &str, duration: f64, gap: f64) -> Result<u64, DtmfError> {
        let count = checked(tones, duration, gap, self.queue.len())?;
        let sending = self.next_sending;
        let mut steps = Vec::with_capacity(count);
        for (index, digit) in tones.chars().enumerate() {
            let tones_hz = frequencies_of(digit).map(|pair| pair.map(f64::from));
            if digit != ',' && (tones_hz.is_none() || event_of(digit).is_none()) {
                return Err(DtmfError::Digit(digit));
            }
            steps.push(Step {
                sending,
                tones_hz,
                duration: if tones_hz.is_some() { duration } else { 0.0 },
                gap: if tones_hz.is_some() { gap } else { PAUSE },
                is_last: index + 1 == count,
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
            Some((step, _)) if step.sending == sending => step.is_last = true,
            _ if self.queue.len() < waiting => self.finished.push_back(sending),
            _ => {}
        }
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

    /// Writes digits, and silence between them, over a frame that is to be sent.
    pub fn write(&mut self, rate_hz: u32, frame: &mut [i16]) {
        let tick = 1.0 / f64::from(rate_hz.max(1));
        for sample in frame {
            if self.running.is_none() {
                let Some(step) = self.queue.pop_front() else {
                    return;
                };
                self.running = Some((step, 0.0));
            }
            let Some((step, elapsed)) = &mut self.running else {
                return;
            };
            if let Some(tones_hz) = step.tones_hz {
                *sample = sound(tones_hz, *elapsed, step.duration);
            }
            *elapsed += tick;
            // Half a sample for the rounding of so many sums.
            if *elapsed + tick / 2.0 >= step.duration + step.gap {
                if step.is_last {
                    self.finished.push_back(step.sending);
                }
                self.running = None;
            }
        }
    }
}

/// One sample of a digit of `duration` seconds; silence after it.
fn sound(tones_hz: [f64; 2], at: f64, duration: f64) -> i16 {
    let fade = (at.min(duration - at) / RAMP).clamp(0.0, 1.0);
    let sum: f64 = tones_hz
        .iter()
        .zip(LEVELS_DBOV)
        .map(|(hz, dbov)| (TAU * hz * at).sin() * SQRT_2 * 10_f64.powf(dbov / 20.0))
        .sum();
    (sum * fade * 32_767.0) as i16
}
