//! `SipCore`: connections that are offered to be used backwards.
use pyo3::prelude::*;

use super::core::SipCore;

#[pymethods]
impl SipCore {
    fn offer_reuse(&self, flow: u64) {
        self.lock().offer_reuse(flow);
    }
}
