//! Which packets of a source have been seen.

/// So many sequence numbers back a packet can be told from its copy.
const WIDTH: u64 = 2048;
const WORDS: usize = (WIDTH / 64) as usize;

/// What a sequence number was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Not seen before; this is its number without wraps.
    New(u64),
    /// A copy, or older than the window: a probe for bandwidth, or a second repair.
    Before,
}

/// The sequence numbers of one source, without wraps, and which were seen.
#[derive(Debug)]
pub(super) struct Window {
    highest: u64,
    bits: [u64; WORDS],
}

impl Window {
    pub(super) fn new(first: u16) -> Self {
        // One cycle ahead, so that what came before the first one has a number too.
        Self {
            highest: 0x1_0000 + u64::from(first) - 1,
            bits: [u64::MAX; WORDS],
        }
    }

    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// The number without wraps that lies nearest to what was seen last.
    pub(super) fn extend(&self, sequence: u16) -> u64 {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < 0x8000 {
            self.highest + u64::from(ahead)
        } else {
            self.highest.saturating_sub(u64::from(ahead.wrapping_neg()))
        }
    }

    pub(super) fn take(&mut self, sequence: u16) -> Seen {
        let number = self.extend(sequence);
        if number > self.highest {
            let from = (self.highest + 1).max(number.saturating_sub(WIDTH - 1));
            for missing in from..number {
                self.set(missing, false);
            }
            self.highest = number;
        } else if self.highest - number >= WIDTH || self.is_set(number) {
            return Seen::Before;
        }
        self.set(number, true);
        Seen::New(number)
    }

    fn is_set(&self, number: u64) -> bool {
        let place = (number % WIDTH) as usize;
        self.bits[place / 64] >> (place % 64) & 1 == 1
    }

    fn set(&mut self, number: u64, is_seen: bool) {
        let place = (number % WIDTH) as usize;
        let bit = 1 << (place % 64);
        if is_seen {
            self.bits[place / 64] |= bit;
        } else {
            self.bits[place / 64] &= !bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_is_new_once_whatever_the_order_and_the_wrap() {
        let mut window = Window::new(65_000);
        let mut new = 0;
        for start in (0..4000_u32).step_by(7) {
            for offset in [6, 0, 3, 3, 5, 1, 2, 4, 6] {
                let sequence = (65_000 + start + offset) as u16;
                new += u32::from(matches!(window.take(sequence), Seen::New(_)));
            }
        }
        assert_eq!(new, 4004);
    }

    #[test]
    fn what_is_older_than_the_window_counts_as_seen() {
        let mut window = Window::new(100);
        assert_eq!(window.take(100), Seen::New(0x1_0000 + 100));
        assert_eq!(window.take(2500), Seen::New(0x1_0000 + 2500));
        assert_eq!(window.take(452), Seen::Before);
        assert_eq!(window.take(453), Seen::New(0x1_0000 + 453));
        assert_eq!(window.take(453), Seen::Before);
    }
}
