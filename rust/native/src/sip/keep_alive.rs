//! `SipCore`: STUN keep-alives.
use pyo3::prelude::*;

use super::core::SipCore;
use super::values::{PyAddress, address};

#[pymethods]
impl SipCore {
    fn ping(&self, token: i64, flow: u64, destination: PyAddress, repeats: bool) {
        self.lock().ping(token, flow, address(destination), repeats);
    }

    fn forget_ping(&self, token: i64) {
        self.lock().forget_ping(token);
    }
}
