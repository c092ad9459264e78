//! The pictures of a recording: of which line they are, and when each is shown.

use std::time::Duration;

use crate::video::reader::Reader;
use crate::video::{EncodedFrame, LayerWish, Orientation, VideoCodec};

/// A far end's clock may lead or lag by so much; beyond, its pictures are shown when they came.
const TOLERANCE: Duration = Duration::from_millis(500);
const CLOCK_HZ: i64 = 90_000;

/// A picture on its way into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its codec.
    pub codec: VideoCodec,
    /// When it is shown, since the recording began.
    pub at: Duration,
    /// It can be decoded alone.
    pub is_key: bool,
    /// How it is to be turned.
    pub orientation: Orientation,
    /// The frame.
    pub data: Vec<u8>,
}

/// Chooses and times pictures.
#[derive(Debug)]
pub(super) struct Pictures {
    /// The line they are of; None until one has given a key frame.
    line: Option<u64>,
    pub(super) reader: Reader,
    /// A timestamp and when it was shown.
    anchor: Option<(u32, Duration)>,
    /// When the last one, and the one before it, are shown.
    shown: Option<(Duration, Duration)>,
    /// Something was lost, so that only a key frame helps.
    pub(super) needs_key: bool,
}

impl Pictures {
    pub(super) fn new(line: Option<u64>, wish: LayerWish) -> Self {
        Self {
            line,
            reader: Reader::new(wish),
            anchor: None,
            shown: None,
            needs_key: true,
        }
    }

    pub(super) fn are_of(&self, line: u64) -> bool {
        self.line.is_none_or(|own| own == line)
    }

    /// Takes a frame that came so long after the beginning; None when it cannot be shown.
    pub(super) fn take(
        &mut self,
        elapsed: Duration,
        line: u64,
        frame: EncodedFrame,
    ) -> Option<Picture> {
        if self.needs_key && !frame.is_key {
            return None;
        }
        self.needs_key = false;
        self.line = Some(line);
        Some(Picture {
            codec: frame.codec,
            at: self.time(elapsed, frame.timestamp),
            is_key: frame.is_key,
            orientation: frame.orientation,
            data: frame.data,
        })
    }

    /// By its timestamp, as long as that goes with the time that passes here.
    fn time(&mut self, elapsed: Duration, timestamp: u32) -> Duration {
        let counted = self.anchor.and_then(|(before, shown)| {
            let ticks = i64::from(timestamp.wrapping_sub(before).cast_signed());
            let micros = shown.as_micros() as i64 + ticks * 1_000_000 / CLOCK_HZ;
            u64::try_from(micros).ok().map(Duration::from_micros)
        });
        let is_near = |at: &Duration| at.abs_diff(elapsed) <= TOLERANCE;
        let at = match counted.filter(is_near) {
            Some(at) => at,
            None => self.shown.map_or(elapsed, |(last, _)| {
                elapsed.max(last + Duration::from_millis(1))
            }),
        };
        self.anchor = Some((timestamp, at));
        let (last, before) = self.shown.unwrap_or((at, at));
        self.shown = Some(if at > last {
            (at, last)
        } else {
            (last, before)
        });
        at
    }

    /// Until when pictures are shown; the last one stays for the time of one.
    pub(super) fn seconds(&self) -> f64 {
        self.shown.map_or(0.0, |(last, before)| {
            (last + (last - before).min(Duration::from_secs(1))).as_secs_f64()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(timestamp: u32, is_key: bool) -> EncodedFrame {
        let (codec, data) = (VideoCodec::Vp8, vec![1]);
        EncodedFrame {
            codec,
            timestamp,
            is_key,
            orientation: Default::default(),
            data,
        }
    }

    fn times(frames: &[(u64, u32)]) -> Vec<u128> {
        let mut pictures = Pictures::new(None, LayerWish::default());
        let shown = frames.iter().filter_map(|(came_ms, timestamp)| {
            let elapsed = Duration::from_millis(*came_ms);
            pictures.take(elapsed, 1, frame(*timestamp, true))
        });
        shown.map(|picture| picture.at.as_millis()).collect()
    }

    #[test]
    fn pictures_are_shown_by_their_timestamps_and_not_when_they_came() {
        let wraps = u32::MAX - 2_999;
        assert_eq!(
            times(&[(300, wraps), (350, wraps.wrapping_add(3_000)), (351, 3_000)]),
            [300, 333, 366]
        );
    }

    #[test]
    fn a_clock_that_leaps_is_taken_up_where_the_pictures_come() {
        assert_eq!(
            times(&[(0, 0), (40, 900_000_000), (80, 900_003_600)]),
            [0, 40, 80]
        );
        assert_eq!(
            times(&[(0, 0), (400, 36_000), (5_000, 39_600)]),
            [0, 400, 5_000]
        );
    }

    #[test]
    fn nothing_is_taken_before_a_key_frame_nor_of_another_line() {
        let mut pictures = Pictures::new(None, LayerWish::default());
        let now = Duration::from_secs(1);
        assert_eq!(pictures.take(now, 3, frame(0, false)), None);
        assert!(pictures.take(now, 3, frame(0, true)).is_some());
        assert!(pictures.take(now, 3, frame(3_000, false)).is_some());
        assert!(pictures.are_of(3) && !pictures.are_of(4));
    }
}
