//! Audio codecs over 16-bit mono samples: G.711, Opus and L16.
//!
//! Encoders and decoders keep no clock and do no I/O. A decoder always has an answer for a
//! missing frame: Opus by its own concealment or by forward error correction from the packet
//! that follows, G.711 and L16 by repeating the waveform (see [`conceal`]).

pub mod conceal;
pub mod g711;
mod opus;

use conceal::Concealer;
pub use opus::OpusSettings;
use opus::{OpusDecoder, OpusEncoder};

/// Longest audio a single packet may carry: 120 ms, the limit of Opus (RFC 6716 §2.1.4).
pub const LONGEST_PACKET_MS: u32 = 120;

/// What an encoder or decoder can refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The payload cannot be decoded: it is malformed or longer than [`LONGEST_PACKET_MS`].
    #[error("the payload is not valid {0}")]
    Payload(&'static str),
    /// The samples given do not make a frame of this codec.
    #[error("{samples} samples are no frame of {codec}: give 10, 20, 40 or 60 ms")]
    FrameSize {
        /// RTP encoding name.
        codec: &'static str,
        /// How many samples were given.
        samples: usize,
    },
    /// The codec library refused to start or to take a setting.
    #[error("the codec could not be set up: {0}")]
    Setup(&'static str),
}

/// The codecs the engine speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodecKind {
    /// G.711 µ-law (RFC 3551 §4.5.14), 8 kHz.
    Pcmu,
    /// G.711 A-law (RFC 3551 §4.5.14), 8 kHz.
    Pcma,
    /// Opus (RFC 7587), 48 kHz mono.
    Opus,
    /// Linear 16 bit, network byte order (RFC 3551 §4.5.11), 16 kHz mono.
    L16,
}

impl CodecKind {
    /// Finds a codec by its RTP encoding name, ignoring case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pcmu, Self::Pcma, Self::Opus, Self::L16]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Returns the RTP encoding name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::Opus => "opus",
            Self::L16 => "L16",
        }
    }

    /// Returns the sample rate of the codec's audio, which is also its RTP clock rate.
    #[must_use]
    pub fn sample_rate_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
            Self::Opus => 48_000,
            Self::L16 => 16_000,
        }
    }

    /// Returns the clock its RTP timestamps count in.
    #[must_use]
    pub fn rtp_clock_hz(self) -> u32 {
        self.sample_rate_hz()
    }
}

/// Turns 16-bit mono samples into payloads.
#[derive(Debug)]
pub struct Encoder {
    kind: CodecKind,
    opus: Option<Box<OpusEncoder>>,
}

impl Encoder {
    /// Makes an encoder; `settings` matter to Opus alone.
    pub fn new(kind: CodecKind, settings: &OpusSettings) -> Result<Self, CodecError> {
        let opus = match kind {
            CodecKind::Opus => Some(Box::new(OpusEncoder::new(settings)?)),
            _ => None,
        };
        Ok(Self { kind, opus })
    }

    /// Returns which codec this is.
    #[must_use]
    pub fn kind(&self) -> CodecKind {
        self.kind
    }

    /// Returns the rate `encode` expects its samples at.
    #[must_use]
    pub fn sample_rate_hz(&self) -> u32 {
        self.kind.sample_rate_hz()
    }

    /// Encodes one frame, replacing what `payload` held.
    pub fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) -> Result<(), CodecError> {
        payload.clear();
        match (self.kind, &mut self.opus) {
            (CodecKind::Pcmu, _) => payload.extend(samples.iter().map(|&s| g711::encode_ulaw(s))),
            (CodecKind::Pcma, _) => payload.extend(samples.iter().map(|&s| g711::encode_alaw(s))),
            (CodecKind::L16, _) => payload.extend(samples.iter().flat_map(|s| s.to_be_bytes())),
            (CodecKind::Opus, Some(opus)) => opus.encode(samples, payload)?,
            (CodecKind::Opus, None) => return Err(CodecError::Setup("opus")),
        }
        Ok(())
    }

    /// Tells the encoder what loss to expect, so that it spends bits on recovery accordingly.
    pub fn set_expected_loss_percent(&mut self, percent: u8) -> Result<(), CodecError> {
        self.opus
            .as_mut()
            .map_or(Ok(()), |opus| opus.set_expected_loss_percent(percent))
    }

    /// Sets the bit rate; codecs of one rate ignore it.
    pub fn set_bitrate_bps(&mut self, bitrate_bps: u32) -> Result<(), CodecError> {
        self.opus
            .as_mut()
            .map_or(Ok(()), |opus| opus.set_bitrate_bps(bitrate_bps))
    }
}

/// Turns payloads, and their absence, into 16-bit mono samples.
#[derive(Debug)]
pub struct Decoder {
    kind: CodecKind,
    engine: DecoderEngine,
}

#[derive(Debug)]
enum DecoderEngine {
    Opus(Box<OpusDecoder>),
    Waveform(Box<Concealer>),
}

impl Decoder {
    /// Makes a decoder.
    pub fn new(kind: CodecKind) -> Result<Self, CodecError> {
        let engine = match kind {
            CodecKind::Opus => DecoderEngine::Opus(Box::new(OpusDecoder::new()?)),
            _ => DecoderEngine::Waveform(Box::new(Concealer::new(kind.sample_rate_hz()))),
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
        let samples = match &self.engine {
            DecoderEngine::Opus(opus) => opus.duration_samples(payload)?,
            DecoderEngine::Waveform(_) if self.kind == CodecKind::L16 => payload.len() / 2,
            DecoderEngine::Waveform(_) => payload.len(),
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
            DecoderEngine::Opus(opus) => return opus.decode(payload, duration, false, samples),
            DecoderEngine::Waveform(concealer) => {
                match self.kind {
                    CodecKind::Pcma => {
                        samples.extend(payload.iter().map(|&c| g711::decode_alaw(c)));
                    }
                    CodecKind::Pcmu => {
                        samples.extend(payload.iter().map(|&c| g711::decode_ulaw(c)));
                    }
                    _ => samples.extend(
                        payload
                            .chunks_exact(2)
                            .map(|pair| i16::from_be_bytes([pair[0], pair[1]])),
                    ),
                }
                concealer.heard(&mut samples[start..]);
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
            DecoderEngine::Opus(opus) => opus.decode(following, duration, true, samples),
            DecoderEngine::Waveform(_) => self.conceal(duration, samples),
        }
    }

    /// Makes up `duration` samples for a frame that is not there.
    pub fn conceal(&mut self, duration: usize, samples: &mut Vec<i16>) -> Result<(), CodecError> {
        match &mut self.engine {
            DecoderEngine::Opus(opus) => opus.decode(&[], duration, false, samples),
            DecoderEngine::Waveform(concealer) => {
                concealer.conceal(duration, samples);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
