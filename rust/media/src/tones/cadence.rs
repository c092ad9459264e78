//! What a row of tones and quiet stands for (ITU-T E.180, Q.35, and what networks really send).

use super::runs::{Run, Runs, Sound};

/// A tone of the network or of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A line that waits for digits.
    Dial,
    /// The far end rings.
    Ringback,
    /// The far end is busy.
    Busy,
    /// The network has no way: congestion, reorder.
    Congestion,
    /// Special information: three rising tones before an announcement.
    SpecialInformation,
    /// A fax machine calls (CNG).
    FaxCalling,
    /// A fax machine or modem answers (CED, ANSam).
    FaxAnswering,
    /// An answering machine begins to record.
    Beep,
}

impl Tone {
    /// Its name, as it is told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dial => "dial",
            Self::Ringback => "ringback",
            Self::Busy => "busy",
            Self::Congestion => "congestion",
            Self::SpecialInformation => "special-information",
            Self::FaxCalling => "fax-calling",
            Self::FaxAnswering => "fax-answering",
            Self::Beep => "beep",
        }
    }
}

/// Where the tones of networks lie, in Hz.
const PROGRESS_HZ: [f32; 2] = [330.0, 660.0];
const RING_HZ: [f32; 2] = [350.0, 500.0];
const DIAL_HZ: [f32; 2] = [330.0, 460.0];
/// Steps of 20 ms that a dial tone lasts at least: 2.8 s. Ringing is shorter.
const DIAL_STEPS: u32 = 140;
/// On and off of busy and congestion, in steps: 0.14 to 0.76 s, and each of its kind within a fifth.
const SHORT_STEPS: std::ops::RangeInclusive<u32> = 7..=38;
/// From here on it is busy, below it is congestion: 0.32 s.
const BUSY_STEPS: u32 = 16;
/// One ring: 0.6 to 2.6 s, then at least 1.7 s of quiet.
const RING_STEPS: std::ops::RangeInclusive<u32> = 30..=130;
const RING_QUIET: u32 = 85;
/// A double ring: 0.3 to 0.5 s, 0.14 to 0.3 s of quiet, and the same again.
const DOUBLE_STEPS: std::ops::RangeInclusive<u32> = 15..=26;
const DOUBLE_QUIET: std::ops::RangeInclusive<u32> = 7..=15;
/// Special information: tones near these, each 0.14 to 0.5 s, with at most 0.1 s between.
const SPECIAL_HZ: [f32; 3] = [950.0, 1400.0, 1788.0];
const SPECIAL_NEAR_HZ: f32 = 50.0;
const SPECIAL_STEPS: std::ops::RangeInclusive<u32> = 7..=25;
const SPECIAL_QUIET: u32 = 5;
/// CNG: 1100 Hz, 0.4 to 0.6 s, every 3.5 s (ITU-T T.30).
const CALLING_HZ: f32 = 1100.0;
const CALLING_STEPS: std::ops::RangeInclusive<u32> = 20..=30;
const CALLING_QUIET: std::ops::RangeInclusive<u32> = 130..=170;
/// CED: 2100 Hz for 2.6 s and more; told after 1.5 s.
const ANSWERING_HZ: f32 = 2100.0;
const ANSWERING_STEPS: u32 = 75;
const FAX_NEAR_HZ: f32 = 40.0;
/// A beep: a steady tone of 350 to 2600 Hz and 0.12 to 2 s, after sound that is none, and quiet
/// after it for 0.1 s, or for 0.8 s where it could be a tone of the network.
const BEEP_HZ: [f32; 2] = [350.0, 2600.0];
const BEEP_STEPS: std::ops::RangeInclusive<u32> = 6..=100;
const BEEP_SPAN_HZ: f32 = 12.0;
const BEEP_QUIET: u32 = 5;
const BEEP_NETWORK_QUIET: u32 = 40;

/// What has just become clear, `spoken` telling whether a voice or the like was heard before.
pub(super) fn recognised(runs: &Runs, spoken: bool) -> Option<Tone> {
    match runs.current.sound {
        Sound::Tone => in_tone(runs),
        Sound::Quiet => in_quiet(runs, spoken),
        Sound::Other => None,
    }
}

fn in_tone(runs: &Runs) -> Option<Tone> {
    let now = runs.current;
    if now.steps >= DIAL_STEPS && now.lies_in(DIAL_HZ[0], DIAL_HZ[1]) {
        return Some(Tone::Dial);
    }
    if now.steps >= ANSWERING_STEPS && now.is_single(ANSWERING_HZ, FAX_NEAR_HZ) {
        return Some(Tone::FaxAnswering);
    }
    if is_special(runs) {
        return Some(Tone::SpecialInformation);
    }
    if let Some([quiet, first]) = runs.newest()
        && now.steps >= *CALLING_STEPS.start() / 2
        && [now, first]
            .iter()
            .all(|run| run.is_single(CALLING_HZ, FAX_NEAR_HZ))
        && CALLING_STEPS.contains(&first.steps)
        && CALLING_QUIET.contains(&quiet.steps)
    {
        return Some(Tone::FaxCalling);
    }
    repeated(runs)
}

fn in_quiet(runs: &Runs, spoken: bool) -> Option<Tone> {
    let quiet = runs.current.steps;
    let [tone] = runs.newest()?;
    if spoken && is_beep(&tone, runs) {
        let is_network = tone.lies_in(PROGRESS_HZ[0], PROGRESS_HZ[1]);
        let least = if is_network {
            BEEP_NETWORK_QUIET
        } else {
            BEEP_QUIET
        };
        return (quiet >= least).then_some(Tone::Beep);
    }
    if quiet >= RING_QUIET && is_ring(&tone, runs) {
        return Some(Tone::Ringback);
    }
    repeated(runs)
}

/// Two times on and two times off, all alike.
fn repeated(runs: &Runs) -> Option<Tone> {
    let four: [Run; 4] = runs.newest()?;
    let are_short = four.iter().all(|run| SHORT_STEPS.contains(&run.steps));
    let tones = four.iter().filter(|run| run.is_tone());
    let quiets = four.iter().filter(|run| !run.is_tone());
    let [one, other] = tones.copied().collect::<Vec<_>>().try_into().ok()?;
    let [gap, pause] = quiets.copied().collect::<Vec<_>>().try_into().ok()?;
    let is_network = one.lies_in(PROGRESS_HZ[0], PROGRESS_HZ[1]) && one.is_like(&other);
    let is_even = alike(one.steps, other.steps) && alike(gap.steps, pause.steps);
    let on = one.steps + other.steps;
    let off = gap.steps + pause.steps;
    if !are_short || !is_network {
        return None;
    }
    if is_even && alike(on, off) {
        let is_busy = on + off >= 4 * BUSY_STEPS;
        return Some(if is_busy {
            Tone::Busy
        } else {
            Tone::Congestion
        });
    }
    // A long and a short tone by turns: 0.4, 0.35, 0.225, 0.525 s.
    let (long, short) = (one.steps.max(other.steps), one.steps.min(other.steps));
    let is_british = (17..=23).contains(&long) && (9..=14).contains(&short) && alike(on + off, 75);
    is_british.then_some(Tone::Congestion)
}

/// Within a fifth, and two steps of the grid.
fn alike(one: u32, other: u32) -> bool {
    one.abs_diff(other) <= one.max(other) / 5 + 2
}

fn is_ring(tone: &Run, runs: &Runs) -> bool {
    if !tone.lies_in(RING_HZ[0], RING_HZ[1]) {
        return false;
    }
    if RING_STEPS.contains(&tone.steps) {
        return true;
    }
    let Some([second, quiet, first]) = runs.newest() else {
        return false;
    };
    second.is_like(&first)
        && DOUBLE_STEPS.contains(&second.steps)
        && DOUBLE_STEPS.contains(&first.steps)
        && DOUBLE_QUIET.contains(&quiet.steps)
}

fn is_special(runs: &Runs) -> bool {
    let mut wanted = SPECIAL_HZ.iter().rev();
    let mut is_next = |run: &Run| {
        let near = |hz: &f32| (run.hz[0] - hz).abs() <= SPECIAL_NEAR_HZ;
        run.is_tone() && run.steps >= *SPECIAL_STEPS.start() && wanted.next().is_some_and(near)
    };
    if !is_next(&runs.current) {
        return false;
    }
    let mut found = 1;
    for run in runs.past.iter().rev() {
        if !run.is_tone() && run.steps <= SPECIAL_QUIET {
            continue;
        }
        if !SPECIAL_STEPS.contains(&run.steps) || !is_next(run) {
            return false;
        }
        found += 1;
        if found == SPECIAL_HZ.len() {
            return true;
        }
    }
    false
}

fn is_beep(tone: &Run, runs: &Runs) -> bool {
    let [least, most] = tone.span_hz;
    let is_lone = runs
        .past
        .iter()
        .rev()
        .nth(1)
        .is_none_or(|run| !run.is_tone());
    tone.hz[1] == 0.0
        && is_lone
        && tone.lies_in(BEEP_HZ[0], BEEP_HZ[1])
        && BEEP_STEPS.contains(&tone.steps)
        && most - least <= BEEP_SPAN_HZ
}
