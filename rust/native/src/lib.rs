//! `trivox._native`: pyo3 classes over `trivox-sip` and `trivox-media`; no logic lives here.
use pyo3::prelude::*;

mod error;
mod media;
mod sip;

/// The extension module. Each half registers its own classes.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    sip::register(module)?;
    media::register(module)
}
