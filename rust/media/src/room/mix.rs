//! Sums of samples, and back to 16 bits without a hard edge.

/// Up to here, three quarters of full scale, a sum is left as it is.
const KNEE: i32 = 24_576;
/// What is left for all that is louder.
const ROOM: i32 = 32_767 - KNEE;

/// Adds a frame to a sum.
pub(super) fn add(sum: &mut [i32], frame: &[i32]) {
    for (sum, sample) in sum.iter_mut().zip(frame) {
        *sum += sample;
    }
}

/// Takes a frame out of a sum again.
pub(super) fn subtract(sum: &mut [i32], frame: &[i32]) {
    for (sum, sample) in sum.iter_mut().zip(frame) {
        *sum -= sample;
    }
}

/// Brings a sum into range.
pub(super) fn limited(sum: impl Iterator<Item = i32>) -> Vec<i16> {
    sum.map(soft).collect()
}

/// Straight up to the knee; beyond, ever flatter, and never over full scale.
fn soft(sample: i32) -> i16 {
    let size = sample.saturating_abs();
    if size <= KNEE {
        return sample as i16;
    }
    let over = f64::from(size - KNEE);
    let bent = KNEE + (f64::from(ROOM) * over / (over + f64::from(ROOM))) as i32;
    (bent * sample.signum()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_left_alone_and_what_does_not_is_bent_and_never_wraps() {
        let given = [0, 1, -24_576, 24_577, 40_000, -40_000, i32::MAX, i32::MIN];
        let found = limited(given.into_iter());
        assert_eq!(found[..4], [0, 1, -24_576, 24_576]);
        assert_eq!(found[4], -found[5]);
        assert!((24_577..32_767).contains(&found[4]));
        assert!(found[6] >= 32_766 && found[7] <= -32_766);
    }

    #[test]
    fn louder_in_is_never_quieter_out() {
        let all = limited((0..200_000).step_by(7));
        assert!(all.windows(2).all(|two| two[0] <= two[1]));
    }

    #[test]
    fn who_is_taken_out_is_not_there() {
        let (one, other) = ([100, -200], [3, 4]);
        let mut sum = vec![0; 2];
        add(&mut sum, &one);
        add(&mut sum, &other);
        subtract(&mut sum, &one);
        assert_eq!(sum, other);
    }
}
