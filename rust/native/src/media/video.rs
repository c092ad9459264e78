//! Video: lines, what feeds them, and encoded frames.
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use trivox_media::MediaError;
use trivox_media::session::lines::LineKind;
use trivox_media::video::{Orientation, VideoCodec};

use super::engine::MediaEngine;
use super::errors::raise;

type EncodedTuple<'py> = (&'static str, f64, bool, Bound<'py, PyBytes>, u16);
type LineTuple = (u64, &'static str, &'static str);

fn video_codec(name: &str) -> Result<VideoCodec, MediaError> {
    VideoCodec::from_name(name)
        .ok_or_else(|| MediaError::Argument(format!("there is no video codec {name:?}")))
}

fn orientation_of(degrees: u16) -> Result<Orientation, MediaError> {
    Orientation::from_degrees(degrees).ok_or_else(|| {
        MediaError::Argument(format!("a rotation is 0, 90, 180 or 270, not {degrees}"))
    })
}

fn line_kind(name: &str) -> Result<LineKind, MediaError> {
    match name {
        "video" => Ok(LineKind::Video),
        "screen" => Ok(LineKind::Screen),
        _ => Err(MediaError::Argument(format!(
            "a line is of \"video\" or \"screen\", not {name:?}"
        ))),
    }
}

#[pymethods]
impl MediaEngine {
    #[pyo3(signature = (session, codecs, *, receive))]
    fn prepare_video(
        &self,
        py: Python<'_>,
        session: u64,
        codecs: Vec<String>,
        receive: bool,
    ) -> PyResult<()> {
        let codecs: Result<Vec<_>, _> = codecs.iter().map(|name| video_codec(name)).collect();
        let codecs = codecs.map_err(raise)?;
        self.run(py, session, move |open| {
            open.prepare_video(codecs, receive);
            Ok(())
        })
    }

    fn open_line(&self, py: Python<'_>, session: u64, kind: &str) -> PyResult<u64> {
        let kind = line_kind(kind).map_err(raise)?;
        self.run(py, session, move |open| open.open_line(kind))
    }

    fn close_line(&self, py: Python<'_>, session: u64, line: u64) -> PyResult<()> {
        self.run(py, session, move |open| {
            open.close_line(line);
            Ok(())
        })
    }

    fn video_lines(&self, py: Python<'_>, session: u64) -> PyResult<Vec<LineTuple>> {
        let lines = self.run(py, session, |open| Ok(open.line_directions()))?;
        let plain = lines.into_iter().map(|(number, kind, direction)| {
            let direction = direction.map_or("", |agreed| agreed.as_str());
            (number, kind.name(), direction)
        });
        Ok(plain.collect())
    }

    #[pyo3(signature = (session, line, path, r#loop, rate))]
    fn play_video(
        &self,
        py: Python<'_>,
        session: u64,
        line: u64,
        path: PathBuf,
        r#loop: bool,
        rate: f64,
    ) -> PyResult<u64> {
        py.detach(|| self.engine.play_clip(session, line, &path, r#loop, rate))
            .map_err(raise)
    }

    fn relay_video(
        &self,
        py: Python<'_>,
        session: u64,
        line: u64,
        source: u64,
        source_line: u64,
    ) -> PyResult<()> {
        py.detach(|| {
            self.engine
                .relay_video((session, line), (source, source_line))
        })
        .map_err(raise)
    }

    fn stop_video(&self, py: Python<'_>, session: u64, line: u64) -> PyResult<()> {
        self.run(py, session, move |open| {
            open.stop_feed(line);
            Ok(())
        })
    }

    fn open_video_push(&self, py: Python<'_>, session: u64, line: u64) -> PyResult<u64> {
        py.detach(|| self.engine.open_video_push(session, line))
            .map_err(raise)
    }

    #[pyo3(signature = (line, push, codec, pts, frame, rotation = 0))]
    #[expect(
        clippy::too_many_arguments,
        reason = "one call from Python is one frame"
    )]
    fn push_video(
        &self,
        py: Python<'_>,
        line: u64,
        push: u64,
        codec: &str,
        pts: f64,
        frame: &[u8],
        rotation: u16,
    ) -> PyResult<bool> {
        let codec = video_codec(codec).map_err(raise)?;
        let orientation = orientation_of(rotation).map_err(raise)?;
        py.detach(|| {
            self.engine
                .push_video_frame((line, push), codec, pts, orientation, frame)
        })
        .map_err(raise)
    }

    fn open_video_tap(&self, py: Python<'_>, session: u64, line: u64) -> PyResult<u64> {
        py.detach(|| self.engine.open_video_tap(session, line))
            .map_err(raise)
    }

    fn close_video_tap(&self, py: Python<'_>, tap: u64) {
        py.detach(|| self.engine.close_video_tap(tap));
    }

    fn take_encoded<'py>(
        &self,
        py: Python<'py>,
        tap: u64,
        limit: usize,
    ) -> (Vec<EncodedTuple<'py>>, u64) {
        let (frames, lost) = py.detach(|| self.engine.take_encoded(tap, limit));
        let made = frames.into_iter().map(|frame| {
            let data = PyBytes::new(py, &frame.data);
            (
                frame.codec.name(),
                frame.pts,
                frame.is_key,
                data,
                frame.rotation,
            )
        });
        (made.collect(), lost)
    }
}
