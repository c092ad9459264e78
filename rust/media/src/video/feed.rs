//! What a video line sends: another line's packets, a file, or frames pushed by the program.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clip::Clip;
use super::packet::VideoPacket;
use super::packetise::Packetiser;
use super::relay::Relay;

/// Behind by more than this, a file goes on from now instead of catching up in a burst.
const LONGEST_LAG: Duration = Duration::from_millis(500);
/// A file goes back to its last key frame only where that lies so far behind, else whoever asked
/// has just been given it.
const LEAST_AGE: Duration = Duration::from_millis(500);

/// The source of a line.
pub(crate) enum Feed {
    /// Packets of another session.
    Relay(Arc<Relay>),
    /// A file.
    Clip(Box<ClipPlayer>),
    /// Frames of the program, sent as they are pushed.
    Push(Box<FramePush>),
}

impl Feed {
    /// Whether it is this push.
    pub(crate) fn is_push(&self, number: u64) -> bool {
        matches!(self, Self::Push(push) if push.number == number)
    }
}

/// A file on its way out.
pub(crate) struct ClipPlayer {
    /// The number its end is told by.
    pub(crate) number: u64,
    clip: Arc<Clip>,
    packetiser: Packetiser,
    is_loop: bool,
    next: usize,
    /// When the clip's time 0 is, or would have been.
    origin: Option<Instant>,
    began: Option<Instant>,
    last_key: Option<Instant>,
}

impl ClipPlayer {
    pub(crate) fn new(number: u64, clip: Arc<Clip>, is_loop: bool) -> Self {
        Self {
            number,
            clip,
            packetiser: Packetiser::new(number),
            is_loop,
            next: 0,
            origin: None,
            began: None,
            last_key: None,
        }
    }

    /// When the next picture is due; None once it is over.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let origin = self.origin?;
        match self.clip.picture(self.next) {
            Some(picture) => Some(origin + picture.at),
            None => Some(origin + self.clip.length()),
        }
    }

    /// Begins to play.
    pub(crate) fn start(&mut self, now: Instant) {
        self.origin.get_or_insert(now);
        self.began.get_or_insert(now);
    }

    /// The packets of the pictures that are due, and whether it is over.
    pub(crate) fn take_due(&mut self, now: Instant) -> (Vec<VideoPacket>, bool) {
        let mut packets = Vec::new();
        while let Some(due) = self.next_deadline().filter(|due| *due <= now) {
            let late = now.saturating_duration_since(due);
            if late > LONGEST_LAG {
                self.origin = self.origin.map(|origin| origin + late);
            }
            let clip = Arc::clone(&self.clip);
            let Some(picture) = clip.picture(self.next) else {
                if !self.is_loop {
                    return (packets, true);
                }
                self.next = 0;
                self.origin = Some(due.max(now.checked_sub(LONGEST_LAG).unwrap_or(due)));
                continue;
            };
            if picture.is_key {
                self.last_key = Some(now);
            }
            let timestamp = self.ticks(due.max(self.began.unwrap_or(due)));
            packets.extend(
                self.packetiser
                    .cut(clip.codec(), timestamp, clip.bytes(picture)),
            );
            self.next += 1;
        }
        (packets, false)
    }

    /// Goes back to the last key frame: somebody cannot decode what comes.
    pub(crate) fn rewind_to_key(&mut self, now: Instant) {
        let is_fresh = self.last_key.is_some_and(|key| key + LEAST_AGE > now);
        let (Some(_), false) = (self.origin, is_fresh) else {
            return;
        };
        let key = self.clip.key_before(self.next.saturating_sub(1));
        let at = self
            .clip
            .picture(key)
            .map_or(Duration::ZERO, |picture| picture.at);
        self.next = key;
        self.origin = now.checked_sub(at);
    }

    fn ticks(&self, at: Instant) -> u32 {
        let passed = self
            .began
            .map_or(Duration::ZERO, |began| at.saturating_duration_since(began));
        (passed.as_micros() as u64 * 9 / 100) as u32
    }
}

/// Frames of the program.
pub(crate) struct FramePush {
    /// The number it is known by.
    pub(crate) number: u64,
    pub(crate) packetiser: Packetiser,
}

impl FramePush {
    pub(crate) fn new(number: u64) -> Self {
        Self {
            number,
            packetiser: Packetiser::new(number),
        }
    }
}
