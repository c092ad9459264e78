//! Audio codecs over 16-bit mono samples: Opus, G.722, G.711 and L16.
//!
//! Encoders and decoders keep no clock and do no I/O. A decoder always has an answer for a
//! missing frame: Opus by its own concealment or by forward error correction from the packet
//! that follows, the others by repeating the waveform (see [`conceal`]); and for a silence that
//! was announced: Opus by what it knows of the background, the others by [`comfort`] noise.

pub mod comfort;
pub mod conceal;
mod decoder;
pub mod g711;
mod g722;
mod opus;

pub use decoder::Decoder;
use g722::WidebandEncoder;
use opus::OpusEncoder;
pub use opus::OpusSettings;

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
    /// G.722 (RFC 3551 §4.5.2), 16 kHz, on an RTP clock of 8 kHz.
    G722,
    /// Opus (RFC 7587), 48 kHz.
    Opus,
    /// Linear 16 bit, network byte order (RFC 3551 §4.5.11), 16 kHz mono.
    L16,
}

impl CodecKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Opus, Self::G722, Self::Pcmu, Self::Pcma, Self::L16];

    /// Finds a codec by its RTP encoding name, ignoring case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Returns the RTP encoding name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
            Self::L16 => "L16",
        }
    }

    /// Returns the sample rate of the codec's audio.
    #[must_use]
    pub fn sample_rate_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
            Self::Opus => 48_000,
            Self::L16 | Self::G722 => 16_000,
        }
    }

    /// Returns the rate of the codec's RTP timestamps: that of the audio but for G.722, which
    /// RFC 3551 §4.5.2 gave half of it by mistake and for good.
    #[must_use]
    pub fn rtp_clock_hz(self) -> u32 {
        match self {
            Self::G722 => 8_000,
            _ => self.sample_rate_hz(),
        }
    }
}

/// Turns 16-bit mono samples into payloads.
#[derive(Debug)]
pub struct Encoder {
    kind: CodecKind,
    engine: EncoderEngine,
}

#[derive(Debug)]
enum EncoderEngine {
    Opus(Box<OpusEncoder>),
    Wideband(Box<WidebandEncoder>),
    Memoryless,
}

impl Encoder {
    /// Makes an encoder; `settings` matter to Opus alone.
    pub fn new(kind: CodecKind, settings: &OpusSettings) -> Result<Self, CodecError> {
        let engine = match kind {
            CodecKind::Opus => EncoderEngine::Opus(Box::new(OpusEncoder::new(settings)?)),
            CodecKind::G722 => EncoderEngine::Wideband(Box::new(WidebandEncoder::new())),
            _ => EncoderEngine::Memoryless,
        };
        Ok(Self { kind, engine })
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
        match &mut self.engine {
            EncoderEngine::Opus(opus) => return opus.encode(samples, payload),
            EncoderEngine::Wideband(wideband) => return wideband.encode(samples, payload),
            EncoderEngine::Memoryless => {}
        }
        match self.kind {
            CodecKind::Pcmu => payload.extend(samples.iter().map(|&s| g711::encode_ulaw(s))),
            CodecKind::Pcma => payload.extend(samples.iter().map(|&s| g711::encode_alaw(s))),
            _ => payload.extend(samples.iter().flat_map(|s| s.to_be_bytes())),
        }
        Ok(())
    }

    /// Tells whether a payload of ours says nothing, and need not be sent.
    #[must_use]
    pub fn is_silent(&self, payload: &[u8]) -> bool {
        decoder::is_silent(self.kind, payload)
    }

    /// Tells the encoder what loss to expect, so that it spends bits on recovery accordingly.
    pub fn set_expected_loss_percent(&mut self, percent: u8) -> Result<(), CodecError> {
        match &mut self.engine {
            EncoderEngine::Opus(opus) => opus.set_expected_loss_percent(percent),
            _ => Ok(()),
        }
    }

    /// Sets the bit rate; codecs of one rate ignore it.
    pub fn set_bitrate_bps(&mut self, bitrate_bps: u32) -> Result<(), CodecError> {
        match &mut self.engine {
            EncoderEngine::Opus(opus) => opus.set_bitrate_bps(bitrate_bps),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
