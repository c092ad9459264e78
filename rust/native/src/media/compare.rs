//! Judging a recording against what was sent.
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use trivox_media::MediaError;
use trivox_media::compare::compare_files;

use super::errors::raise;

/// Compare a recording with what was sent.
#[pyfunction]
pub(super) fn compare_recordings<'py>(
    py: Python<'py>,
    sent_path: PathBuf,
    recorded_path: PathBuf,
    channel: Option<u16>,
) -> PyResult<Bound<'py, PyDict>> {
    let compared = py
        .detach(|| compare_files(&sent_path, &recorded_path, channel))
        .map_err(|error| raise(MediaError::File(error.to_string())))?;
    let findings = PyDict::new(py);
    findings.set_item("correlation", compared.correlation)?;
    findings.set_item("delay_ms", compared.delay_ms)?;
    findings.set_item("longest_gap_ms", compared.longest_gap_ms)?;
    findings.set_item("level_dbov", compared.level_dbov)?;
    findings.set_item("sent_level_dbov", compared.sent_level_dbov)?;
    Ok(findings)
}
