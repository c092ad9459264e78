//! Recordings and audio ports: numbered by the engine, owned by sessions.

use std::path::Path;

use super::{Engine, lock};
use crate::MediaError;
use crate::player::{FileSource, Place, Source, SourceError};
use crate::recorder::{Format, Recorder, Side};
use crate::session::Session;
use crate::session::port::Frame;
use crate::wav::RawFormat;

impl Engine {
    /// Places a file on a session and returns the playback's number.
    ///
    /// # Errors
    /// `MediaError::File` when it cannot be read or `start` is outside it.
    pub fn play_file(
        &self,
        session: u64,
        place: Place,
        path: &Path,
        is_loop: bool,
        start: f64,
    ) -> Result<u64, MediaError> {
        // The disk may be slow, and a shard waits for whoever holds a session: open it before.
        self.slot(session)?;
        let source = self.open_file(path, is_loop, start)?;
        self.command(session, |open, _| open.play_source(place, source))
    }

    /// Opens a file to be played, read ahead by a thread where there are threads.
    ///
    /// # Errors
    /// `MediaError::File` when it cannot be read or `start` is outside it.
    pub fn open_file(&self, path: &Path, is_loop: bool, start: f64) -> Result<Source, MediaError> {
        self.read_ahead(path, FileSource::open(path, is_loop, start))
    }

    /// Opens a file without a header to be played, as `open_file` does.
    ///
    /// # Errors
    /// `MediaError::File` when it cannot be read or `start` is outside it.
    pub fn open_raw_file(
        &self,
        path: &Path,
        raw: RawFormat,
        is_loop: bool,
        start: f64,
    ) -> Result<Source, MediaError> {
        self.read_ahead(path, FileSource::open_raw(path, raw, is_loop, start))
    }

    fn read_ahead(
        &self,
        path: &Path,
        opened: Result<FileSource, SourceError>,
    ) -> Result<Source, MediaError> {
        let file = opened.map_err(|error| {
            MediaError::File(format!("cannot play {}: {error}", path.display()))
        })?;
        Ok(match &self.reader {
            Some(reader) => Source::Ahead(reader.read_ahead(file)),
            None => Source::File(Box::new(file)),
        })
    }

    /// Starts a recording and returns its number, unique to the engine.
    ///
    /// # Errors
    /// `MediaError::File` when it cannot be created, `MediaError::Argument` for an unknown side.
    pub fn start_recording(
        &self,
        session: u64,
        path: &Path,
        side: &str,
        format: &str,
    ) -> Result<u64, MediaError> {
        self.slot(session)?;
        let format = format_of(format)?;
        let side = Side::from_name(side).filter(|side| *side != Side::Neither);
        let side = side.ok_or_else(|| {
            MediaError::Argument("the side is \"both\", \"received\" or \"sent\"".to_owned())
        })?;
        let recorder = self.recordings.start(session, |writer| {
            Recorder::start(path, side, format, self.now(), writer).map_err(|error| {
                MediaError::File(format!("cannot record to {}: {error}", path.display()))
            })
        })?;
        let number = recorder.number();
        self.command(session, |open, _| {
            open.add_recording(recorder);
            Ok(number)
        })
    }

    /// Ends a recording; returns its seconds.
    ///
    /// # Errors
    /// `MediaError::Unknown` when it has ended.
    pub fn stop_recording(&self, session: u64, recording: u64) -> Result<f64, MediaError> {
        let recorder = self.command(session, |session, _| session.take_recording(recording))?;
        let seconds = recorder.stop(self.now());
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
        ahead: f64,
    ) -> Result<u64, MediaError> {
        let port = self.number();
        self.command(session, |open, _| {
            open.open_audio(port, rate_hz, frame_ms, batch, ahead)
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

    /// Puts a mark behind what is queued on an audio port; returns its number, unique to the engine.
    ///
    /// # Errors
    /// `MediaError::Full` when too many wait, `MediaError::Unknown` for a closed port.
    pub fn mark_audio(&self, port: u64) -> Result<u64, MediaError> {
        let mark = self.number();
        self.on_port(port, |session| session.mark_audio(port, mark))?;
        Ok(mark)
    }

    /// Drops what is queued on an audio port; see `Session::clear_audio`.
    ///
    /// # Errors
    /// `MediaError::Unknown` for a closed port.
    pub fn clear_audio(&self, port: u64, fade: f64) -> Result<f64, MediaError> {
        let owner = lock(&self.ports).get(&port).copied();
        let session = owner.ok_or(MediaError::Unknown {
            kind: "audio port",
            number: port,
        })?;
        // Served, so that what it tells of is told at once.
        self.command(session, |open, _| open.clear_audio(port, fade))
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

    /// Takes frames of an audio port, and their rate; none of a closed one.
    pub fn take_frames(&self, port: u64, limit: usize) -> (u32, Vec<Frame>) {
        self.on_port(port, |session| Ok(session.take_frames(port, limit)))
            .unwrap_or_default()
    }
}

/// The format of that name, for recordings of sound.
pub(super) fn format_of(name: &str) -> Result<Format, MediaError> {
    let format = Format::from_name(name).filter(|format| !format.has_pictures());
    format.ok_or_else(|| {
        MediaError::Argument("the format of a recording is \"wav\" or \"ogg\"".to_owned())
    })
}
