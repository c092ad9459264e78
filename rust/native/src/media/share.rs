//! One source that many calls play, as Python holds it.
use pyo3::prelude::*;
use trivox_media::player::{Share, SilenceSource, Source};

use super::engine::MediaEngine;
use super::errors::raise;
use super::feed::Part;

/// A source that is read once and encoded once a codec for all who play it.
#[pyclass(frozen, module = "trivox._native")]
pub(crate) struct AudioShare {
    pub(super) share: Share,
}

#[pymethods]
impl AudioShare {
    /// One of nothing, for engines that play no sound.
    #[new]
    fn new() -> Self {
        let share = Share::new(Source::Silence(SilenceSource::default()));
        Self { share }
    }

    #[getter]
    fn encoded(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.share.encoded())
    }
}

#[pymethods]
impl MediaEngine {
    fn share(&self, py: Python<'_>, part: Part) -> PyResult<AudioShare> {
        let source = self.source(py, part).map_err(raise)?;
        let share = Share::new(source);
        Ok(AudioShare { share })
    }

    fn is_share_over(&self, py: Python<'_>, share: &AudioShare) -> bool {
        py.detach(|| share.share.is_over())
    }

    fn encoded(&self, py: Python<'_>, session: u64) -> PyResult<u64> {
        self.run(py, session, |open| Ok(open.encoded()))
    }
}
