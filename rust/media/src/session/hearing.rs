//! Tones that are listened for in received audio: keys, tones of networks and machines, and who has
//! answered.

use std::collections::VecDeque;

use super::Session;
use super::listening::Heard;
use crate::MediaError;
use crate::dtmf::{INBAND_RATE_HZ, InbandReceiver, ReceivedDtmf};
use crate::event::EventKind;
use crate::resample::Resampler;
use crate::tones::answerer::{AnswererDetector, AnswererSettings, Verdict};
use crate::tones::{ToneDetector, ToneHeard};

/// What tones a program wants to be told of; nothing by default.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ToneSettings {
    /// Tell of keys that are heard in the audio itself.
    pub dtmf: bool,
    /// Tell of tones of networks and machines.
    pub tones: bool,
}

/// The detectors of tones, all at 8 kHz.
#[derive(Debug)]
pub(super) struct Hearing {
    resampler: Resampler,
    ready: Vec<i16>,
    settings: ToneSettings,
    dtmf: Option<Box<InbandReceiver>>,
    tones: Option<Box<ToneDetector>>,
    told: Vec<ToneHeard>,
    answerer: Option<Box<AnswererDetector>>,
}

impl Hearing {
    fn new() -> Self {
        Self {
            resampler: Resampler::new(INBAND_RATE_HZ, INBAND_RATE_HZ),
            ready: Vec::new(),
            settings: ToneSettings::default(),
            dtmf: None,
            tones: None,
            told: Vec::new(),
            answerer: None,
        }
    }

    /// Makes the detectors that are wanted and drops the others.
    fn arrange(&mut self) {
        if self.settings.dtmf {
            self.dtmf.get_or_insert_default();
        } else {
            self.dtmf = None;
        }
        if self.settings.tones || self.answerer.is_some() {
            self.tones.get_or_insert_default();
        } else {
            self.tones = None;
        }
    }

    /// Whether nothing is listened for any more.
    pub(super) fn is_idle(&self) -> bool {
        self.dtmf.is_none() && self.tones.is_none()
    }

    /// Takes 20 ms of what is heard.
    pub(super) fn push(&mut self, rate_hz: u32, samples: &[i16], heard: &mut VecDeque<Heard>) {
        if self.resampler.from_hz() != rate_hz {
            self.resampler = Resampler::new(rate_hz, INBAND_RATE_HZ);
        }
        self.ready.clear();
        self.resampler.process(samples, &mut self.ready);
        self.push_tones(rate_hz, samples, heard);
        if let Some(dtmf) = &mut self.dtmf {
            dtmf.push(&self.ready);
            while let Some(told) = dtmf.poll() {
                heard.push_back(match told {
                    ReceivedDtmf::Started { digit } => Heard {
                        kind: EventKind::InbandDtmfStarted,
                        number: 0.0,
                        text: digit.into(),
                    },
                    ReceivedDtmf::Ended { digit, duration } => Heard {
                        kind: EventKind::InbandDtmf,
                        number: duration,
                        text: digit.into(),
                    },
                });
            }
        }
    }
}

impl Hearing {
    fn push_tones(&mut self, rate_hz: u32, samples: &[i16], heard: &mut VecDeque<Heard>) {
        let Some(tones) = &mut self.tones else {
            return;
        };
        tones.push(&self.ready, &mut self.told);
        let mut verdict = None;
        if let Some(answerer) = &mut self.answerer {
            verdict = answerer.push(rate_hz, samples, tones.is_sounding());
            let by_tone = self.told.iter().find_map(|told| answerer.hear(told.tone));
            verdict = by_tone.or(verdict);
        }
        for told in self.told.drain(..) {
            if self.settings.tones {
                heard.push_back(Heard {
                    kind: EventKind::ToneHeard,
                    number: 0.0,
                    text: format!("{} {:.1} {:.1}", told.tone.as_str(), told.hz[0], told.hz[1]),
                });
            }
        }
        if let Some(Verdict {
            who,
            cause,
            greeting,
            words,
        }) = verdict
        {
            heard.push_back(Heard {
                kind: EventKind::AnswererTold,
                number: greeting,
                text: format!("{who} {cause} {words}"),
            });
            self.answerer = None;
            self.arrange();
        }
    }
}

impl Session {
    /// Says what tones are listened for from now on.
    pub fn set_tones(&mut self, settings: ToneSettings) {
        self.hear(|hearing| hearing.settings = settings);
    }

    /// Listens from now on for who has answered, until that is told, once.
    ///
    /// # Errors
    /// `MediaError::Argument` for figures out of range.
    pub fn begin_answerer(&mut self, settings: AnswererSettings) -> Result<(), MediaError> {
        settings.check()?;
        self.hear(|hearing| {
            hearing.answerer = Some(Box::new(AnswererDetector::new(settings)));
        });
        Ok(())
    }

    fn hear(&mut self, change: impl FnOnce(&mut Hearing)) {
        let listening = &mut self.listening;
        let hearing = listening
            .hearing
            .get_or_insert_with(|| Box::new(Hearing::new()));
        change(hearing);
        hearing.arrange();
        if hearing.is_idle() {
            listening.hearing = None;
        }
    }

    /// Queues digits to be sent as sound; returns the sending's number.
    ///
    /// # Errors
    /// `MediaError::Argument` for what is no digit.
    pub fn send_inband(&mut self, tones: &str, duration: f64, gap: f64) -> Result<u64, MediaError> {
        let sent = self.sender.inband().send(tones, duration, gap);
        sent.map_err(|error| MediaError::Argument(error.to_string()))
    }
}
