//! `Message`: one parsed message, decoded on demand.
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};
use trivox_sip::{HeaderName, Message as Parsed};

use super::text::{method, text};
use crate::error::parse_error;

#[pyclass(frozen, module = "trivox._native")]
pub(super) struct Message(pub(super) Arc<Parsed>);

type Text<'py> = Bound<'py, PyString>;
type Key<'py> = (
    Text<'py>,
    u16,
    Text<'py>,
    Text<'py>,
    Text<'py>,
    Text<'py>,
    Text<'py>,
    u32,
);
type Dialog<'py> = (
    Text<'py>,
    Text<'py>,
    Text<'py>,
    Text<'py>,
    Text<'py>,
    Text<'py>,
    Bound<'py, PyTuple>,
    u32,
);

#[pymethods]
impl Message {
    #[staticmethod]
    fn parse(data: &[u8]) -> PyResult<Self> {
        Parsed::parse(data)
            .map(|message| Self(Arc::new(message)))
            .map_err(parse_error)
    }

    #[getter]
    fn is_request(&self) -> bool {
        self.0.is_request()
    }

    #[getter]
    fn method<'py>(&self, py: Python<'py>) -> PyResult<Text<'py>> {
        method(py, self.0.method())
    }

    #[getter]
    fn status(&self) -> u16 {
        self.0.status()
    }

    #[getter]
    fn reason<'py>(&self, py: Python<'py>) -> PyResult<Text<'py>> {
        text(py, &self.0.reason())
    }

    #[getter]
    fn uri<'py>(&self, py: Python<'py>) -> PyResult<Text<'py>> {
        text(py, self.0.uri())
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.body())
    }

    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.raw())
    }

    fn key<'py>(&self, py: Python<'py>) -> PyResult<Key<'py>> {
        let via = self.0.top_via();
        Ok((
            method(py, self.0.method())?,
            self.0.status(),
            text(py, self.0.call_id())?,
            text(py, self.0.tag(HeaderName::From))?,
            text(py, self.0.tag(HeaderName::To))?,
            text(py, via.map_or(b"", |via| via.branch()))?,
            text(py, via.map_or(b"", |via| via.sent_by))?,
            self.0.cseq().map_or(0, |(number, _)| number),
        ))
    }

    #[getter(from_tag)]
    fn sender_tag<'py>(&self, py: Python<'py>) -> PyResult<Text<'py>> {
        text(py, self.0.tag(HeaderName::From))
    }

    #[getter]
    fn to_tag<'py>(&self, py: Python<'py>) -> PyResult<Text<'py>> {
        text(py, self.0.tag(HeaderName::To))
    }

    #[getter]
    fn cseq(&self) -> u32 {
        self.0.cseq().map_or(0, |(number, _)| number)
    }

    #[getter]
    fn contact_uri<'py>(&self, py: Python<'py>) -> PyResult<Text<'py>> {
        text(py, &self.0.contact_uri())
    }

    fn dialog<'py>(&self, py: Python<'py>) -> PyResult<Dialog<'py>> {
        let routes: Vec<_> = self
            .0
            .header_values("Record-Route")
            .iter()
            .map(|value| text(py, value))
            .collect::<PyResult<_>>()?;
        let first = |name| self.0.header_lines(name).next().unwrap_or_default();
        Ok((
            text(py, self.0.call_id())?,
            text(py, self.0.tag(HeaderName::From))?,
            text(py, self.0.tag(HeaderName::To))?,
            text(py, &first("From"))?,
            text(py, &first("To"))?,
            text(py, &self.0.contact_uri())?,
            PyTuple::new(py, routes)?,
            self.0.cseq().map_or(0, |(number, _)| number),
        ))
    }

    fn header<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Text<'py>>> {
        self.0
            .header_lines(name)
            .next()
            .map(|value| text(py, &value))
            .transpose()
    }

    fn headers<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyList>> {
        let values: PyResult<Vec<_>> = self
            .0
            .header_lines(name)
            .map(|value| text(py, &value))
            .collect();
        PyList::new(py, values?)
    }

    fn values<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyList>> {
        let values: PyResult<Vec<_>> = self
            .0
            .header_values(name)
            .iter()
            .map(|value| text(py, value))
            .collect();
        PyList::new(py, values?)
    }

    fn items<'py>(&self, py: Python<'py>) -> PyResult<Vec<(Text<'py>, Text<'py>)>> {
        self.0
            .items()
            .map(|(name, value)| Ok((text(py, name)?, text(py, &value)?)))
            .collect()
    }

    fn validate<'py>(&self, py: Python<'py>) -> PyResult<Option<(u16, Text<'py>)>> {
        let defect = self.0.validate();
        defect
            .map(|wrong| Ok((wrong.status, text(py, wrong.reason.as_bytes())?)))
            .transpose()
    }

    fn __repr__(&self) -> String {
        let method = String::from_utf8_lossy(self.0.method()).into_owned();
        match self.0.status() {
            0 => format!("<Message {method}>"),
            status => format!("<Message {status} to {method}>"),
        }
    }
}
