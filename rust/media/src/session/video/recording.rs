//! What is received on a line, for those who record, read and pass it on.

use std::time::Instant;

use super::Session;
use crate::MediaError;
use crate::recorder::Recorder;
use crate::video::{LayerFacts, LayerWish, VideoPacket};

impl Session {
    /// Whether there is a line of this number.
    pub(crate) fn check_line(&mut self, number: u64) -> Result<(), MediaError> {
        self.video_line(number).map(|_| ())
    }

    /// What is known of the layers of a line; none where the far end sends one picture.
    ///
    /// # Errors
    /// `MediaError::Unknown` without such a line.
    pub fn video_layers(&mut self, now: Instant, line: u64) -> Result<Vec<LayerFacts>, MediaError> {
        let found = self.video_line(line)?;
        found.settle(now);
        Ok(found.receiver.layers(now).to_vec())
    }

    /// Chooses the simulcast layer that a reader of frames is given.
    pub fn choose_tap_layer(&mut self, now: Instant, tap: u64, wish: &LayerWish) {
        for line in self.videos.iter_mut().flat_map(|videos| &mut videos.lines) {
            for open in line.taps.iter_mut().filter(|open| open.number == tap) {
                open.reader.choose(wish.clone());
                line.receiver.want_key_frame(open.reader.source());
            }
        }
        self.tick_videos(now);
    }

    /// Asks the far end for a key frame of what a line shows; at most two a second are asked for.
    ///
    /// # Errors
    /// `MediaError::Unknown` without such a line.
    pub fn want_key_frame(&mut self, now: Instant, line: u64) -> Result<(), MediaError> {
        let found = self.video_line(line)?;
        let source = found.taps.first().and_then(|tap| tap.reader.source());
        found.receiver.want_key_frame(source);
        self.tick_videos(now);
        Ok(())
    }

    /// Gives what flows to a recorder of pictures from now on; a key frame is asked for.
    pub(crate) fn add_video_recording(&mut self, now: Instant, recorder: Recorder) {
        for line in self.videos.iter_mut().flat_map(|videos| &mut videos.lines) {
            if recorder.wants_pictures_of(line.number) {
                line.receiver.want_key_frame(None);
            }
        }
        self.add_recording(recorder);
        self.tick_videos(now);
    }

    /// Takes what is received on a line, for those who record, read and pass it on.
    pub(super) fn deliver_video(&mut self, now: Instant, place: usize, packet: VideoPacket) {
        let Some(videos) = &mut self.videos else {
            return;
        };
        let line = &mut videos.lines[place];
        for recorder in self.recordings.values_mut() {
            recorder.push_packet(now, line.number, &packet, &mut line.receiver);
        }
        for tap in &mut line.taps {
            let ready = tap.push_packet(now, &packet, &mut line.receiver);
            self.ready_taps.extend(ready);
        }
        line.pass_on(now, packet, &mut self.wakes);
    }
}
