//! One sound for many listeners: resampled once a rate, encoded once a codec.

use std::sync::Arc;

use crate::codec::{CodecKind, Encoder, OpusSettings};
use crate::resample::Resampler;

/// Frames after which a rate or codec that nobody asked for is forgotten: one second.
const MOST_UNUSED: u32 = 50;

/// How a far end wants its packets of 20 ms made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) codec: CodecKind,
    pub(crate) opus: OpusSettings,
}

#[derive(Debug)]
struct Track {
    resampler: Resampler,
    samples: Arc<[i16]>,
    unused: u32,
}

#[derive(Debug)]
struct Voice {
    encoding: Encoding,
    encoder: Encoder,
    payload: Arc<[u8]>,
    unused: u32,
}

/// One frame of a sound in the forms it was made in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forms {
    samples: Vec<(u32, Arc<[i16]>)>,
    payloads: Vec<(Encoding, Arc<[u8]>)>,
}

impl Forms {
    pub(crate) fn samples(&self, rate_hz: u32) -> Option<Arc<[i16]>> {
        let mut known = self.samples.iter();
        known
            .find(|(rate, _)| *rate == rate_hz)
            .map(|(_, samples)| Arc::clone(samples))
    }

    pub(crate) fn payload(&self, encoding: Encoding) -> Option<Arc<[u8]>> {
        let mut known = self.payloads.iter();
        known
            .find(|(own, payload)| *own == encoding && !payload.is_empty())
            .map(|(_, payload)| Arc::clone(payload))
    }
}

/// The present frame of a sound, in all forms that are asked for.
#[derive(Debug, Default)]
pub(crate) struct Fan {
    rate_hz: u32,
    samples: Arc<[i16]>,
    tracks: Vec<Track>,
    voices: Vec<Voice>,
    encoded: u64,
}

impl Fan {
    /// Takes the next 20 ms. All forms in use are made at once, so that filters and encoders see
    /// every frame.
    pub(crate) fn push(&mut self, rate_hz: u32, samples: Arc<[i16]>) {
        if self.rate_hz != rate_hz {
            self.rate_hz = rate_hz;
            self.tracks.clear();
        }
        self.samples = samples;
        self.tracks.retain(|track| track.unused < MOST_UNUSED);
        self.voices.retain(|voice| voice.unused < MOST_UNUSED);
        for track in &mut self.tracks {
            track.unused += 1;
            track.samples = resampled(&mut track.resampler, &self.samples);
        }
        for index in 0..self.voices.len() {
            let samples = self.samples(self.voices[index].encoder.sample_rate_hz());
            let voice = &mut self.voices[index];
            voice.unused += 1;
            voice.payload = encoded(&mut voice.encoder, &samples);
            self.encoded += 1;
        }
    }

    /// How many frames were encoded, all codecs together.
    pub(crate) fn encoded(&self) -> u64 {
        self.encoded
    }

    /// The present frame in all forms there are.
    pub(crate) fn forms(&self) -> Forms {
        let own = (self.rate_hz, Arc::clone(&self.samples));
        let others = self
            .tracks
            .iter()
            .map(|track| (track.resampler.to_hz(), Arc::clone(&track.samples)));
        let payloads = self
            .voices
            .iter()
            .map(|voice| (voice.encoding, Arc::clone(&voice.payload)));
        Forms {
            samples: std::iter::once(own).chain(others).collect(),
            payloads: payloads.collect(),
        }
    }

    /// Notes that a rate is in use by somebody who is behind.
    pub(crate) fn keep_rate(&mut self, rate_hz: u32) {
        let mut tracks = self.tracks.iter_mut();
        if let Some(track) = tracks.find(|track| track.resampler.to_hz() == rate_hz) {
            track.unused = 0;
        }
    }

    /// Notes that somebody who is behind wants an encoding: it is made from the next frame on.
    pub(crate) fn keep_encoding(&mut self, encoding: Encoding) {
        let mut voices = self.voices.iter_mut();
        if let Some(voice) = voices.find(|voice| voice.encoding == encoding) {
            voice.unused = 0;
        } else if let Ok(encoder) = Encoder::new(encoding.codec, &encoding.opus) {
            self.voices.push(Voice {
                encoding,
                encoder,
                payload: Arc::default(),
                unused: 0,
            });
        }
    }

    /// The present frame at a rate.
    pub(crate) fn samples(&mut self, rate_hz: u32) -> Arc<[i16]> {
        if rate_hz == self.rate_hz {
            return Arc::clone(&self.samples);
        }
        let known = self
            .tracks
            .iter_mut()
            .find(|track| track.resampler.to_hz() == rate_hz);
        if let Some(track) = known {
            track.unused = 0;
            return Arc::clone(&track.samples);
        }
        let mut resampler = Resampler::new(self.rate_hz, rate_hz);
        let samples = resampled(&mut resampler, &self.samples);
        self.tracks.push(Track {
            resampler,
            samples: Arc::clone(&samples),
            unused: 0,
        });
        samples
    }

    /// The present frame as a payload; None where it cannot be encoded so.
    pub(crate) fn payload(&mut self, encoding: Encoding) -> Option<Arc<[u8]>> {
        let known = self
            .voices
            .iter_mut()
            .find(|voice| voice.encoding == encoding);
        if let Some(voice) = known {
            voice.unused = 0;
            return (!voice.payload.is_empty()).then(|| Arc::clone(&voice.payload));
        }
        let mut encoder = Encoder::new(encoding.codec, &encoding.opus).ok()?;
        let samples = self.samples(encoder.sample_rate_hz());
        let payload = encoded(&mut encoder, &samples);
        self.encoded += 1;
        self.voices.push(Voice {
            encoding,
            encoder,
            payload: Arc::clone(&payload),
            unused: 0,
        });
        (!payload.is_empty()).then_some(payload)
    }
}

fn resampled(resampler: &mut Resampler, samples: &[i16]) -> Arc<[i16]> {
    let mut made = Vec::with_capacity(samples.len() * 6);
    resampler.process(samples, &mut made);
    made.into()
}

/// Empty where the encoder refuses.
fn encoded(encoder: &mut Encoder, samples: &[i16]) -> Arc<[u8]> {
    let mut payload = Vec::new();
    if encoder.encode(samples, &mut payload).is_err() {
        payload.clear();
    }
    payload.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(codec: CodecKind) -> Encoding {
        let opus = OpusSettings::default();
        Encoding { codec, opus }
    }

    #[test]
    fn all_who_ask_get_the_same_payload_and_it_is_made_once() {
        let mut fan = Fan::default();
        fan.push(16_000, vec![1000; 320].into());
        let first = fan.payload(encoding(CodecKind::Opus)).unwrap();
        let second = fan.payload(encoding(CodecKind::Opus)).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(fan.payload(encoding(CodecKind::Pcmu)).unwrap().len(), 160);
        assert_eq!(fan.samples(8_000).len(), 160);
        assert_eq!((fan.voices.len(), fan.tracks.len()), (2, 2));
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let mut fan = Fan::default();
        fan.push(16_000, vec![0; 320].into());
        fan.payload(encoding(CodecKind::Pcmu));
        for _ in 0..200 {
            fan.push(16_000, vec![0; 320].into());
        }
        assert_eq!((fan.voices.len(), fan.tracks.len()), (0, 0));
    }
}
