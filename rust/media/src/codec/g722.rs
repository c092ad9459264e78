//! G.722 at 64 kbit/s: 16 kHz of audio, two samples an octet (ITU-T G.722 mode 1, RFC 3551 §4.5.2).

use audio_codec::g722::{Bitrate, G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};

use super::CodecError;

const NAME: &str = "G722";

pub(super) struct WidebandEncoder(G722Encoder);

pub(super) struct WidebandDecoder(G722Decoder);

impl std::fmt::Debug for WidebandEncoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WidebandEncoder")
    }
}

impl std::fmt::Debug for WidebandDecoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WidebandDecoder")
    }
}

impl WidebandEncoder {
    pub(super) fn new() -> Self {
        Self(G722Encoder::with_options(
            Bitrate::Mode1_64000,
            false,
            false,
        ))
    }

    pub(super) fn encode(
        &mut self,
        samples: &[i16],
        payload: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let refused = CodecError::FrameSize {
            codec: NAME,
            samples: samples.len(),
        };
        if samples.is_empty() || !samples.len().is_multiple_of(2) {
            return Err(refused);
        }
        payload.resize(self.0.max_encode_bytes(samples.len()), 0);
        let length = self.0.encode_into(samples, payload).map_err(|_| refused)?;
        payload.truncate(length);
        Ok(())
    }
}

impl WidebandDecoder {
    pub(super) fn new() -> Self {
        Self(G722Decoder::with_options(
            Bitrate::Mode1_64000,
            false,
            false,
        ))
    }

    pub(super) fn decode(
        &mut self,
        payload: &[u8],
        samples: &mut Vec<i16>,
    ) -> Result<(), CodecError> {
        let start = samples.len();
        samples.resize(start + 2 * payload.len(), 0);
        self.0
            .decode_into(payload, &mut samples[start..])
            .map(|_| ())
            .map_err(|_| CodecError::Payload(NAME))
    }
}
