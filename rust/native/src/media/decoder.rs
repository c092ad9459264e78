//! Sound that comes as octets of a file.
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use trivox_media::MediaError;
use trivox_media::octets::SoundDecoder as Decoder;
use trivox_media::player::SourceError;

use super::errors::raise;

/// Decodes WAV, Ogg Opus or FLAC that is still coming, to int16 mono of one rate.
#[pyclass(frozen, module = "trivox._native")]
pub(crate) struct SoundDecoder {
    decoder: Mutex<Decoder>,
}

fn told(error: SourceError) -> PyErr {
    raise(MediaError::File(error.to_string()))
}

impl SoundDecoder {
    fn with<R: Send>(&self, py: Python<'_>, run: impl Send + FnOnce(&mut Decoder) -> R) -> R {
        py.detach(|| run(&mut self.decoder.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[pymethods]
impl SoundDecoder {
    #[new]
    fn new(rate: u32) -> Self {
        Self {
            decoder: Mutex::new(Decoder::new(rate)),
        }
    }

    fn push(&self, py: Python<'_>, octets: &[u8]) -> PyResult<()> {
        self.with(py, |decoder| decoder.push(octets)).map_err(told)
    }

    fn take<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let samples = self.with(py, Decoder::take).map_err(told)?;
        let octets: Vec<u8> = samples.into_iter().flat_map(i16::to_le_bytes).collect();
        Ok(PyBytes::new(py, &octets))
    }

    fn close(&self, py: Python<'_>) {
        self.with(py, Decoder::close);
    }

    #[getter]
    fn is_over(&self, py: Python<'_>) -> bool {
        self.with(py, |decoder| decoder.is_over())
    }
}
