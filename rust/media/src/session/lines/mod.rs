//! The m-lines of a session beside its audio, in the order of its descriptions (RFC 3264, RFC 9143).
//!
//! Each has a wish of its own and, once both sides know it, a place that it keeps. A line that is
//! not wanted any more stays and is used again; a place whose line was refused is given to the
//! next one. All functions that take a description return the lines as they would be, so that
//! nothing has changed when the audio does not fit.

mod application;
mod bringing;
mod exchange;
mod formats;
mod mids;
mod own_ways;
mod reading;
mod wishes;
mod writing;

use std::collections::BTreeSet;

pub use bringing::detect_video;
pub(super) use exchange::Exchange;
pub use formats::{Feedback, Format};
pub use reading::{Extensions, RemoteSource};
pub(super) use writing::{Writing, bundle, role_of, write_answered, write_offered};

use super::negotiation::RemoteTransport;
use super::payload::PayloadTypes;
use super::sdp::{Description, Direction, Media};
use crate::MediaError;
use crate::random::Random;
use crate::video::VideoCodec;
use formats::Formats;

/// Lines beside the audio; what a far end offers beyond is refused.
const MOST_LINES: usize = 8;

/// What a line carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// A camera, or whatever else is no shared screen.
    Video,
    /// A shared screen (`a=content:slides`, RFC 4796).
    Screen,
}

impl LineKind {
    /// The word for it, outside of descriptions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Screen => "screen",
        }
    }
}

/// What is agreed about a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedLine {
    /// Which way it flows, seen from us.
    pub direction: Direction,
    /// What we may send, the far end's favourite first.
    pub send: Vec<Format>,
    /// What may arrive.
    pub receive: Vec<Format>,
    /// Sources the far end has announced.
    pub sources: Vec<RemoteSource>,
    /// Names of simulcast layers it may send.
    pub layers: Vec<String>,
    /// Header extensions both know, by their numbers.
    pub extensions: Extensions,
    /// Where it goes if it does not share the audio's transport.
    pub transport: Option<RemoteTransport>,
    /// The direction the far end has written.
    pub(super) theirs: Direction,
}

/// One m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the session; never used again.
    pub number: u64,
    /// What it carries.
    pub kind: LineKind,
    /// Which way we want it to flow.
    pub wish: Direction,
    /// The source we send with.
    pub ssrc: u32,
    /// The source we send lost packets again with.
    pub retransmission_ssrc: u32,
    /// What is agreed; None before, and after a refusal.
    pub agreed: Option<AgreedLine>,
    /// Where it stands in descriptions; None as long as it has no place.
    place: Option<usize>,
    /// It has had one: it may have sockets and has sent, so it is used again and never forgotten.
    is_used: bool,
    /// Our offer names a transport of its own, for a far end that does not bundle.
    offers_own_way: bool,
    mid: Option<String>,
    own: Formats,
}

impl Line {
    /// Whether it has a transport of its own.
    pub fn is_alone(&self) -> bool {
        let own = self
            .agreed
            .as_ref()
            .and_then(|agreed| agreed.transport.as_ref());
        own.is_some()
    }

    /// Where it stands in descriptions; None as long as it has no place.
    pub(super) fn place(&self) -> Option<usize> {
        self.place
    }

    /// Its name in a bundle.
    pub fn mid(&self) -> Option<&str> {
        self.mid.as_deref()
    }

    /// Takes it out of descriptions: the far end does not want it.
    fn lose(&mut self) {
        self.agreed = None;
        self.place = None;
        self.mid = None;
        self.wish = Direction::Inactive;
    }
}

/// All m-lines beside the audio, and what new ones are made with.
#[derive(Debug, Clone, Default)]
pub(crate) struct FurtherLines {
    lines: Vec<Line>,
    codecs: Vec<VideoCodec>,
    /// Take video that the far end offers.
    receives: bool,
    seed: u64,
    next: u64,
    /// The next number for a mid of ours: none is to mean two things (RFC 9143 §7.2).
    next_mid: usize,
    /// The line of data channels.
    application: application::Application,
}

impl FurtherLines {
    /// Chooses the codecs and whether offered video is taken.
    pub(super) fn prepare(&mut self, codecs: Vec<VideoCodec>, receives: bool, seed: u64) {
        self.codecs = codecs;
        self.receives = receives;
        if self.seed == 0 {
            self.seed = seed;
        }
    }

    /// Takes offered video from now on, or no longer.
    pub(super) fn set_receiving(&mut self, receives: bool) {
        self.receives = receives;
    }

    /// One past the last place that is taken.
    pub(super) fn end(&self) -> usize {
        let places = self.lines.iter().filter_map(|line| line.place);
        let places = places.chain(self.application.place);
        places.max().map_or(0, |place| place + 1)
    }

    pub(super) fn all(&self) -> &[Line] {
        &self.lines
    }

    /// Wants to send on a line of that kind: one that is free, else a new one.
    pub(super) fn open(&mut self, kind: LineKind) -> Result<u64, MediaError> {
        if self.codecs.is_empty() {
            return Err(MediaError::State(
                "the session has no video codecs: name some in its settings".to_owned(),
            ));
        }
        let wish = match kind {
            LineKind::Video => Direction::SendReceive,
            LineKind::Screen => Direction::SendOnly,
        };
        let mut free = self.lines.iter_mut().filter(|line| line.kind == kind);
        if let Some(line) = free.find(|line| !line.wish.sends()) {
            line.wish = Direction::of(true, line.wish.receives() || wish.receives());
            return Ok(line.number);
        }
        if self.lines.len() == MOST_LINES {
            return Err(MediaError::Full(format!(
                "a session has at most {MOST_LINES} streams beside its audio"
            )));
        }
        let number = self.add(kind, wish);
        Ok(number)
    }

    /// Wants to send on a line no longer; it is still received.
    pub(super) fn close(&mut self, number: u64) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.number == number) {
            let receives = line.wish.receives() && line.place.is_some();
            line.wish = Direction::of(false, receives);
        }
    }

    fn add(&mut self, kind: LineKind, wish: Direction) -> u64 {
        let mut random = Random::new(self.seed);
        let (bits, seed) = (random.bits(), random.bits());
        self.seed = seed;
        self.next += 1;
        self.lines.push(Line {
            number: self.next,
            kind,
            wish,
            ssrc: (bits >> 32) as u32,
            retransmission_ssrc: bits as u32,
            agreed: None,
            place: None,
            is_used: false,
            offers_own_way: false,
            mid: None,
            own: Formats::new(),
        });
        self.next
    }

    /// The lines as our next offer has them: each that is wanted has its place.
    pub(super) fn offering(
        &self,
        audio: usize,
        remote: Option<&Description>,
        payload_types: &PayloadTypes,
        has_mids: bool,
    ) -> Self {
        let mut next = self.clone();
        next.lines
            .retain(|line| line.is_used || line.wish != Direction::Inactive);
        let length = remote.map_or(1, |remote| remote.media.len()).max(audio + 1);
        let used = next.lines.iter().filter_map(|line| line.place);
        let used: BTreeSet<usize> = used.chain(next.application.place).collect();
        let mut places = (0..).filter(|place| *place != audio && !used.contains(place));
        let in_use = next
            .lines
            .iter()
            .map(|line| &line.own)
            .find(|own| !own.is_empty());
        let formats = in_use.map_or_else(
            || formats::offering(&self.codecs, payload_types),
            Clone::clone,
        );
        let mut mids = mids::in_use(&next.lines, remote);
        mids.extend(next.application.mid.clone());
        let is_homeless = |line: &&mut Line| line.place.is_none() && line.wish.sends();
        for line in next.lines.iter_mut().filter(is_homeless) {
            line.place = places.next();
            line.is_used = true;
            if has_mids {
                let mid = mids::free(&mids, next.next_mid.max(line.place.unwrap_or(length)));
                next.next_mid = mid + 1;
                line.mid = Some(mid.to_string());
                mids.extend(line.mid.clone());
            }
            line.own = formats.clone();
        }
        let (application, next_mid) = (&mut next.application, &mut next.next_mid);
        application.offer(has_mids, &mut places, &mut mids, next_mid);
        next.lines.sort_by_key(|line| line.place);
        next
    }

    /// Takes an offer: lines that are known go on, wanted ones get their place, new ones are made.
    pub(super) fn offered(&self, exchange: Exchange<'_>) -> Self {
        let mut next = self.clone();
        next.application.take_offer(exchange);
        if next.lines.is_empty() && !next.receives {
            return next;
        }
        let media = &exchange.description.media;
        next.next_mid = next.next_mid.max(mids::after(media));
        for line in &mut next.lines {
            let still = line.place.and_then(|place| media.get(place));
            if line.place.is_some() && still.is_none_or(|media| kind_of(media) != Some(line.kind)) {
                line.lose();
            }
        }
        for (place, media) in media.iter().enumerate() {
            if place != exchange.audio {
                next.take_offered(exchange, place, media);
            }
        }
        next
    }

    fn take_offered(&mut self, exchange: Exchange<'_>, place: usize, media: &Media) {
        let codecs = std::mem::take(&mut self.codecs);
        let known = self.lines.iter().position(|line| line.place == Some(place));
        let before = known.map(|known| self.lines[known].before());
        let before = before.unwrap_or_default();
        let read = reading::read(exchange, media, before, |theirs| {
            let chosen = formats::choose(&codecs, theirs);
            (chosen.clone(), chosen)
        });
        self.codecs = codecs;
        let (Some(kind), Some(read)) = (kind_of(media), read) else {
            if let Some(known) = known {
                self.lines[known].lose();
            }
            return;
        };
        let wanted = |line: &Line| line.place.is_none() && line.kind == kind && line.wish.sends();
        let found = known.or_else(|| self.lines.iter().position(wanted));
        let found = found.or_else(|| self.free_for(kind));
        let receives = self.receives;
        if let Some(line) = found.map(|found| &mut self.lines[found]) {
            // What was taken once is no word about what is offered after it was taken away.
            let is_over = !read.theirs.sends() && !exchange.is_holding();
            let hears = receives || (line.wish.receives() && !is_over);
            line.wish = Direction::of(line.wish.sends(), hears);
            line.place = Some(place);
            line.is_used = true;
            line.mid = mids::of(media);
            line.own = read.receive.clone();
            line.agreed = Some(read);
            line.settle(exchange.is_held);
        }
    }

    /// A line for what the far end offers, if it is wanted: one that was refused before, or a new one.
    fn free_for(&mut self, kind: LineKind) -> Option<usize> {
        if !self.receives {
            return None;
        }
        let is_free = |line: &Line| line.place.is_none() && line.kind == kind;
        let free = self.lines.iter().position(is_free);
        free.or_else(|| {
            (self.lines.len() < MOST_LINES).then(|| {
                self.add(kind, Direction::ReceiveOnly);
                self.lines.len() - 1
            })
        })
    }

    /// Goes back to what was before an offer that came to nothing; wishes about offers stay.
    pub(super) fn go_back(&mut self, before: &Self) {
        let (codecs, receives) = (std::mem::take(&mut self.codecs), self.receives);
        *self = Self {
            codecs,
            receives,
            application: self.application.go_back(&before.application),
            ..before.clone()
        };
    }

    /// Takes the answer to our offer.
    pub(super) fn answered(&self, exchange: Exchange<'_>) -> Self {
        let mut next = self.clone();
        next.application.take_answer(exchange);
        for line in &mut next.lines {
            let Some(place) = line.place else { continue };
            let media = exchange.description.media.get(place);
            let (own, before) = (&line.own, line.before());
            let read = media.and_then(|media| {
                reading::read(exchange, media, before, |theirs| {
                    formats::taken(own, theirs)
                })
            });
            match read {
                Some(read) => {
                    line.agreed = Some(read);
                    line.settle(exchange.is_held);
                }
                None => line.lose(),
            }
        }
        next
    }

    /// The directions of our answer: the wish may have changed since the offer came.
    pub(super) fn settle(&mut self, is_held: bool) {
        for line in &mut self.lines {
            line.settle(is_held);
        }
    }
}

/// What an m-line carries; None for what is refused or nothing of ours.
fn kind_of(media: &Media) -> Option<LineKind> {
    if media.is_refused() || media.kind != "video" {
        return None;
    }
    let is_screen = media.section.attribute("content") == Some("slides");
    Some(if is_screen {
        LineKind::Screen
    } else {
        LineKind::Video
    })
}
