//! The video of a session: its lines at work, between the transports and what feeds and takes them.

mod closing;
mod commands;
mod homes;
mod line;
mod paths;
mod recording;
mod taps;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

pub(super) use homes::Home;
pub use line::LineFigures;
pub use taps::TappedFrame;

use super::Session;
use super::packet::{RtpHeader, extension_untrusted};
use crate::MediaError;
use crate::event::EventKind;
use crate::random::Random;
use crate::transport::{Transmit, Transport, TransportEvent};
use crate::video::feedback::{self, Feedback};
use crate::video::transport_wide::Arrivals;
use line::VideoLine;

/// What a session with video has; others have none of it.
pub(crate) struct Videos {
    pub(super) lines: Vec<VideoLine>,
    arrivals: Arrivals,
    random: Random,
    /// Sockets of lines that have their own.
    homes: Vec<Home>,
    /// Sockets that were let go of, to be closed.
    idle: Vec<SocketAddr>,
    /// What transports that are closed have left to be sent.
    last_words: VecDeque<Transmit>,
}

impl Videos {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            lines: Vec::new(),
            arrivals: Arrivals::default(),
            random: Random::new(seed),
            homes: Vec::new(),
            idle: Vec::new(),
            last_words: VecDeque::new(),
        }
    }

    /// The line a packet on the shared transport belongs to: by source, by mid, by format.
    fn route_untrusted(&self, header: &RtpHeader, packet: &[u8]) -> Option<usize> {
        let shared = || {
            self.lines
                .iter()
                .enumerate()
                .filter(|(_, line)| !line.is_alone)
        };
        let of_type = |line: &VideoLine| line.receiver.has(header.payload_type);
        let mut fitting = shared().filter(|(_, line)| of_type(line));
        let first = fitting.next()?.0;
        if fitting.next().is_none() {
            return Some(first);
        }
        let known = shared().find(|(_, line)| line.receiver.knows(header.ssrc));
        let named = || {
            shared().find(|(_, line)| {
                let id = line.receiver.extensions().mid;
                let mid = id.and_then(|id| extension_untrusted(packet, id));
                mid.is_some() && mid == line.mid.as_deref().map(str::as_bytes)
            })
        };
        known.or_else(named).map(|(place, _)| place).or(Some(first))
    }

    fn next_deadline(&self, is_connected: bool) -> Option<Instant> {
        let lines = self.lines.iter();
        let lines = lines.filter_map(|line| line.next_deadline(is_connected));
        // Arrivals are told by a line that has heard a source, and by no other.
        let is_told = |line: &VideoLine| !line.is_alone && line.receiver.latest().is_some();
        let arrivals = self.arrivals.next_deadline();
        let arrivals = arrivals.filter(|_| self.lines.iter().any(is_told));
        lines.chain(arrivals).min()
    }
}

/// The way out of a line: its own transport, or the one all share.
pub(super) struct Way<'a> {
    transport: Option<&'a mut Transport>,
    /// What arrived on the shared transport.
    arrivals: Option<&'a mut Arrivals>,
    /// Sessions that something was left for.
    wakes: &'a mut Vec<u64>,
}

impl Way<'_> {
    pub(super) fn is_ready(&self) -> bool {
        let transport = self.transport.as_ref();
        transport.is_some_and(|transport| transport.is_ready())
    }

    pub(super) fn send_rtp(&mut self, now: Instant, packet: &[u8]) -> bool {
        let transport = self.transport.as_mut();
        transport.is_some_and(|transport| transport.send_rtp(now, packet))
    }

    fn send_rtcp(&mut self, now: Instant, packet: &[u8]) -> bool {
        let transport = self.transport.as_mut();
        transport.is_some_and(|transport| transport.send_rtcp(now, packet))
    }
}

impl Session {
    /// Takes an RTP packet if it is video's.
    pub(super) fn receive_video(&mut self, now: Instant, packet: &[u8]) -> bool {
        let Some(videos) = &mut self.videos else {
            return false;
        };
        let Some(header) = RtpHeader::parse_untrusted(packet) else {
            return false;
        };
        let Some(place) = videos.route_untrusted(&header, packet) else {
            return false;
        };
        let line = &mut videos.lines[place];
        let counted = line.receiver.extensions().transport_wide;
        if let Some(&[high, low]) = counted.and_then(|id| extension_untrusted(packet, id)) {
            videos.arrivals.add(now, u16::from_be_bytes([high, low]));
        }
        self.take_video(now, place, &header, packet);
        true
    }

    fn take_video(&mut self, now: Instant, place: usize, header: &RtpHeader, packet: &[u8]) {
        self.receiver.heard(now);
        let Some(line) = self
            .videos
            .as_mut()
            .and_then(|videos| videos.lines.get_mut(place))
        else {
            return;
        };
        let taken = line
            .is_receiving
            .then(|| line.receiver.packet_untrusted(now, header, packet));
        if let Some(taken) = taken.flatten() {
            self.deliver_video(now, place, taken);
        }
        self.flush_video(now, place);
        self.report_taps();
    }

    /// Takes a compound RTCP packet of the shared transport.
    pub(super) fn video_rtcp(&mut self, now: Instant, packet: &[u8]) {
        let Some(videos) = &mut self.videos else {
            return;
        };
        let source = self.receiver.stream().map(|stream| stream.ssrc);
        self.rtcp.listen_to(source);
        let shared = videos
            .lines
            .iter()
            .enumerate()
            .filter(|(_, line)| !line.is_alone);
        for place in shared.map(|(place, _)| place).collect::<Vec<_>>() {
            self.line_rtcp(now, place, packet);
        }
    }

    fn line_rtcp(&mut self, now: Instant, place: usize, packet: &[u8]) {
        self.on_line(place, |line, way| {
            line.rtcp.listen_to(line.receiver.latest());
            line.rtcp.handle_untrusted(now, packet);
            let ssrc = line.sender.ssrc();
            for feedback in feedback::read_untrusted(packet) {
                match feedback {
                    Feedback::KeyFrame(of) if of == ssrc => line.sender.ask_key_frame(false),
                    Feedback::FullIntra(of) if of == ssrc => line.sender.ask_key_frame(true),
                    Feedback::Lost(of, numbers) if of == ssrc => {
                        line.sender
                            .repeat(now, &numbers, |packet| way.send_rtp(now, packet));
                    }
                    Feedback::Bound(bits_per_second) => line.take_bound(bits_per_second, way.wakes),
                    Feedback::KeyFrame(_) | Feedback::FullIntra(_) | Feedback::Lost(..) => {}
                }
            }
        });
        self.flush_video(now, place);
    }

    /// Runs something on a line together with its way out.
    fn on_line<R>(
        &mut self,
        place: usize,
        run: impl FnOnce(&mut VideoLine, &mut Way<'_>) -> R,
    ) -> Option<R> {
        let videos = self.videos.as_mut()?;
        let line = videos.lines.get_mut(place)?;
        let mut own = line.transport.take();
        let is_shared = !line.is_alone;
        let shared = self.transport.as_mut().filter(|_| is_shared);
        let mut way = Way {
            transport: own.as_mut().or(shared),
            arrivals: is_shared.then_some(&mut videos.arrivals),
            wakes: &mut self.wakes,
        };
        let result = run(line, &mut way);
        line.transport = own;
        Some(result)
    }

    /// Does what is due on all lines.
    pub(super) fn tick_videos(&mut self, now: Instant) {
        let count = self.videos.as_ref().map_or(0, |videos| videos.lines.len());
        for place in 0..count {
            self.tick_line(now, place);
        }
        self.report_taps();
    }

    fn tick_line(&mut self, now: Instant, place: usize) {
        let is_connected = self.connected.is_some();
        self.on_line(place, |_, way| {
            if let (None, Some(own)) = (&way.arrivals, &mut way.transport) {
                own.handle_timeout(now);
            }
        });
        self.drain_line(now, place);
        let ended = self.on_line(place, |line, way| {
            if !is_connected {
                return None;
            }
            line.settle(now);
            if line.rtcp.is_due(now) {
                let received = line.receiver.report();
                let packet = line
                    .rtcp
                    .report(now, line.sender.information(now), received);
                way.send_rtcp(now, &packet);
            }
            line.feed_due(now, way)
        });
        if let Some(ended) = ended.flatten() {
            self.emit(EventKind::VideoEnded, ended as f64, "");
        }
        self.flush_video(now, place);
    }

    /// Sends the feedback that is due, and tells who feeds a line that a key frame is wanted.
    pub(super) fn flush_video(&mut self, now: Instant, place: usize) {
        let wish = self.on_line(place, |line, way| {
            let wish = line.pass_wishes(now, way.wakes);
            if let Some(packet) = line.feedback(now, way.arrivals.as_deref_mut()) {
                way.send_rtcp(now, &packet);
            }
            wish
        });
        if let Some(push) = wish.flatten() {
            self.emit(EventKind::KeyFrameWanted, push as f64, "");
        }
    }

    fn drain_line(&mut self, now: Instant, place: usize) {
        loop {
            let lines = self.videos.as_mut().map(|videos| &mut videos.lines);
            let line = lines.and_then(|lines| lines.get_mut(place));
            let transport = line.and_then(|line| line.transport.as_mut());
            match transport.and_then(Transport::poll_event) {
                Some(TransportEvent::Rtp(packet)) => {
                    if let Some(header) = RtpHeader::parse_untrusted(&packet) {
                        self.take_video(now, place, &header, &packet);
                    }
                }
                Some(TransportEvent::Rtcp(packet)) => self.line_rtcp(now, place, &packet),
                Some(TransportEvent::Connected) => self.restore_line(place),
                Some(TransportEvent::IceState(state)) => self.take_line_state(now, place, state),
                Some(TransportEvent::Failed(why)) => self.lose_line(place, why),
                // Data channels go with the audio.
                Some(TransportEvent::Data(_)) => {}
                None => return,
            }
        }
    }

    /// Takes what the transports of all lines have to say.
    pub(super) fn drain_lines(&mut self, now: Instant) {
        let count = self.videos.as_ref().map_or(0, |videos| videos.lines.len());
        (0..count).for_each(|place| self.drain_line(now, place));
    }

    pub(super) fn video_deadline(&self) -> Option<Instant> {
        let is_connected = self.connected.is_some();
        self.videos.as_ref()?.next_deadline(is_connected)
    }

    pub(super) fn poll_video_transmit(&mut self) -> Option<Transmit> {
        let videos = self.videos.as_mut()?;
        let lines = videos.lines.iter_mut();
        let mut own = lines.filter_map(|line| line.transport.as_mut());
        let said = videos.last_words.pop_front();
        said.or_else(|| own.find_map(Transport::poll_transmit))
    }

    /// Brings the lines at work in step with what was agreed.
    pub(super) fn take_lines(&mut self, now: Instant, is_offer: bool) -> Result<(), MediaError> {
        if self.offer_answer.lines().is_empty() {
            return Ok(());
        }
        let state = self.path_state();
        let videos = self
            .videos
            .get_or_insert_with(|| Box::new(Videos::new(self.video_seed)));
        let mut told = Vec::new();
        for agreed in self.offer_answer.lines() {
            let mut lines = videos.lines.iter();
            let known = lines.position(|line| line.number == agreed.number);
            let place = known.unwrap_or_else(|| {
                let seed = videos.random.bits();
                let line = VideoLine::new(now, agreed, self.cname.clone(), seed);
                videos.lines.push(line);
                videos.lines.len() - 1
            });
            videos.settle_home(now, place, agreed, is_offer)?;
            let line = &mut videos.lines[place];
            if !line.is_alone || line.transport.is_some() {
                told.extend(line.agree(agreed));
            }
        }
        for (kind, number, text) in told {
            self.emit(kind, number as f64, text);
        }
        self.leave_idle_homes(now);
        self.tell_path_state(state);
        self.drain_lines(now);
        Ok(())
    }

    fn report_taps(&mut self) {
        while let Some(tap) = self.ready_taps.pop() {
            self.emit(EventKind::EncodedReady, tap as f64, "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_that_nobody_can_tell_of_wake_nobody() {
        let mut videos = Videos::new(1);

        videos.arrivals.add(crate::shard::now(), 7);

        assert_eq!(videos.next_deadline(true), None);
    }
}
