//! RTCP of one session: sender and receiver reports, CNAME, BYE (RFC 3550 §6).

use std::time::{Duration, Instant};

use super::packet::be_u32;
use super::rtcp_schedule::Schedule;
use super::statistics::Reception;

/// Between two reports of a bare RTP session (RFC 3550 §6.2).
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);
/// Between two reports under AVPF, which has no such minimum (RFC 4585 §3.4); far below 5 %.
const FEEDBACK_INTERVAL: Duration = Duration::from_secs(1);

/// Seconds beyond which a round trip is none.
const LONGEST_ROUND_TRIP: f64 = 30.0;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

/// Seconds from the NTP epoch to the wall clock stamp of the engine's origin: only differences
/// matter to round trips, and a session's real time of day is nobody's business.
const NTP_ORIGIN: u64 = 0x8000_0000;

/// What the far end reports of the stream we send.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RemoteReport {
    /// Packets it misses since the start.
    pub lost: i32,
    /// Share lost since its report before, 0 to 1.
    pub loss: f64,
    /// Its interarrival jitter, in units of the clock.
    pub jitter: u32,
    /// The round trip, once it has seen a sender report of ours.
    pub round_trip: Option<Duration>,
}

/// What we send of ourselves in a sender report.
#[derive(Debug, Clone, Copy, Default)]
pub struct SenderInformation {
    /// Our RTP timestamp at the moment of the report.
    pub timestamp: u32,
    /// RTP packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub bytes: u32,
}

/// When to report, and what the reports of both sides say. Sans-I/O.
#[derive(Debug)]
pub struct Rtcp {
    ssrc: u32,
    cname: String,
    origin: Instant,
    schedule: Schedule,
    /// The one source whose sender reports are meant, where several share a transport.
    source: Option<u32>,
    /// Middle 32 bits of the NTP time of the far end's last sender report, and when it came.
    last_sender_report: Option<(u32, Instant)>,
    remote: Option<RemoteReport>,
    has_reported: bool,
}

impl Rtcp {
    /// Starts the schedule; the first report comes after half an interval (RFC 3550 §6.2).
    #[must_use]
    pub fn new(now: Instant, ssrc: u32, cname: String, has_feedback: bool, seed: u64) -> Self {
        let interval = if has_feedback {
            FEEDBACK_INTERVAL
        } else {
            PLAIN_INTERVAL
        };
        Self {
            ssrc,
            cname,
            origin: now,
            schedule: Schedule::new(now, interval, seed),
            source: None,
            last_sender_report: None,
            remote: None,
            has_reported: false,
        }
    }

    /// When `is_due` wants to be asked.
    #[must_use]
    pub fn next_deadline(&self) -> Instant {
        self.schedule.next()
    }

    /// Whether to report now; asked at `next_deadline`, which may lie later then.
    pub fn is_due(&mut self, now: Instant) -> bool {
        self.schedule.is_due(now)
    }

    /// The far end's last report of our stream.
    #[must_use]
    pub fn remote(&self) -> Option<RemoteReport> {
        self.remote
    }

    /// Takes the sender reports of one source only: others share the transport.
    pub fn listen_to(&mut self, source: Option<u32>) {
        if self.source != source {
            self.source = source;
            self.last_sender_report = None;
        }
    }

    /// The beginning of a compound packet that is sent between two reports, for feedback.
    #[must_use]
    pub fn between_reports(&self) -> Vec<u8> {
        let mut packet = vec![0x80, RECEIVER_REPORT, 0, 1];
        packet.extend(self.ssrc.to_be_bytes());
        self.describe(&mut packet);
        packet
    }

    /// Whether a report was made.
    #[must_use]
    pub fn has_reported(&self) -> bool {
        self.has_reported
    }

    /// Makes a compound packet and sets the time of the next one.
    pub fn report(
        &mut self,
        now: Instant,
        sent: Option<SenderInformation>,
        received: Option<(u32, Reception)>,
    ) -> Vec<u8> {
        self.schedule.reported(now);
        self.has_reported = true;
        let mut packet = self.reports(now, sent, received);
        self.describe(&mut packet);
        packet
    }

    /// Makes the compound packet that ends our stream.
    pub fn bye(&mut self, now: Instant, sent: Option<SenderInformation>) -> Vec<u8> {
        let mut packet = self.reports(now, sent, None);
        self.describe(&mut packet);
        packet.extend([0x81, BYE, 0, 1]);
        packet.extend(self.ssrc.to_be_bytes());
        packet
    }

    /// Takes a compound packet of the far end. What is malformed in it is skipped.
    pub fn handle_untrusted(&mut self, now: Instant, mut packet: &[u8]) {
        while packet.len() >= 4 && packet[0] >> 6 == 2 {
            let length = 4 + 4 * usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            let Some((one, rest)) = packet.split_at_checked(length) else {
                return;
            };
            self.take_report(now, one);
            packet = rest;
        }
    }

    fn take_report(&mut self, now: Instant, packet: &[u8]) {
        let mut offset = 8;
        match packet[1] {
            SENDER_REPORT => {
                let Some(middle) = be_u32(packet, 10) else {
                    return;
                };
                if self
                    .source
                    .is_none_or(|source| be_u32(packet, 4) == Some(source))
                {
                    self.last_sender_report = Some((middle, now));
                }
                offset = 28;
            }
            RECEIVER_REPORT => {}
            // BYE too is left alone: signalling ends a call, and bare RTCP can be forged.
            _ => return,
        }
        for _ in 0..packet[0] & 0x1f {
            let Some(block) = packet.get(offset..offset + 24) else {
                return;
            };
            if be_u32(block, 0) == Some(self.ssrc) {
                self.take_block(now, block);
            }
            offset += 24;
        }
    }

    fn take_block(&mut self, now: Instant, block: &[u8]) {
        let word = |offset| be_u32(block, offset).unwrap_or(0);
        // Sign-extend the 24 bits.
        let lost = (word(4) << 8).cast_signed() >> 8;
        let (last, delay) = (word(16), word(20));
        let ticks = self.ntp_middle(now).wrapping_sub(last).wrapping_sub(delay);
        let seconds = f64::from(ticks.cast_signed()) / 65_536.0;
        // A far end that rounds its delay up makes this slightly negative; one that reports a time
        // we never sent says nothing.
        let is_known = last != 0 && seconds.abs() <= LONGEST_ROUND_TRIP;
        let round_trip = is_known.then(|| Duration::from_secs_f64(seconds.max(0.0)));
        let earlier = self.remote.and_then(|remote| remote.round_trip);
        self.remote = Some(RemoteReport {
            lost,
            loss: f64::from(block[4]) / 256.0,
            jitter: word(12),
            round_trip: round_trip.or(earlier),
        });
    }

    fn reports(
        &self,
        now: Instant,
        sent: Option<SenderInformation>,
        received: Option<(u32, Reception)>,
    ) -> Vec<u8> {
        let blocks = u8::from(received.is_some());
        let kind = if sent.is_some() {
            SENDER_REPORT
        } else {
            RECEIVER_REPORT
        };
        let words = 1 + 5 * u16::from(sent.is_some()) + 6 * u16::from(blocks);
        let mut packet = vec![0x80 | blocks, kind];
        packet.extend(words.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        if let Some(sent) = sent {
            packet.extend(self.ntp(now).to_be_bytes());
            packet.extend(sent.timestamp.to_be_bytes());
            packet.extend(sent.packets.to_be_bytes());
            packet.extend(sent.bytes.to_be_bytes());
        }
        if let Some((ssrc, reception)) = received {
            packet.extend(ssrc.to_be_bytes());
            let lost = reception.lost.to_be_bytes();
            packet.extend([reception.fraction_lost, lost[1], lost[2], lost[3]]);
            packet.extend(reception.highest.to_be_bytes());
            packet.extend(reception.jitter.to_be_bytes());
            let (last, delay) = self.last_sender_report.map_or((0, 0), |(middle, then)| {
                let delay = now.saturating_duration_since(then).as_secs_f64() * 65_536.0;
                (middle, delay as u32)
            });
            packet.extend(last.to_be_bytes());
            packet.extend(delay.to_be_bytes());
        }
        packet
    }

    fn describe(&self, packet: &mut Vec<u8>) {
        let name = &self.cname.as_bytes()[..self.cname.len().min(255)];
        // One item, the end of the list, and zeros up to the next word (RFC 3550 §6.5).
        let padded = (2 + name.len() + 1).next_multiple_of(4);
        packet.extend([0x81, DESCRIPTION]);
        packet.extend((1 + padded as u16 / 4).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend([1, name.len() as u8]);
        packet.extend(name);
        packet.resize(packet.len() + padded - 2 - name.len(), 0);
    }

    fn ntp(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.origin);
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        ((NTP_ORIGIN + elapsed.as_secs()) << 32) | fraction
    }

    fn ntp_middle(&self, now: Instant) -> u32 {
        (self.ntp(now) >> 16) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::now;

    fn sent() -> Option<SenderInformation> {
        Some(SenderInformation {
            timestamp: 160,
            packets: 1,
            bytes: 160,
        })
    }

    fn rtcp(ssrc: u32, origin: Instant) -> Rtcp {
        Rtcp::new(origin, ssrc, "name".to_owned(), false, u64::from(ssrc))
    }

    #[test]
    fn two_ends_measure_the_round_trip_between_them() {
        let origin = now();
        let at = |ms| origin + Duration::from_millis(ms);
        let (mut one, mut two) = (rtcp(1, origin), rtcp(2, origin + Duration::from_secs(9)));

        two.handle_untrusted(at(1030), &one.report(at(1000), sent(), None));
        let reception = Reception {
            fraction_lost: 64,
            lost: -3,
            highest: 7,
            jitter: 80,
        };
        one.handle_untrusted(
            at(1580),
            &two.report(at(1530), sent(), Some((1, reception))),
        );

        let remote = one.remote().unwrap();
        let round_trip = remote.round_trip.unwrap().as_secs_f64();
        assert!((round_trip - 0.080).abs() < 0.001, "{round_trip}");
        assert_eq!((remote.lost, remote.loss, remote.jitter), (-3, 0.25, 80));
    }

    #[test]
    fn a_report_of_another_source_says_nothing_of_ours() {
        let origin = now();
        let (mut one, mut two) = (rtcp(1, origin), rtcp(2, origin));
        one.handle_untrusted(
            origin,
            &two.report(origin, None, Some((3, Reception::default()))),
        );
        assert_eq!(one.remote(), None);
    }

    #[test]
    fn compound_packets_are_whole_words_and_end_with_what_was_asked() {
        let origin = now();
        let mut one = rtcp(1, origin);
        for name in ["", "a", "ab", "abc", "abcd"] {
            one.cname = name.to_owned();
            let packet = one.bye(origin, sent());
            assert_eq!(packet.len() % 4, 0);
            assert_eq!(
                packet[packet.len() - 8..packet.len() - 4],
                [0x81, BYE, 0, 1]
            );
        }
    }

    #[test]
    fn cut_or_twisted_packets_are_skipped() {
        let origin = now();
        let (mut one, mut two) = (rtcp(1, origin), rtcp(2, origin));
        let packet = two.report(origin, sent(), Some((1, Reception::default())));
        for length in 0..packet.len() {
            for value in [0, 0x1f, 0x80, 0xff] {
                let mut broken = packet[..length].to_vec();
                if let Some(byte) = broken.get_mut(length / 2) {
                    *byte = value;
                }
                one.handle_untrusted(origin, &broken);
            }
        }
    }
}
