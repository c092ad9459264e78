//! Rooms of many sessions, as `MediaEngine` has them.
use std::path::PathBuf;

use pyo3::prelude::*;
use trivox_media::engine::rooms::MemberSettings;

use super::engine::MediaEngine;
use super::errors::raise;

#[pymethods]
impl MediaEngine {
    fn open_room(&self, py: Python<'_>) -> PyResult<u64> {
        py.detach(|| self.engine.open_room()).map_err(raise)
    }

    fn close_room(&self, py: Python<'_>, room: u64) {
        py.detach(|| self.engine.close_room(room));
    }

    #[pyo3(signature = (room, session, *, gain_db, muted, deaf, whispers_to))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    fn add_member(
        &self,
        py: Python<'_>,
        room: u64,
        session: u64,
        gain_db: f64,
        muted: bool,
        deaf: bool,
        whispers_to: Option<u64>,
    ) -> PyResult<()> {
        let settings = settings(gain_db, muted, deaf, whispers_to);
        py.detach(|| self.engine.add_member(room, session, settings))
            .map_err(raise)
    }

    #[pyo3(signature = (room, session, *, gain_db, muted, deaf, whispers_to))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    fn set_member(
        &self,
        py: Python<'_>,
        room: u64,
        session: u64,
        gain_db: f64,
        muted: bool,
        deaf: bool,
        whispers_to: Option<u64>,
    ) -> PyResult<()> {
        let settings = settings(gain_db, muted, deaf, whispers_to);
        py.detach(|| self.engine.set_member(room, session, settings))
            .map_err(raise)
    }

    fn remove_member(&self, py: Python<'_>, room: u64, session: u64) {
        py.detach(|| self.engine.remove_member(room, session));
    }

    #[pyo3(signature = (room, path, file_format = "wav"))]
    fn record_room(
        &self,
        py: Python<'_>,
        room: u64,
        path: PathBuf,
        file_format: &str,
    ) -> PyResult<u64> {
        py.detach(|| self.engine.record_room(room, &path, file_format))
            .map_err(raise)
    }

    fn stop_room_recording(&self, py: Python<'_>, room: u64, recording: u64) -> PyResult<f64> {
        py.detach(|| self.engine.stop_room_recording(room, recording))
            .map_err(raise)
    }
}

fn settings(gain_db: f64, muted: bool, deaf: bool, whispers_to: Option<u64>) -> MemberSettings {
    MemberSettings {
        gain_db,
        is_muted: muted,
        is_deaf: deaf,
        whispers_to,
    }
}
