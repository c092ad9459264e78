//! Recordings of received video.
use std::path::PathBuf;

use pyo3::prelude::*;

use super::engine::MediaEngine;
use super::errors::raise;
use super::video_layers::layer_wish;

#[pymethods]
impl MediaEngine {
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    #[pyo3(signature = (session, line, path, side, file_format, layer=""))]
    fn start_video_recording(
        &self,
        py: Python<'_>,
        session: u64,
        line: u64,
        path: PathBuf,
        side: &str,
        file_format: &str,
        layer: &str,
    ) -> PyResult<u64> {
        py.detach(|| {
            let wish = layer_wish(layer, 0, 0);
            self.engine
                .start_video_recording((session, line), &path, side, file_format, wish)
        })
        .map_err(raise)
    }
}
