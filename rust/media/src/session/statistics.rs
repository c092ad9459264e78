//! What is counted of a received stream (RFC 3550 §6.4.1, appendix A) and reported of it.

use std::time::{Duration, Instant};

/// A jump further than this is a new stream rather than loss (RFC 3550 §A.1 MAX_DROPOUT).
const LARGEST_JUMP: u16 = 3000;

/// A packet that is further from where its timestamp puts it, in seconds, has come by another
/// clock: who is sent on, or comes back from a hold, may begin anew under the same source. It is no
/// jitter, and would be all there is to see of it for minutes.
const LARGEST_SHIFT: f64 = 2.0;

/// Sequence, loss and jitter of one received synchronisation source.
#[derive(Debug, Clone)]
pub struct ReceivedStream {
    /// The source.
    pub ssrc: u32,
    clock_rate_hz: u32,
    base: u64,
    highest: u64,
    packets: u64,
    bytes: u64,
    /// In units of the clock, as the report has it.
    jitter: f64,
    last_arrival: Option<(Instant, u32)>,
    reported: (u64, u64),
}

/// What a report block says of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reception {
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Expected less received, since the start; negative with duplicates.
    pub lost: i32,
    /// Extended highest sequence number.
    pub highest: u32,
    /// Interarrival jitter in units of the clock.
    pub jitter: u32,
}

impl ReceivedStream {
    /// Starts with the first packet of a source.
    #[must_use]
    pub fn new(ssrc: u32, sequence: u16, clock_rate_hz: u32) -> Self {
        // One cycle ahead, so that a packet from before the first one has a number too.
        let first = 0x1_0000 + u64::from(sequence);
        Self {
            ssrc,
            clock_rate_hz: clock_rate_hz.max(1),
            base: first,
            highest: first,
            packets: 0,
            bytes: 0,
            jitter: 0.0,
            last_arrival: None,
            reported: (0, 0),
        }
    }

    /// Goes on with packets of another clock.
    pub fn change_clock(&mut self, clock_rate_hz: u32) {
        self.jitter *= f64::from(clock_rate_hz) / f64::from(self.clock_rate_hz);
        self.clock_rate_hz = clock_rate_hz.max(1);
        self.last_arrival = None;
    }

    /// Counts one packet and returns its extended sequence number; None when it jumps too far.
    pub fn count(&mut self, sequence: u16, payload_bytes: usize) -> Option<u64> {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let extended = if ahead < 0x8000 {
            if ahead > LARGEST_JUMP {
                return None;
            }
            self.highest + u64::from(ahead)
        } else {
            let behind = ahead.wrapping_neg();
            if behind > LARGEST_JUMP {
                return None;
            }
            self.highest.checked_sub(u64::from(behind))?
        };
        self.highest = self.highest.max(extended);
        self.base = self.base.min(extended);
        self.packets += 1;
        self.bytes += payload_bytes as u64;
        Some(extended)
    }

    /// Takes the arrival of an audio packet into the jitter (RFC 3550 §A.8).
    pub fn arrived(&mut self, now: Instant, timestamp: u32) {
        if let Some((then, earlier)) = self.last_arrival {
            let rate = f64::from(self.clock_rate_hz);
            let spacing = now.saturating_duration_since(then).as_secs_f64() * rate;
            let expected = f64::from(timestamp.wrapping_sub(earlier).cast_signed());
            let shift = (spacing - expected).abs();
            if shift <= LARGEST_SHIFT * rate {
                self.jitter += (shift - self.jitter) / 16.0;
            }
        }
        self.last_arrival = Some((now, timestamp));
    }

    /// Packets counted.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Payload bytes counted.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Packets expected from the sequence numbers seen.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.highest - self.base + 1
    }

    /// Expected less received, not below 0.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.packets)
    }

    /// Interarrival jitter.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        Duration::from_secs_f64(self.jitter / f64::from(self.clock_rate_hz))
    }

    /// Makes a report of what came since the last one.
    pub fn report(&mut self) -> Reception {
        let (expected, packets) = (self.expected(), self.packets);
        let expected_now = expected.saturating_sub(self.reported.0);
        let received_now = packets.saturating_sub(self.reported.1);
        self.reported = (expected, packets);
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (lost_now * 256)
            .checked_div(expected_now)
            .unwrap_or(0)
            .min(255);
        let lost = i64::try_from(expected).unwrap_or(0) - i64::try_from(packets).unwrap_or(0);
        Reception {
            fraction_lost: fraction as u8,
            lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: (self.highest - 0x1_0000) as u32,
            jitter: self.jitter as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::now;

    #[test]
    fn loss_is_counted_across_the_wrap_of_the_sequence_number() {
        let mut stream = ReceivedStream::new(1, 65_530, 8000);
        for sequence in (65_530..=65_535).chain(0..10).filter(|s| s % 4 != 0) {
            assert!(stream.count(sequence as u16, 160).is_some());
        }
        assert_eq!(stream.expected(), 16);
        assert_eq!(stream.lost(), 4);
        let report = stream.report();
        assert_eq!(
            (report.fraction_lost, report.lost, report.highest),
            (64, 4, 65_536 + 9)
        );
        assert_eq!(stream.report().fraction_lost, 0);
    }

    #[test]
    fn a_packet_before_the_first_one_widens_what_is_expected() {
        let mut stream = ReceivedStream::new(1, 0, 8000);
        stream.count(0, 1);
        stream.count(65_534, 1);
        assert_eq!((stream.expected(), stream.lost()), (3, 1));
    }

    #[test]
    fn a_far_jump_is_no_part_of_the_stream() {
        let mut stream = ReceivedStream::new(1, 100, 8000);
        assert_eq!(stream.count(100, 1), Some(0x1_0000 + 100));
        assert_eq!(stream.count(20_000, 1), None);
        assert_eq!(stream.count(60_000, 1), None);
        assert_eq!(stream.lost(), 0);
    }

    #[test]
    fn jitter_is_zero_on_a_steady_stream_and_follows_its_delays() {
        let origin = now();
        let mut steady = ReceivedStream::new(1, 0, 8000);
        let mut shaken = ReceivedStream::new(1, 0, 8000);
        for index in 0..200_u32 {
            let sent = origin + Duration::from_millis(20) * index;
            steady.arrived(sent, index * 160);
            shaken.arrived(
                sent + Duration::from_millis(u64::from(index % 2) * 10),
                index * 160,
            );
        }
        assert_eq!(steady.jitter(), Duration::ZERO);
        let jitter = shaken.jitter().as_secs_f64();
        assert!((0.0095..=0.0101).contains(&jitter), "{jitter}");
    }

    #[test]
    fn a_timestamp_that_begins_anew_or_stood_still_in_a_hold_is_no_jitter() {
        let origin = now();
        let mut stream = ReceivedStream::new(1, 0, 8000);
        let mut at = origin;
        for (first, pause) in [(0, 0), (3_000_000_000, 20), (3_000_032_000, 600_000)] {
            at += Duration::from_millis(pause);
            for index in 0..200_u32 {
                at += Duration::from_millis(20);
                stream.arrived(at, first + index * 160);
            }
            assert_eq!(stream.jitter(), Duration::ZERO);
        }
    }
}
