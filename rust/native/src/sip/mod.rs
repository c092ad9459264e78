//! The SIP half of the extension.
use pyo3::prelude::*;

/// Adds the SIP classes to the module.
pub(crate) fn register(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
