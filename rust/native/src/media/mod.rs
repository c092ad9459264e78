//! The engine half of the extension.
use pyo3::prelude::*;

/// Adds the engine classes to the module.
pub(crate) fn register(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
