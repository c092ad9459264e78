//! Tones in the audio itself: keys heard and sent.
use pyo3::prelude::*;
use trivox_media::session::hearing::ToneSettings;

use super::engine::MediaEngine;

#[pymethods]
impl MediaEngine {
    #[pyo3(signature = (session, *, dtmf))]
    fn set_tones(&self, py: Python<'_>, session: u64, dtmf: bool) -> PyResult<()> {
        self.run(py, session, move |open| {
            open.set_tones(ToneSettings { dtmf });
            Ok(())
        })
    }

    fn send_inband(
        &self,
        py: Python<'_>,
        session: u64,
        tones: &str,
        duration: f64,
        gap: f64,
    ) -> PyResult<u64> {
        self.run(py, session, |open| open.send_inband(tones, duration, gap))
    }
}
