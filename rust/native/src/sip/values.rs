//! What crosses the boundary, both ways: addresses, headers, events.
use pyo3::prelude::*;
use pyo3::types::PyString;
use trivox_sip::{Address, Event};

use super::message::Message;
use super::text::{Octets, method};

pub(super) type PyAddress = (String, u16);
pub(super) type Headers = Vec<(Octets, Octets)>;
pub(super) type PyEvent<'py> = (
    u8,
    i64,
    u64,
    Bound<'py, PyString>,
    u16,
    Option<Bound<'py, Message>>,
    u64,
    (Bound<'py, PyString>, u16),
);

pub(super) fn address((host, port): PyAddress) -> Address {
    Address {
        host: host.into(),
        port,
    }
}

pub(super) fn plain(headers: Headers) -> Vec<(String, Vec<u8>)> {
    // A name that is not UTF-8 is no token either way: the core refuses it.
    let name = |octets: Octets| String::from_utf8_lossy(&octets.0).into_owned();
    headers
        .into_iter()
        .map(|(key, value)| (name(key), value.0))
        .collect()
}

fn event<'py>(py: Python<'py>, event: Event) -> PyResult<PyEvent<'py>> {
    Ok((
        event.kind as u8,
        event.token,
        event.transaction,
        method(py, event.method.as_bytes())?,
        event.status,
        event
            .message
            .map(|message| Bound::new(py, Message(message)))
            .transpose()?,
        event.flow,
        (PyString::new(py, &event.source.host), event.source.port),
    ))
}

pub(super) fn events<'py>(py: Python<'py>, all: Vec<Event>) -> PyResult<Vec<PyEvent<'py>>> {
    all.into_iter().map(|one| event(py, one)).collect()
}
