//! Stretches of time that sound the same: a tone, quiet, or anything else.

use super::spectrum::Spectrum;
use std::collections::VecDeque;

/// Both frequencies together hold at least this share of a tone's power.
const TONAL_SHARE: f32 = 0.8;
/// A second frequency that holds less is none.
const SECOND_SHARE: f32 = 0.1;
/// Frequencies this near are the same, in Hz.
const NEAR_HZ: f32 = 25.0;
/// A tone is over when it is this much below its loudest, in dB: half a window is without it.
const FALL_DB: f32 = 6.0;
/// What is this much below the last tone is the quiet between two of them, in dB.
const BETWEEN_DB: f32 = 15.0;
/// Steps in a row that end a run.
const END_STEPS: u32 = 2;
/// Tones shorter than this are edges of others; other sounds shorter than this too.
const LEAST_TONE: u32 = 4;
const LEAST_OTHER: u32 = 5;
/// A second frequency belongs to a tone if it is there in its first steps.
const FIRST_STEPS: u32 = 3;
/// After so much quiet it is no longer that between two tones: 6.5 s.
pub(super) const LONGEST_QUIET: u32 = 325;
const KEPT: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    Quiet,
    Tone,
    Other,
}

/// A stretch of the same sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Run {
    pub(super) sound: Sound,
    /// Steps of 20 ms.
    pub(super) steps: u32,
    /// Of a tone: its frequencies, the lower first; the second is 0 where there is one only.
    pub(super) hz: [f32; 2],
    /// Of a tone: the lowest and the highest that its strongest frequency was.
    pub(super) span_hz: [f32; 2],
    dbov: f32,
}

impl Run {
    fn new(sound: Sound, seen: &Spectrum) -> Self {
        let has_second = seen.shares[1] >= SECOND_SHARE;
        let second = if has_second { seen.hz[1] } else { 0.0 };
        Self {
            sound,
            steps: 1,
            hz: [seen.hz[0], second],
            span_hz: [seen.hz[0]; 2],
            dbov: seen.dbov,
        }
    }

    pub(super) fn is_tone(&self) -> bool {
        self.sound == Sound::Tone
    }

    /// Whether it is a single frequency, near that one.
    pub(super) fn is_single(&self, hz: f32, within_hz: f32) -> bool {
        self.is_tone() && self.hz[1] == 0.0 && (self.hz[0] - hz).abs() <= within_hz
    }

    /// Whether all its frequencies lie there.
    pub(super) fn lies_in(&self, from_hz: f32, to_hz: f32) -> bool {
        let band = from_hz..=to_hz;
        self.is_tone() && self.hz.iter().all(|hz| *hz == 0.0 || band.contains(hz))
    }

    pub(super) fn is_like(&self, other: &Self) -> bool {
        let near = |hz: f32| other.hz.iter().any(|own| (hz - own).abs() < NEAR_HZ);
        self.sound == other.sound && near(self.hz[0])
    }

    fn takes(&self, sound: Sound, seen: &Spectrum) -> bool {
        if sound != self.sound || !self.is_tone() {
            return sound == self.sound;
        }
        let is_near = self.hz.iter().any(|hz| (hz - seen.hz[0]).abs() < NEAR_HZ);
        is_near && seen.dbov > self.dbov - FALL_DB
    }

    fn push(&mut self, seen: &Spectrum) {
        self.steps += 1;
        if !self.is_tone() {
            return;
        }
        self.dbov = self.dbov.max(seen.dbov);
        if self.hz[1] == 0.0 {
            let [least, most] = self.span_hz;
            self.span_hz = [least.min(seen.hz[0]), most.max(seen.hz[0])];
            if self.steps > FIRST_STEPS {
                return;
            }
            // The edge of a window has no clear frequency yet.
            self.hz[0] = seen.hz[0];
            self.span_hz = [seen.hz[0]; 2];
            if seen.shares[1] >= SECOND_SHARE {
                self.hz[1] = seen.hz[1];
            }
        }
    }
}

/// The run that goes on, and those before it.
#[derive(Debug)]
pub(super) struct Runs {
    pub(super) current: Run,
    /// What is over, the newest last; tones and the quiet between them, since the last other sound.
    pub(super) past: VecDeque<Run>,
    odd: u32,
    tone_dbov: f32,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            current: Run::new(Sound::Quiet, &Spectrum::default()),
            past: VecDeque::new(),
            odd: 0,
            tone_dbov: f32::NEG_INFINITY,
        }
    }
}

impl Runs {
    /// Takes a step; true when a run has ended with it.
    pub(super) fn push(&mut self, seen: &Spectrum) -> bool {
        let sound = self.sound(seen);
        if self.current.takes(sound, seen) {
            self.current.steps += self.odd;
            self.odd = 0;
            self.current.push(seen);
            if self.current.sound == Sound::Quiet && self.current.steps > LONGEST_QUIET {
                self.tone_dbov = f32::NEG_INFINITY;
            }
            return false;
        }
        self.odd += 1;
        if self.odd < END_STEPS {
            return false;
        }
        self.odd = 0;
        let mut next = Run::new(sound, seen);
        next.steps = END_STEPS;
        let ended = std::mem::replace(&mut self.current, next);
        self.keep(ended);
        true
    }

    fn sound(&self, seen: &Spectrum) -> Sound {
        if seen.is_quiet() || seen.dbov < self.tone_dbov - BETWEEN_DB {
            Sound::Quiet
        } else if seen.shares[0] + seen.shares[1] >= TONAL_SHARE {
            Sound::Tone
        } else {
            Sound::Other
        }
    }

    fn keep(&mut self, mut ended: Run) {
        let is_edge = match ended.sound {
            Sound::Quiet => false,
            Sound::Tone => ended.steps < LEAST_TONE,
            Sound::Other => ended.steps < LEAST_OTHER,
        };
        if is_edge {
            ended.sound = Sound::Quiet;
        }
        match ended.sound {
            Sound::Tone => self.tone_dbov = ended.dbov,
            Sound::Other => {
                self.past.clear();
                self.tone_dbov = f32::NEG_INFINITY;
                return;
            }
            // Quiet on quiet is one, whether it is over or goes on.
            Sound::Quiet => {
                let last = self.past.back().filter(|last| last.sound == Sound::Quiet);
                if let Some(steps) = last.map(|last| last.steps) {
                    ended.steps += steps;
                    self.past.pop_back();
                }
                if self.current.sound == Sound::Quiet {
                    self.current.steps += ended.steps;
                    return;
                }
            }
        }
        if self.past.len() == KEPT {
            self.past.pop_front();
        }
        self.past.push_back(ended);
    }

    /// The newest runs that are over, the newest first.
    pub(super) fn newest<const N: usize>(&self) -> Option<[Run; N]> {
        let mut runs = self.past.iter().rev().copied();
        let mut found = [self.current; N];
        for slot in &mut found {
            *slot = runs.next()?;
        }
        Some(found)
    }
}
