//! One frame of received audio, readable through the buffer protocol.
use std::ffi::{CStr, c_int, c_void};

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

const FORMAT: &CStr = c"h";

/// Received audio: int16, shape (samples, 1), little-endian, read-only.
#[pyclass(frozen, module = "trivox._native")]
pub(crate) struct AudioFrame {
    data: Py<PyBytes>,
    /// Shape and strides of the buffer; they must live as long as the exported view.
    shape: [ffi::Py_ssize_t; 2],
    strides: [ffi::Py_ssize_t; 2],
    #[pyo3(get)]
    rate: u32,
    #[pyo3(get)]
    pts: f64,
    #[pyo3(get)]
    level: f64,
    flags: u8,
}

#[pymethods]
impl AudioFrame {
    #[new]
    pub(super) fn new(
        data: &Bound<'_, PyBytes>,
        rate: u32,
        pts: f64,
        level: f64,
        flags: u8,
    ) -> Self {
        let samples = (data.as_bytes().len() / 2) as ffi::Py_ssize_t;
        let data = data.clone().unbind();
        Self {
            data,
            shape: [samples, 1],
            strides: [2, 2],
            rate,
            pts,
            level,
            flags,
        }
    }

    #[getter]
    fn channels(&self) -> u32 {
        1
    }

    #[getter]
    fn concealed(&self) -> bool {
        self.flags & 1 != 0
    }

    #[getter]
    fn speech(&self) -> bool {
        self.flags & 2 != 0
    }

    #[getter]
    fn speech_started(&self) -> bool {
        self.flags & 4 != 0
    }

    #[getter]
    fn duration(&self) -> f64 {
        self.shape[0] as f64 / f64::from(self.rate.max(1))
    }

    /// The samples as a numpy array over the same memory.
    #[getter]
    fn samples<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("numpy")?.call_method1("asarray", (slf,))
    }

    fn __len__(&self) -> usize {
        self.shape[0] as usize
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        self.data.bind(py).clone()
    }

    fn __repr__(&self) -> String {
        let Self {
            rate, pts, level, ..
        } = self;
        format!(
            "AudioFrame({} samples, rate={rate}, pts={pts:.3}, level={level:.1})",
            self.shape[0]
        )
    }

    /// # Safety
    /// Called by CPython with a writable `view`, as the buffer protocol says.
    #[expect(unsafe_code, reason = "the buffer protocol is a C interface")]
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
            return Err(PyBufferError::new_err(
                "an AudioFrame is read-only: copy it first",
            ));
        }
        let frame = slf.get();
        let wants = |flag: c_int| flags & flag == flag;
        let bytes = frame.data.bind(slf.py()).as_bytes();
        let (buf, len) = (
            bytes.as_ptr().cast_mut().cast::<c_void>(),
            bytes.len() as ffi::Py_ssize_t,
        );
        let shape = frame.shape.as_ptr().cast_mut();
        let strides = frame.strides.as_ptr().cast_mut();
        // SAFETY: CPython gives a valid, exclusive `view`. The pointers go to the frame and to its
        // bytes, both immutable (frozen) and kept alive by `obj`, the owned reference to the frame.
        unsafe {
            (*view).buf = buf;
            (*view).len = len;
            (*view).readonly = 1;
            (*view).itemsize = 2;
            (*view).ndim = 2;
            (*view).format = std::ptr::null_mut();
            (*view).shape = std::ptr::null_mut();
            (*view).strides = std::ptr::null_mut();
            if wants(ffi::PyBUF_FORMAT) {
                (*view).format = FORMAT.as_ptr().cast_mut();
            }
            if wants(ffi::PyBUF_ND) {
                (*view).shape = shape;
            }
            if wants(ffi::PyBUF_STRIDES) {
                (*view).strides = strides;
            }
            (*view).suboffsets = std::ptr::null_mut();
            (*view).internal = std::ptr::null_mut();
            (*view).obj = slf.into_any().into_ptr();
        }
        Ok(())
    }
}
