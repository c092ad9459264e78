//! Bridges between two sessions, as `MediaEngine` has them.
use pyo3::prelude::*;

use super::engine::MediaEngine;
use super::errors::raise;

/// (packets passed, frames transcoded, dropped) of one direction.
type LaneTuple = (u64, u64, u64);

#[pymethods]
impl MediaEngine {
    fn bridge(&self, py: Python<'_>, one: u64, other: u64) -> PyResult<u64> {
        py.detach(|| self.engine.bridge(one, other)).map_err(raise)
    }

    fn end_bridge(&self, py: Python<'_>, bridge: u64) {
        py.detach(|| self.engine.end_bridge(bridge));
    }

    fn bridge_figures(&self, py: Python<'_>, bridge: u64) -> PyResult<(LaneTuple, LaneTuple)> {
        let [there, back] = py
            .detach(|| self.engine.bridge_figures(bridge))
            .map_err(raise)?;
        let plain = |lane: trivox_media::lane::LaneFigures| {
            (lane.packets_passed, lane.frames_transcoded, lane.dropped)
        };
        Ok((plain(there), plain(back)))
    }
}
