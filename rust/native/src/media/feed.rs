//! Audio that a program writes and calls play, and sources made of others.
use std::path::PathBuf;

use pyo3::prelude::*;
use trivox_media::MediaError;
use trivox_media::player::{Feed, FileSource, MixSource, SilenceSource, Source, ToneSource};
use trivox_media::recorder::seconds_of_pictures;
use trivox_media::wav::RawFormat;

use super::arguments::place_of;
use super::engine::MediaEngine;
use super::errors::raise;
use super::share::AudioShare;

/// A bounded stretch of audio between one writer and the sessions that play it.
#[pyclass(frozen, module = "trivox._native")]
pub(crate) struct AudioFeed {
    feed: Feed,
}

#[pymethods]
impl AudioFeed {
    #[new]
    #[pyo3(signature = (rate, limit, *, relay = false, once = false))]
    fn new(rate: u32, limit: f64, relay: bool, once: bool) -> Self {
        let feed = if relay {
            Feed::relay(rate)
        } else if once {
            Feed::once(rate, limit)
        } else {
            Feed::new(rate, limit)
        };
        Self { feed }
    }

    fn write(&self, py: Python<'_>, samples: &[u8]) -> f64 {
        let pairs = samples.chunks_exact(2);
        let samples: Vec<i16> = pairs
            .map(|two| i16::from_le_bytes([two[0], two[1]]))
            .collect();
        py.detach(|| self.feed.write(&samples))
    }

    /// Take what a playback would in that time.
    fn skip(&self, seconds: f64) {
        self.feed.skip(seconds);
    }

    /// Be a playback that is over.
    fn play_out(&self) {
        drop(self.feed.reader());
    }

    fn clear(&self) -> f64 {
        self.feed.clear()
    }

    fn close(&self) {
        self.feed.close();
    }

    fn fail(&self, reason: &str) {
        self.feed.fail(reason);
    }

    #[getter]
    fn error(&self) -> Option<String> {
        self.feed.error()
    }

    #[getter]
    fn queued(&self) -> f64 {
        self.feed.queued()
    }

    #[getter]
    fn underruns(&self) -> u64 {
        self.feed.underruns()
    }

    #[getter]
    fn is_closed(&self) -> bool {
        self.feed.is_closed()
    }
}

/// One part of a mixture, as Python writes it down.
#[derive(FromPyObject)]
pub(crate) enum Part {
    /// (path, loop, start).
    File(PathBuf, bool, f64),
    /// (path, loop, start, (encoding, rate, channels)).
    RawFile(PathBuf, bool, f64, (String, u32, u16)),
    /// (frequencies, cadence, duration, level).
    Tone(Vec<f64>, Vec<(f64, f64)>, f64, f64),
    /// Seconds.
    #[pyo3(transparent)]
    Silence(f64),
    /// What is written.
    #[pyo3(transparent)]
    Feed(Py<AudioFeed>),
    /// What others play too.
    #[pyo3(transparent)]
    Share(Py<AudioShare>),
    /// Several.
    #[pyo3(transparent)]
    Mix(Vec<Self>),
}

const FOREVER: f64 = 1e9;

fn finite(seconds: f64) -> f64 {
    if seconds == f64::INFINITY {
        FOREVER
    } else {
        seconds
    }
}

#[pymethods]
impl MediaEngine {
    #[pyo3(signature = (session, part, *, place = "queue"))]
    fn play_part(&self, py: Python<'_>, session: u64, part: Part, place: &str) -> PyResult<u64> {
        let place = place_of(place).map_err(raise)?;
        let source = self.source(py, part).map_err(raise)?;
        self.run(py, session, move |open| open.play_source(place, source))
    }

    fn tap(&self, py: Python<'_>, session: u64, feed: &AudioFeed) -> PyResult<()> {
        let feed = feed.feed.clone();
        self.run(py, session, move |open| open.tap(feed))
    }
}

impl MediaEngine {
    pub(super) fn source(&self, py: Python<'_>, part: Part) -> Result<Source, MediaError> {
        let wrong =
            |error: trivox_media::player::SourceError| MediaError::Argument(error.to_string());
        match part {
            Part::File(path, is_loop, start) => {
                py.detach(|| self.engine.open_file(&path, is_loop, start))
            }
            Part::RawFile(path, is_loop, start, (encoding, rate, channels)) => {
                let raw = RawFormat::new(&encoding, rate, channels)
                    .map_err(|error| MediaError::Argument(error.to_string()))?;
                py.detach(|| self.engine.open_raw_file(&path, raw, is_loop, start))
            }
            Part::Tone(frequencies, cadence, duration, level) => {
                let duration = (duration != f64::INFINITY).then_some(duration);
                ToneSource::new(&frequencies, &cadence, duration, level)
                    .map(Source::Tone)
                    .map_err(wrong)
            }
            Part::Silence(seconds) => SilenceSource::new(finite(seconds))
                .map(Source::Silence)
                .map_err(wrong),
            Part::Feed(feed) => Ok(Source::Feed(feed.get().feed.reader())),
            Part::Share(share) => Ok(Source::Shared(share.get().share.reader())),
            Part::Mix(parts) => {
                let parts: Result<Vec<_>, _> = parts
                    .into_iter()
                    .map(|part| self.source(py, part))
                    .collect();
                Ok(Source::Mix(MixSource::new(parts?)))
            }
        }
    }
}

/// Length of a WAV or Ogg Opus file, or of a recording of video, in seconds.
#[pyfunction]
pub(crate) fn file_seconds(py: Python<'_>, path: PathBuf) -> PyResult<f64> {
    if let Some(seconds) = py.detach(|| seconds_of_pictures(&path)) {
        return Ok(seconds);
    }
    let file = py.detach(|| FileSource::open(&path, false, 0.0));
    let wrong = |error| {
        raise(MediaError::File(format!(
            "cannot play {}: {error}",
            path.display()
        )))
    };
    file.map(|file| file.seconds()).map_err(wrong)
}
