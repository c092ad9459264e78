//! What a program does with the video of a session.

use std::sync::Arc;
use std::time::Instant;

use super::Session;
use super::line::{LineFigures, VideoLine};
use super::taps::{Tap, TappedFrame};
use crate::MediaError;
use crate::session::lines::LineKind;
use crate::session::sdp::Direction;
use crate::video::feed::{ClipPlayer, Feed, FramePush};
use crate::video::relay::Relay;
use crate::video::{Clip, LayerWish, Orientation, VideoCodec};

/// A frame the program pushes may have so many bytes.
const MOST_FRAME_BYTES: usize = 4 << 20;
/// Sessions one line is relayed to, and programs that read its frames.
const MOST_RELAYS: usize = 1024;
const MOST_TAPS: usize = 16;

impl Session {
    /// Chooses the codecs of video, and whether video that the far end offers is taken.
    pub fn prepare_video(&mut self, codecs: Vec<VideoCodec>, receives: bool) {
        let seed = self.video_seed;
        self.offer_answer.prepare_video(codecs, receives, seed);
    }

    /// Takes video the far end offers, from the next description on, or no longer.
    pub fn receive_video_offers(&mut self, receives: bool) {
        self.offer_answer.receive_video(receives);
    }

    /// Wants to send on a line; takes effect in the next description.
    ///
    /// # Errors
    /// `MediaError::State` without video codecs, `MediaError::Full` with too many lines.
    pub fn open_line(&mut self, kind: LineKind) -> Result<u64, MediaError> {
        self.offer_answer.open_line(kind)
    }

    /// Wants to send on a line no longer, and stops what feeds it.
    pub fn close_line(&mut self, number: u64) {
        self.offer_answer.close_line(number);
        let lines = self.videos.as_mut().map(|videos| &mut videos.lines);
        let line = lines.and_then(|lines| lines.iter_mut().find(|line| line.number == number));
        if let Some(line) = line {
            line.stop_feed(&mut self.wakes);
        }
    }

    /// Number, kind and direction of each line, as agreed.
    pub fn line_directions(&self) -> Vec<(u64, LineKind, Option<Direction>)> {
        let lines = self.offer_answer.lines().iter();
        let facts = lines.map(|line| {
            let agreed = line.agreed.as_ref();
            (
                line.number,
                line.kind,
                agreed.map(|agreed| agreed.direction),
            )
        });
        facts.collect()
    }

    pub(super) fn video_line(&mut self, number: u64) -> Result<&mut VideoLine, MediaError> {
        let lines = self.videos.as_mut().map(|videos| &mut videos.lines);
        let line = lines.and_then(|lines| lines.iter_mut().find(|line| line.number == number));
        line.ok_or(MediaError::Unknown {
            kind: "video line",
            number,
        })
    }

    /// Puts a source on a line in place of the one it has.
    fn set_feed(&mut self, now: Instant, line: u64, feed: Feed) -> Result<(), MediaError> {
        let mut wakes = Vec::new();
        let found = self.video_line(line)?;
        drop(found.stop_feed(&mut wakes));
        found.feed = Some(feed);
        found.sender.restart();
        self.wakes.append(&mut wakes);
        self.tick_videos(now);
        Ok(())
    }

    /// Sends a file on a line. `VideoEnded` tells of its end.
    ///
    /// # Errors
    /// `MediaError::State` when the far end does not take its codec.
    pub fn play_clip(
        &mut self,
        now: Instant,
        line: u64,
        number: u64,
        clip: Arc<Clip>,
        is_loop: bool,
    ) -> Result<(), MediaError> {
        self.check_codec(line, clip.codec())?;
        let player = ClipPlayer::new(number, clip, is_loop);
        self.set_feed(now, line, Feed::Clip(Box::new(player)))
    }

    fn check_codec(&mut self, line: u64, codec: VideoCodec) -> Result<(), MediaError> {
        if self.video_line(line)?.sender.takes(codec) {
            return Ok(());
        }
        Err(MediaError::State(format!(
            "{} was not agreed with the far end: send another codec, or prefer this one in the \
             call's settings",
            codec.name()
        )))
    }

    /// Sends what another session receives.
    ///
    /// # Errors
    /// `MediaError::Unknown` without such a line.
    pub(crate) fn send_relay(
        &mut self,
        now: Instant,
        line: u64,
        relay: Arc<Relay>,
    ) -> Result<(), MediaError> {
        self.set_feed(now, line, Feed::Relay(relay))
    }

    /// Gives what is received on a line to another session.
    ///
    /// # Errors
    /// `MediaError::Unknown` without such a line, `MediaError::Full` with too many relays.
    pub(crate) fn give_relay(
        &mut self,
        now: Instant,
        line: u64,
        relay: Arc<Relay>,
    ) -> Result<(), MediaError> {
        let found = self.video_line(line)?;
        found.relays.retain(|relay| !relay.is_closed());
        if found.relays.len() == MOST_RELAYS {
            return Err(MediaError::Full(format!(
                "a stream is relayed to {MOST_RELAYS} calls at most"
            )));
        }
        found.relays.push(relay);
        self.tick_videos(now);
        Ok(())
    }

    /// Chooses the simulcast layer a line is fed with; it is changed at its next key frame.
    ///
    /// # Errors
    /// `MediaError::State` when the line is fed by no other call.
    pub fn choose_layer(&mut self, line: u64, wish: LayerWish) -> Result<(), MediaError> {
        let found = self.video_line(line)?;
        let Some(Feed::Relay(relay)) = &found.feed else {
            return Err(MediaError::State(
                "layers are chosen of what another call sends: this line sends nothing of one"
                    .to_owned(),
            ));
        };
        relay.choose_layer(wish);
        let from = relay.from;
        self.wakes.push(from);
        Ok(())
    }

    /// Lets the program push frames on a line; `KeyFrameWanted` asks for key frames.
    ///
    /// # Errors
    /// `MediaError::Unknown` without such a line.
    pub fn open_frame_push(
        &mut self,
        now: Instant,
        line: u64,
        number: u64,
    ) -> Result<(), MediaError> {
        self.set_feed(now, line, Feed::Push(Box::new(FramePush::new(number))))
    }

    /// Sends a frame of the program's; false when nothing may be sent now.
    ///
    /// # Errors
    /// `MediaError::Unknown` when the line has no such push, `MediaError::Argument` for what is too
    /// large, `MediaError::State` for a codec that was not agreed.
    pub fn push_frame(
        &mut self,
        now: Instant,
        (line, push): (u64, u64),
        codec: VideoCodec,
        pts: f64,
        orientation: Orientation,
        frame: &[u8],
    ) -> Result<bool, MediaError> {
        if frame.is_empty() || frame.len() > MOST_FRAME_BYTES || !(0.0..1e9).contains(&pts) {
            return Err(MediaError::Argument(format!(
                "a frame has 1 to {MOST_FRAME_BYTES} bytes and a time of 0 s or more"
            )));
        }
        let is_connected = self.connected.is_some();
        let shared = self.transport.as_mut();
        let lines = self.videos.as_mut().map(|videos| &mut videos.lines);
        let found = lines.and_then(|lines| lines.iter_mut().find(|one| one.number == line));
        let unknown = MediaError::Unknown {
            kind: "push of video",
            number: push,
        };
        let Some(found) = found else {
            return Err(unknown);
        };
        let is_ready = found.is_ready();
        let Some(Feed::Push(open)) = found.feed.as_mut().filter(|feed| feed.is_push(push)) else {
            return Err(unknown);
        };
        if !found.sender.is_allowed() || !is_connected || !is_ready {
            return Ok(false);
        }
        let ticks = ((pts * 90_000.0) as u64) as u32;
        let mut packets = open.packetiser.cut(codec, ticks, frame);
        if let Some(last) = packets.last_mut() {
            last.orientation = Some(orientation);
        }
        let shared = shared.filter(|_| !found.is_alone);
        if let Some(transport) = found.transport.as_mut().or(shared) {
            for packet in &packets {
                found
                    .sender
                    .send(now, packet, |bytes| transport.send_rtp(now, bytes));
            }
        }
        let place = self
            .videos
            .as_ref()
            .and_then(|videos| videos.lines.iter().position(|one| one.number == line));
        self.flush_video(now, place.unwrap_or(usize::MAX));
        self.check_codec(line, codec)?;
        Ok(true)
    }

    /// Whether the program still feeds a line by this push.
    pub(crate) fn has_push(&self, number: u64) -> bool {
        let mut lines = self.videos.iter().flat_map(|videos| &videos.lines);
        lines.any(|line| line.feed.as_ref().is_some_and(|feed| feed.is_push(number)))
    }

    /// Stops what feeds a line; the far end keeps the last picture.
    pub fn stop_feed(&mut self, line: u64) {
        let mut wakes = Vec::new();
        if let Ok(found) = self.video_line(line) {
            found.stop_feed(&mut wakes);
        }
        self.wakes.append(&mut wakes);
    }

    /// Subscribes to the encoded frames of a line.
    ///
    /// # Errors
    /// `MediaError::Unknown` without such a line, `MediaError::Full` with too many subscriptions.
    pub fn open_tap(&mut self, now: Instant, line: u64, number: u64) -> Result<(), MediaError> {
        let found = self.video_line(line)?;
        if found.taps.len() == MOST_TAPS {
            return Err(MediaError::Full(format!(
                "a video stream has {MOST_TAPS} readers at most"
            )));
        }
        found.taps.push(Tap::new(number));
        found.receiver.want_key_frame(None);
        self.tick_videos(now);
        Ok(())
    }

    /// Takes frames of a subscription; with them how many were lost so far.
    pub fn take_encoded(&mut self, tap: u64, limit: usize) -> (Vec<TappedFrame>, u64) {
        let lines = self.videos.iter_mut().flat_map(|videos| &mut videos.lines);
        let mut taps = lines.flat_map(|line| &mut line.taps);
        let found = taps.find(|open| open.number == tap);
        found
            .map(|open| (open.take(limit), open.lost))
            .unwrap_or_default()
    }

    /// Ends a subscription.
    pub fn close_tap(&mut self, tap: u64) {
        for line in self.videos.iter_mut().flat_map(|videos| &mut videos.lines) {
            line.taps.retain(|open| open.number != tap);
        }
    }

    /// The figures of all lines.
    pub fn video_figures(&self) -> Vec<LineFigures> {
        let lines = self.videos.iter().flat_map(|videos| &videos.lines);
        lines.map(VideoLine::figures).collect()
    }
}
