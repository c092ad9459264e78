//! Who is to be heard in a room, and who speaks most.
//!
//! A member that is not heard costs no mix of its own: all of them share one. So this errs on the
//! side of hearing: the first loud frame counts, and what is loud enough always does.

use crate::level::SILENCE_DBOV;

/// Louder than this is heard, whatever it is; music and tones are.
const ALWAYS_DBOV: f64 = -38.0;
/// Quieter than this is never heard.
const NEVER_DBOV: f64 = -58.0;
/// Between both, it must stand this far above the noise of the line.
const MARGIN_DB: f64 = 9.0;
/// The noise floor rises by this a frame, 3 dB a second, and falls at once.
const RISE_DB: f64 = 0.06;
const START_FLOOR_DBOV: f64 = -70.0;
/// Frames that a member is heard on after the last loud one: 400 ms.
const HANG_OVER: u32 = 20;
/// Weight of one frame in the loudness that decides who speaks most: 200 ms.
const WEIGHT: f64 = 0.1;
/// Another must be louder by this factor in power, 3 dB, to take the place of one who speaks on.
const LEAD: f64 = 2.0;
/// And so many frames must have passed since the last change: 500 ms.
const LEAST_TURN: u32 = 25;
/// Frames after the last word until nobody is the speaker any more: 1 s.
const LONGEST_SILENCE: u32 = 50;

/// One member's activity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Activity {
    floor_dbov: f64,
    left: u32,
    power: f64,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            floor_dbov: START_FLOOR_DBOV,
            left: 0,
            power: 0.0,
        }
    }
}

impl Activity {
    /// Takes the level of 20 ms; true while the member is to be heard.
    pub(crate) fn push(&mut self, dbov: f64) -> bool {
        let is_above = dbov > NEVER_DBOV && dbov > self.floor_dbov + MARGIN_DB;
        self.floor_dbov = if dbov < self.floor_dbov {
            dbov.max(-90.0)
        } else {
            (self.floor_dbov + RISE_DB).min(dbov)
        };
        self.left = if dbov > ALWAYS_DBOV || is_above {
            HANG_OVER
        } else {
            self.left.saturating_sub(1)
        };
        let power = if dbov > SILENCE_DBOV {
            10_f64.powf(dbov / 10.0)
        } else {
            0.0
        };
        self.power += (power - self.power) * WEIGHT;
        self.left > 0
    }

    fn power(&self) -> f64 {
        self.power
    }
}

/// Who speaks most.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    speaker: Option<u64>,
    turn: u32,
    silence: u32,
}

impl Floor {
    /// Takes those who are heard in a frame; Some when another one speaks, or nobody any more.
    pub(crate) fn push<'a>(
        &mut self,
        heard: impl Iterator<Item = (u64, &'a Activity)>,
    ) -> Option<Option<u64>> {
        self.turn += 1;
        let (mut own, mut loudest) = (None, None::<(u64, f64)>);
        for (member, activity) in heard {
            let power = activity.power();
            if Some(member) == self.speaker {
                own = Some(power);
            }
            if loudest.is_none_or(|(_, most)| power > most) {
                loudest = Some((member, power));
            }
        }
        let Some((member, power)) = loudest else {
            self.silence += 1;
            let is_over = self.speaker.is_some() && self.silence >= LONGEST_SILENCE;
            return is_over.then(|| self.change(None));
        };
        self.silence = 0;
        let may_change = match own {
            Some(own) => self.turn >= LEAST_TURN && power > own * LEAD,
            None => true,
        };
        (Some(member) != self.speaker && may_change).then(|| self.change(Some(member)))
    }

    fn change(&mut self, speaker: Option<u64>) -> Option<u64> {
        self.turn = 0;
        self.speaker = speaker;
        speaker
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_is_heard_from_its_first_frame_and_the_noise_of_a_line_is_not() {
        let mut activity = Activity::default();
        for _ in 0..2000 {
            activity.push(-52.0);
        }
        assert!(!activity.push(-52.0));
        assert!(activity.push(-40.0));
        let lasts = (0..100).take_while(|_| activity.push(-52.0)).count();
        assert_eq!(lasts, HANG_OVER as usize - 1);
    }

    #[test]
    fn music_is_heard_for_good() {
        let mut activity = Activity::default();
        assert!((0..10_000).all(|_| activity.push(-20.0)));
    }

    #[test]
    fn the_floor_goes_to_who_is_louder_for_some_time_and_ends_with_silence() {
        let mut floor = Floor::default();
        let mut members = [Activity::default(), Activity::default()];
        let mut changes = Vec::new();
        for frame in 0..300 {
            let levels = match frame {
                0..100 => [-20.0, -60.0],
                100..200 => [-40.0, -20.0],
                _ => [-90.0, -90.0],
            };
            let heard: Vec<u64> = (0..2)
                .filter(|n| members[*n].push(levels[*n]))
                .map(|n| n as u64)
                .collect();
            let heard = heard.iter().map(|n| (*n, &members[*n as usize]));
            if let Some(change) = floor.push(heard) {
                changes.push((frame, change));
            }
        }
        let speakers: Vec<Option<u64>> = changes.iter().map(|change| change.1).collect();
        assert_eq!(speakers, [Some(0), Some(1), None]);
        assert!((100..115).contains(&changes[1].0), "{changes:?}");
        assert!((265..275).contains(&changes[2].0), "{changes:?}");
    }
}
