//! Silences that are announced: no loss, and something to hear.

use super::tests::origin;
use super::*;
use crate::codec::comfort;
use crate::codec::{CodecKind, Encoder, OpusSettings};
use crate::level::level_dbov;
use std::time::Duration;

const FRAME: Duration = Duration::from_millis(20);

fn noise(count: usize) -> Vec<i16> {
    let mut random = crate::random::Random::new(3);
    (0..count)
        .map(|_| ((random.unit() - 0.5) * 600.0) as i16)
        .collect()
}

/// A second of speech, two of described silence, one of speech; packets in `lost` do not come.
fn g711_with_a_silence(lost: &[u16]) -> (JitterStatistics, Vec<i16>) {
    let start = origin();
    let decoder = Decoder::new(CodecKind::Pcmu).unwrap();
    let mut buffer = JitterBuffer::new(decoder, JitterSettings::default());
    let (mut heard, mut description) = (Vec::new(), Vec::new());
    comfort::describe(&noise(1_600), &mut description);
    let mut sequence = 65_530_u16;
    for frame in 0..200_u32 {
        let now = start + Duration::from_millis(20) * frame;
        let timestamp = (u32::MAX - 20_000).wrapping_add(frame * 160);
        let is_silent = (50..150).contains(&frame);
        if !is_silent || frame % 10 == 0 {
            sequence = sequence.wrapping_add(1);
            if lost.contains(&sequence) {
            } else if is_silent {
                buffer.push_noise(now, 1, sequence, timestamp, &description);
            } else {
                buffer.push(now, 1, sequence, timestamp, &[0x20; 160]);
            }
        }
        buffer.pull(now, &mut heard);
    }
    (buffer.statistics(), heard)
}

#[test]
fn comfort_noise_is_played_and_is_no_loss() {
    let (statistics, heard) = g711_with_a_silence(&[]);

    assert_eq!(statistics.concealed_samples, 0);
    assert_eq!((statistics.missing, statistics.late), (0, 0));
    let level = level_dbov(&heard[60 * 160..140 * 160]);
    assert!((level - level_dbov(&noise(1_600))).abs() < 2.0, "{level}");
    assert!(
        level_dbov(&heard[160 * 160..190 * 160]) > -20.0,
        "speech again"
    );
}

#[test]
fn a_lost_description_is_missing_but_not_concealed() {
    // The second description, and the last one before the speech.
    let (statistics, _) = g711_with_a_silence(&[65_530_u16.wrapping_add(52), 54]);

    assert_eq!(statistics.concealed_samples, 0);
    assert_eq!(statistics.missing, 2);
}

#[test]
fn a_pause_of_opus_is_no_loss() {
    let start = origin();
    let settings = OpusSettings {
        has_discontinuous_transmission: true,
        ..OpusSettings::default()
    };
    let mut encoder = Encoder::new(CodecKind::Opus, &settings).unwrap();
    let decoder = Decoder::new(CodecKind::Opus).unwrap();
    let mut buffer = JitterBuffer::new(decoder, JitterSettings::default());
    let (mut heard, mut payload, mut sequence, mut was_silent) = (Vec::new(), Vec::new(), 0, false);
    let speech = super::tests::speech(48_000, 2.0);
    let mut sent = 0;
    for frame in 0..300_usize {
        let now = start + Duration::from_millis(20) * frame as u32;
        let is_pause = (50..250).contains(&frame);
        let samples = if is_pause {
            vec![0; 960]
        } else {
            speech[(frame % 50) * 960..][..960].to_vec()
        };
        encoder.encode(&samples, &mut payload).unwrap();
        let is_silent = encoder.is_silent(&payload);
        if !(is_silent && was_silent) {
            buffer.push(now, 1, sequence, frame as u32 * 960, &payload);
            sequence += 1;
            sent += 1;
        }
        was_silent = is_silent;
        buffer.pull(now, &mut heard);
    }

    let statistics = buffer.statistics();
    assert!(sent < 150, "{sent}");
    assert_eq!(statistics.concealed_samples, 0);
    assert_eq!((statistics.missing, statistics.late), (0, 0));
    assert!(level_dbov(&heard[260 * 960..290 * 960]) > -40.0);
}

#[test]
fn concealment_is_counted_by_the_second() {
    let start = origin();
    let decoder = Decoder::new(CodecKind::Pcmu).unwrap();
    let mut buffer = JitterBuffer::new(decoder, JitterSettings::default());
    let (mut heard, mut shares) = (Vec::new(), Vec::new());
    for frame in 0..200_u32 {
        let now = start + Duration::from_millis(20) * frame;
        if !(60..65).contains(&frame) {
            buffer.push(now, 1, frame as u16, frame * 160, &[0x20; 160]);
        }
        buffer.pull(now, &mut heard);
        if frame % 50 == 49 {
            shares.push(buffer.statistics().last_second_concealed);
        }
    }

    assert_eq!(shares, [0.0, 0.1, 0.0, 0.0]);
    assert_eq!(buffer.statistics().concealed_seconds, 1);
}

/// Loud frames, then silence, then loud ones, the first of them late; pulled as a session does.
/// Returns the delay in the middle of each.
fn delays_after_a_late_beginning(late: Duration) -> ([f64; 3], JitterStatistics) {
    let decoder = Decoder::new(CodecKind::Pcmu).unwrap();
    let mut buffer = JitterBuffer::new(decoder, JitterSettings::default());
    let start = origin();
    let (mut due, mut delays, mut heard) = (start + late, [0.0; 3], Vec::new());
    for number in 0..300_u16 {
        let arrival =
            start + FRAME * u32::from(number) + if number == 0 { late } else { Duration::ZERO };
        while due < arrival {
            due = buffer.better_moment(due).unwrap_or_else(|| {
                buffer.pull(due, &mut heard);
                due + FRAME
            });
        }
        let payload = if number / 100 == 1 { 0xff } else { 0x90 };
        let timestamp = u32::from(number) * 160;
        buffer.push(arrival, 1, number, timestamp, &[payload; 160]);
        if number % 100 == 50 {
            delays[usize::from(number / 100)] = buffer.statistics().delay;
        }
    }
    (delays, buffer.statistics())
}

#[test]
fn a_delay_that_was_too_long_from_the_beginning_falls_in_the_first_silence() {
    let (delays, statistics) = delays_after_a_late_beginning(Duration::from_millis(9));

    let [before, silent, after] = delays.map(|delay| (delay * 1e4).round() / 10.0);
    assert_eq!((before, after), (21.0, 12.0), "{silent}");
    assert_eq!(statistics.removed_samples, 72);
    assert_eq!(
        statistics.concealed_samples + statistics.inserted_samples,
        0
    );
}

#[test]
fn a_delay_that_is_hardly_too_long_is_left_alone() {
    let (delays, statistics) = delays_after_a_late_beginning(Duration::from_millis(4));

    assert!((delays[2] - 0.016).abs() < 1e-4, "{delays:?}");
    assert_eq!(statistics.removed_samples, 0);
}

#[test]
fn a_spurt_says_when_it_is_due_until_it_is_heard() {
    let decoder = Decoder::new(CodecKind::Pcmu).unwrap();
    let mut buffer = JitterBuffer::new(decoder, JitterSettings::default());
    let (arrival, mut heard) = (origin(), Vec::new());
    assert_eq!(buffer.spurt_due(arrival), None);

    buffer.push(arrival, 1, 0, 0, &[0x90; 160]);
    let due = buffer.spurt_due(arrival).unwrap();
    buffer.pull(due, &mut heard);

    let wait = (due - arrival).as_secs_f64();
    assert!((wait - 0.012).abs() < 1e-4, "{wait}");
    assert_eq!(buffer.spurt_due(due), None);
    assert_eq!(buffer.statistics().concealed_samples, 0);
}
