//! The frames of a line, put together for whoever reads or records them.

use std::time::Instant;

use super::Session;
use super::line::VideoLine;
use crate::MediaError;
use crate::recorder::Recorder;
use crate::video::{Assembler, EncodedFrame, VideoPacket};

impl VideoLine {
    /// Takes a packet; the frames that are whole with it, if anybody wants them.
    pub(super) fn assemble(
        &mut self,
        packet: &VideoPacket,
        is_recorded: bool,
    ) -> Vec<EncodedFrame> {
        let mut frames = Vec::new();
        if self.taps.is_empty() && !is_recorded {
            self.assembler = None;
            return frames;
        }
        let assembler = self.assembler.get_or_insert_with(Assembler::default);
        assembler.push(packet, &mut frames);
        if assembler.take_key_frame_wish() {
            self.receiver.want_key_frame(Some(packet.source));
        }
        frames
    }
}

impl Session {
    /// Whether there is a line of this number.
    pub(crate) fn check_line(&mut self, number: u64) -> Result<(), MediaError> {
        self.video_line(number).map(|_| ())
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
        let mut recorders = self.recordings.values();
        let is_recorded = recorders.any(|one| one.wants_pictures_of(line.number));
        let frames = line.assemble(&packet, is_recorded);
        for frame in &frames {
            for recorder in self.recordings.values_mut() {
                if recorder.push_picture(now, line.number, frame) {
                    line.receiver.want_key_frame(Some(packet.source));
                }
            }
            let told = line.taps.iter_mut().filter_map(|tap| tap.push(frame));
            self.ready_taps.extend(told);
        }
        line.pass_on(packet, &mut self.wakes);
    }
}
