//! Estimated quality by the E-model (ITU-T G.107), reduced to what a receiver knows.
//!
//! R = Ro − Is − Id − Ie,eff + A with the defaults of G.107 table 2 for all that is not measured
//! here: Ro − Is = 93.2, A = 0. Echo is taken as cancelled, so Id is its delay part Idd alone.

use crate::codec::CodecKind;

/// R of a call without delay, loss or a lossy codec, by the defaults of ITU-T G.107 §7.7.
const BASE: f64 = 93.2;

/// What quality is estimated from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityInput {
    /// Codec, whose impairment and robustness count.
    pub codec: CodecKind,
    /// Part of the audio that was lost for the listener, 0 to 1: after recovery, before
    /// concealment.
    pub loss: f64,
    /// Burst ratio (G.107 §7.5): 1 for random loss, more when losses come together.
    pub burst_ratio: f64,
    /// One-way delay in seconds, from mouth to ear.
    pub delay: f64,
}

/// Returns the transmission rating R, 0 to 93.2.
#[must_use]
pub fn rating(input: &QualityInput) -> f64 {
    let (impairment, robustness) = codec_factors(input.codec);
    let loss_percent = input.loss.clamp(0.0, 1.0) * 100.0;
    let burst_ratio = input.burst_ratio.max(1.0);
    // ITU-T G.107 (06/2015) equation 7-29.
    let equipment =
        impairment + (95.0 - impairment) * loss_percent / (loss_percent / burst_ratio + robustness);
    (BASE - delay_impairment(input.delay) - equipment).clamp(0.0, BASE)
}

/// Returns the mean opinion score, 1 to 4.41 (ITU-T G.107 Annex B, equation B-4).
#[must_use]
pub fn mean_opinion_score(input: &QualityInput) -> f64 {
    let r = rating(input);
    let score = 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6;
    // The cubic dips under 1 for R below 6.5.
    score.clamp(1.0, 4.5)
}

/// Returns the burst ratio from counts of lost packets and of runs of them (G.107 §7.5).
///
/// It is the mean length of a run over the mean length that random loss would have.
#[must_use]
pub fn burst_ratio(lost: u64, runs: u64, expected: u64) -> f64 {
    if lost == 0 || runs == 0 || expected <= lost {
        return 1.0;
    }
    let mean_run = lost as f64 / runs as f64;
    let random_run = 1.0 / (1.0 - lost as f64 / expected as f64);
    (mean_run / random_run).max(1.0)
}

/// Ie and Bpl (ITU-T G.113 Appendix I).
fn codec_factors(codec: CodecKind) -> (f64, f64) {
    match codec {
        // G.711 with packet loss concealment: Ie 0, Bpl 25.1.
        CodecKind::Pcmu | CodecKind::Pcma => (0.0, 25.1),
        // DEVIATION: G.113 lists no values for Opus, L16 and, on this scale, G.722. On the narrowband scale of this
        // model none is worse than G.711 without loss; for Opus, whose concealment is at least
        // that of G.711 Appendix I, the same robustness is taken. The others have our concealment.
        CodecKind::Opus | CodecKind::L16 | CodecKind::G722 => (0.0, 25.1),
    }
}

/// Idd (ITU-T G.107 equations 7-27 and 7-28): nothing up to 100 ms, then rising.
fn delay_impairment(delay: f64) -> f64 {
    let milliseconds = delay.max(0.0) * 1000.0;
    if milliseconds <= 100.0 {
        return 0.0;
    }
    let x = (milliseconds / 100.0).log2();
    25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0)
        + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(loss: f64, delay: f64) -> f64 {
        let codec = CodecKind::Pcmu;
        mean_opinion_score(&QualityInput {
            codec,
            loss,
            burst_ratio: 1.0,
            delay,
        })
    }

    #[test]
    fn a_perfect_call_has_the_known_score() {
        // ITU-T G.107 §B: R = 93.2 is a MOS of 4.41.
        assert!((score(0.0, 0.0) - 4.41).abs() < 0.005);
    }

    #[test]
    fn loss_and_delay_lower_the_score() {
        assert!(
            (score(0.05, 0.0) - 4.02).abs() < 0.1,
            "{}",
            score(0.05, 0.0)
        );
        assert!(score(0.30, 0.0) < 2.7);
        assert!((score(0.0, 0.1) - score(0.0, 0.0)).abs() < 1e-9);
        assert!(score(0.0, 0.3) < 4.1);
        assert!(score(0.0, 0.6) < score(0.0, 0.3));
        assert!(score(1.0, 5.0) >= 1.0);
    }

    #[test]
    fn bursts_are_worse_than_random_loss() {
        let random = QualityInput {
            codec: CodecKind::Opus,
            loss: 0.05,
            burst_ratio: 1.0,
            delay: 0.05,
        };
        let bursts = QualityInput {
            burst_ratio: 2.0,
            ..random
        };

        assert!(mean_opinion_score(&bursts) < mean_opinion_score(&random));
    }

    #[test]
    fn the_burst_ratio_of_random_loss_is_one() {
        assert!((burst_ratio(0, 0, 100) - 1.0).abs() < 1e-9);
        assert!((burst_ratio(10, 9, 100) - 1.0).abs() < 1e-9);
        assert!((burst_ratio(10, 2, 100) - 4.5).abs() < 1e-9);
    }
}
