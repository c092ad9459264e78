//! New numbers for packets that are passed on: a run of theirs becomes a run of ours.
//!
//! What was lost or overtaken on the way here is lost or overtaken for the far end too, so that
//! its jitter buffer sees the line as it is. No number is given twice: under SRTP that would use a
//! key stream twice, and who sends to us is no friend of who receives from us.

/// A gap larger than this is a new run. Roll-over counters of SRTP bear gaps up to 32,768.
const LARGEST_GAP: u16 = 100;
/// How far back a packet may come late.
const WINDOW: u16 = 64;

/// How the numbers of one run change.
#[derive(Debug)]
struct Run {
    ssrc: u32,
    sequence_offset: u16,
    timestamp_offset: u32,
    newest: u16,
    /// Bit n: the packet n before the newest was sent, or is none of this run.
    seen: u64,
}

/// The present run, if there is one.
#[derive(Debug, Default)]
pub(super) struct Renumbering {
    run: Option<Run>,
}

/// The numbers of a packet of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    /// The first of a run.
    pub(super) is_first: bool,
}

impl Renumbering {
    pub(super) fn is_running(&self) -> bool {
        self.run.is_some()
    }

    /// Ends the run: packets of our own come in between.
    pub(super) fn end(&mut self) {
        self.run = None;
    }

    /// Numbers a packet; `next` is what our next packet would have by itself. None: sent already,
    /// or too late.
    pub(super) fn number(
        &mut self,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        next: (u16, u32),
    ) -> Option<Numbers> {
        let is_followed = self
            .run
            .as_mut()
            .filter(|run| run.ssrc == ssrc)
            .map(|run| run.follow(sequence));
        let is_first = match is_followed {
            Some(Some(is_new)) if !is_new => return None,
            Some(Some(_)) => false,
            Some(None) | None => {
                self.run = Some(Run {
                    ssrc,
                    sequence_offset: next.0.wrapping_sub(sequence),
                    timestamp_offset: next.1.wrapping_sub(timestamp),
                    newest: sequence,
                    seen: u64::MAX,
                });
                true
            }
        };
        let run = self.run.as_ref()?;
        Some(Numbers {
            sequence: sequence.wrapping_add(run.sequence_offset),
            timestamp: timestamp.wrapping_add(run.timestamp_offset),
            is_first,
        })
    }
}

impl Run {
    /// Whether a packet is to be sent; None when it does not belong to the run.
    fn follow(&mut self, sequence: u16) -> Option<bool> {
        let ahead = sequence.wrapping_sub(self.newest);
        if ahead == 0 {
            return Some(false);
        }
        if ahead <= LARGEST_GAP {
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.newest = sequence;
            return Some(true);
        }
        let behind = ahead.wrapping_neg();
        if behind > 0x7fff || behind > LARGEST_GAP * 30 {
            return None;
        }
        if behind >= WINDOW {
            return Some(false);
        }
        let bit = 1_u64 << behind;
        let is_new = self.seen & bit == 0;
        self.seen |= bit;
        Some(is_new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(renumbering: &mut Renumbering, given: &[u16]) -> Vec<Option<u16>> {
        let numbered = given.iter().map(|&sequence| {
            renumbering
                .number(7, sequence, u32::from(sequence) * 160, (1000, 5_000))
                .map(|numbers| numbers.sequence)
        });
        numbered.collect()
    }

    #[test]
    fn loss_and_order_are_kept_and_copies_are_not() {
        let mut renumbering = Renumbering::default();
        let found = sequences(&mut renumbering, &[65_534, 65_535, 1, 0, 1, 65_533, 65_534]);
        let expected = [
            Some(1000),
            Some(1001),
            Some(1003),
            Some(1002),
            None,
            None,
            None,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn timestamps_keep_their_distance() {
        let mut renumbering = Renumbering::default();
        let first = renumbering.number(7, 1, u32::MAX - 79, (10, 400));
        let second = renumbering.number(7, 2, 80, (99, 99));
        assert_eq!(first.map(|n| (n.timestamp, n.is_first)), Some((400, true)));
        assert_eq!(
            second.map(|n| (n.timestamp, n.is_first)),
            Some((560, false))
        );
    }

    #[test]
    fn another_source_and_a_jump_begin_a_run_after_our_last_packet() {
        let mut renumbering = Renumbering::default();
        renumbering.number(7, 1, 0, (10, 0));
        let jumped = renumbering.number(7, 40_000, 9, (11, 160));
        let other = renumbering.number(8, 40_001, 9, (12, 320));
        let expected = |sequence, timestamp| {
            Some(Numbers {
                sequence,
                timestamp,
                is_first: true,
            })
        };
        assert_eq!((jumped, other), (expected(11, 160), expected(12, 320)));
    }

    #[test]
    fn no_number_is_given_twice_whatever_comes() {
        let mut renumbering = Renumbering::default();
        let (mut state, mut next, mut given) = (1_u32, 0_u64, std::collections::HashSet::new());
        for _ in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sequence = match state >> 29 {
                0 => (state >> 8) as u16,
                bits => (next as u16).wrapping_add(bits as u16).wrapping_sub(4),
            };
            let ssrc = u32::from(state >> 20 & 0xff == 0);
            let own = (next as u16, 0);
            if let Some(numbers) = renumbering.number(ssrc, sequence, 0, own) {
                let ahead = numbers.sequence.wrapping_sub(next as u16) as i16;
                let extended = next.wrapping_add_signed(i64::from(ahead));
                assert!(given.insert(extended), "{extended} was given twice");
                next = next.max(extended + 1);
            }
        }
    }
}
