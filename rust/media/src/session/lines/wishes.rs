//! What a session wants of its lines beside the audio.

use super::{Line, LineKind};
use crate::MediaError;
use crate::session::offer_answer::OfferAnswer;
use crate::session::sdp::Direction;
use crate::video::VideoCodec;

impl OfferAnswer {
    /// Chooses the codecs of video and whether video the far end offers is taken; `seed` is for the
    /// numbers of our sources.
    pub fn prepare_video(&mut self, codecs: Vec<VideoCodec>, receives: bool, seed: u64) {
        self.further.prepare(codecs, receives, seed);
    }

    /// Takes video the far end offers, from the next description on, or no longer.
    pub fn receive_video(&mut self, receives: bool) {
        self.further.set_receiving(receives);
    }

    /// Wants to send on a line of that kind; takes effect in the next description.
    ///
    /// # Errors
    /// `MediaError::State` without video codecs, `MediaError::Full` with too many lines.
    pub fn open_line(&mut self, kind: LineKind) -> Result<u64, MediaError> {
        self.further.open(kind)
    }

    /// Wants to send on a line no longer; takes effect in the next description.
    pub fn close_line(&mut self, number: u64) {
        self.further.close(number);
    }

    /// The lines beside the audio.
    pub fn lines(&self) -> &[Line] {
        self.further.all()
    }
}

impl Line {
    /// The direction of our description: the wish may have changed since theirs came.
    pub(super) fn settle(&mut self, is_held: bool) {
        let wish = self.held_wish(is_held);
        if let Some(agreed) = &mut self.agreed {
            agreed.direction = wish.and(agreed.theirs.reversed());
        }
    }

    /// What is wanted while the far end is held, or not.
    pub(super) fn held_wish(&self, is_held: bool) -> Direction {
        if is_held {
            Direction::Inactive
        } else {
            self.wish
        }
    }
}
