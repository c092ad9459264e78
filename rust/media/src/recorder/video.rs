//! The pictures a recorder is given.

use std::path::Path;
use std::time::Instant;

use super::{Pictures, Recorder};
use crate::matroska;
use crate::video::receiver::VideoReceiver;
use crate::video::{LayerWish, VideoPacket, ivf};

impl Recorder {
    /// Takes the pictures of this line only, where its format has pictures, and of this layer.
    pub(crate) fn of_line(mut self, line: Option<u64>, wish: LayerWish) -> Self {
        self.pictures = self.pictures.take().map(|_| Pictures::new(line, wish));
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

    /// Takes a packet of a line. What is lost on the way to the disk is lost up to the next key
    /// frame, which is asked for.
    pub(crate) fn push_packet(
        &mut self,
        now: Instant,
        line: u64,
        packet: &VideoPacket,
        receiver: &mut VideoReceiver,
    ) {
        let elapsed = now.saturating_duration_since(self.start);
        let Some(pictures) = self.pictures.as_mut().filter(|open| open.are_of(line)) else {
            return;
        };
        for frame in pictures.reader.push(now, packet, receiver) {
            if let Some(picture) = pictures.take(elapsed, line, frame) {
                pictures.needs_key = !self.file.write_picture(picture);
            }
            if pictures.needs_key {
                receiver.want_key_frame(Some(packet.source));
            }
        }
    }
}

/// The seconds of a recording of pictures, once it is finished; None for any other file.
#[must_use]
pub fn seconds_of_pictures(path: &Path) -> Option<f64> {
    matroska::seconds_of(path).or_else(|| ivf::seconds_of(path))
}
