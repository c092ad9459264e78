//! Opus at 48 kHz through libopus (RFC 6716, RFC 7587).

use super::{CodecError, LONGEST_PACKET_MS};
use opusic_c::{Application, Bandwidth, Bitrate, Channels, InbandFec, SampleRate};

const NAME: &str = "opus";
/// Opus counts every duration in steps of 2.5 ms.
const STEP_SAMPLES: usize = 120;
/// The largest payload the encoder may make: 1275 octets is the limit of one frame (RFC 6716 §3.4).
const LARGEST_PAYLOAD: usize = 1275;

/// How Opus encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusSettings {
    /// Bits per second.
    pub bitrate_bps: u32,
    /// 0 (cheapest) to 10; 5 to 9 are sensible on servers.
    pub complexity: u8,
    /// Whether a low-rate copy of each frame rides in the next packet.
    pub has_forward_error_correction: bool,
    /// The loss, in percent, that copy is prepared for.
    pub expected_loss_percent: u8,
    /// Whether nothing is sent while nothing is said. From complexity 7 on the encoder finds
    /// speech by itself and is raised to it; below, only digital silence would count.
    pub has_discontinuous_transmission: bool,
    /// Two channels. The engine's audio is mono: both carry the same.
    pub is_stereo: bool,
    /// The highest sample rate worth sending for, Hz; it bounds the audio's bandwidth.
    pub greatest_playback_rate_hz: u32,
    /// Whether every packet has the same length.
    pub is_constant_bitrate: bool,
}

/// The least complexity at which libopus tells speech from background noise.
const LEAST_COMPLEXITY_FOR_SPEECH: u8 = 7;

impl Default for OpusSettings {
    fn default() -> Self {
        Self {
            bitrate_bps: 32_000,
            complexity: 5,
            has_forward_error_correction: true,
            expected_loss_percent: 5,
            has_discontinuous_transmission: false,
            is_stereo: false,
            greatest_playback_rate_hz: 48_000,
            is_constant_bitrate: false,
        }
    }
}

impl OpusSettings {
    fn complexity(&self) -> u8 {
        let least = if self.has_discontinuous_transmission {
            LEAST_COMPLEXITY_FOR_SPEECH
        } else {
            0
        };
        self.complexity.clamp(least, 10)
    }

    /// The bandwidth a playback rate can use (RFC 7587 §3.1.1).
    fn bandwidth(&self) -> Bandwidth {
        match self.greatest_playback_rate_hz {
            ..=8_000 => Bandwidth::Narrow,
            8_001..=12_000 => Bandwidth::Medium,
            12_001..=16_000 => Bandwidth::Wide,
            16_001..=24_000 => Bandwidth::Superwide,
            _ => Bandwidth::Full,
        }
    }
}

fn setup<T>(result: Result<T, opusic_c::ErrorCode>) -> Result<T, CodecError> {
    result.map_err(|error| CodecError::Setup(error.message()))
}

pub(super) struct OpusEncoder {
    encoder: opusic_c::Encoder,
    channels: usize,
    scratch: Vec<u16>,
}

impl std::fmt::Debug for OpusEncoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("OpusEncoder")
            .finish_non_exhaustive()
    }
}

impl OpusEncoder {
    pub(super) fn new(settings: &OpusSettings) -> Result<Self, CodecError> {
        let (channels, count) = if settings.is_stereo {
            (Channels::Stereo, 2)
        } else {
            (Channels::Mono, 1)
        };
        let mut encoder = setup(opusic_c::Encoder::new(
            channels,
            SampleRate::Hz48000,
            // Voip filters the low end, which turns the phase of a voice: correlation with what
            // was said is 0.915 at any bit rate, and 0.96 so (measured: tests/audio_chain.rs).
            Application::Audio,
        ))?;
        setup(encoder.set_bitrate(Bitrate::Value(settings.bitrate_bps)))?;
        setup(encoder.set_complexity(settings.complexity()))?;
        setup(encoder.set_dtx(settings.has_discontinuous_transmission))?;
        setup(encoder.set_max_bandwidth(settings.bandwidth()))?;
        setup(encoder.set_vbr(!settings.is_constant_bitrate))?;
        if settings.has_forward_error_correction {
            setup(encoder.set_inband_fec(InbandFec::Mode1))?;
            setup(encoder.set_packet_loss(settings.expected_loss_percent.min(100)))?;
        }
        Ok(Self {
            encoder,
            channels: count,
            scratch: Vec::new(),
        })
    }

    pub(super) fn encode(
        &mut self,
        samples: &[i16],
        payload: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        // The binding types samples as u16 and hands the same bits to libopus, which reads i16.
        self.scratch.clear();
        let channels = self.channels;
        let doubled = samples
            .iter()
            .flat_map(|&sample| std::iter::repeat_n(sample.cast_unsigned(), channels));
        self.scratch.extend(doubled);
        payload.resize(LARGEST_PAYLOAD, 0);
        match self.encoder.encode_to_slice(&self.scratch, payload) {
            Ok(length) => {
                payload.truncate(length);
                Ok(())
            }
            Err(_) => {
                payload.clear();
                Err(CodecError::FrameSize {
                    codec: NAME,
                    samples: samples.len(),
                })
            }
        }
    }

    pub(super) fn set_expected_loss_percent(&mut self, percent: u8) -> Result<(), CodecError> {
        setup(self.encoder.set_packet_loss(percent.min(100)))
    }

    pub(super) fn set_bitrate_bps(&mut self, bitrate_bps: u32) -> Result<(), CodecError> {
        setup(self.encoder.set_bitrate(Bitrate::Value(bitrate_bps)))
    }
}

pub(super) struct OpusDecoder {
    decoder: opusic_c::Decoder,
    scratch: Vec<u16>,
}

impl std::fmt::Debug for OpusDecoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("OpusDecoder")
            .finish_non_exhaustive()
    }
}

impl OpusDecoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        let decoder = setup(opusic_c::Decoder::new(Channels::Mono, SampleRate::Hz48000))?;
        Ok(Self {
            decoder,
            scratch: Vec::new(),
        })
    }

    pub(super) fn duration_samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        if payload.is_empty() {
            return Err(CodecError::Payload(NAME));
        }
        self.decoder
            .get_nb_samples(payload)
            .map_err(|_| CodecError::Payload(NAME))
    }

    /// Decodes a payload, recovers the frame before it, or with no payload conceals.
    pub(super) fn decode(
        &mut self,
        payload: &[u8],
        duration: usize,
        recover: bool,
        samples: &mut Vec<i16>,
    ) -> Result<(), CodecError> {
        let longest = 48 * LONGEST_PACKET_MS as usize;
        let steps = duration.div_ceil(STEP_SAMPLES) * STEP_SAMPLES;
        self.scratch.clear();
        self.scratch.resize(steps.min(longest), 0);
        let decoded = self
            .decoder
            .decode_to_slice(payload, &mut self.scratch, recover)
            .map_err(|_| CodecError::Payload(NAME))?;
        let wanted = decoded.min(duration);
        samples.extend(
            self.scratch[..wanted]
                .iter()
                .map(|&bits| bits.cast_signed()),
        );
        Ok(())
    }
}
