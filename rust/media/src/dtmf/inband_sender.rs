//! DTMF in the audio itself, made: two sines in place of what else is sent (ITU-T Q.23).

use super::DtmfError;
use super::inband::frequencies_of;
use super::queue::DigitQueue;
use std::f64::consts::{SQRT_2, TAU};

/// Levels of the lower and the higher tone, in dBov: -9 and -7 dBm0. Lines weaken the higher more.
const LEVELS_DBOV: [f64; 2] = [-15.2, -13.2];
/// Tones fade in and out over this time, so that they do not click.
const RAMP: f64 = 0.002;
/// Requests are numbered from here on, those that are sent as events of RTP from 1 on: so a number
/// tells which of the two it is.
const FIRST_NUMBER: u64 = 1 << 32;

/// The queue of digits that one session sends as sound.
#[derive(Debug)]
pub struct InbandSender {
    /// How far a digit is: seconds.
    queue: DigitQueue<f64>,
}

impl Default for InbandSender {
    fn default() -> Self {
        Self {
            queue: DigitQueue::new(FIRST_NUMBER),
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
        self.queue.send(tones, duration, gap)
    }

    /// Drops the digits of that number that have not begun; one that sounds is finished.
    pub fn cancel(&mut self, sending: u64) {
        self.queue.cancel(sending);
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

    /// Writes digits, and silence between them, over a frame that is to be sent.
    pub fn write(&mut self, rate_hz: u32, frame: &mut [i16]) {
        let tick = 1.0 / f64::from(rate_hz.max(1));
        for sample in frame {
            let Some((step, elapsed)) = self.queue.current(|| 0.0) else {
                return;
            };
            // In a pause other audio is heard.
            if let Some(tones_hz) = step.digit.and_then(frequencies_of) {
                *sample = sound(tones_hz.map(f64::from), *elapsed, step.duration);
            }
            *elapsed += tick;
            // Half a sample for the rounding of so many sums.
            if *elapsed + tick / 2.0 >= step.duration + step.gap {
                self.queue.finish();
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
