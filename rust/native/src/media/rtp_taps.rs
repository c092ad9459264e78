//! Packets as they were received, as `MediaEngine` gives them.
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::engine::MediaEngine;
use super::errors::raise;

/// (seconds, payload type, marker, sequence, timestamp, ssrc, payload, codec).
type PacketTuple<'py> = (
    f64,
    u8,
    bool,
    u16,
    u32,
    u32,
    Bound<'py, PyBytes>,
    &'static str,
);

#[pymethods]
impl MediaEngine {
    #[pyo3(signature = (session, *, batch))]
    fn open_rtp_tap(&self, py: Python<'_>, session: u64, batch: usize) -> PyResult<u64> {
        py.detach(|| self.engine.open_rtp_tap(session, batch))
            .map_err(raise)
    }

    fn close_rtp_tap(&self, py: Python<'_>, tap: u64) {
        py.detach(|| self.engine.close_rtp_tap(tap));
    }

    fn take_rtp<'py>(
        &self,
        py: Python<'py>,
        tap: u64,
        limit: usize,
    ) -> (Vec<PacketTuple<'py>>, u64) {
        let (packets, lost) = py.detach(|| self.engine.take_rtp(tap, limit));
        let made = packets.into_iter().map(|packet| {
            let header = packet.header;
            (
                packet.at,
                header.payload_type,
                header.marker,
                header.sequence,
                header.timestamp,
                header.ssrc,
                PyBytes::new(py, &packet.payload),
                packet.codec,
            )
        });
        (made.collect(), lost)
    }
}
