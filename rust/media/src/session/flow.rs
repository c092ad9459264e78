//! What flows through a connected session: packets in, a frame of both directions every 20 ms.

use std::time::{Duration, Instant};

use super::Session;
use super::receive::Received;
use super::send::{FRAME, Sender};
use crate::dtmf::ReceivedDtmf;
use crate::event::EventKind;
use crate::player::Tap;

/// Without RTP and RTCP for this long, MEDIA_TIMEOUT is reported, and each second after.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(5);

/// When the next frame is heard and when one is sent, each direction on a grid of 20 ms of its own:
/// what is heard goes by when packets come.
#[derive(Debug, Default)]
pub(super) struct Grids {
    hear: Option<Instant>,
    send: Option<Instant>,
    /// Between two frames that are sent, where packets are no whole number of frames.
    half: Option<Instant>,
}

impl Grids {
    pub(super) fn begin(first: Instant) -> Self {
        Self {
            hear: Some(first),
            send: Some(first),
            half: None,
        }
    }

    /// The next of all moments.
    pub(super) fn next(&self) -> Option<Instant> {
        let all = [self.hear, self.send, self.half];
        all.into_iter().flatten().min()
    }
}

impl Session {
    pub(super) fn receive(&mut self, now: Instant, packet: &[u8]) {
        if self.is_ended {
            return;
        }
        if self.videos.is_some() && self.receive_video(now, packet) {
            return;
        }
        if !self.direction.receives() {
            // On its way while it was agreed that nothing more is: counted, not heard.
            return self.receiver.skip_untrusted(packet);
        }
        if !self.rtp_taps.is_empty() {
            self.tap_packet_untrusted(now, packet);
        }
        let received = self.give_untrusted(now, packet);
        let received = received.unwrap_or_else(|| self.receiver.packet_untrusted(now, packet));
        if received == Received::First {
            self.emit(EventKind::FirstRtp, 0.0, "");
        }
        self.timeout_told = 0;
        self.hear_in_time(now);
        self.report_digits();
    }

    /// Brings the next pull forward to where a spurt is due: its packets would wait on the old grid
    /// for up to a frame more, all the time it lasts.
    fn hear_in_time(&mut self, now: Instant) {
        if let Some(next) = self.grids.hear
            && let Some(due) = self.receiver.spurt_due(now)
        {
            self.grids.hear = Some(next.min(due));
        }
    }

    pub(super) fn report_digits(&mut self) {
        while let Some(digit) = self.receiver.poll_dtmf() {
            match digit {
                ReceivedDtmf::Started { digit } => {
                    self.emit(EventKind::DtmfStarted, 0.0, digit);
                }
                ReceivedDtmf::Ended { digit, duration } => {
                    self.joined.give_digit(digit, duration);
                    self.emit(EventKind::Dtmf, duration, digit);
                }
            }
        }
    }

    /// The frames of both directions that are due.
    pub(super) fn tick_frames(&mut self, now: Instant) {
        // A thread that comes late passes for one that came in time.
        let moment = |due: Instant| due.max(now.checked_sub(FRAME).unwrap_or(due));
        while let Some(due) = self.grids.hear.filter(|due| *due <= now) {
            self.grids.hear = self.receiver.better_moment(moment(due)).or_else(|| {
                self.hear_frame(moment(due));
                Some(Sender::next_tick_after(now, due))
            });
        }
        while let Some(due) = self.grids.send.filter(|due| *due <= now) {
            self.send_half(now);
            self.send_frame(moment(due));
            self.grids.half = self.sender.has_half().then(|| due + FRAME / 2);
            self.grids.send = Some(Sender::next_tick_after(now, due));
        }
        if self.grids.half.is_some_and(|due| due <= now) {
            self.send_half(now);
        }
    }

    /// The packet between two frames, unless it was sent.
    fn send_half(&mut self, now: Instant) {
        if self.grids.half.take().is_some()
            && self.direction.sends()
            && let Some(transport) = &mut self.transport
        {
            self.sender
                .send_half(|packet| transport.send_rtp(now, packet));
        }
    }

    /// 20 ms that were received.
    fn hear_frame(&mut self, now: Instant) {
        self.notice_leaving();
        if self.joined.is_giving() {
            return;
        }
        let mut ready = Vec::new();
        if let Some((rate_hz, samples, flags)) = self.receiver.pull(now) {
            self.joined.give(rate_hz, samples);
            for recorder in self.recordings.values_mut() {
                recorder.push_received(now, rate_hz, samples);
            }
            self.taps.retain(Tap::is_wanted);
            for tap in &mut self.taps {
                tap.push(rate_hz, samples);
            }
            let flags = flags
                | self
                    .listening
                    .push(rate_hz, samples, !self.ports.is_empty());
            let told = self
                .ports
                .iter_mut()
                .filter_map(|port| port.push(rate_hz, samples, flags).then_some(port.number));
            ready.extend(told);
            self.watch.hear(self.receiver.level_dbov());
        }
        for port in ready {
            self.emit(EventKind::FramesReady, port as f64, "");
        }
        self.report_heard();
    }

    /// 20 ms that are sent.
    fn send_frame(&mut self, now: Instant) {
        self.fetch();
        let joined = &mut self.joined;
        self.sender.let_digits_sound(self.direction.sends());
        let frame = self
            .sender
            .pull(|rate_hz, frame| joined.mix_into(rate_hz, frame));
        if let Some((rate_hz, samples)) = frame {
            for recorder in self.recordings.values_mut() {
                recorder.push_sent(now, rate_hz, samples);
            }
        }
        if self.joined.is_alone() && self.direction.sends() {
            self.sender.share_payload();
        }
        if self.is_sending_given(now) {
            self.sender.skip();
        } else if let Some(transport) = &mut self.transport {
            self.sender.send(self.direction.sends(), |packet| {
                transport.send_rtp(now, packet)
            });
        }
        self.report_sources();
        self.listening.push_sent(self.sender.level_dbov());
        self.report_heard();
    }

    fn report_sources(&mut self) {
        while let Some(ended) = self.sender.player.poll_ended() {
            let mut text = format!("{:.6}", ended.seconds);
            if let Some(error) = ended.error {
                text = format!("{text} {error}");
            }
            self.emit(EventKind::PlaybackEnded, ended.playback as f64, text);
        }
        self.report_pushed();
        while let Some(sending) = self.sender.poll_digits_sent() {
            self.emit(EventKind::DtmfSent, sending as f64, "");
        }
    }

    pub(super) fn send_report(&mut self, now: Instant) {
        let received = self
            .receiver
            .stream()
            .map(|stream| (stream.ssrc, stream.report()));
        let packet = self.rtcp.report(now, self.sender.information(), received);
        if let Some(transport) = &mut self.transport {
            transport.send_rtcp(now, &packet);
        }
    }

    pub(super) fn watch_silence(&mut self, now: Instant) {
        let Some(connected) = self.connected.filter(|_| self.direction.receives()) else {
            return;
        };
        let since = self
            .receiving_since
            .map_or(connected, |at| at.max(connected));
        let silent = self.receiver.silent_for(now, since);
        if silent < MEDIA_TIMEOUT {
            self.timeout_told = 0;
        } else if silent.as_secs() > self.timeout_told {
            self.timeout_told = silent.as_secs();
            self.emit(EventKind::MediaTimeout, silent.as_secs() as f64, "");
        }
    }
}
