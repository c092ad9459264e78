//! A session's end of a seat in a room.

use std::sync::Arc;

use crate::fan::Encoding;
use crate::player::mix;
use crate::resample::Resampler;
use crate::room::seat::{Mixed, Seat, Wants};

/// A seat, and what was fetched from it.
pub(crate) struct RoomEnd {
    pub(super) seat: Arc<Seat>,
    received_hz: u32,
    heard: Option<Mixed>,
    resampler: Option<Resampler>,
    ready: Vec<i16>,
}

impl RoomEnd {
    pub(crate) fn new(seat: Arc<Seat>) -> Self {
        Self {
            seat,
            received_hz: 0,
            heard: None,
            resampler: None,
            ready: Vec::new(),
        }
    }

    /// Leaves 20 ms that were received.
    pub(super) fn give(&mut self, rate_hz: u32, samples: &[i16]) {
        self.received_hz = rate_hz;
        self.seat.give(rate_hz, samples);
    }

    /// Takes 20 ms to be heard; the payload, if it can be sent as it is.
    pub(super) fn fetch(&mut self, sent_hz: u32, encoding: Option<Encoding>) -> Option<Arc<[u8]>> {
        let rate_hz = sent_hz.max(self.received_hz);
        self.heard = self.seat.fetch(Wants { rate_hz, encoding });
        let (own, payload) = self.heard.as_ref()?.payload.as_ref()?;
        (Some(*own) == encoding).then(|| Arc::clone(payload))
    }

    /// Adds what was fetched to a frame.
    pub(super) fn mix_into(&mut self, rate_hz: u32, frame: &mut [i16]) {
        let Some(heard) = self.heard.take() else {
            return;
        };
        if heard.rate_hz == rate_hz {
            return mix(frame, &heard.samples);
        }
        let is_fitting = |old: &Resampler| old.from_hz() == heard.rate_hz && old.to_hz() == rate_hz;
        if !self.resampler.as_ref().is_some_and(is_fitting) {
            self.resampler = Some(Resampler::new(heard.rate_hz, rate_hz));
            self.ready.clear();
        }
        if let Some(resampler) = &mut self.resampler {
            resampler.process(&heard.samples, &mut self.ready);
        }
        let count = frame.len().min(self.ready.len());
        mix(frame, &self.ready[..count]);
        self.ready.drain(..count);
        self.ready.truncate(frame.len());
    }
}
