//! Octets as `str` and back, by surrogateescape, so that what is not UTF-8 survives.
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use pyo3::{BoundObject, intern};

/// Octets as `str`.
pub(super) fn text<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(PyString::new(py, text)),
        Err(_) => {
            let raw = PyBytes::new(py, bytes);
            let decoded = raw.call_method1(
                intern!(py, "decode"),
                (intern!(py, "utf-8"), intern!(py, "surrogateescape")),
            )?;
            Ok(decoded.cast_into::<PyString>()?)
        }
    }
}

/// The octets of a `str` given by the program.
pub(super) struct Octets(pub(super) Vec<u8>);

impl<'py> FromPyObject<'_, 'py> for Octets {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let string = object.cast::<PyString>()?;
        if let Ok(plain) = string.to_str() {
            return Ok(Self(plain.as_bytes().to_vec()));
        }
        let py = object.py();
        let encoded = string.into_bound().call_method1(
            intern!(py, "encode"),
            (intern!(py, "utf-8"), intern!(py, "surrogateescape")),
        )?;
        Ok(Self(encoded.cast::<PyBytes>()?.as_bytes().to_vec()))
    }
}

/// A method as `str`; the common ones are interned.
pub(super) fn method<'py>(py: Python<'py>, method: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let interned = match method {
        b"INVITE" => intern!(py, "INVITE"),
        b"ACK" => intern!(py, "ACK"),
        b"BYE" => intern!(py, "BYE"),
        b"CANCEL" => intern!(py, "CANCEL"),
        b"REGISTER" => intern!(py, "REGISTER"),
        b"OPTIONS" => intern!(py, "OPTIONS"),
        b"INFO" => intern!(py, "INFO"),
        b"MESSAGE" => intern!(py, "MESSAGE"),
        b"" => intern!(py, ""),
        other => return text(py, other),
    };
    Ok(interned.clone())
}
