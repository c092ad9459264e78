//! Tones in the audio itself: keys heard and sent, tones of networks, and who has answered.
use pyo3::prelude::*;
use trivox_media::session::hearing::ToneSettings;
use trivox_media::tones::answerer::AnswererSettings;

use super::engine::MediaEngine;

#[pymethods]
impl MediaEngine {
    #[pyo3(signature = (session, *, dtmf, tones))]
    fn set_tones(&self, py: Python<'_>, session: u64, dtmf: bool, tones: bool) -> PyResult<()> {
        self.run(py, session, move |open| {
            open.set_tones(ToneSettings { dtmf, tones });
            Ok(())
        })
    }

    #[pyo3(signature = (session, *, initial_silence, greeting, after_greeting, words, word, limit))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    fn begin_answerer(
        &self,
        py: Python<'_>,
        session: u64,
        initial_silence: f64,
        greeting: f64,
        after_greeting: f64,
        words: u32,
        word: f64,
        limit: f64,
    ) -> PyResult<()> {
        let settings = AnswererSettings {
            initial_silence,
            greeting,
            after_greeting,
            words,
            word,
            limit,
        };
        self.run(py, session, move |open| open.begin_answerer(settings))
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
