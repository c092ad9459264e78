//! `Uri` and `NameAddr`.
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use trivox_sip::{NameAddr as ParsedNameAddr, Parameters, Uri as ParsedUri};

use super::text::{Octets, text};
use crate::error::parse_error;

type Text<'py> = Bound<'py, PyString>;

fn dictionary<'py>(py: Python<'py>, parameters: &Parameters) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for (name, value) in parameters {
        // The first of a name counts, as for every reader that searches from the left.
        if !all.contains(name)? {
            all.set_item(
                name,
                value.as_ref().map(|value| text(py, value)).transpose()?,
            )?;
        }
    }
    Ok(all)
}

#[pyclass(frozen, module = "trivox._native")]
pub(super) struct Uri(ParsedUri);

#[pymethods]
impl Uri {
    #[staticmethod]
    #[pyo3(signature = (text))]
    fn parse(text: Octets) -> PyResult<Self> {
        ParsedUri::parse(&text.0).map(Self).map_err(parse_error)
    }

    #[getter]
    fn scheme(&self) -> &str {
        &self.0.scheme
    }

    #[getter]
    fn user<'py>(&self, py: Python<'py>) -> PyResult<Text<'py>> {
        text(py, &self.0.user)
    }

    #[getter]
    fn password<'py>(&self, py: Python<'py>) -> PyResult<Text<'py>> {
        text(py, &self.0.password)
    }

    #[getter]
    fn host<'py>(&self, py: Python<'py>) -> PyResult<Text<'py>> {
        text(py, &self.0.host)
    }

    #[getter]
    fn port(&self) -> Option<u16> {
        self.0.port
    }

    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        dictionary(py, &self.0.parameters)
    }

    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Text<'py>> {
        text(py, &self.0.headers)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other
            .cast::<Self>()
            .is_ok_and(|other| self.0 == other.get().0)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        // No user or password: a repr ends up in logs.
        format!(
            "<Uri {} at {}>",
            self.0.scheme,
            String::from_utf8_lossy(&self.0.host)
        )
    }
}

#[pyclass(frozen, module = "trivox._native")]
pub(super) struct NameAddr(ParsedNameAddr);

#[pymethods]
impl NameAddr {
    #[staticmethod]
    #[pyo3(signature = (text))]
    fn parse(text: Octets) -> PyResult<Self> {
        ParsedNameAddr::parse(&text.0)
            .map(Self)
            .map_err(parse_error)
    }

    #[getter]
    fn display_name<'py>(&self, py: Python<'py>) -> PyResult<Text<'py>> {
        text(py, &self.0.display_name)
    }

    #[getter]
    fn uri<'py>(&self, py: Python<'py>) -> PyResult<Text<'py>> {
        text(py, &self.0.uri)
    }

    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        dictionary(py, &self.0.parameters)
    }
}
