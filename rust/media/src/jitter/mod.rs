//! The jitter buffer: packets in as they come, 20 ms of decoded audio out on every pull.
//!
//! Packets wait in order of their extended sequence number. The delay aims at what 99 % of the
//! packets are late by, and a margin. A missing packet is recovered from the one after it (Opus),
//! else concealed; where the buffer is empty, concealment lengthens the delay, and is charged
//! against the gap if the packet turns out to be lost, so that nothing is concealed twice. An
//! announced silence (comfort noise, a pause of Opus) is no loss. Time is an argument.

mod adapt;
mod arrival;
mod playout;
mod ring;
mod statistics;
mod stretch;

use crate::codec::Decoder;
use adapt::Margin;
use arrival::Arrivals;
use ring::{Content, Packet, Place, Ring};
pub use statistics::{Frame, JitterSettings, JitterStatistics};
use std::collections::VecDeque;
use std::time::Instant;

const FRAME_MS: u32 = 20;
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
    /// G.722 counts every second sample (RFC 3551 §4.5.2).
    samples_per_tick: u32,
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
    /// Samples taken for a pause when the buffer stayed empty.
    taken_back: usize,
    /// The sender has said that it falls silent.
    is_silence_told: bool,
    /// Missing packets of the last seconds; old ones count less.
    losses: f64,
    margin: Margin,
    /// Quiet blocks in a row, up to the last one played.
    quiet_blocks: u32,
    was_concealing: bool,
    /// Samples played and concealed in the second that runs.
    second: (usize, usize),
    ready: Vec<i16>,
    runs: VecDeque<(Kind, usize)>,
    statistics: JitterStatistics,
}

impl JitterBuffer {
    /// Makes a buffer in front of a decoder.
    #[must_use]
    pub fn new(decoder: Decoder, settings: JitterSettings) -> Self {
        let rate_hz = decoder.sample_rate_hz();
        let frame_samples = (rate_hz * FRAME_MS / 1000) as usize;
        Self {
            settings,
            rate_hz: f64::from(rate_hz),
            samples_per_tick: (rate_hz / decoder.kind().rtp_clock_hz()).max(1),
            decoder,
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
            taken_back: 0,
            is_silence_told: false,
            losses: 0.0,
            margin: Margin::default(),
            quiet_blocks: 0,
            was_concealing: false,
            second: (0, 0),
            ready: Vec::new(),
            runs: VecDeque::new(),
            statistics: JitterStatistics::default(),
        }
    }

    /// Counts on from where the buffer of another codec has come to, samples by its own rate.
    pub fn go_on_counting(&mut self, before: &Self) {
        self.statistics = before.statistics.at_rate(self.rate_hz / before.rate_hz);
    }

    /// Returns the rate of the samples it gives.
    #[must_use]
    pub fn sample_rate_hz(&self) -> u32 {
        self.decoder.sample_rate_hz()
    }

    /// Takes an audio packet.
    pub fn push(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) {
        let content = Content::Audio(payload.to_vec());
        self.insert(now, ssrc, sequence, timestamp, content);
    }

    /// Takes a packet of comfort noise (RFC 3389): from it on there is silence, and no loss.
    pub fn push_noise(
        &mut self,
        now: Instant,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        payload: &[u8],
    ) {
        let content = Content::Noise(payload.to_vec());
        self.insert(now, ssrc, sequence, timestamp, content);
    }

    /// Takes note of a packet in the same sequence that is no audio, such as a telephone-event.
    pub fn push_other(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32) {
        self.insert(now, ssrc, sequence, timestamp, Content::Other);
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
        self.taken_back = 0;
        self.is_silence_told = false;
        self.margin = Margin::default();
    }

    /// Returns the counters.
    #[must_use]
    pub fn statistics(&self) -> JitterStatistics {
        let mut statistics = self.statistics;
        statistics.delay = self.margin.mean();
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
            self.step(now);
        }
        samples.extend(self.ready.drain(..self.frame_samples));
        self.statistics.samples += self.frame_samples as u64;
        let frame = self.take_runs();
        self.count_second(frame.concealed_samples);
        frame
    }

    fn count_second(&mut self, concealed: usize) {
        self.second.0 += self.frame_samples;
        self.second.1 += concealed;
        if self.second.0 as f64 >= self.rate_hz {
            let (samples, concealed) = std::mem::take(&mut self.second);
            self.statistics.last_second_concealed = concealed as f64 / samples as f64;
            self.statistics.concealed_seconds += u64::from(concealed > 0);
        }
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

    fn insert(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, content: Content) {
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
        let ticks = self.ring.extend_timestamp(timestamp);
        let timestamp = ticks * i64::from(self.samples_per_tick);
        let is_audio = matches!(content, Content::Audio(_));
        if is_audio {
            self.statistics.received += 1;
            // Telephone-events keep the timestamp of their start and say nothing about delay.
            if self.arrivals.push(arrival, timestamp as f64 / self.rate_hz) {
                self.margin = Margin::default();
            }
        }
        if self.next_sequence.is_some_and(|next| sequence < next) {
            self.statistics.late += u64::from(is_audio);
            return;
        }
        if self.ring.insert(Packet {
            sequence,
            timestamp,
            arrival,
            content,
        }) {
            self.statistics.discarded += 1;
            self.is_playing = false;
        }
    }
}

#[cfg(test)]
mod silence_tests;
#[cfg(test)]
mod tests;
