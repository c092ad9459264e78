//! The figures of each stream: one direction of one m-line.

use super::Session;
use super::report::Value;
use super::rtcp::RemoteReport;
use super::video::LineFigures;
use crate::jitter::JitterBuffer;
use crate::session::lines::LineKind;

/// The clock of all video (RFC 7741, RFC 6184, RFC 9628).
const VIDEO_CLOCK_HZ: f64 = 90_000.0;

/// Figures by the names `StreamStatistics` has in Python; those that are not known are absent.
pub type Figures = Vec<(&'static str, Value)>;

struct Stream(Figures);

impl Stream {
    fn new(kind: &'static str, direction: &'static str, codec: &'static str, line: u64) -> Self {
        let mut stream = Self(Vec::with_capacity(16));
        for (name, word) in [("kind", kind), ("direction", direction), ("codec", codec)] {
            stream.0.push((name, Value::Word(word)));
        }
        stream.number("line", line as f64);
        stream
    }

    fn number(&mut self, name: &'static str, value: f64) {
        self.0.push((name, Value::Number(value)));
    }

    fn known(&mut self, name: &'static str, value: Option<f64>) {
        self.0
            .extend(value.map(|value| (name, Value::Number(value))));
    }

    /// Messages that ask for repairs and key frames, by whichever side receives.
    fn requests(&mut self, nacks: u64, plis: u64, firs: u64) {
        for (name, count) in [("nacks", nacks), ("plis", plis), ("firs", firs)] {
            self.number(name, count as f64);
        }
    }

    /// What the far end says of a stream of ours.
    fn reported(&mut self, remote: Option<RemoteReport>, clock_hz: f64) {
        let Some(remote) = remote else {
            return;
        };
        self.number("packets_lost", f64::from(remote.lost.max(0)));
        self.number("loss", remote.loss);
        self.number("jitter", f64::from(remote.jitter) / clock_hz);
        let trip = remote.round_trip.map(|trip| trip.as_secs_f64());
        self.known("round_trip", trip);
    }
}

fn share_lost(lost: u64, received: u64) -> f64 {
    lost as f64 / (lost + received).max(1) as f64
}

impl Session {
    /// The figures of each stream there is or was: audio as sent and as received, then each line
    /// of video.
    pub fn streams(&self) -> Vec<Figures> {
        let mut streams = Vec::new();
        if self.codec.is_some() {
            streams.extend([self.audio_sent().0, self.audio_received().0]);
        }
        for line in self.video_figures() {
            streams.extend([video_sent(&line).0, video_received(&line).0]);
        }
        streams
    }

    fn audio_sent(&self) -> Stream {
        let codec = self.codec.map_or("", |codec| codec.name());
        let mut stream = Stream::new("audio", "sent", codec, 0);
        stream.number("ssrc", f64::from(self.sender.ssrc()));
        stream.number("packets", self.sender.packets() as f64);
        stream.number("bytes", self.sender.bytes() as f64);
        let clock = self.codec.map_or(8000, |codec| codec.rtp_clock_hz());
        stream.reported(self.rtcp.remote(), f64::from(clock));
        let is_made = !self.sender.is_passing();
        stream.known("level_dbov", is_made.then(|| self.sender.level_dbov()));
        stream
    }

    fn audio_received(&self) -> Stream {
        let codec = self.receiver.codec().map_or("", |codec| codec.name());
        let (packets, bytes, lost) = self.receiver.totals();
        let mut stream = Stream::new("audio", "received", codec, 0);
        let ssrc = self.receiver.source().map(f64::from);
        stream.known("ssrc", ssrc);
        stream.number("packets", packets as f64);
        stream.number("bytes", bytes as f64);
        stream.number("packets_lost", lost as f64);
        stream.number("loss", share_lost(lost, packets));
        let jitter = ssrc.map(|_| self.receiver.interarrival_jitter().as_secs_f64());
        stream.known("jitter", jitter);
        // What is passed on undecoded is not heard here: nothing is known of its sound.
        if !self.joined.is_giving()
            && let Some(heard) = self.receiver.jitter().map(JitterBuffer::statistics)
        {
            let concealed = heard.concealed_samples as f64 / heard.samples.max(1) as f64;
            stream.number("concealed", concealed);
            stream.number("level_dbov", self.receiver.level_dbov());
        }
        stream
    }
}

fn kind_of(line: &LineFigures) -> &'static str {
    match line.kind {
        LineKind::Video => "video",
        LineKind::Screen => "screen",
    }
}

fn video_sent(line: &LineFigures) -> Stream {
    let sent = &line.sent;
    let mut stream = Stream::new(kind_of(line), "sent", line.codec, line.number);
    stream.number("ssrc", f64::from(line.ssrcs.0));
    stream.number("packets", sent.packets as f64);
    stream.number("bytes", sent.bytes as f64);
    stream.number("packets_repeated", sent.repeated as f64);
    stream.number("key_frames_asked", sent.key_frames_asked as f64);
    stream.number("key_frames", sent.key_frames as f64);
    stream.requests(sent.nacks, sent.plis, sent.firs);
    stream.number("frames", sent.frames as f64);
    stream.number("frame_rate", line.frame_rates.0);
    stream.reported(line.remote, VIDEO_CLOCK_HZ);
    stream
}

fn video_received(line: &LineFigures) -> Stream {
    let received = &line.received;
    let mut stream = Stream::new(kind_of(line), "received", line.codec, line.number);
    stream.known("ssrc", line.ssrcs.1.map(f64::from));
    stream.number("packets", received.packets as f64);
    stream.number("bytes", received.bytes as f64);
    stream.number("packets_lost", received.lost as f64);
    stream.number("loss", share_lost(received.lost, received.packets));
    stream.known("jitter", line.jitter.map(|jitter| jitter.as_secs_f64()));
    stream.number("packets_repeated", received.repaired as f64);
    stream.number("packets_asked", received.asked as f64);
    stream.number("key_frames", received.key_frames as f64);
    stream.number("key_frames_asked", received.key_frames_asked as f64);
    stream.requests(received.nacks, received.plis, received.firs);
    stream.number("frames", received.frames as f64);
    stream.number("frames_dropped", received.frames_dropped as f64);
    stream.known("frame_rate", line.frame_rates.1);
    stream.known("width", line.size.map(|(width, _)| f64::from(width)));
    stream.known("height", line.size.map(|(_, height)| f64::from(height)));
    stream
}
