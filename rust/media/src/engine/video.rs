//! Video of sessions: what needs files, sockets, or two sessions at once.

use std::path::Path;
use std::sync::Arc;

use super::{Engine, Mode, lock};
use crate::MediaError;
use crate::session::Session;
use crate::session::video::TappedFrame;
use crate::video::relay::Relay;
use crate::video::{Clip, Orientation, VideoCodec};

impl Engine {
    /// Sends a file of video on a line; returns the number its end is told by.
    ///
    /// # Errors
    /// `MediaError::File` for what is no clip, `MediaError::State` where its codec is not agreed.
    pub fn play_clip(
        &self,
        session: u64,
        line: u64,
        path: &Path,
        is_loop: bool,
        rate: f64,
    ) -> Result<u64, MediaError> {
        // The disk may be slow, and a shard waits for whoever holds a session: read it before.
        self.slot(session)?;
        let clip = Arc::new(Clip::open(path, rate)?);
        let number = self.number();
        self.command(session, |open, now| {
            open.play_clip(now, line, number, clip, is_loop)
        })?;
        Ok(number)
    }

    /// Sends on a line what another session receives on one, packet by packet.
    ///
    /// # Errors
    /// `MediaError::Unknown` without such sessions or lines.
    pub fn relay_video(
        &self,
        (session, line): (u64, u64),
        (source, source_line): (u64, u64),
    ) -> Result<(), MediaError> {
        let relay = Arc::new(Relay::new(source, session));
        self.command(session, |open, now| {
            open.send_relay(now, line, Arc::clone(&relay))
        })?;
        let given = self.command(source, |open, now| {
            open.give_relay(now, source_line, Arc::clone(&relay))
        });
        if given.is_err() {
            self.command(session, |open, _| {
                open.stop_feed(line);
                Ok(())
            })?;
        }
        given
    }

    /// Lets the program push frames on a line; returns the push's number.
    ///
    /// # Errors
    /// `MediaError::Unknown` without such a line.
    pub fn open_video_push(&self, session: u64, line: u64) -> Result<u64, MediaError> {
        let number = self.number();
        self.command(session, |open, now| open.open_frame_push(now, line, number))?;
        lock(&self.video_pushes).insert(number, session);
        self.forget_pushes(session);
        Ok(number)
    }

    /// Sends a frame of the program's; false when nothing may be sent now.
    ///
    /// # Errors
    /// See `Session::push_frame`.
    pub fn push_video_frame(
        &self,
        (line, push): (u64, u64),
        codec: VideoCodec,
        pts: f64,
        orientation: Orientation,
        frame: &[u8],
    ) -> Result<bool, MediaError> {
        let session = self.owner(push)?;
        self.command(session, |open, now| {
            open.push_frame(now, (line, push), codec, pts, orientation, frame)
        })
    }

    /// Subscribes to the encoded frames of a line; returns the subscription's number.
    ///
    /// # Errors
    /// See `Session::open_tap`.
    pub fn open_video_tap(&self, session: u64, line: u64) -> Result<u64, MediaError> {
        let number = self.number();
        self.command(session, |open, now| open.open_tap(now, line, number))?;
        lock(&self.ports).insert(number, session);
        Ok(number)
    }

    /// Takes encoded frames, and how many were lost so far; none of a closed subscription.
    pub fn take_encoded(&self, tap: u64, limit: usize) -> (Vec<TappedFrame>, u64) {
        self.on_port(tap, |session| Ok(session.take_encoded(tap, limit)))
            .unwrap_or_default()
    }

    /// Ends a subscription; a closed one is ignored.
    pub fn close_video_tap(&self, tap: u64) {
        let Some(session) = lock(&self.ports).remove(&tap) else {
            return;
        };
        // A session that has ended has let go of it.
        let _ = self.command(session, |open, _| {
            open.close_tap(tap);
            Ok(())
        });
    }

    /// Forgets the pushes of a session whose place another source has taken.
    fn forget_pushes(&self, session: u64) {
        let mut pushes = lock(&self.video_pushes);
        let own = pushes.iter().filter(|(_, owner)| **owner == session);
        let own: Vec<u64> = own.map(|(number, _)| *number).collect();
        let open = self.slot(session).and_then(|slot| {
            slot.command(|open| Ok(own.iter().map(|push| open.has_push(*push)).collect()))
        });
        let open: Vec<bool> = open.unwrap_or_default();
        for (number, is_open) in own.iter().zip(open) {
            if !is_open {
                pushes.remove(number);
            }
        }
    }

    fn owner(&self, number: u64) -> Result<u64, MediaError> {
        let owner = lock(&self.video_pushes).get(&number).copied();
        owner.ok_or(MediaError::Unknown {
            kind: "push of video",
            number,
        })
    }

    /// Binds sockets for lines that do not share the audio's; whether there were such.
    pub(super) fn bind_lines(&self, session: u64) -> Result<bool, MediaError> {
        let slot = self.slot(session)?;
        let (kind, lines) = slot.command(|open| Ok(open.lines_without_sockets()))?;
        let is_by_relays = slot.command(|open| Ok(open.is_by_relays()))?;
        let has_some = !lines.is_empty();
        for line in lines {
            let locals = match &self.mode {
                _ if is_by_relays => Vec::new(),
                // Over ICE too it has sockets of its own, as if it were offered.
                Mode::Live(live) => live.bind(&slot, kind, true)?,
                Mode::Driven(driven) => lock(driven).bind(&slot, kind),
            };
            slot.command(|open: &mut Session| {
                open.attach_line(line, locals);
                Ok(())
            })?;
        }
        Ok(has_some)
    }
}
