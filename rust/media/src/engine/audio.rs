//! Recordings and audio ports: numbered by the engine, owned by sessions.

use std::path::Path;

use super::{Engine, lock};
use crate::MediaError;
use crate::session::Session;
use crate::session::port::Frame;

impl Engine {
    /// Starts a recording; see `Session::start_recording`.
    ///
    /// # Errors
    /// `MediaError::File` when the file cannot be created.
    pub fn start_recording(
        &self,
        session: u64,
        path: &Path,
        side: &str,
    ) -> Result<u64, MediaError> {
        self.command(session, |open, now| {
            let start =
                |writer: &crate::recorder::Writer| open.start_recording(now, path, side, writer);
            self.recordings.start(session, start)
        })
    }

    /// Ends a recording; returns its seconds.
    ///
    /// # Errors
    /// `MediaError::Unknown` when it has ended.
    pub fn stop_recording(&self, session: u64, recording: u64) -> Result<f64, MediaError> {
        let seconds = self.command(session, |session, now| {
            session.stop_recording(now, recording)
        })?;
        self.recordings.poll(&self.ring);
        Ok(seconds)
    }

    /// Opens an audio port; see `Session::open_audio`.
    ///
    /// # Errors
    /// `MediaError::Argument` for figures out of range.
    pub fn open_audio(
        &self,
        session: u64,
        rate_hz: u32,
        frame_ms: u32,
        batch: usize,
    ) -> Result<u64, MediaError> {
        let port = self.number();
        self.command(session, |open, _| {
            open.open_audio(port, rate_hz, frame_ms, batch)
        })?;
        lock(&self.ports).insert(port, session);
        Ok(port)
    }

    /// Closes an audio port; a closed one is ignored.
    pub fn close_audio(&self, port: u64) {
        let Some(session) = lock(&self.ports).remove(&port) else {
            return;
        };
        // A session that has ended has closed its ports.
        let _ = self.command(session, |session, _| {
            session.close_audio(port);
            Ok(())
        });
    }

    /// Runs a command on the session of an audio port, which is not served for it.
    ///
    /// # Errors
    /// `MediaError::Unknown` for a closed port, or what the command returns.
    pub fn on_port<R>(
        &self,
        port: u64,
        run: impl FnOnce(&mut Session) -> Result<R, MediaError>,
    ) -> Result<R, MediaError> {
        let owner = lock(&self.ports).get(&port).copied();
        let session = owner.ok_or(MediaError::Unknown {
            kind: "audio port",
            number: port,
        })?;
        self.slot(session)?.command(run)
    }

    /// Takes frames of an audio port; none of a closed one.
    pub fn take_frames(&self, port: u64, limit: usize) -> Vec<Frame> {
        self.on_port(port, |session| Ok(session.take_frames(port, limit)))
            .unwrap_or_default()
    }
}
