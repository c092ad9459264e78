//! Audio ports and what is listened for.
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use trivox_media::session::listening::ListenSettings;

use super::engine::MediaEngine;
use super::errors::raise;
use super::frame::AudioFrame;

#[pymethods]
impl MediaEngine {
    #[pyo3(signature = (session, rate_hz, frame_ms, batch, ahead = 0.2))]
    fn open_audio(
        &self,
        py: Python<'_>,
        session: u64,
        rate_hz: u32,
        frame_ms: u32,
        batch: usize,
        ahead: f64,
    ) -> PyResult<u64> {
        py.detach(|| {
            self.engine
                .open_audio(session, rate_hz, frame_ms, batch, ahead)
        })
        .map_err(raise)
    }

    fn close_audio(&self, py: Python<'_>, port: u64) {
        py.detach(|| self.engine.close_audio(port));
    }

    fn send_audio(&self, py: Python<'_>, port: u64, samples: &[u8]) -> PyResult<Option<f64>> {
        let pairs = samples.chunks_exact(2);
        let samples: Vec<i16> = pairs
            .map(|two| i16::from_le_bytes([two[0], two[1]]))
            .collect();
        py.detach(|| {
            self.engine
                .on_port(port, |open| open.send_audio(port, &samples))
        })
        .map_err(raise)
    }

    fn clear_audio(&self, py: Python<'_>, port: u64, fade: f64) -> PyResult<f64> {
        py.detach(|| self.engine.clear_audio(port, fade))
            .map_err(raise)
    }

    fn mark_audio(&self, py: Python<'_>, port: u64) -> PyResult<u64> {
        py.detach(|| self.engine.mark_audio(port)).map_err(raise)
    }

    fn audio_state(&self, py: Python<'_>, port: u64) -> PyResult<(f64, u64)> {
        py.detach(|| self.engine.on_port(port, |open| open.audio_state(port)))
            .map_err(raise)
    }

    fn take_frames(&self, py: Python<'_>, port: u64, limit: usize) -> Vec<AudioFrame> {
        let (rate, frames) = py.detach(|| self.engine.take_frames(port, limit));
        let made = frames.into_iter().map(|frame| {
            let count = 2 * frame.samples.len();
            let bytes = PyBytes::new_with(py, count, |bytes| {
                for (two, sample) in bytes.chunks_exact_mut(2).zip(&frame.samples) {
                    two.copy_from_slice(&sample.to_le_bytes());
                }
                Ok(())
            });
            bytes.map(|bytes| AudioFrame::new(&bytes, rate, frame.pts, frame.level, frame.flags))
        });
        made.flatten().collect()
    }

    #[pyo3(signature = (session, *, voice, hang_over, level_interval))]
    fn set_listening(
        &self,
        py: Python<'_>,
        session: u64,
        voice: bool,
        hang_over: f64,
        level_interval: f64,
    ) -> PyResult<()> {
        let settings = ListenSettings {
            voice,
            hang_over,
            level_interval,
        };
        self.run(py, session, move |open| open.set_listening(settings))
    }
}
