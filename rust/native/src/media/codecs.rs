//! How a session's audio is encoded.
use pyo3::prelude::*;
use trivox_media::codec::OpusSettings;
use trivox_media::session::AudioSettings;

use super::engine::MediaEngine;

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
}
