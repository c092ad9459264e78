//! What a description is read with.

use crate::session::negotiation::{Negotiated, TransportKind, offered_direction};
use crate::session::sdp::{Description, Direction};

/// One description of the far end, and what is known about it.
#[derive(Clone, Copy)]
pub(in crate::session) struct Exchange<'a> {
    pub(super) kind: TransportKind,
    pub(super) description: &'a Description,
    /// The place of the call's audio.
    pub(super) audio: usize,
    /// The far end is held: nothing flows beside the music.
    pub(super) is_held: bool,
    /// The description is an offer.
    pub(super) is_offer: bool,
}

impl<'a> Exchange<'a> {
    /// `audio` is the place of the call's audio, `wish` which way we want that to flow.
    pub(in crate::session) fn new(
        (description, audio): (&'a Description, usize),
        negotiated: &Negotiated,
        wish: Direction,
        is_offer: bool,
    ) -> Self {
        Self {
            kind: negotiated.transport.kind(),
            description,
            audio,
            is_held: !wish.receives(),
            is_offer,
        }
    }

    /// Whether the far end holds us: its video pauses with its audio.
    pub(super) fn is_holding(&self) -> bool {
        let audio = self.description.media.get(self.audio);
        let way = audio.map(|media| offered_direction(self.description, media, self.kind));
        way.is_some_and(|way| way != Direction::SendReceive)
    }
}
