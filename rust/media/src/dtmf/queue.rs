//! Requests for digits, sent one digit after the other, in whatever way.

use super::{DtmfError, event_of};
use std::collections::VecDeque;

/// What a ',' waits, in seconds, as modems and dialling strings have it.
const PAUSE: f64 = 2.0;
/// Digits that may wait; one more is refused.
const MOST_TONES: usize = 1024;
/// A tone longer than this is refused: it would be a mistake of units.
const LONGEST_TONE: f64 = 10.0;

/// A digit or a pause of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    sending: u64,
    /// None for a pause.
    pub(super) digit: Option<char>,
    /// Seconds it sounds, and of silence after it.
    pub(super) duration: f64,
    pub(super) gap: f64,
    is_last: bool,
}

/// The digits that wait and the one that is under way; `P` is how far that is.
#[derive(Debug)]
pub(super) struct DigitQueue<P> {
    waiting: VecDeque<Step>,
    running: Option<(Step, P)>,
    finished: VecDeque<u64>,
    next_sending: u64,
}

impl<P> DigitQueue<P> {
    /// An empty queue that numbers its requests from there on.
    pub(super) fn new(first_sending: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            running: None,
            finished: VecDeque::new(),
            next_sending: first_sending,
        }
    }

    /// Queues digits, each for `duration` seconds and `gap` seconds apart; returns their number.
    /// Nothing is queued when any digit is wrong.
    pub(super) fn send(&mut self, tones: &str, duration: f64, gap: f64) -> Result<u64, DtmfError> {
        let in_range = |value: f64, least: f64| (least..=LONGEST_TONE).contains(&value);
        if !in_range(duration, 0.04) || !in_range(gap, 0.03) {
            return Err(DtmfError::Timing);
        }
        let count = tones.chars().count();
        if self.waiting.len() + count > MOST_TONES {
            return Err(DtmfError::Full);
        }
        let sending = self.next_sending;
        let mut steps = Vec::with_capacity(count);
        for (index, digit) in tones.chars().enumerate() {
            let is_pause = digit == ',';
            if !is_pause && event_of(digit).is_none() {
                return Err(DtmfError::Digit(digit));
            }
            steps.push(Step {
                sending,
                digit: (!is_pause).then_some(digit),
                duration: if is_pause { 0.0 } else { duration },
                gap: if is_pause { PAUSE } else { gap },
                is_last: index + 1 == count,
            });
        }
        self.next_sending += 1;
        if steps.is_empty() {
            self.finished.push_back(sending);
        }
        self.waiting.extend(steps);
        Ok(sending)
    }

    /// Drops the digits of that number that have not begun; one that sounds is finished.
    pub(super) fn cancel(&mut self, sending: u64) {
        let waiting = self.waiting.len();
        self.waiting.retain(|step| step.sending != sending);
        match &mut self.running {
            Some((step, _)) if step.sending == sending => step.is_last = true,
            _ if self.waiting.len() < waiting => self.finished.push_back(sending),
            _ => {}
        }
    }

    /// Drops all that waits or sounds and reports each request as finished.
    pub(super) fn drop_all(&mut self) {
        let running = self.running.take().map(|(step, _)| step);
        let steps = running.into_iter().chain(self.waiting.drain(..));
        let mut dropped: Vec<u64> = steps.map(|step| step.sending).collect();
        dropped.dedup();
        self.finished.extend(dropped);
    }

    /// Tells whether digits wait or sound.
    pub(super) fn is_busy(&self) -> bool {
        self.running.is_some() || !self.waiting.is_empty()
    }

    /// Returns the number of a request whose digits are all sent or dropped.
    pub(super) fn poll_finished(&mut self) -> Option<u64> {
        self.finished.pop_front()
    }

    /// The digit under way and how far it is: the next one, from its beginning, where none is.
    pub(super) fn current(&mut self, begin: impl FnOnce() -> P) -> Option<(&Step, &mut P)> {
        if self.running.is_none() {
            self.running = Some((self.waiting.pop_front()?, begin()));
        }
        self.running
            .as_mut()
            .map(|(step, progress)| (&*step, progress))
    }

    /// How far the digit under way is, if one is.
    pub(super) fn progress(&mut self) -> Option<&mut P> {
        self.running.as_mut().map(|(_, progress)| progress)
    }

    /// Ends the digit under way.
    pub(super) fn finish(&mut self) {
        if let Some((step, _)) = self.running.take()
            && step.is_last
        {
            self.finished.push_back(step.sending);
        }
    }
}
