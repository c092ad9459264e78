//! `SipCore`: silent mode.
use std::net::IpAddr;

use pyo3::prelude::*;

use super::core::SipCore;

#[pymethods]
impl SipCore {
    fn set_silence(&self, is_on: bool, known: Vec<(IpAddr, u8)>) {
        self.lock().set_silence(is_on, &known);
    }

    fn drop_request(&self, tx: u64, now: f64) -> bool {
        self.lock().drop_request(tx, now)
    }
}
