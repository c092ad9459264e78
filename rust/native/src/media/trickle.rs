//! `MediaEngine`: candidates that come and go after the descriptions.

use pyo3::prelude::*;

use super::engine::MediaEngine;
use super::errors::raise;

#[pymethods]
impl MediaEngine {
    #[pyo3(signature = (session, *, is_gathering))]
    fn trickle(&self, py: Python<'_>, session: u64, is_gathering: bool) -> PyResult<()> {
        py.detach(|| self.engine.trickle(session, is_gathering))
            .map_err(raise)
    }

    fn fragment(&self, py: Python<'_>, session: u64) -> PyResult<String> {
        py.detach(|| self.engine.fragment(session)).map_err(raise)
    }

    fn take_fragment_untrusted(
        &self,
        py: Python<'_>,
        session: u64,
        text: &str,
    ) -> PyResult<&'static str> {
        py.detach(|| self.engine.take_fragment_untrusted(session, text))
            .map(|outcome| outcome.as_str())
            .map_err(raise)
    }
}
