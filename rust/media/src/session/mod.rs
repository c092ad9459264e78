//! One call's media: what is agreed with the peer, and what flows. Sans-I/O.
//!
//! Drain rule: after every command, `input` and `tick`, take `poll_transmit` and `poll_event` until
//! both are empty, then come again with a datagram or at `next_deadline`.

mod controls;
mod negotiation;
pub mod offer_answer;
pub mod packet;
mod payload;
pub mod port;
mod receive;
mod report;
pub mod rtcp;
mod sdp;
mod sdp_writer;
mod send;
pub mod statistics;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use negotiation::{TransportKind, detect};
pub use report::Value;
pub use sdp::Direction;

use crate::MediaError;
use crate::codec::CodecKind;
use crate::dtmf::ReceivedDtmf;
use crate::event::{Event, EventKind};
use crate::random::Random;
use crate::recorder::Recorder;
use crate::transport::{
    IceTransport, Identity, PlainTransport, Transmit, Transport, TransportEvent,
};
use negotiation::{Negotiated, RemoteTransport};
use offer_answer::{Applied, DescriptionKind, LocalMedia, OfferAnswer, Settings};
use port::Port;
use receive::{ReceiveSettings, Received, Receiver};
use rtcp::Rtcp;
use send::{FRAME, SendSettings, Sender};

/// Without RTP and RTCP for this long, MEDIA_TIMEOUT is reported, and each second after.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(5);

/// What a session is opened with.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// How media travels.
    pub transport: TransportKind,
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
    connected: Option<Instant>,
    /// When the next frame is due, from the connection on.
    next_frame: Option<Instant>,
    timeout_told: u64,
    ice_state: &'static str,
    recordings: BTreeMap<u64, Recorder>,
    ports: Vec<Port>,
    events: VecDeque<Event>,
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
        let sender = Sender::new(random);
        let offer_answer = OfferAnswer::new(Settings {
            kind: settings.transport,
            codecs: settings.codecs.clone(),
            dtmf: settings.dtmf,
            ptime_ms: settings.ptime_ms,
            session_id,
            ssrc: sender.ssrc(),
            cname: cname.clone(),
        });
        Self {
            id,
            rtcp: Rtcp::new(now, sender.ssrc(), cname, has_feedback, schedule),
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
            connected: None,
            next_frame: None,
            timeout_told: 0,
            ice_state: "",
            recordings: BTreeMap::new(),
            ports: Vec::new(),
            events: VecDeque::new(),
            is_ended: false,
        }
    }

    /// Whether `attach` is still to be called, before the first description.
    pub fn needs_sockets(&self) -> bool {
        self.transport.is_none()
    }

    /// Which transport it was opened with.
    pub fn transport_kind(&self) -> TransportKind {
        self.settings.transport
    }

    /// Gives the session the addresses of its bound sockets: all candidates, or RTP and RTCP.
    ///
    /// # Errors
    /// `MediaError::Fault` when no ICE agent can be made.
    pub fn attach(&mut self, now: Instant, locals: &[SocketAddr]) -> Result<(), MediaError> {
        let transport = match (self.settings.transport, locals) {
            (TransportKind::Plain, [rtp, rest @ ..]) => {
                let rtcp = rest.first().unwrap_or(rtp);
                Transport::Plain(Box::new(PlainTransport::new(*rtp, *rtcp)))
            }
            (TransportKind::Ice, _) => {
                let ice = IceTransport::new(now, Arc::clone(&self.identity), locals)?;
                Transport::Ice(Box::new(ice))
            }
            (TransportKind::Plain, []) => {
                return Err(MediaError::Argument(
                    "a session needs a local address".to_owned(),
                ));
            }
        };
        self.transport = Some(transport);
        self.locals = locals.to_vec();
        Ok(())
    }

    /// The ICE user fragments checks of the peer may name.
    pub fn ufrags(&self) -> Vec<String> {
        match &self.transport {
            Some(Transport::Ice(ice)) => {
                let mut ufrags = vec![ice.description().ufrag, ice.offered_description().ufrag];
                ufrags.dedup();
                ufrags
            }
            _ => Vec::new(),
        }
    }

    /// Writes an offer.
    ///
    /// # Errors
    /// `MediaError::State` while the peer's offer waits for an answer.
    pub fn create_offer(&mut self, ice_restart: bool) -> Result<String, MediaError> {
        if ice_restart
            && let Some(Transport::Ice(ice)) = &mut self.transport
            && self.has_remote
        {
            ice.prepare_restart()?;
        }
        let local = self.local_media(true)?;
        let offer = self.offer_answer.create_offer(&local)?;
        self.has_local = true;
        Ok(offer)
    }

    /// Takes a description of the peer.
    ///
    /// # Errors
    /// `MediaError::Negotiation` when both sides do not fit; nothing has changed then.
    pub fn set_remote(
        &mut self,
        now: Instant,
        sdp: &str,
        kind: DescriptionKind,
        dialog: &str,
    ) -> Result<(), MediaError> {
        let applied = self.offer_answer.set_remote(sdp, kind, dialog)?;
        self.apply(now, applied, kind == DescriptionKind::Offer)?;
        self.has_remote = true;
        if kind != DescriptionKind::Offer {
            self.direction = self.agreed_direction();
        }
        self.drain_transport(now);
        Ok(())
    }

    /// Writes the answer to the offer set before; media flows from here on.
    ///
    /// # Errors
    /// `MediaError::State` when there is no offer.
    pub fn create_answer(&mut self, now: Instant) -> Result<String, MediaError> {
        let local = self.local_media(false)?;
        let answer = self.offer_answer.create_answer(&local)?;
        self.has_local = true;
        self.direction = self.agreed_direction();
        self.drain_transport(now);
        Ok(answer)
    }

    /// Says goodbye and ends: recordings are finished, nothing is received any more.
    pub fn close(&mut self, now: Instant) {
        if self.is_ended {
            return;
        }
        self.is_ended = true;
        if self.connected.is_some() {
            let bye = self.rtcp.bye(now, self.sender.information());
            if let Some(transport) = &mut self.transport {
                transport.send_rtcp(now, &bye);
            }
        }
        if let Some(transport) = &mut self.transport {
            transport.close(now);
        }
        for (_, recorder) in std::mem::take(&mut self.recordings) {
            recorder.stop(now);
        }
        self.ports.clear();
    }

    /// Takes one datagram that came to the socket `local`.
    pub fn input(&mut self, now: Instant, local: SocketAddr, from: SocketAddr, data: &[u8]) {
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
        self.receiver.handle_timeout(now);
        self.report_digits();
        while let Some(due) = self.next_frame.filter(|due| *due <= now) {
            self.frame(due.max(now.checked_sub(FRAME).unwrap_or(due)));
            self.next_frame = Some(Sender::next_tick_after(now, due));
        }
        if self.connected.is_some() && self.rtcp.next_deadline() <= now {
            self.send_report(now);
        }
        self.watch_silence(now);
    }

    /// When `tick` wants to be called next; may lie in the past.
    pub fn next_deadline(&self) -> Option<Instant> {
        let transport = self.transport.as_ref().and_then(Transport::next_deadline);
        if self.is_ended {
            return transport;
        }
        let report = self.connected.map(|_| self.rtcp.next_deadline());
        [transport, self.next_frame, report]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transport.as_mut()?.poll_transmit()
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

    fn local_media(&self, is_offer: bool) -> Result<LocalMedia, MediaError> {
        let (Some(transport), Some(first)) = (&self.transport, self.locals.first()) else {
            return Err(MediaError::State("the session has no sockets".to_owned()));
        };
        let address = self.settings.advertised.unwrap_or(first.ip());
        let ice = match transport {
            Transport::Plain(_) => None,
            Transport::Ice(ice) => {
                let mut own = if is_offer {
                    ice.offered_description()
                } else {
                    ice.description()
                };
                if self.settings.advertised.is_some() {
                    own.candidates
                        .iter_mut()
                        .for_each(|candidate| candidate.set_ip(address));
                }
                Some(own)
            }
        };
        let rtcp_port = self.locals.get(1).unwrap_or(first).port();
        Ok(LocalMedia {
            address,
            rtp_port: first.port(),
            rtcp_port,
            ice,
        })
    }

    fn agreed_direction(&self) -> Direction {
        self.offer_answer
            .negotiated()
            .map_or(self.direction, |negotiated| negotiated.direction)
    }

    fn apply(&mut self, now: Instant, applied: Applied, is_offer: bool) -> Result<(), MediaError> {
        let negotiated = applied.negotiated;
        self.configure(&negotiated)?;
        match (&mut self.transport, negotiated.transport) {
            (Some(Transport::Plain(plain)), RemoteTransport::Plain(remote)) => {
                plain.set_remote(now, remote);
                Ok(())
            }
            (
                Some(Transport::Ice(ice)),
                RemoteTransport::Ice {
                    remote,
                    is_dtls_client,
                },
            ) => {
                if applied.is_other_fork {
                    **ice = ice.fork(now)?;
                    self.is_transport_ready = false;
                }
                ice.set_remote(now, &remote, is_offer, is_dtls_client)
            }
            _ => Err(MediaError::State("the session has no sockets".to_owned())),
        }
    }

    fn configure(&mut self, negotiated: &Negotiated) -> Result<(), MediaError> {
        let kind = negotiated.codec;
        let event = negotiated.telephone_event;
        self.sender.configure(SendSettings {
            codec: kind,
            payload_type: negotiated.send_payload_type,
            telephone_event: event.map(|event| (event.send_payload_type, event.clock_rate_hz)),
            packet_ms: match negotiated.ptime_ms {
                60.. => 60,
                40.. => 40,
                _ => 20,
            },
        })?;
        let own = negotiated.receive_payload_types.first();
        self.receiver.configure(ReceiveSettings {
            codec: kind,
            payload_type: own.map_or(negotiated.send_payload_type, |(number, _)| *number),
            telephone_event: event.map(|event| (event.receive_payload_type, event.clock_rate_hz)),
        })?;
        self.codec = Some(kind);
        Ok(())
    }

    fn drain_transport(&mut self, now: Instant) {
        while let Some(event) = self.transport.as_mut().and_then(Transport::poll_event) {
            match event {
                TransportEvent::Connected => self.is_transport_ready = true,
                TransportEvent::Failed(reason) => self.emit(EventKind::Failed, 0.0, reason),
                TransportEvent::IceState(state) => {
                    self.ice_state = state.as_str();
                    self.emit(EventKind::IceState, 0.0, state.as_str());
                }
                TransportEvent::Rtp(packet) => self.receive(now, &packet),
                TransportEvent::Rtcp(packet) => {
                    self.receiver.heard(now);
                    self.rtcp.handle_untrusted(now, &packet);
                }
            }
        }
        let is_complete = self.is_transport_ready && self.has_local && self.has_remote;
        if is_complete && self.connected.is_none() && !self.is_ended && !self.has_open_offer() {
            self.connected = Some(now);
            self.next_frame = Some(now);
            self.emit(EventKind::Connected, 0.0, "");
        }
    }

    /// The peer's offer is not answered: it does not expect media yet.
    fn has_open_offer(&self) -> bool {
        self.offer_answer.has_remote_offer()
    }

    fn receive(&mut self, now: Instant, packet: &[u8]) {
        if self.is_ended || !self.direction.receives() {
            return;
        }
        if self.receiver.packet_untrusted(now, packet) == Received::First {
            self.emit(EventKind::FirstRtp, 0.0, "");
        }
        self.timeout_told = 0;
        self.report_digits();
    }

    fn report_digits(&mut self) {
        while let Some(digit) = self.receiver.poll_dtmf() {
            match digit {
                ReceivedDtmf::Started { digit } => {
                    self.emit(EventKind::DtmfStarted, 0.0, digit);
                }
                ReceivedDtmf::Ended { digit, duration } => {
                    self.emit(EventKind::Dtmf, duration, digit);
                }
            }
        }
    }

    /// 20 ms of both directions.
    fn frame(&mut self, now: Instant) {
        let mut ready = Vec::new();
        if let Some((rate_hz, samples, flags)) = self.receiver.pull(now) {
            for recorder in self.recordings.values_mut() {
                recorder.push_received(now, rate_hz, samples);
            }
            let told = self
                .ports
                .iter_mut()
                .filter_map(|port| port.push(rate_hz, samples, flags).then_some(port.number));
            ready.extend(told);
        }
        for port in ready {
            self.emit(EventKind::FramesReady, port as f64, "");
        }
        if let Some((rate_hz, samples)) = self.sender.pull() {
            for recorder in self.recordings.values_mut() {
                recorder.push_sent(now, rate_hz, samples);
            }
        }
        if let Some(transport) = &mut self.transport {
            self.sender.send(self.direction.sends(), |packet| {
                transport.send_rtp(now, packet)
            });
        }
        self.report_sources();
    }

    fn report_sources(&mut self) {
        while let Some(ended) = self.sender.player.poll_ended() {
            self.emit(
                EventKind::PlaybackEnded,
                ended.playback as f64,
                format!("{:.6}", ended.seconds),
            );
        }
        while let Some(port) = self.sender.player.poll_low() {
            self.emit(EventKind::AudioLow, port as f64, "");
        }
        while let Some(sending) = self
            .sender
            .dtmf
            .as_mut()
            .and_then(|dtmf| dtmf.poll_finished())
        {
            self.emit(EventKind::DtmfSent, sending as f64, "");
        }
    }

    fn send_report(&mut self, now: Instant) {
        let received = self
            .receiver
            .stream()
            .map(|stream| (stream.ssrc, stream.report()));
        let packet = self.rtcp.report(now, self.sender.information(), received);
        if let Some(transport) = &mut self.transport {
            transport.send_rtcp(now, &packet);
        }
    }

    fn watch_silence(&mut self, now: Instant) {
        let Some(connected) = self.connected.filter(|_| self.direction.receives()) else {
            return;
        };
        let silent = self.receiver.silent_for(now, connected);
        if silent < MEDIA_TIMEOUT {
            self.timeout_told = 0;
        } else if silent.as_secs() > self.timeout_told {
            self.timeout_told = silent.as_secs();
            self.emit(EventKind::MediaTimeout, silent.as_secs() as f64, "");
        }
    }
}
