//! One call's media: what is agreed with the peer, and what flows. Sans-I/O.
//!
//! Drain rule: after every command, `input` and `tick`, take `poll_transmit` and `poll_event` until
//! both are empty, then come again with a datagram or at `next_deadline`.

mod agreed;
mod audio;
pub mod audio_format;
mod candidates_writer;
pub mod components;
mod controls;
pub mod crypto;
mod data;
mod describe;
mod exchange;
mod flow;
mod forks;
pub mod hearing;
pub(crate) mod joined;
mod keys_writer;
pub mod lines;
pub mod listening;
mod negotiation;
mod numbering;
mod observe;
pub mod offer_answer;
pub mod packet;
mod payload;
pub mod port;
mod profile;
mod receive;
pub mod relays;
mod report;
pub mod rtcp;
mod rtcp_schedule;
pub mod rtp_tap;
mod sdp;
mod sdp_writer;
mod send;
pub mod statistics;
pub mod streams;
mod transports;
mod trickle;
pub mod video;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

pub use agreed::AgreedCodec;
pub use audio_format::AudioSettings;
pub use lines::detect_video;
pub use negotiation::{TransportKind, detect, detect_hold};
pub use report::Value;
pub use sdp::Direction;

use crate::codec::CodecKind;
use crate::event::{Event, EventKind};
use crate::player::Tap;
use crate::random::Random;
use crate::recorder::Recorder;
use crate::transport::{Identity, Transmit, Transport, TransportEvent};
use crate::watch::Watch;
use flow::Grids;
use forks::Forks;
use joined::Joined;
use listening::Listening;
use offer_answer::{OfferAnswer, Settings};
use port::Port;
use receive::Receiver;
use rtcp::Rtcp;
use rtp_tap::RtpTap;
use send::{FRAME, Sender};

/// What a session is opened with.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// How media travels.
    pub transport: TransportKind,
    /// How else it may, if the peer says so; only among the transports without ICE.
    pub accepts: Vec<TransportKind>,
    /// Codecs, most wanted first.
    pub codecs: Vec<CodecKind>,
    /// Offer and accept telephone-events.
    pub dtmf: bool,
    /// Packet time to send with unless the peer asks for another.
    pub ptime_ms: u16,
    /// The address peers reach us at, where it is not the socket's.
    pub advertised: Option<IpAddr>,
}

/// One call's media.
pub struct Session {
    id: u64,
    settings: SessionSettings,
    identity: Arc<Identity>,
    offer_answer: OfferAnswer,
    transport: Option<Transport>,
    locals: Vec<SocketAddr>,
    sender: Sender,
    receiver: Receiver,
    rtcp: Rtcp,
    direction: Direction,
    codec: Option<CodecKind>,
    has_local: bool,
    has_remote: bool,
    is_transport_ready: bool,
    forks: Forks,
    pending: Option<Box<describe::PendingOffer>>,
    connected: Option<Instant>,
    grids: Grids,
    /// When receiving was agreed again, after a hold.
    receiving_since: Option<Instant>,
    timeout_told: u64,
    ice_state: &'static str,
    recordings: BTreeMap<u64, Recorder>,
    ports: Vec<Port>,
    listening: Listening,
    watch: Watch,
    /// When its next second is over.
    next_second: Option<Instant>,
    taps: Vec<Tap>,
    rtp_taps: Vec<RtpTap>,
    events: VecDeque<Event>,
    /// The other sessions it is in a bridge or a room with.
    joined: Joined,
    cname: String,
    video_seed: u64,
    videos: Option<Box<video::Videos>>,
    relays: Option<Box<relays::Relays>>,
    /// Where the program has a use for data channels.
    data: Option<Box<crate::data::Data>>,
    /// Nothing is sent or received but by relays, and no address of ours is told.
    is_relay_only: bool,
    /// Answers by ICE are those of a lite agent.
    is_lite: bool,
    /// First offers by ICE leave it to the peer whether RTCP goes with RTP.
    negotiates_rtcp_mux: bool,
    trickle: trickle::Trickle,
    /// Sessions that something was left for.
    wakes: Vec<u64>,
    ready_taps: Vec<u64>,
    is_ended: bool,
}

impl Session {
    /// Makes a session that knows no socket and no peer yet.
    pub fn new(
        id: u64,
        settings: SessionSettings,
        identity: Arc<Identity>,
        now: Instant,
        mut random: Random,
    ) -> Self {
        let has_feedback = settings.transport == TransportKind::Ice;
        let (schedule, session_id) = (random.bits(), random.bits() >> 2);
        let cname = format!("{:016x}", random.bits());
        let video_seed = Random::new(schedule ^ session_id).bits();
        let sender = Sender::new(random);
        let offer_answer = OfferAnswer::new(Settings {
            kind: settings.transport,
            accepts: settings.accepts.clone(),
            codecs: settings.codecs.clone(),
            dtmf: settings.dtmf,
            ptime_ms: settings.ptime_ms,
            session_id,
            ssrc: sender.ssrc(),
            cname: cname.clone(),
            audio: AudioSettings::default(),
        });
        Self {
            id,
            rtcp: Rtcp::new(now, sender.ssrc(), cname.clone(), has_feedback, schedule),
            cname,
            video_seed,
            videos: None,
            relays: None,
            data: None,
            is_relay_only: false,
            is_lite: false,
            negotiates_rtcp_mux: false,
            trickle: trickle::Trickle::default(),
            wakes: Vec::new(),
            ready_taps: Vec::new(),
            settings,
            identity,
            offer_answer,
            transport: None,
            locals: Vec::new(),
            sender,
            receiver: Receiver::new(),
            direction: Direction::SendReceive,
            codec: None,
            has_local: false,
            has_remote: false,
            is_transport_ready: false,
            forks: Forks::default(),
            pending: None,
            connected: None,
            grids: Grids::default(),
            receiving_since: None,
            timeout_told: 0,
            ice_state: "",
            recordings: BTreeMap::new(),
            ports: Vec::new(),
            listening: Listening::default(),
            watch: Watch::default(),
            next_second: None,
            taps: Vec::new(),
            rtp_taps: Vec::new(),
            events: VecDeque::new(),
            joined: Joined::Alone,
            is_ended: false,
        }
    }

    /// Our synchronisation source.
    pub fn ssrc(&self) -> u32 {
        self.sender.ssrc()
    }

    /// Says goodbye and ends: nothing is received any more.
    ///
    /// Gives the recordings back, to be stopped where waiting for the disk holds nobody up.
    pub fn close(&mut self, now: Instant) -> Vec<Recorder> {
        if self.is_ended {
            return Vec::new();
        }
        self.is_ended = true;
        let sent = self.sender.information();
        // Who never sent a packet says no goodbye (RFC 3550 §6.3.7).
        if sent.is_some() || self.rtcp.has_reported() {
            let bye = self.rtcp.bye(now, sent);
            if let Some(transport) = &mut self.transport {
                transport.send_rtcp(now, &bye);
            }
        }
        self.close_videos(now);
        self.end_data(now);
        if let Some(transport) = &mut self.transport {
            transport.close(now);
        }
        // What was said till here may go by them.
        self.close_relays(now);
        self.ports.clear();
        self.leave();
        self.taps.clear();
        self.rtp_taps.clear();
        std::mem::take(&mut self.recordings).into_values().collect()
    }

    /// Takes one datagram that came to the socket `local`.
    pub fn input(&mut self, now: Instant, local: SocketAddr, from: SocketAddr, data: &[u8]) {
        if self.relays.is_some() && self.relay_input(now, local, from, data) {
            return;
        }
        if self.videos.is_some() && self.line_input(now, local, from, data) {
            return;
        }
        if let Some(transport) = &mut self.transport {
            transport.handle_datagram(now, local, from, data);
            self.drain_transport(now);
        }
    }

    /// Lets all happen that is due: timers of the transport, frames, reports.
    pub fn tick(&mut self, now: Instant) {
        if let Some(transport) = &mut self.transport {
            transport.handle_timeout(now);
        }
        self.drain_transport(now);
        if self.is_ended {
            return;
        }
        self.tick_relays(now);
        self.tick_data(now);
        self.receiver.handle_timeout(now);
        self.report_digits();
        self.tick_frames(now);
        self.send_given(now);
        if self.connected.is_some() && self.rtcp.is_due(now) {
            self.send_report(now);
        }
        self.tick_videos(now);
        self.watch_silence(now);
        self.watch_quality(now);
    }

    /// When `tick` wants to be called next; may lie in the past.
    pub fn next_deadline(&self) -> Option<Instant> {
        let transport = self.transport.as_ref().and_then(Transport::next_deadline);
        if self.is_ended {
            return transport;
        }
        let report = self.connected.map(|_| self.rtcp.next_deadline());
        let others = [
            self.video_deadline(),
            self.relay_deadline(),
            self.data_deadline(),
        ];
        [transport, self.grids.next(), report]
            .into_iter()
            .chain(others)
            .flatten()
            .min()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        while let Some(transmit) = self.poll_own_transmit() {
            if let Some(direct) = self.by_relay(transmit) {
                return Some(direct);
            }
        }
        self.poll_relay_transmit()
    }

    fn poll_own_transmit(&mut self) -> Option<Transmit> {
        let shared = self.transport.as_mut().and_then(Transport::poll_transmit);
        shared.or_else(|| self.poll_video_transmit())
    }

    /// The next session that video was left for: it is to be served at once.
    pub(crate) fn poll_video_wake(&mut self) -> Option<u64> {
        self.wakes.pop()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn emit(&mut self, kind: EventKind, number: f64, text: impl Into<String>) {
        self.events.push_back(Event {
            session: self.id,
            kind,
            number,
            text: text.into(),
        });
    }

    fn drain_transport(&mut self, now: Instant) {
        self.note_relay_time(now);
        while let Some(event) = self.transport.as_mut().and_then(Transport::poll_event) {
            match event {
                TransportEvent::Connected => self.is_transport_ready = true,
                TransportEvent::Failed(reason) => {
                    // Nobody hears it: neither frames nor reports are made any more.
                    self.is_transport_ready = false;
                    self.connected = None;
                    self.grids = Grids::default();
                    self.emit(EventKind::Failed, 0.0, reason);
                }
                TransportEvent::IceState(state) => self.take_ice_state(now, state),
                TransportEvent::Data(packet) => self.take_data_packet(now, &packet),
                TransportEvent::Rtp(packet) => self.receive(now, &packet),
                TransportEvent::Rtcp(packet) => {
                    self.receiver.heard(now);
                    self.video_rtcp(now, &packet);
                    self.rtcp.handle_untrusted(now, &packet);
                    if let Some(remote) = self.rtcp.remote() {
                        self.sender.expect_loss(remote.loss);
                    }
                }
            }
        }
        self.follow_data(now);
        let is_complete = self.is_transport_ready && self.has_local && self.has_remote;
        if is_complete && self.connected.is_none() && !self.is_ended && !self.has_open_offer() {
            self.connected = Some(now);
            // A frame is complete when its 20 ms are over; so an answer leaves before the first one.
            self.grids = Grids::begin(now + FRAME);
            self.emit(EventKind::Connected, 0.0, "");
        }
    }
}
