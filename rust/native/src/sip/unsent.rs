//! `SipCore`: what this system would not send.
use pyo3::prelude::*;

use super::core::SipCore;

#[pymethods]
impl SipCore {
    fn unsendable(&self, message: &[u8]) -> bool {
        self.lock().unsendable(message)
    }
}
