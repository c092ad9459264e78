//! How a session's audio is encoded, and which codecs are agreed on.

use pyo3::prelude::*;
use trivox_media::codec::OpusSettings;
use trivox_media::session::{AgreedCodec, AudioSettings};

use super::engine::MediaEngine;

/// Kind of the m-line, encoding name, clock rate and channels.
type CodecTuple = (&'static str, &'static str, u32, u8);

#[pymethods]
impl MediaEngine {
    #[pyo3(signature = (session, *, bitrate_bps, complexity, fec, dtx, stereo, cbr,
        max_playback_rate_hz, comfort_noise))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    fn set_codec_options(
        &self,
        py: Python<'_>,
        session: u64,
        bitrate_bps: u32,
        complexity: u8,
        fec: bool,
        dtx: bool,
        stereo: bool,
        cbr: bool,
        max_playback_rate_hz: u32,
        comfort_noise: bool,
    ) -> PyResult<()> {
        let opus = OpusSettings {
            bitrate_bps,
            complexity,
            has_forward_error_correction: fec,
            has_discontinuous_transmission: dtx,
            is_stereo: stereo,
            is_constant_bitrate: cbr,
            greatest_playback_rate_hz: max_playback_rate_hz,
            ..OpusSettings::default()
        };
        let audio = AudioSettings {
            opus,
            has_comfort_noise: comfort_noise,
        };
        self.run(py, session, move |open| open.set_audio(audio))
    }

    fn agreed_codecs(&self, py: Python<'_>, session: u64) -> PyResult<Vec<CodecTuple>> {
        let agreed = self.run(py, session, |open| Ok(open.agreed_codecs()))?;
        let plain = agreed.into_iter().map(|codec| {
            let AgreedCodec { kind, name, .. } = codec;
            (kind, name, codec.clock_rate_hz, codec.channels)
        });
        Ok(plain.collect())
    }
}
