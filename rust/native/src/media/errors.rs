//! Errors of the engine as the exceptions of `trivox.errors`.
use pyo3::prelude::*;
use trivox_media::MediaError;

mod python {
    pyo3::import_exception!(trivox.errors, BufferOverflowError);
    pyo3::import_exception!(trivox.errors, EngineError);
    pyo3::import_exception!(trivox.errors, EngineExhaustedError);
    pyo3::import_exception!(trivox.errors, InvalidArgumentsError);
    pyo3::import_exception!(trivox.errors, MediaNegotiationError);
}

/// For `map_err`.
pub(super) fn raise(error: MediaError) -> PyErr {
    let text = error.to_string();
    match error {
        MediaError::Negotiation(_) => python::MediaNegotiationError::new_err(text),
        MediaError::Argument(_) => python::InvalidArgumentsError::new_err(text),
        MediaError::Full(_) => python::BufferOverflowError::new_err(text),
        error if error.is_exhaustion() => python::EngineExhaustedError::new_err(text),
        _ => python::EngineError::new_err(text),
    }
}
