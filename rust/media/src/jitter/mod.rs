//! The jitter buffer: packets in as they come, 20 ms of decoded audio out on every pull.
//!
//! Packets wait in order of their extended sequence number. The delay aims at the 97 % quantile
//! of what packets were late by, and one frame. A missing packet is recovered from the one after
//! it (Opus), else concealed; where the buffer is empty, concealment lengthens the delay, and is
//! charged against the gap if the packet turns out to be lost, so that nothing is concealed
//! twice. Time is an argument.

mod adapt;
mod arrival;
mod ring;
mod statistics;
mod stretch;

use crate::codec::{CodecError, Decoder};
use arrival::Arrivals;
use ring::{Packet, Place, Ring};
pub use statistics::{Frame, JitterSettings, JitterStatistics};
use std::collections::VecDeque;
use std::time::Instant;

const FRAME_MS: u32 = 20;
/// More missing packets in a row are not concealed but left out.
const LONGEST_GAP: u64 = 25;
/// When nothing came for this long, the sender has paused: silence, and a new start.
const PAUSE_MS: usize = 120;
/// A step of the timestamp smaller than this is rounding of the sender's.
const STEP_MS: i64 = 5;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Heard,
    Recovered,
    Concealed,
    Silent,
}

/// The receiving buffer of one stream. See the module's description.
#[derive(Debug)]
pub struct JitterBuffer {
    decoder: Decoder,
    settings: JitterSettings,
    rate_hz: f64,
    frame_samples: usize,
    origin: Option<Instant>,
    ssrc: Option<u32>,
    ring: Ring,
    arrivals: Arrivals,
    is_playing: bool,
    next_sequence: Option<u64>,
    next_timestamp: i64,
    last_duration: usize,
    follows_other: bool,
    /// Samples concealed while the buffer was empty, not yet charged to a gap.
    owed: usize,
    mean_delay: Option<f64>,
    rest_blocks: u32,
    was_concealing: bool,
    ready: Vec<i16>,
    runs: VecDeque<(Kind, usize)>,
    statistics: JitterStatistics,
}

impl JitterBuffer {
    /// Makes a buffer in front of a decoder, whose rate is also the stream's RTP clock rate.
    #[must_use]
    pub fn new(decoder: Decoder, settings: JitterSettings) -> Self {
        let rate_hz = decoder.sample_rate_hz();
        let frame_samples = (rate_hz * FRAME_MS / 1000) as usize;
        Self {
            decoder,
            settings,
            rate_hz: f64::from(rate_hz),
            frame_samples,
            origin: None,
            ssrc: None,
            ring: Ring::default(),
            arrivals: Arrivals::new(),
            is_playing: false,
            next_sequence: None,
            next_timestamp: 0,
            last_duration: frame_samples,
            follows_other: false,
            owed: 0,
            mean_delay: None,
            rest_blocks: 0,
            was_concealing: false,
            ready: Vec::new(),
            runs: VecDeque::new(),
            statistics: JitterStatistics::default(),
        }
    }

    /// Returns the rate of the samples it gives.
    #[must_use]
    pub fn sample_rate_hz(&self) -> u32 {
        self.decoder.sample_rate_hz()
    }

    /// Takes an audio packet.
    pub fn push(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) {
        self.insert(now, ssrc, sequence, timestamp, Some(payload));
    }

    /// Takes note of a packet in the same sequence that is no audio, such as a telephone-event.
    pub fn push_other(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32) {
        self.insert(now, ssrc, sequence, timestamp, None);
    }

    /// Forgets the stream but not the counters: the next packet begins another one.
    pub fn reset(&mut self) {
        self.ssrc = None;
        self.ring = Ring::default();
        self.arrivals = Arrivals::new();
        self.is_playing = false;
        self.next_sequence = None;
        self.follows_other = false;
        self.owed = 0;
        self.mean_delay = None;
    }

    /// Returns the counters.
    #[must_use]
    pub fn statistics(&self) -> JitterStatistics {
        let mut statistics = self.statistics;
        statistics.delay = self.mean_delay.unwrap_or(0.0);
        statistics.target_delay = self.target();
        statistics
    }

    /// Counts the packets that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.ring.len()
    }

    /// Appends the 20 ms to be played at `now`.
    pub fn pull(&mut self, now: Instant, samples: &mut Vec<i16>) -> Frame {
        let now = self.seconds(now);
        while self.ready.len() < self.frame_samples {
            self.step(now + self.ready.len() as f64 / self.rate_hz);
        }
        samples.extend(self.ready.drain(..self.frame_samples));
        self.statistics.samples += self.frame_samples as u64;
        self.take_runs()
    }

    fn take_runs(&mut self) -> Frame {
        let (mut frame, mut left) = (Frame::default(), self.frame_samples);
        while left > 0 {
            let Some((kind, length)) = self.runs.front_mut() else {
                break;
            };
            let taken = left.min(*length);
            match kind {
                Kind::Heard => {}
                Kind::Recovered => frame.recovered_samples += taken,
                Kind::Concealed => frame.concealed_samples += taken,
                Kind::Silent => frame.silent_samples += taken,
            }
            *length -= taken;
            left -= taken;
            if *length == 0 {
                self.runs.pop_front();
            }
        }
        frame
    }

    fn seconds(&mut self, now: Instant) -> f64 {
        now.saturating_duration_since(*self.origin.get_or_insert(now))
            .as_secs_f64()
    }

    fn insert(
        &mut self,
        now: Instant,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        payload: Option<&[u8]>,
    ) {
        let arrival = self.seconds(now);
        if self.ssrc.is_some_and(|known| known != ssrc) {
            self.reset();
        }
        self.ssrc = Some(ssrc);
        let place = match self.ring.place(sequence) {
            Place::Restart => {
                self.reset();
                self.ssrc = Some(ssrc);
                self.ring.place(sequence)
            }
            place => place,
        };
        let Place::New(sequence) = place else {
            self.statistics.duplicates += u64::from(place == Place::Duplicate);
            return;
        };
        let timestamp = self.ring.extend_timestamp(timestamp);
        if payload.is_some() {
            self.statistics.received += 1;
            // Telephone-events keep the timestamp of their start and say nothing about delay.
            if self.arrivals.push(arrival, timestamp as f64 / self.rate_hz) {
                self.mean_delay = None;
            }
        }
        if self.next_sequence.is_some_and(|next| sequence < next) {
            self.statistics.late += u64::from(payload.is_some());
            return;
        }
        let payload = payload.map(<[u8]>::to_vec);
        if self.ring.insert(Packet {
            sequence,
            timestamp,
            arrival,
            payload,
        }) {
            self.statistics.discarded += 1;
            self.is_playing = false;
        }
    }

    fn target(&self) -> f64 {
        let frame = f64::from(FRAME_MS) / 1000.0;
        let least = self.settings.least_delay.as_secs_f64();
        let greatest = self.settings.greatest_delay.as_secs_f64().max(least);
        (self.arrivals.quantile() + frame).clamp(least, greatest)
    }

    /// Adds at least one sample to `ready`, or takes a packet out of the ring.
    fn step(&mut self, at: f64) {
        let Some(head) = self.ring.first() else {
            return self.fill_empty();
        };
        let gap = self.next_sequence.map_or(0, |next| head.sequence - next);
        if head.payload.is_none() && (gap == 0 || !self.is_playing || self.follows_other) {
            self.next_sequence = Some(head.sequence + 1);
            self.follows_other = true;
            self.ring.pop_first();
            return;
        }
        if !self.is_playing || gap > LONGEST_GAP || (gap > 0 && self.follows_other) {
            return self.begin(at, gap);
        }
        if gap > 0 {
            return self.fill_gap(gap);
        }
        let step = head.timestamp - self.next_timestamp;
        if step > STEP_MS * self.rate_hz as i64 / 1000 {
            // The sender paused, or sent a telephone-event in place of audio.
            self.is_playing = false;
            return;
        }
        self.owed = 0;
        self.play(at);
    }

    /// Plays the first packet of a spurt once its time has come; silence until then.
    fn begin(&mut self, at: f64, gap: u64) {
        let Some(head) = self.ring.first() else {
            return;
        };
        let media_time = head.timestamp as f64 / self.rate_hz;
        let fastest = self.arrivals.fastest().unwrap_or(head.arrival - media_time);
        let target = self.target();
        let mut due = media_time + fastest + target;
        // The timestamps stood still in the pause, or are another clock's: go by the arrival.
        if due < head.arrival || due > head.arrival + target + 1.0 {
            due = head.arrival + self.settings.least_delay.as_secs_f64();
        }
        if at < due {
            self.is_playing = false;
            return self.add_silence();
        }
        if !self.follows_other {
            self.statistics.missing += gap;
        }
        self.next_sequence = Some(head.sequence);
        self.is_playing = true;
        self.owed = 0;
        self.mean_delay = None;
        self.play(at);
    }

    fn play(&mut self, at: f64) {
        let Some(packet) = self.ring.pop_first() else {
            return;
        };
        let mut block = Vec::with_capacity(self.frame_samples * 2);
        let payload = packet.payload.unwrap_or_default();
        self.next_sequence = Some(packet.sequence + 1);
        self.follows_other = false;
        let decoded = self.decoder.decode(&payload, &mut block);
        if decoded.is_err() || block.is_empty() {
            self.statistics.undecodable += 1;
            self.next_timestamp = packet.timestamp + self.last_duration as i64;
            block.clear();
            let result = self.decoder.conceal(self.last_duration, &mut block);
            return self.add_made_up(block, result, self.last_duration);
        }
        self.last_duration = block.len();
        self.next_timestamp = packet.timestamp + block.len() as i64;
        self.adapt(at, packet.timestamp, &mut block);
        self.was_concealing = false;
        self.add(Kind::Heard, &block);
    }

    /// Makes up for the first of `gap` missing packets.
    fn fill_gap(&mut self, gap: u64) {
        let Some(head) = self.ring.first() else {
            return;
        };
        let span = head.timestamp - self.next_timestamp;
        let each = span / i64::try_from(gap).unwrap_or(1);
        let longest = (self.frame_samples * 6) as i64;
        let duration = match each {
            1.. if each <= longest => each as usize,
            // No time passed: what is missing was no audio.
            _ if span <= 0 => 0,
            _ => self.last_duration,
        };
        self.next_sequence = self.next_sequence.map(|next| next + 1);
        if duration == 0 {
            return;
        }
        self.next_timestamp += duration as i64;
        self.statistics.missing += 1;
        if self.owed >= duration {
            self.owed -= duration;
            return;
        }
        self.owed = 0;
        let mut block = Vec::with_capacity(duration);
        let following = head.payload.as_deref().filter(|_| gap == 1);
        if let Some(following) = following
            && self.decoder.has_forward_error_correction()
            && self
                .decoder
                .recover(following, duration, &mut block)
                .is_ok()
        {
            self.was_concealing = false;
            self.statistics.recovered_samples += block.len() as u64;
            return self.add(Kind::Recovered, &block);
        }
        block.clear();
        let result = self.decoder.conceal(duration, &mut block);
        self.add_made_up(block, result, duration);
    }

    fn fill_empty(&mut self) {
        if self.follows_other {
            self.is_playing = false;
        }
        if !self.is_playing {
            return self.add_silence();
        }
        if self.owed >= PAUSE_MS * self.frame_samples / FRAME_MS as usize {
            self.is_playing = false;
            // It was a pause and no loss: what filled its beginning is taken back.
            let taken_back = self.owed as u64;
            self.statistics.concealed_samples =
                self.statistics.concealed_samples.saturating_sub(taken_back);
            self.statistics.concealments = self.statistics.concealments.saturating_sub(1);
            self.was_concealing = false;
            return;
        }
        let mut block = Vec::with_capacity(self.last_duration);
        let result = self.decoder.conceal(self.last_duration, &mut block);
        self.add_made_up(block, result, self.last_duration);
        self.owed += self.last_duration;
    }

    fn add_made_up(&mut self, mut block: Vec<i16>, result: Result<(), CodecError>, count: usize) {
        if result.is_err() || block.is_empty() {
            block.clear();
            block.resize(count.max(1), 0);
        }
        if !self.was_concealing {
            self.statistics.concealments += 1;
        }
        self.was_concealing = true;
        self.statistics.concealed_samples += block.len() as u64;
        self.add(Kind::Concealed, &block);
    }

    fn add_silence(&mut self) {
        let missing = self.frame_samples - self.ready.len();
        self.ready.resize(self.frame_samples, 0);
        self.runs.push_back((Kind::Silent, missing));
    }

    fn add(&mut self, kind: Kind, block: &[i16]) {
        self.ready.extend_from_slice(block);
        self.runs.push_back((kind, block.len()));
    }
}

#[cfg(test)]
mod tests;
