//! Which layer of a simulcast (RFC 8853) somebody is shown, and when it changes to another one.
//!
//! Each layer is a source of its own, with pictures of one size. A change waits for a key frame of
//! the layer that is wanted; until then the other one goes on.

use std::time::{Duration, Instant};

/// A layer that is silent for so long is not sent any more.
const STALL: Duration = Duration::from_secs(1);
/// Between two looks at what fits: rates change with each picture.
const RECONSIDER: Duration = Duration::from_millis(200);

/// One source that names its layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerFacts {
    /// Its name (`a=rid`).
    pub name: String,
    /// Its source.
    pub ssrc: u32,
    /// Width and height of its pictures, once a key frame told.
    pub size: Option<(u32, u32)>,
    /// Bits a second, over the last whole second.
    pub bits_per_second: u64,
    /// When its last packet came.
    pub heard: Instant,
}

impl LayerFacts {
    /// Whether it is being sent.
    #[must_use]
    pub fn is_active(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) < STALL
    }

    fn pixels(&self) -> u64 {
        self.size
            .map_or(0, |(width, height)| u64::from(width) * u64::from(height))
    }
}

/// What somebody wants to be shown; nothing of it: the largest there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerWish {
    /// The layer of this name, as long as it is sent.
    pub name: Option<String>,
    /// Else none with more bits a second.
    pub most_bps: Option<u64>,
    /// Nor with higher pictures.
    pub most_height: Option<u32>,
}

impl LayerWish {
    /// The source that fits best of those that are sent.
    fn target(&self, layers: &[LayerFacts], present: Option<u32>, now: Instant) -> Option<u32> {
        let active = || layers.iter().filter(|layer| layer.is_active(now));
        let named = active().find(|layer| Some(&layer.name) == self.name.as_ref());
        if let Some(named) = named {
            return Some(named.ssrc);
        }
        let fits = |layer: &&LayerFacts| {
            // What is shown may pass its bound a little: rates change with each picture.
            let slack = if present == Some(layer.ssrc) { 10 } else { 0 };
            let bound = |most: u64| most + most / 100 * slack;
            self.most_bps
                .is_none_or(|most| layer.bits_per_second <= bound(most))
                && self
                    .most_height
                    .is_none_or(|most| layer.size.is_none_or(|(_, height)| height <= most))
        };
        let weight = |layer: &&LayerFacts| (layer.pixels(), layer.bits_per_second);
        let best = active().filter(fits).max_by_key(weight);
        let best = best.or_else(|| active().min_by_key(weight));
        best.map(|layer| layer.ssrc)
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) is_shown: bool,
    /// A source that a key frame is wanted of.
    pub(crate) wants_key_frame: Option<u32>,
}

/// Shows one layer, and changes to another at its key frame.
#[derive(Debug, Default)]
pub(crate) struct LayerChoice {
    wish: LayerWish,
    shown: Option<u32>,
    target: Option<u32>,
    decided: Option<Instant>,
}

impl LayerChoice {
    pub(crate) fn new(wish: LayerWish) -> Self {
        Self {
            wish,
            ..Self::default()
        }
    }

    /// Wants another layer from now on.
    pub(crate) fn change(&mut self, wish: LayerWish) {
        self.wish = wish;
        self.decided = None;
    }

    /// The source a key frame is to be asked of; None: whichever sends.
    pub(crate) fn source(&self) -> Option<u64> {
        self.target.or(self.shown).map(u64::from)
    }

    /// Judges a packet; `layers` are the line's, empty where it has but one picture.
    pub(crate) fn judge(
        &mut self,
        now: Instant,
        source: u32,
        begins_key_frame: bool,
        layers: &[LayerFacts],
    ) -> Verdict {
        if !layers.iter().any(|layer| layer.ssrc == source) {
            // It has no name: a far end that sends one picture, maybe of another source than before.
            return Verdict {
                is_shown: layers.is_empty(),
                wants_key_frame: None,
            };
        }
        let is_due = |at: Instant| now.saturating_duration_since(at) >= RECONSIDER;
        if self.decided.is_none_or(is_due) {
            self.decided = Some(now);
            self.target = self.wish.target(layers, self.shown, now);
        }
        let is_wanted = self.target == Some(source);
        if is_wanted && (begins_key_frame || self.shown.is_none()) {
            self.shown = Some(source);
        }
        Verdict {
            is_shown: self.shown == Some(source),
            wants_key_frame: self.target.filter(|_| self.target != self.shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(now: Instant) -> Vec<LayerFacts> {
        [
            ("q", 1, 180, 100_000),
            ("h", 2, 360, 400_000),
            ("f", 3, 720, 1_500_000),
        ]
        .map(|(name, ssrc, height, bits_per_second)| LayerFacts {
            name: name.to_owned(),
            ssrc,
            size: Some((height * 16 / 9, height)),
            bits_per_second,
            heard: now,
        })
        .to_vec()
    }

    fn wish(name: &str) -> LayerWish {
        LayerWish {
            name: Some(name.to_owned()),
            ..LayerWish::default()
        }
    }

    #[test]
    fn the_largest_is_shown_unless_something_else_is_wanted() {
        let now = crate::shard::now();
        let all = layers(now);
        let bps = |most| LayerWish {
            most_bps: Some(most),
            ..LayerWish::default()
        };
        let height = |most| LayerWish {
            most_height: Some(most),
            ..LayerWish::default()
        };
        for (wish, present, source) in [
            (LayerWish::default(), None, 3),
            (wish("h"), None, 2),
            (wish("x"), None, 3),
            (bps(500_000), None, 2),
            (bps(1_400_000), None, 2),
            (bps(1_400_000), Some(3), 3),
            (bps(1_000), None, 1),
            (height(400), None, 2),
            (height(100), None, 1),
        ] {
            assert_eq!(wish.target(&all, present, now), Some(source), "{wish:?}");
        }
    }

    #[test]
    fn a_change_waits_for_a_key_frame_and_asks_for_it() {
        let now = crate::shard::now();
        let all = layers(now);
        let mut choice = LayerChoice::new(wish("q"));
        assert!(choice.judge(now, 1, true, &all).is_shown);
        choice.change(wish("f"));
        let late = choice.judge(now, 3, false, &all);
        assert_eq!((late.is_shown, late.wants_key_frame), (false, Some(3)));
        assert!(choice.judge(now, 1, false, &all).is_shown);

        let first = choice.judge(now, 3, true, &all);
        assert_eq!((first.is_shown, first.wants_key_frame), (true, None));
        assert!(!choice.judge(now, 1, true, &all).is_shown);
    }

    #[test]
    fn a_layer_that_is_sent_no_longer_gives_way_to_the_next_one() {
        let now = crate::shard::now();
        let mut choice = LayerChoice::default();
        assert!(choice.judge(now, 3, true, &layers(now)).is_shown);
        let later = now + STALL;
        let mut all = layers(later);
        all[2].heard = now;

        assert_eq!(choice.judge(later, 2, false, &all).wants_key_frame, Some(2));
        assert!(choice.judge(later, 2, true, &all).is_shown);
    }

    #[test]
    fn what_names_no_layer_is_shown_where_there_is_none() {
        let now = crate::shard::now();
        let mut choice = LayerChoice::default();
        assert!(choice.judge(now, 9, false, &[]).is_shown);
        assert!(!choice.judge(now, 9, false, &layers(now)).is_shown);
    }
}
