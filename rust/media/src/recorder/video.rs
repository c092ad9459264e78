//! The pictures a recorder is given.

use std::path::Path;
use std::time::Instant;

use super::{Pictures, Recorder};
use crate::matroska;
use crate::video::{EncodedFrame, ivf};

impl Recorder {
    /// Takes the pictures of this line only, where its format has pictures.
    pub(crate) fn of_line(mut self, line: Option<u64>) -> Self {
        self.pictures = self.pictures.take().map(|_| Pictures::new(line));
        self
    }

    /// Whether it takes pictures of a line.
    pub(crate) fn wants_pictures_of(&self, line: u64) -> bool {
        self.pictures
            .as_ref()
            .is_some_and(|pictures| pictures.are_of(line))
    }

    /// Whether sound goes into it.
    pub(crate) fn takes_sound(&self) -> bool {
        self.side.has_received() || self.side.has_sent()
    }

    /// Takes a picture of a line; true when it is lost, and those up to the next key frame with it.
    pub(crate) fn push_picture(&mut self, now: Instant, line: u64, frame: &EncodedFrame) -> bool {
        let elapsed = now.saturating_duration_since(self.start);
        let Some(pictures) = self.pictures.as_mut().filter(|open| open.are_of(line)) else {
            return false;
        };
        let Some(picture) = pictures.take(elapsed, line, frame) else {
            return true;
        };
        pictures.needs_key = !self.file.write_picture(picture);
        pictures.needs_key
    }
}

/// The seconds of a recording of pictures, once it is finished; None for any other file.
#[must_use]
pub fn seconds_of_pictures(path: &Path) -> Option<f64> {
    matroska::seconds_of(path).or_else(|| ivf::seconds_of(path))
}
