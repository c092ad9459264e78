//! `Figures`: a session's statistics; every call leaves some, and few are ever looked at.
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use trivox_media::session::{Value, streams};
use trivox_media::watch::Sample;

#[pyclass(frozen, module = "trivox._native")]
pub(super) struct Figures {
    pub(super) figures: streams::Figures,
    pub(super) streams: Vec<streams::Figures>,
    pub(super) seconds: Vec<Sample>,
}

type SampleTuple = (f32, f32, f32, f32, f32, f32, f32);

impl Figures {
    fn find(&self, name: &str) -> Option<&Value> {
        let found = self.figures.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value)
    }
}

fn object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Number(number) => Ok(number.into_pyobject(py)?.into_any()),
        Value::Word(word) => Ok(word.into_pyobject(py)?.into_any()),
        Value::Address(address) => Ok(address.to_string().into_pyobject(py)?.into_any()),
    }
}

#[pymethods]
impl Figures {
    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let value = self.find(name);
        object(
            py,
            value.ok_or_else(|| PyKeyError::new_err(name.to_owned()))?,
        )
    }

    fn __contains__(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    #[pyo3(signature = (name, default, /))]
    fn get<'py>(&self, name: &str, default: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = default.py();
        self.find(name)
            .map_or(Ok(default), |value| object(py, value))
    }

    fn streams<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let dictionary = |figures: &streams::Figures| {
            let known = PyDict::new(py);
            for (name, value) in figures {
                known.set_item(name, object(py, value)?)?;
            }
            Ok(known)
        };
        self.streams.iter().map(dictionary).collect()
    }

    fn seconds(&self) -> Vec<SampleTuple> {
        let plain = self.seconds.iter().map(|one| {
            let Sample {
                at,
                packets,
                loss,
                jitter,
                ..
            } = *one;
            (
                at,
                packets,
                loss,
                jitter,
                one.buffer_delay,
                one.round_trip,
                one.level,
            )
        });
        plain.collect()
    }
}
