//! One line at work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Way;
use super::taps::Tap;
use crate::event::EventKind;
use crate::session::lines::{Line, LineKind};
use crate::session::rtcp::{RemoteReport, Rtcp};
use crate::transport::Transport;
use crate::video::feed::Feed;
use crate::video::receiver::VideoReceiver;
use crate::video::relay::Relay;
use crate::video::sender::VideoSender;
use crate::video::transport_wide::Arrivals;
use crate::video::{VideoCodec, VideoPacket, VideoReceived, VideoSent, feedback};

/// A round trip where none is known yet.
const USUAL_ROUND_TRIP: Duration = Duration::from_millis(100);

/// The figures of a line, of both its ways.
#[derive(Debug, Clone, PartialEq)]
pub struct LineFigures {
    /// The line's number.
    pub number: u64,
    /// What it carries.
    pub kind: LineKind,
    /// What was received.
    pub received: VideoReceived,
    /// What was sent.
    pub sent: VideoSent,
    /// The round trip to the far end, from its reports of this line.
    pub round_trip: Option<Duration>,
    /// What the far end reports of what we send.
    pub remote: Option<RemoteReport>,
    /// The source we send as, and the one that was heard last.
    pub ssrcs: (u32, Option<u32>),
    /// The codec agreed on; "" while none is.
    pub codec: &'static str,
    /// Interarrival jitter of the source that was heard last.
    pub jitter: Option<Duration>,
    /// Frames a second that are sent, and that the source that was heard last sends.
    pub frame_rates: (f64, Option<f64>),
    /// Width and height of the source that was heard last.
    pub size: Option<(u32, u32)>,
}

pub(in crate::session) struct VideoLine {
    pub(in crate::session) number: u64,
    kind: LineKind,
    pub(super) mid: Option<String>,
    pub(super) receiver: VideoReceiver,
    pub(super) sender: VideoSender,
    pub(super) rtcp: Rtcp,
    pub(super) feed: Option<Feed>,
    pub(super) relays: Vec<Arc<Relay>>,
    pub(super) taps: Vec<Tap>,
    pub(super) transport: Option<Transport>,
    /// It does not share the audio's transport.
    pub(super) is_alone: bool,
    /// Its own path does not answer.
    pub(super) is_lost: bool,
    /// Its own path was found dead.
    pub(super) has_failed: bool,
    pub(super) is_receiving: bool,
    can_bound: bool,
    bound_told: Option<u64>,
    full_intra: Option<u8>,
}

impl VideoLine {
    pub(super) fn new(now: Instant, line: &Line, cname: String, seed: u64) -> Self {
        Self {
            number: line.number,
            kind: line.kind,
            mid: None,
            receiver: VideoReceiver::default(),
            sender: VideoSender::new(line.ssrc, line.retransmission_ssrc, seed),
            rtcp: Rtcp::new(now, line.ssrc, cname, true, seed),
            feed: None,
            relays: Vec::new(),
            taps: Vec::new(),
            transport: None,
            is_alone: false,
            is_lost: false,
            has_failed: false,
            is_receiving: false,
            can_bound: false,
            bound_told: None,
            full_intra: None,
        }
    }

    /// Takes what is agreed now; what there is to tell of it.
    pub(super) fn agree(&mut self, line: &Line) -> Option<(EventKind, u64, String)> {
        let was_receiving = self.is_receiving;
        self.sender.configure(line.agreed.as_ref());
        self.mid = line.mid().map(str::to_owned);
        self.is_receiving = false;
        if let Some(agreed) = &line.agreed {
            self.receiver.configure(agreed);
            self.is_receiving = agreed.direction.receives();
            let mut feedback = agreed.receive.iter().map(|format| format.feedback);
            self.can_bound = feedback.clone().any(|feedback| feedback.remb);
            let knows_intra = feedback.any(|feedback| feedback.fir && !feedback.pli);
            self.full_intra = knows_intra.then(|| self.full_intra.unwrap_or(0));
        }
        let name = match self.kind {
            LineKind::Video => "video",
            LineKind::Screen => "screen",
        };
        match (was_receiving, self.is_receiving) {
            (false, true) => {
                let codec = line
                    .agreed
                    .as_ref()
                    .and_then(|agreed| agreed.receive.first());
                let codec = codec.map_or("", |format| format.codec.name());
                let text = format!("{name} {codec}");
                Some((EventKind::VideoAdded, self.number, text))
            }
            (true, false) => Some((EventKind::VideoRemoved, self.number, name.to_owned())),
            _ => None,
        }
    }

    /// Gives a received packet to the sessions it is passed on to.
    pub(super) fn pass_on(&mut self, now: Instant, packet: VideoPacket, wakes: &mut Vec<u64>) {
        self.relays.retain(|relay| !relay.is_closed());
        if self.relays.is_empty() {
            return;
        }
        let packet = Arc::new(packet);
        for relay in &self.relays {
            let (is_shown, wanted) = relay.judge(now, &packet, self.receiver.layers(now));
            if let Some(source) = wanted {
                self.receiver.want_key_frame(Some(u64::from(source)));
            }
            if is_shown && relay.push(&packet) {
                wakes.push(relay.to);
            }
        }
    }

    /// Sends what is due of the feed; the number of a file that is over.
    pub(super) fn feed_due(&mut self, now: Instant, way: &mut Way<'_>) -> Option<u64> {
        let is_ready = !self.is_alone || way.is_ready();
        let mut ended = None;
        match &mut self.feed {
            Some(Feed::Relay(relay)) => {
                for packet in relay.take() {
                    let transmit = |packet: &[u8]| way.send_rtp(now, packet);
                    self.sender.send(now, &packet, transmit);
                }
            }
            Some(Feed::Clip(clip)) if self.sender.is_allowed() && is_ready => {
                clip.start(now);
                let (packets, is_over) = clip.take_due(now);
                for packet in &packets {
                    let transmit = |packet: &[u8]| way.send_rtp(now, packet);
                    self.sender.send(now, packet, transmit);
                }
                ended = is_over.then_some(clip.number);
            }
            _ => {}
        }
        if ended.is_some() {
            self.feed = None;
        }
        ended
    }

    /// Passes wishes for key frames on, both ways; the push that is to make one.
    pub(super) fn pass_wishes(&mut self, now: Instant, wakes: &mut Vec<u64>) -> Option<u64> {
        for relay in &self.relays {
            if relay.take_key_frame_wish() {
                self.receiver.want_key_frame(relay.source());
            }
        }
        if self.feed.is_none() || !self.sender.take_key_frame_wish(now) {
            return None;
        }
        match &mut self.feed {
            Some(Feed::Relay(relay)) => {
                relay.want_key_frame();
                wakes.push(relay.from);
                None
            }
            Some(Feed::Clip(clip)) => {
                clip.rewind_to_key(now);
                None
            }
            Some(Feed::Push(push)) => Some(push.number),
            None => None,
        }
    }

    /// Notes what the far end can receive, and tells who feeds it.
    pub(super) fn take_bound(&mut self, bits_per_second: u64, wakes: &mut Vec<u64>) {
        if self.sender.bound() == Some(bits_per_second) {
            return;
        }
        self.sender.set_bound(bits_per_second);
        if let Some(Feed::Relay(relay)) = &self.feed {
            relay.set_bound(bits_per_second);
            wakes.push(relay.from);
        }
    }

    /// The feedback that is due, as a compound packet.
    pub(super) fn feedback(
        &mut self,
        now: Instant,
        arrivals: Option<&mut Arrivals>,
    ) -> Option<Vec<u8>> {
        let round_trip = self.rtcp.remote().and_then(|remote| remote.round_trip);
        let wanted = if self.is_receiving {
            self.receiver
                .take_wanted(now, round_trip.unwrap_or(USUAL_ROUND_TRIP))
        } else {
            crate::video::receiver::Wanted::default()
        };
        let own = self.sender.ssrc();
        let mut packet = Vec::new();
        self.receiver
            .count_requests(wanted.key_frames.len(), self.full_intra.is_some());
        for source in wanted.key_frames {
            match &mut self.full_intra {
                Some(count) => {
                    *count = count.wrapping_add(1);
                    feedback::write_full_intra(&mut packet, own, source, *count);
                }
                None => feedback::write_picture_loss(&mut packet, own, source),
            }
        }
        for (source, numbers) in wanted.lost {
            feedback::write_lost(&mut packet, own, source, &numbers);
        }
        self.write_bound(&mut packet, own);
        if let (Some(arrivals), Some(source)) = (arrivals, self.receiver.latest()) {
            arrivals.write(now, &mut packet, own, source);
        }
        if packet.is_empty() {
            return None;
        }
        let mut compound = self.rtcp.between_reports();
        compound.append(&mut packet);
        Some(compound)
    }

    /// What the slowest of those it is passed on to can receive.
    fn write_bound(&mut self, packet: &mut Vec<u8>, own: u32) {
        let bound = self.relays.iter().filter_map(|relay| relay.bound()).min();
        if let Some(bits_per_second) = bound.filter(|_| self.can_bound && self.bound_told != bound)
        {
            self.bound_told = bound;
            let sources = self.receiver.ssrcs();
            feedback::write_bound(packet, own, bits_per_second, &sources);
        }
    }

    /// Whether something can be sent, as far as a transport of its own goes.
    pub(super) fn is_ready(&self) -> bool {
        !self.is_alone || self.transport.as_ref().is_some_and(Transport::is_ready)
    }

    /// When it is to be served; nothing is sent of a feed, and no report, before it is connected.
    pub(super) fn next_deadline(&self, is_connected: bool) -> Option<Instant> {
        let clip = match &self.feed {
            Some(Feed::Clip(clip))
                if is_connected && self.sender.is_allowed() && self.is_ready() =>
            {
                clip.next_deadline()
            }
            _ => None,
        };
        let wish = self.sender.next_deadline().filter(|_| self.feed.is_some());
        let receiving = self.receiver.next_deadline().filter(|_| self.is_receiving);
        let transport = self.transport.as_ref().and_then(Transport::next_deadline);
        let report = is_connected.then(|| self.rtcp.next_deadline());
        [clip, wish, receiving, transport, report]
            .into_iter()
            .flatten()
            .min()
    }

    /// Ends the seconds that are over, for who asks how many frames were in them.
    pub(super) fn settle(&mut self, now: Instant) {
        self.sender.settle(now);
        self.receiver.settle(now);
    }

    pub(super) fn figures(&self) -> LineFigures {
        let (received_rate, size) = self.receiver.pace();
        LineFigures {
            number: self.number,
            kind: self.kind,
            received: self.receiver.figures(),
            sent: self.sender.figures(),
            round_trip: self.rtcp.remote().and_then(|remote| remote.round_trip),
            remote: self.rtcp.remote(),
            ssrcs: (self.sender.ssrc(), self.receiver.latest()),
            codec: self.receiver.codec().map_or("", VideoCodec::name),
            jitter: self.receiver.jitter(),
            frame_rates: (self.sender.frame_rate(), received_rate),
            size,
        }
    }

    /// Ends what goes to and comes from other sessions.
    pub(super) fn close(&mut self, wakes: &mut Vec<u64>) {
        for relay in self.relays.drain(..) {
            relay.close();
        }
        self.stop_feed(wakes);
    }

    pub(super) fn stop_feed(&mut self, wakes: &mut Vec<u64>) -> Option<Feed> {
        let feed = self.feed.take();
        if let Some(Feed::Relay(relay)) = &feed {
            relay.close();
            wakes.push(relay.from);
        }
        feed
    }
}
