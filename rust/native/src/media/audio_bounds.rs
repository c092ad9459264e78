//! How many received frames of an audio port wait for the program.
use pyo3::prelude::*;

use super::engine::MediaEngine;
use super::errors::raise;

#[pymethods]
impl MediaEngine {
    #[pyo3(signature = (port, most, *, keeps_oldest))]
    fn bound_audio(
        &self,
        py: Python<'_>,
        port: u64,
        most: usize,
        keeps_oldest: bool,
    ) -> PyResult<()> {
        py.detach(|| {
            self.engine
                .on_port(port, |open| open.bound_audio(port, most, keeps_oldest))
        })
        .map_err(raise)
    }
}
