//! Makes a block of audio longer or shorter by one pitch period, with overlap-add.

/// Shortest and longest period that is added or taken away: 2.5 ms and 8 ms.
const PERIOD_TENTH_MS: (usize, usize) = (25, 80);
/// How like each other two periods must be before they are overlapped.
const LEAST_LIKENESS: f64 = 0.7;
/// Cross-fade where the block is quiet and no period is looked for.
const FADE_MS: usize = 4;

/// Takes one period out of `block`; false when none was found that would not be heard.
///
/// An urgent change takes the best there is: noise has no period, and does not show the seam.
pub(super) fn shorten(block: &mut Vec<i16>, samples_per_ms: usize, is_urgent: bool) -> bool {
    let Some(period) = period(block, samples_per_ms, is_urgent) else {
        return false;
    };
    overlap(block, period, period);
    true
}

/// Repeats one period of `block`; false when none was found that would not be heard.
pub(super) fn lengthen(block: &mut Vec<i16>, samples_per_ms: usize, is_urgent: bool) -> bool {
    let Some(period) = period(block, samples_per_ms, is_urgent) else {
        return false;
    };
    insert(block, period, period);
    true
}

/// Takes `count` samples out of a quiet block, at most all but a cross-fade.
pub(super) fn shorten_quiet(block: &mut Vec<i16>, count: usize, samples_per_ms: usize) {
    let fade = (FADE_MS * samples_per_ms).min(block.len() / 2);
    overlap(block, count.min(block.len() - fade), fade);
}

/// Adds `count` samples to a quiet block by repeating its start, at most its length.
pub(super) fn lengthen_quiet(block: &mut Vec<i16>, count: usize, samples_per_ms: usize) {
    let fade = (FADE_MS * samples_per_ms).min(block.len() / 2);
    insert(block, count.min(block.len() - fade), fade);
}

/// Joins the start of the block to what comes `shift` later, over `fade` samples.
fn overlap(block: &mut Vec<i16>, shift: usize, fade: usize) {
    for index in 0..fade.min(block.len() - shift) {
        block[shift + index] = cross(block[index], block[shift + index], index, fade);
    }
    block.drain(..shift);
}

/// Plays the first `shift` samples, then the block again from its start, over `fade` samples.
fn insert(block: &mut Vec<i16>, shift: usize, fade: usize) {
    let mut longer = block[..shift].to_vec();
    for index in 0..fade.min(block.len() - shift) {
        longer.push(cross(block[shift + index], block[index], index, fade));
    }
    let resumed = longer.len() - shift;
    longer.extend_from_slice(&block[resumed..]);
    *block = longer;
}

fn cross(from: i16, to: i16, index: usize, fade: usize) -> i16 {
    let weight = (index + 1) as f32 / (fade + 1) as f32;
    (f32::from(from) * (1.0 - weight) + f32::from(to) * weight).round() as i16
}

fn period(block: &[i16], samples_per_ms: usize, is_urgent: bool) -> Option<usize> {
    let shortest = PERIOD_TENTH_MS.0 * samples_per_ms / 10;
    let longest = (PERIOD_TENTH_MS.1 * samples_per_ms / 10).min(block.len() / 2);
    // At 48 kHz every third lag and sample tells as much as all of them.
    let stride = (samples_per_ms / 16).max(1);
    let window = block.len() - longest;
    let likeness = |lag: usize| {
        let (mut product, mut first, mut second) = (0.0, 1.0, 1.0);
        for index in (0..window).step_by(stride) {
            let (a, b) = (f64::from(block[index]), f64::from(block[index + lag]));
            product += a * b;
            first += a * a;
            second += b * b;
        }
        product / (first * second).sqrt()
    };
    let lags = (shortest..=longest)
        .step_by(stride)
        .map(|lag| (lag, likeness(lag)));
    let (lag, best) = lags.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (is_urgent || best >= LEAST_LIKENESS).then_some(lag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone() -> Vec<i16> {
        (0..160)
            .map(|n| ((f64::from(n) * 250.0 * std::f64::consts::TAU / 8_000.0).sin() * 8e3) as i16)
            .collect()
    }

    fn largest_step(samples: &[i16]) -> u16 {
        samples
            .windows(2)
            .map(|pair| pair[0].abs_diff(pair[1]))
            .max()
            .unwrap()
    }

    #[test]
    fn a_tone_loses_or_gains_a_period_without_a_click() {
        let (mut shorter, mut longer) = (tone(), tone());

        assert!(shorten(&mut shorter, 8, false));
        assert!(lengthen(&mut longer, 8, false));

        // 250 Hz has a period of 32 samples; two of them are as good as one.
        assert!([96, 128].contains(&shorter.len()), "{}", shorter.len());
        assert!([192, 224].contains(&longer.len()), "{}", longer.len());
        let allowed = largest_step(&tone()) + 50;
        assert!(largest_step(&shorter) < allowed);
        assert!(largest_step(&longer) < allowed);
    }

    #[test]
    fn noise_is_left_alone() {
        let mut state = 1_u32;
        let mut block: Vec<i16> = (0..160)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i16
            })
            .collect();

        assert!(!shorten(&mut block, 8, false));
        assert_eq!(block.len(), 160);
        assert!(shorten(&mut block, 8, true));
    }

    #[test]
    fn quiet_blocks_change_by_exactly_what_is_asked() {
        let (mut shorter, mut longer) = (vec![3; 160], vec![3; 160]);

        shorten_quiet(&mut shorter, 100, 8);
        lengthen_quiet(&mut longer, 100, 8);

        assert_eq!((shorter, longer), (vec![3; 60], vec![3; 260]));
    }
}
