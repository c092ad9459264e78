//! What is listened for in received audio, besides the audio itself: voice, level and
//! tones.

use std::collections::VecDeque;

use super::Session;
use super::hearing::Hearing;
use super::port::{SPEECH, SPEECH_STARTED};
use crate::MediaError;
use crate::event::EventKind;
use crate::level::{SILENCE_DBOV, level_dbov};
use crate::voice::{HANG_OVER, VoiceDetector};

/// What a program wants to be told of; nothing by default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ListenSettings {
    /// Tell when somebody begins and ends to speak.
    pub voice: bool,
    /// Seconds without a voice after which speech has ended.
    pub hang_over: f64,
    /// Tell the levels so often, in seconds; zero: never.
    pub level_interval: f64,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            voice: false,
            hang_over: HANG_OVER,
            level_interval: 0.0,
        }
    }
}

impl ListenSettings {
    fn check(&self) -> Result<(), MediaError> {
        let interval = self.level_interval;
        if !(0.02..=10.0).contains(&self.hang_over) {
            return Err(MediaError::Argument(
                "the hang-over of speech is 0.02 to 10 s".to_owned(),
            ));
        }
        if interval != 0.0 && !(0.1..=60.0).contains(&interval) {
            return Err(MediaError::Argument(
                "levels are told every 0.1 to 60 s, or never (0)".to_owned(),
            ));
        }
        Ok(())
    }
}

/// Something heard.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heard {
    pub(super) kind: EventKind,
    pub(super) number: f64,
    pub(super) text: String,
}

/// Mean power over an interval.
#[derive(Debug, Clone, Copy, Default)]
struct Power {
    sum: f64,
    frames: u32,
}

impl Power {
    fn push(&mut self, dbov: f64) {
        self.sum += if dbov > SILENCE_DBOV {
            10_f64.powf(dbov / 10.0)
        } else {
            0.0
        };
        self.frames += 1;
    }

    fn take_dbov(&mut self) -> f64 {
        let mean = self.sum / f64::from(self.frames.max(1));
        *self = Self::default();
        if mean > 0.0 {
            (10.0 * mean.log10()).max(SILENCE_DBOV)
        } else {
            SILENCE_DBOV
        }
    }
}

/// The detectors of one session; those that nobody asked for cost nothing.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    settings: ListenSettings,
    voice: Option<VoiceDetector>,
    received: Power,
    sent: Power,
    /// None as long as no tones are listened for.
    pub(super) hearing: Option<Box<Hearing>>,
    heard: VecDeque<Heard>,
}

impl Listening {
    fn configure(&mut self, settings: ListenSettings) {
        self.settings = settings;
        if let Some(voice) = &mut self.voice {
            voice.set_hang_over(settings.hang_over);
        }
    }

    /// Whether somebody wants to be told of what is received.
    pub(crate) fn is_wanted(&self) -> bool {
        self.settings.voice || self.settings.level_interval > 0.0 || self.hearing.is_some()
    }

    /// Takes 20 ms of what is heard; returns the flags of its frame. `has_ports` says that a
    /// program reads frames, and their flags.
    pub(crate) fn push(&mut self, rate_hz: u32, samples: &[i16], has_ports: bool) -> u8 {
        if self.settings.level_interval > 0.0 {
            self.received.push(level_dbov(samples));
        }
        if let Some(hearing) = &mut self.hearing {
            hearing.push(rate_hz, samples, &mut self.heard);
            if hearing.is_idle() {
                self.hearing = None;
            }
        }
        if !self.settings.voice && !has_ports {
            self.voice = None;
            return 0;
        }
        let hang_over = self.settings.hang_over;
        let voice = self
            .voice
            .get_or_insert_with(|| VoiceDetector::new(hang_over));
        let decision = voice.push(rate_hz, samples);
        if self.settings.voice && (decision.has_started || decision.ended_after.is_some()) {
            self.heard.push_back(Heard {
                kind: EventKind::VoiceActivity,
                number: decision.ended_after.unwrap_or(0.0),
                text: if decision.has_started { "start" } else { "end" }.to_owned(),
            });
        }
        let speech = if decision.is_speech { SPEECH } else { 0 };
        speech
            | if decision.has_started {
                SPEECH_STARTED
            } else {
                0
            }
    }

    /// Takes the level of 20 ms of what is sent, and tells both when it is time.
    pub(super) fn push_sent(&mut self, dbov: f64) {
        let frames = (self.settings.level_interval * 50.0).round() as u32;
        if frames == 0 {
            return;
        }
        self.sent.push(dbov);
        if self.sent.frames >= frames {
            let (received, sent) = (self.received.take_dbov(), self.sent.take_dbov());
            self.heard.push_back(Heard {
                kind: EventKind::Level,
                number: received,
                text: format!("{sent:.1}"),
            });
        }
    }
}

impl Session {
    /// Says what is to be listened for from now on.
    ///
    /// # Errors
    /// `MediaError::Argument` for figures out of range.
    pub fn set_listening(&mut self, settings: ListenSettings) -> Result<(), MediaError> {
        settings.check()?;
        self.listening.configure(settings);
        Ok(())
    }

    /// Tells what was heard.
    pub(super) fn report_heard(&mut self) {
        while let Some(heard) = self.listening.heard.pop_front() {
            self.emit(heard.kind, heard.number, heard.text);
        }
    }

    /// Tells of room in the queues of pushed audio, and of marks that are past.
    pub(super) fn report_pushed(&mut self) {
        while let Some(port) = self.sender.player.poll_low() {
            self.emit(EventKind::AudioLow, port as f64, "");
        }
        while let Some((port, passed)) = self.sender.player.poll_mark() {
            let heard = if passed.is_heard { " heard" } else { "" };
            let text = format!("{}{heard}", passed.mark);
            self.emit(EventKind::MarkPassed, port as f64, text);
        }
    }
}
