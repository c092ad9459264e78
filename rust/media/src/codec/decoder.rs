//! The receiving half of a codec.

use super::comfort::ComfortNoise;
use super::conceal::Concealer;
use super::g722::WidebandDecoder;
use super::opus::OpusDecoder;
use super::{CodecError, CodecKind, LONGEST_PACKET_MS, g711};

/// An Opus payload this short says that the sender falls silent (RFC 6716 §3.4, R1; RFC 7587
/// §3.1.3): the configuration and at most one octet of nothing.
const LONGEST_SILENT_PAYLOAD: usize = 2;

pub(super) fn is_silent(kind: CodecKind, payload: &[u8]) -> bool {
    kind == CodecKind::Opus && payload.len() <= LONGEST_SILENT_PAYLOAD
}

/// Turns payloads, and their absence, into 16-bit mono samples.
#[derive(Debug)]
pub struct Decoder {
    kind: CodecKind,
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
    Opus(Box<OpusDecoder>),
    Waveform(Box<Waveform>),
}

/// A codec without concealment and comfort noise of its own.
#[derive(Debug)]
struct Waveform {
    wideband: Option<WidebandDecoder>,
    concealer: Concealer,
    noise: ComfortNoise,
}

impl Decoder {
    /// Makes a decoder.
    pub fn new(kind: CodecKind) -> Result<Self, CodecError> {
        let engine = match kind {
            CodecKind::Opus => Engine::Opus(Box::new(OpusDecoder::new()?)),
            _ => Engine::Waveform(Box::new(Waveform {
                wideband: (kind == CodecKind::G722).then(WidebandDecoder::new),
                concealer: Concealer::new(kind.sample_rate_hz()),
                noise: ComfortNoise::default(),
            })),
        };
        Ok(Self { kind, engine })
    }

    /// Returns which codec this is.
    #[must_use]
    pub fn kind(&self) -> CodecKind {
        self.kind
    }

    /// Returns the rate of the samples it makes.
    #[must_use]
    pub fn sample_rate_hz(&self) -> u32 {
        self.kind.sample_rate_hz()
    }

    /// Returns how many samples a payload holds, without decoding it.
    pub fn duration_samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        let longest = (self.sample_rate_hz() * LONGEST_PACKET_MS / 1000) as usize;
        let samples = match (&self.engine, self.kind) {
            (Engine::Opus(opus), _) => opus.duration_samples(payload)?,
            (_, CodecKind::L16) => payload.len() / 2,
            (_, CodecKind::G722) => payload.len() * 2,
            _ => payload.len(),
        };
        if samples == 0 || samples > longest {
            return Err(CodecError::Payload(self.kind.name()));
        }
        Ok(samples)
    }

    /// Decodes one payload, appending to `samples`.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) -> Result<(), CodecError> {
        let duration = self.duration_samples(payload)?;
        let start = samples.len();
        match &mut self.engine {
            Engine::Opus(opus) => return opus.decode(payload, duration, false, samples),
            Engine::Waveform(waveform) => {
                match (self.kind, &mut waveform.wideband) {
                    (_, Some(wideband)) => wideband.decode(payload, samples)?,
                    (CodecKind::Pcma, _) => {
                        samples.extend(payload.iter().map(|&c| g711::decode_alaw(c)));
                    }
                    (CodecKind::Pcmu, _) => {
                        samples.extend(payload.iter().map(|&c| g711::decode_ulaw(c)));
                    }
                    _ => samples.extend(
                        payload
                            .chunks_exact(2)
                            .map(|pair| i16::from_be_bytes([pair[0], pair[1]])),
                    ),
                }
                waveform.concealer.heard(&mut samples[start..]);
            }
        }
        Ok(())
    }

    /// Tells whether a lost frame can be had from the payload that follows it.
    #[must_use]
    pub fn has_forward_error_correction(&self) -> bool {
        self.kind == CodecKind::Opus
    }

    /// Recovers a lost frame of `duration` samples from the payload after it (RFC 6716 §2.1.7).
    ///
    /// Where that payload holds no copy, the frame is concealed.
    pub fn recover(
        &mut self,
        following: &[u8],
        duration: usize,
        samples: &mut Vec<i16>,
    ) -> Result<(), CodecError> {
        match &mut self.engine {
            Engine::Opus(opus) => opus.decode(following, duration, true, samples),
            Engine::Waveform(_) => self.conceal(duration, samples),
        }
    }

    /// Makes up `duration` samples for a frame that is not there.
    pub fn conceal(&mut self, duration: usize, samples: &mut Vec<i16>) -> Result<(), CodecError> {
        match &mut self.engine {
            Engine::Opus(opus) => opus.decode(&[], duration, false, samples),
            Engine::Waveform(waveform) => {
                waveform.concealer.conceal(duration, samples);
                Ok(())
            }
        }
    }

    /// Tells whether the sender falls silent with this payload.
    #[must_use]
    pub fn is_silent(&self, payload: &[u8]) -> bool {
        is_silent(self.kind, payload)
    }

    /// Takes a description of the silence that begins or lasts (RFC 3389).
    pub fn describe_silence(&mut self, payload: &[u8]) {
        if let Engine::Waveform(waveform) = &mut self.engine {
            waveform.noise.hear_untrusted(payload);
        }
    }

    /// Appends `duration` samples of an announced silence.
    pub fn comfort(&mut self, duration: usize, samples: &mut Vec<i16>) {
        let wanted = samples.len() + duration;
        match &mut self.engine {
            // libopus goes on with the background it has heard (RFC 6716 §2.1.9).
            Engine::Opus(opus) => {
                if opus.decode(&[], duration, false, samples).is_err() {
                    samples.resize(wanted, 0);
                }
            }
            Engine::Waveform(waveform) => {
                let start = samples.len();
                waveform.noise.make(duration, samples);
                waveform.concealer.heard(&mut samples[start..]);
            }
        }
        samples.resize(wanted, 0);
    }
}
