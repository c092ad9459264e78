//! One member of a room.

use std::sync::Arc;

use super::activity::Activity;
use super::seat::{Seat, Wants};
use crate::MediaError;
use crate::lane::Heard;
use crate::level::{SILENCE_DBOV, level_dbov};
use crate::resample::Resampler;

/// Gains in dB that make sense.
const GAINS_DB: std::ops::RangeInclusive<f64> = -60.0..=30.0;

/// How a member is heard, and what it hears.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MemberSettings {
    /// Gain of what comes from it, dB.
    pub gain_db: f64,
    /// It is not heard.
    pub is_muted: bool,
    /// It hears nothing.
    pub is_deaf: bool,
    /// The session of the one member that hears it; None: all do.
    pub whispers_to: Option<u64>,
}

impl MemberSettings {
    pub(super) fn check(&self) -> Result<(), MediaError> {
        if GAINS_DB.contains(&self.gain_db) {
            return Ok(());
        }
        Err(MediaError::Argument(
            "the gain of a member is -60 to 30 dB".to_owned(),
        ))
    }
}

/// A seat, and what is known of who sits there.
pub(super) struct Member {
    pub(super) seat: Arc<Seat>,
    pub(super) settings: MemberSettings,
    pub(super) wants: Wants,
    pub(super) activity: Activity,
    /// It is loud enough, and not muted.
    pub(super) is_heard: bool,
    /// The present 20 ms at the room's rate, with its gain.
    pub(super) frame: Vec<i32>,
    came: Option<Heard>,
    resampler: Option<Resampler>,
    ready: Vec<i16>,
}

impl Member {
    pub(super) fn new(seat: Arc<Seat>, settings: MemberSettings) -> Self {
        Self {
            seat,
            settings,
            wants: Wants::default(),
            activity: Activity::default(),
            is_heard: false,
            frame: Vec::new(),
            came: None,
            resampler: None,
            ready: Vec::new(),
        }
    }

    /// Whether all others hear it.
    pub(super) fn is_in_sum(&self) -> bool {
        self.is_heard && self.settings.whispers_to.is_none()
    }

    /// Takes what it has left; returns the rate that does it justice.
    pub(super) fn take(&mut self) -> u32 {
        (self.came, self.wants) = self.seat.take();
        self.wants
            .rate_hz
            .max(self.came.as_ref().map_or(0, |came| came.rate_hz))
    }

    /// Brings what it has left to the room's rate, if it is to be heard.
    pub(super) fn prepare(&mut self, rate_hz: u32) {
        let came = self.came.take();
        let level = came
            .as_ref()
            .map_or(SILENCE_DBOV, |came| level_dbov(&came.samples));
        let is_loud = self.activity.push(level) && !self.settings.is_muted;
        let was_heard = std::mem::replace(&mut self.is_heard, is_loud);
        if !is_loud {
            return;
        }
        if !was_heard {
            self.resampler = None;
        }
        let samples = (rate_hz / 50) as usize;
        if let Some(came) = came {
            self.resample(&came, rate_hz);
        }
        let count = samples.min(self.ready.len());
        let gain = 10_f32.powf(self.settings.gain_db as f32 / 20.0);
        self.frame.clear();
        self.frame.extend(
            self.ready
                .drain(..count)
                .map(|sample| (f32::from(sample) * gain) as i32),
        );
        self.frame.resize(samples, 0);
        self.ready.truncate(samples);
    }

    fn resample(&mut self, came: &Heard, rate_hz: u32) {
        let is_fitting = |old: &Resampler| old.from_hz() == came.rate_hz && old.to_hz() == rate_hz;
        if !self.resampler.as_ref().is_some_and(is_fitting) {
            self.resampler = Some(Resampler::new(came.rate_hz, rate_hz));
            self.ready.clear();
        }
        if let Some(resampler) = &mut self.resampler {
            resampler.process(&came.samples, &mut self.ready);
        }
    }
}
