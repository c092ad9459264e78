//! How many new requests a turn takes, and when the wait for one is overload (after CoDel, RFC 8289).
use super::DoorSettings;

/// New requests of the first turn.
const FIRST: u32 = 16;
/// Most of any turn: the socket is looked at in between.
const MOST: u32 = 64;
/// A turn longer than this took too many: what is inside dialogs waits as long.
const LONG: f64 = 0.02;
/// A turn shorter than this can take more.
const SHORT: f64 = 0.008;
/// How long after its last sign overload is over.
const CALM: f64 = 1.0;
/// Without a turn begun, requests this far apart are in different turns.
const APART: f64 = 0.001;

/// The pace of the turns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    /// What a turn takes now, and what this one has left.
    size: u32,
    left: u32,
    began: f64,
    /// Whether the last turn was begun because somebody waited.
    is_running: bool,
    /// When the wait will have been above the target for too long.
    patience: Option<f64>,
    overloaded_until: f64,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            size: FIRST,
            left: FIRST,
            began: f64::NEG_INFINITY,
            is_running: false,
            patience: None,
            overloaded_until: f64::NEG_INFINITY,
        }
    }
}

impl Turns {
    /// While nobody waits a turn is a moment in time.
    pub(super) fn renew(&mut self, now: f64, is_room_empty: bool) {
        if is_room_empty && now - self.began >= APART {
            *self = Self {
                left: self.size,
                began: now,
                is_running: false,
                patience: None,
                ..*self
            };
        }
    }

    /// Take one request into this turn; false when it is full.
    pub(super) fn take(&mut self) -> bool {
        let has_room = self.left > 0;
        if has_room {
            self.left -= 1;
        }
        has_room
    }

    /// Begin a turn because somebody waits, the first of them for `delay` seconds.
    pub(super) fn begin(&mut self, now: f64, delay: f64, settings: &DoorSettings) {
        let took = now - self.began;
        if self.is_running && took > LONG {
            self.size = (self.size / 2).max(1);
        } else if self.is_running && took < SHORT && self.left == 0 {
            self.size = (self.size + 1).min(MOST);
        }
        self.left = self.size;
        self.began = now;
        self.is_running = true;
        if delay <= settings.target_delay {
            self.patience = None;
        } else {
            let until = *self.patience.get_or_insert(now + settings.overload_seconds);
            if now >= until {
                self.overloaded_until = now + CALM;
            }
        }
    }

    /// One more sign of overload: the room was full.
    pub(super) fn extend(&mut self, now: f64) {
        if now < self.overloaded_until {
            self.overloaded_until = now + CALM;
        }
    }

    /// How many may wait: under overload no more than two turns' worth.
    pub(super) fn room(&self, settings: &DoorSettings, now: f64) -> usize {
        if now < self.overloaded_until {
            settings.waiting.min(2 * self.size as usize)
        } else {
            settings.waiting
        }
    }
}
