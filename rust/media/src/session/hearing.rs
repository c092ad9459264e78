//! Tones that are listened for in received audio: keys in the audio itself.

use std::collections::VecDeque;

use super::Session;
use super::listening::Heard;
use crate::MediaError;
use crate::dtmf::{INBAND_RATE_HZ, InbandReceiver, ReceivedDtmf};
use crate::event::EventKind;
use crate::resample::Resampler;

/// What tones a program wants to be told of; nothing by default.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ToneSettings {
    /// Tell of keys that are heard in the audio itself.
    pub dtmf: bool,
}

/// The detectors of tones, all at 8 kHz.
#[derive(Debug)]
pub(super) struct Hearing {
    resampler: Resampler,
    ready: Vec<i16>,
    dtmf: Option<InbandReceiver>,
}

impl Hearing {
    fn new() -> Self {
        Self {
            resampler: Resampler::new(INBAND_RATE_HZ, INBAND_RATE_HZ),
            ready: Vec::new(),
            dtmf: None,
        }
    }

    /// Takes 20 ms of what is heard.
    pub(super) fn push(&mut self, rate_hz: u32, samples: &[i16], heard: &mut VecDeque<Heard>) {
        if self.resampler.from_hz() != rate_hz {
            self.resampler = Resampler::new(rate_hz, INBAND_RATE_HZ);
        }
        self.ready.clear();
        self.resampler.process(samples, &mut self.ready);
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

impl Session {
    /// Says what tones are listened for from now on.
    pub fn set_tones(&mut self, settings: ToneSettings) {
        if settings == ToneSettings::default() {
            self.listening.hearing = None;
            return;
        }
        let hearing = self
            .listening
            .hearing
            .get_or_insert_with(|| Box::new(Hearing::new()));
        if settings.dtmf {
            hearing.dtmf.get_or_insert_default();
        } else {
            hearing.dtmf = None;
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
