//! Recordings of received video.
use std::path::PathBuf;

use pyo3::prelude::*;

use super::engine::MediaEngine;
use super::errors::raise;

#[pymethods]
impl MediaEngine {
    fn start_video_recording(
        &self,
        py: Python<'_>,
        session: u64,
        line: u64,
        path: PathBuf,
        side: &str,
        file_format: &str,
    ) -> PyResult<u64> {
        py.detach(|| {
            self.engine
                .start_video_recording(session, line, &path, side, file_format)
        })
        .map_err(raise)
    }
}
