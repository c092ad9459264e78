//! Errors of `trivox-sip` as classes of `trivox.errors`.
use pyo3::prelude::*;
use trivox_sip::{InvalidHeader, ParseError};

mod python {
    pyo3::import_exception!(trivox.errors, ParseError);
    pyo3::import_exception!(trivox.errors, InvalidHeaderError);
}

/// Peer bytes that do not parse.
pub(crate) fn parse_error(error: ParseError) -> PyErr {
    python::ParseError::new_err(error.reason)
}

/// A value of the program's that may not be sent.
pub(crate) fn invalid_header(error: InvalidHeader) -> PyErr {
    python::InvalidHeaderError::new_err(error.to_string())
}
