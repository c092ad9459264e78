//! What is sent while nothing is said: nothing, or now and then what the silence sounds like.

use crate::codec::comfort;
use crate::level::SILENCE_DBOV;

/// A silence is described this often: 10 frames, 200 ms. A lost description is soon made good.
const FRAMES_PER_DESCRIPTION: u32 = 10;

/// A frame is loud that stands this far above the background, and above the least level.
const MARGIN_DB: f64 = 9.0;
const LEAST_DBOV: f64 = -55.0;
/// Where the background is thought to be at first.
const FIRST_BACKGROUND_DBOV: f64 = -60.0;
/// The background is taken to rise by this in a frame: 3 dB a second, so that noise that lasts is
/// found to be one. It falls at once.
const RISE_DB: f64 = 0.06;
/// Frames that are sent after the last loud one: 300 ms, for the soft ends of words.
const HANG_OVER_FRAMES: u32 = 15;

/// What becomes of the packet that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Audio as ever.
    Speak,
    /// A description of the silence (RFC 3389).
    Describe,
    /// No packet.
    Pause,
}

/// Watches the frames that go out.
#[derive(Debug)]
pub(super) struct Silence {
    background_dbov: f64,
    /// Frames since the last loud one.
    since_loud: u32,
    /// Frames since a description was sent; none while there is speech.
    since_description: Option<u32>,
    /// The last Opus packet said that nothing follows.
    is_paused: bool,
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            background_dbov: FIRST_BACKGROUND_DBOV,
            since_loud: 0,
            since_description: None,
            is_paused: false,
        }
    }
}

impl Silence {
    /// Takes the level of a frame that is to be sent.
    pub(super) fn push_level(&mut self, level_dbov: f64) {
        let is_loud = level_dbov > LEAST_DBOV && level_dbov > self.background_dbov + MARGIN_DB;
        self.background_dbov = level_dbov
            .min(self.background_dbov + RISE_DB)
            .max(SILENCE_DBOV);
        self.since_loud = if is_loud {
            0
        } else {
            self.since_loud.saturating_add(1)
        };
        self.since_description = self.since_description.map(|frames| frames + 1);
    }

    /// Decides over a packet of that many frames where comfort noise is agreed.
    pub(super) fn turn(&mut self, frames: u32) -> Turn {
        if self.since_loud < HANG_OVER_FRAMES + frames {
            self.since_description = None;
            return Turn::Speak;
        }
        let is_due = self
            .since_description
            .is_none_or(|frames| frames >= FRAMES_PER_DESCRIPTION);
        if is_due {
            self.since_description = Some(0);
            Turn::Describe
        } else {
            Turn::Pause
        }
    }

    /// Writes the description of what is heard now.
    pub(super) fn describe(samples: &[i16], payload: &mut Vec<u8>) {
        comfort::describe(samples, payload);
    }

    /// Decides over an encoded Opus packet: of those that hold nothing, the first is sent, which
    /// tells the far end that a pause and no loss follows.
    pub(super) fn may_send(&mut self, is_silent: bool) -> bool {
        !std::mem::replace(&mut self.is_paused, is_silent) || !is_silent
    }
}
