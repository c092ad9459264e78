//! What is played next: a packet, what repairs its loss, or the silence the sender keeps.

use std::time::{Duration, Instant};

use super::ring::{Content, Packet};
use super::{FRAME_MS, JitterBuffer, Kind, Margin};
use crate::codec::CodecError;

/// More missing packets in a row are not concealed but left out.
const LONGEST_GAP: u64 = 25;
/// When nothing came for this long, the sender has paused: silence, and a new start.
const PAUSE_MS: usize = 120;
/// A step of the timestamp smaller than this is rounding of the sender's.
const STEP_MS: i64 = 5;
/// More than seconds as a float are off by.
const ROUNDING: Duration = Duration::from_micros(1);
pub(super) const FRAME: f64 = FRAME_MS as f64 / 1000.0;
/// Each packet that is played makes earlier losses count this much less: half after 14 s.
const FORGETTING: f64 = 0.999;

impl JitterBuffer {
    /// Adds at least one sample to `ready`, or takes a packet out of the ring.
    pub(super) fn step(&mut self, now: f64) {
        let Some(head) = self.ring.first() else {
            return self.fill_empty();
        };
        let gap = self.next_sequence.map_or(0, |next| head.sequence - next);
        let is_free = gap == 0 || gap > LONGEST_GAP || !self.is_playing || self.follows_other;
        match head.content {
            Content::Other if is_free => {
                self.next_sequence = Some(head.sequence + 1);
                self.follows_other = true;
                self.ring.pop_first();
                return;
            }
            Content::Noise(_) if is_free => return self.fall_silent(gap),
            _ => {}
        }
        if !self.is_playing || gap > LONGEST_GAP || (gap > 0 && self.follows_other) {
            return self.begin(now, gap);
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
        self.play(now);
    }

    /// Takes a packet of comfort noise.
    fn fall_silent(&mut self, gap: u64) {
        let Some(packet) = self.ring.pop_first() else {
            return;
        };
        if let Content::Noise(payload) = &packet.content {
            self.decoder.describe_silence(payload);
        }
        if !self.follows_other {
            self.statistics.missing += gap;
        }
        self.next_sequence = Some(packet.sequence + 1);
        self.next_timestamp = packet.timestamp;
        self.follows_other = false;
        self.is_silence_told = true;
        self.is_playing = false;
        self.owed = 0;
    }

    /// Plays the first packet of a spurt once its time has come; silence until then.
    fn begin(&mut self, now: f64, gap: u64) {
        let Some(head) = self.ring.first() else {
            return;
        };
        let due = self.due(head);
        if now < due {
            self.is_playing = false;
            return self.add_silence();
        }
        if !self.follows_other {
            self.statistics.missing += gap;
        }
        if gap == 0 && head.timestamp <= self.next_timestamp {
            // No time has passed for the sender: it was no pause but a stall of the network.
            self.statistics.concealed_samples += self.taken_back as u64;
            self.statistics.concealments += u64::from(self.taken_back > 0);
        }
        self.taken_back = 0;
        self.next_sequence = Some(head.sequence);
        self.is_playing = true;
        self.owed = 0;
        self.margin = Margin::default();
        self.play(now);
    }

    /// When the first packet of a spurt is to be played.
    fn due(&self, head: &Packet) -> f64 {
        let media_time = head.timestamp as f64 / self.rate_hz;
        let fastest = self.arrivals.fastest().unwrap_or(head.arrival - media_time);
        let target = self.target() + self.grid_share(&head.content);
        let due = media_time + fastest + target;
        // The timestamps stood still in the pause, or are another clock's: go by the arrival.
        if due < head.arrival || due > head.arrival + target + 1.0 {
            return head.arrival + self.settings.least_delay.as_secs_f64();
        }
        due
    }

    /// The moment to pull at in place of `now`, less than a frame after it: where a spurt begins,
    /// or in silence, from which a frame is left out then. Packets so wait for as long as is
    /// wanted, and not up to a frame longer.
    #[must_use]
    pub fn better_moment(&mut self, now: Instant) -> Option<Instant> {
        if !self.is_playing {
            return self.spurt_due(now);
        }
        let time = self.seconds(now);
        let wait = self.leave_out_silence(time)?;
        // Rounded up: asked again then, the answer is none.
        Some(now + Duration::from_secs_f64(wait) + ROUNDING)
    }

    /// When the spurt whose first packet has come by `now` is due; none within a spurt. A pull that
    /// was to come later is to come then.
    #[must_use]
    pub fn spurt_due(&mut self, now: Instant) -> Option<Instant> {
        if self.is_playing {
            return None;
        }
        let time = self.seconds(now);
        let wait = self.wait_for_spurt(time)?;
        Some(now + Duration::from_secs_f64(wait) + ROUNDING)
    }

    fn wait_for_spurt(&self, now: f64) -> Option<f64> {
        let head = self.ring.first().filter(|_| self.ready.is_empty())?;
        let due = matches!(head.content, Content::Audio(_)).then(|| self.due(head))?;
        let wait = due - now;
        (wait > 0.0 && wait < FRAME).then_some(wait)
    }

    /// How much earlier than the first the tightest packet of a spurt is wanted, in seconds, where
    /// packets do not fill whole frames: 10 and 30 ms on a grid of 20 ms.
    fn grid_share(&self, content: &Content) -> f64 {
        let Content::Audio(payload) = content else {
            return 0.0;
        };
        let duration = self.decoder.duration_samples(payload);
        let (mut a, mut b) = (self.frame_samples, duration.unwrap_or(self.frame_samples));
        while b > 0 {
            (a, b) = (b, a % b);
        }
        (self.frame_samples - a) as f64 / self.rate_hz
    }

    pub(super) fn play(&mut self, now: f64) {
        let Some(packet) = self.ring.pop_first() else {
            return;
        };
        let Content::Audio(payload) = packet.content else {
            return;
        };
        let mut block = Vec::with_capacity(self.frame_samples * 2);
        self.next_sequence = Some(packet.sequence + 1);
        self.follows_other = false;
        self.losses *= FORGETTING;
        self.is_silence_told = self.decoder.is_silent(&payload);
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
        self.note_quiet(&block);
        self.adapt(now, packet.timestamp, &mut block);
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
        self.losses += 1.0;
        if self.owed >= duration {
            self.owed -= duration;
            return;
        }
        self.owed = 0;
        let mut block = Vec::with_capacity(duration);
        if let Content::Audio(following) = &head.content
            && gap == 1
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
        if self.follows_other || self.is_silence_told {
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
            self.taken_back = self.owed;
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

    /// Fills the frame with the silence that was announced, or with none at all.
    fn add_silence(&mut self) {
        let missing = self.frame_samples - self.ready.len();
        if self.is_silence_told {
            self.decoder.comfort(missing, &mut self.ready);
        }
        self.ready.resize(self.frame_samples, 0);
        self.runs.push_back((Kind::Silent, missing));
    }

    fn add(&mut self, kind: Kind, block: &[i16]) {
        self.ready.extend_from_slice(block);
        self.runs.push_back((kind, block.len()));
    }
}
