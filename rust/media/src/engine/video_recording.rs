//! Recordings of received video, with the call's sound or without.

use std::path::Path;

use super::Engine;
use crate::MediaError;
use crate::recorder::{Format, Recorder, Side};
use crate::video::LayerWish;

impl Engine {
    /// Starts a recording of pictures and returns its number; `stop_recording` ends it.
    ///
    /// # Arguments
    /// `side` is that of the sound, "none" for pictures alone; `line` 0 is whichever line gives a
    /// key frame first; `wish` chooses among the layers of a simulcast.
    ///
    /// # Errors
    /// `MediaError::File` when it cannot be created, `MediaError::Argument` for an unknown side, or
    /// a format that has no pictures, `MediaError::Unknown` without such a line.
    pub fn start_video_recording(
        &self,
        (session, line): (u64, u64),
        path: &Path,
        side: &str,
        format: &str,
        wish: LayerWish,
    ) -> Result<u64, MediaError> {
        self.slot(session)?.command(|open| match line {
            0 => Ok(()),
            number => open.check_line(number),
        })?;
        let format = Format::from_name(format).filter(|format| format.has_pictures());
        let format = format.ok_or_else(|| {
            MediaError::Argument("video is recorded as \"mkv\" or \"ivf\"".to_owned())
        })?;
        let side = Side::from_name(side).ok_or_else(|| {
            MediaError::Argument(
                "the side is \"both\", \"received\", \"sent\" or \"none\"".to_owned(),
            )
        })?;
        let recorder = self.recordings.start(session, |writer| {
            Recorder::start(path, side, format, self.now(), writer).map_err(|error| {
                MediaError::File(format!("cannot record to {}: {error}", path.display()))
            })
        })?;
        let recorder = recorder.of_line((line > 0).then_some(line), wish);
        let number = recorder.number();
        self.command(session, |open, now| {
            open.add_video_recording(now, recorder);
            Ok(number)
        })
    }
}
