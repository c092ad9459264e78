//! The peer connection: what it offers, answers, says and hears.

use std::net::SocketAddr;
use std::time::Instant;

use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_TELEPHONE_EVENT, MIME_TYPE_VP8, MediaEngine,
};
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{
    CandidateConfig, CandidateHostConfig, RTCIceCandidate, RTCIceCandidateInit,
};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp::packet::Packet;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpRtxParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpSenderId, RTCRtpTransceiverDirection, RTCRtpTransceiverId};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use trivox_media::transport::Transmit;

pub(crate) const AUDIO_SSRC: u32 = 0x00c0_ffee;
pub(crate) const VIDEO_SSRC: u32 = 0x00be_efee;
const OPUS: u8 = 111;
const VP8: u8 = 96;

/// Which m-lines a peer begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines {
    audio: bool,
    video: bool,
    /// The only clock it knows of digits; 0: it offers two, as browsers do.
    digits_hz: u32,
}

impl Lines {
    pub(crate) const AUDIO: Self = Self {
        audio: true,
        video: false,
        digits_hz: 0,
    };
    pub(crate) const VIDEO: Self = Self {
        audio: false,
        video: true,
        digits_hz: 0,
    };
    pub(crate) const BOTH: Self = Self {
        audio: true,
        video: true,
        digits_hz: 0,
    };

    /// None of its own: it takes what is offered.
    pub(crate) const NONE: Self = Self {
        audio: false,
        video: false,
        digits_hz: 0,
    };

    /// Audio, with digits at one clock only.
    pub(crate) fn with_digits(digits_hz: u32) -> Self {
        Self {
            digits_hz,
            ..Self::AUDIO
        }
    }
}

/// A packet the peer has heard.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    pub(crate) sequence: u16,
    pub(crate) ssrc: u32,
    pub(crate) payload: Vec<u8>,
}

impl Heard {
    pub(crate) fn is_audio(&self) -> bool {
        self.payload_type == OPUS
    }

    pub(crate) fn is_video(&self) -> bool {
        self.payload_type == VP8
    }
}

pub(crate) struct Peer {
    connection: RTCPeerConnection,
    audio: Option<RTCRtpSenderId>,
    video: Option<RTCRtpSenderId>,
    pub(crate) local: SocketAddr,
    pub(crate) received: Vec<Heard>,
    pub(crate) is_connected: bool,
    /// Nothing leaves it.
    pub(crate) is_silent: bool,
    /// STUN messages that came.
    pub(crate) asked: usize,
    /// Alerts that left it: it answers a close_notify with one of its own (RFC 5246 §7.2.1).
    pub(crate) alerts: usize,
    said: u16,
    shown: u16,
}

fn codec(mime_type: &str, clock_rate: u32, channels: u16, fmtp: &str) -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate,
        channels,
        sdp_fmtp_line: fmtp.to_owned(),
        rtcp_feedback: vec![],
    }
}

fn engine(digits_hz: u32) -> MediaEngine {
    let mut engine = MediaEngine::default();
    let mut register = |rtp_codec, payload_type, kind| {
        let parameters = RTCRtpCodecParameters {
            rtp_codec,
            payload_type,
        };
        engine.register_codec(parameters, kind).unwrap();
    };
    let opus = codec(MIME_TYPE_OPUS, 48_000, 2, "minptime=10;useinbandfec=1");
    register(opus, OPUS, RtpCodecKind::Audio);
    for (clock, payload_type) in [(48_000, 110), (8_000, 126)] {
        if digits_hz == 0 || digits_hz == clock {
            let digits = codec(MIME_TYPE_TELEPHONE_EVENT, clock, 0, "");
            register(digits, payload_type, RtpCodecKind::Audio);
        }
    }
    register(
        codec(MIME_TYPE_VP8, 90_000, 0, ""),
        VP8,
        RtpCodecKind::Video,
    );
    let repeats = codec(MIME_TYPE_RTX, 90_000, 0, "apt=96");
    register(repeats, 97, RtpCodecKind::Video);
    engine
}

fn track(kind: RtpCodecKind, ssrc: u32) -> MediaStreamTrack {
    let (codec, rtx) = match kind {
        RtpCodecKind::Video => {
            let rtx = RTCRtpRtxParameters { ssrc: ssrc + 1 };
            (codec(MIME_TYPE_VP8, 90_000, 0, ""), Some(rtx))
        }
        _ => {
            let fmtp = "minptime=10;useinbandfec=1";
            (codec(MIME_TYPE_OPUS, 48_000, 2, fmtp), None)
        }
    };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            rtx,
            ..Default::default()
        },
        codec,
        ..Default::default()
    };
    let name = |part: &str| format!("far-{part}-{ssrc}");
    let names = (name("stream"), name("track"), name("label"));
    MediaStreamTrack::new(names.0, names.1, names.2, kind, vec![encoding])
}

impl Peer {
    pub(crate) fn new(now: Instant, local: SocketAddr, lines: Lines) -> Self {
        let mut engine = engine(lines.digits_hz);
        let registry = register_default_interceptors(Registry::new(), &mut engine).unwrap();
        let connection = RTCPeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .build(now)
            .unwrap();
        let mut peer = Self {
            connection,
            audio: None,
            video: None,
            local,
            received: Vec::new(),
            is_connected: false,
            is_silent: false,
            asked: 0,
            alerts: 0,
            said: 0,
            shown: 0,
        };
        if lines.audio {
            let track = track(RtpCodecKind::Audio, AUDIO_SSRC);
            peer.audio = Some(peer.connection.add_track(track).unwrap());
            peer.offer_all_codecs();
        }
        if lines.video {
            peer.add_video();
        }
        peer
    }

    pub(crate) fn add_video(&mut self) {
        let track = track(RtpCodecKind::Video, VIDEO_SSRC);
        self.video = Some(self.connection.add_track(track).unwrap());
        self.offer_all_codecs();
    }

    /// Of a line that begins with a track only the track's codec is offered, unless this is said.
    fn offer_all_codecs(&mut self) {
        for id in self.transceivers() {
            let mut transceiver = self.connection.rtp_transceiver(id).unwrap();
            transceiver.set_codec_preferences(Vec::new()).unwrap();
        }
    }

    pub(crate) fn remove_video(&mut self) {
        self.connection
            .remove_track(self.video.take().unwrap())
            .unwrap();
    }

    /// Wants more lines than anybody needs, to receive on.
    pub(crate) fn want_lines(&mut self, audio: usize, video: usize) {
        for (kind, count) in [(RtpCodecKind::Audio, audio), (RtpCodecKind::Video, video)] {
            for _ in 0..count {
                self.connection
                    .add_transceiver_from_kind(kind, None)
                    .unwrap();
            }
        }
    }

    fn transceivers(&self) -> Vec<RTCRtpTransceiverId> {
        self.connection.get_transceivers().collect()
    }

    /// Sets the direction of a line, by its place.
    pub(crate) fn direct(&mut self, place: usize, direction: &str) {
        let id = self.transceivers()[place];
        let direction = match direction {
            "sendrecv" => RTCRtpTransceiverDirection::Sendrecv,
            "sendonly" => RTCRtpTransceiverDirection::Sendonly,
            "recvonly" => RTCRtpTransceiverDirection::Recvonly,
            _ => RTCRtpTransceiverDirection::Inactive,
        };
        let mut transceiver = self.connection.rtp_transceiver(id).unwrap();
        transceiver.set_direction(direction);
    }

    /// Stops a line for ever, by its place.
    pub(crate) fn stop(&mut self, place: usize) {
        let id = self.transceivers()[place];
        let mut transceiver = self.connection.rtp_transceiver(id).unwrap();
        transceiver.stop().unwrap();
    }

    fn add_candidate(&mut self) {
        let base_config = CandidateConfig {
            network: "udp".to_owned(),
            address: self.local.ip().to_string(),
            port: self.local.port(),
            component: 1,
            ..Default::default()
        };
        let config = CandidateHostConfig {
            base_config,
            ..Default::default()
        };
        let candidate = config.new_candidate_host().unwrap();
        let init = RTCIceCandidate::from(&candidate).to_json().unwrap();
        self.connection.add_local_candidate(init).unwrap();
    }

    pub(crate) fn offer(&mut self, now: Instant) -> String {
        let offer = self.connection.create_offer(None).unwrap();
        self.connection.set_local_description(now, offer).unwrap();
        self.add_candidate();
        self.connection.local_description().unwrap().sdp
    }

    pub(crate) fn take_answer(&mut self, now: Instant, sdp: String) {
        let answer = RTCSessionDescription::answer(sdp).unwrap();
        self.connection.set_remote_description(now, answer).unwrap();
    }

    /// Takes an offer, without answering it yet.
    pub(crate) fn take_offer(&mut self, now: Instant, sdp: &str) {
        let offer = RTCSessionDescription::offer(sdp.to_owned()).unwrap();
        self.connection.set_remote_description(now, offer).unwrap();
    }

    pub(crate) fn give_answer(&mut self, now: Instant) -> String {
        self.add_candidate();
        let answer = self.connection.create_answer(None).unwrap();
        self.connection.set_local_description(now, answer).unwrap();
        self.connection.local_description().unwrap().sdp
    }

    pub(crate) fn answer(&mut self, now: Instant, offer: &str) -> String {
        self.take_offer(now, offer);
        self.give_answer(now)
    }

    /// Takes a candidate that came by itself.
    pub(crate) fn take_candidate(&mut self, candidate: &str) {
        let init = RTCIceCandidateInit {
            candidate: format!("candidate:{candidate}"),
            ..Default::default()
        };
        self.connection.add_remote_candidate(init).unwrap();
    }

    fn packet(ssrc: u32, payload_type: u8, sequence: u16, timestamp: u32, data: &[u8]) -> Packet {
        let mut packet = Packet::default();
        packet.header.version = 2;
        packet.header.ssrc = ssrc;
        packet.header.payload_type = payload_type;
        packet.header.sequence_number = sequence;
        packet.header.timestamp = timestamp;
        packet.payload = data.to_vec().into();
        packet
    }

    /// Sends 20 ms of audio, which is silence, where it may.
    pub(crate) fn say(&mut self, now: Instant) {
        let Some(audio) = self.audio else {
            return;
        };
        let timestamp = u32::from(self.said) * 960;
        let packet = Self::packet(AUDIO_SSRC, OPUS, self.said, timestamp, &[0xf8, 0xff, 0xfe]);
        let sender = self.connection.rtp_sender(audio);
        if sender.is_some_and(|mut sender| sender.write_rtp(now, packet).is_ok()) {
            self.said += 1;
        }
    }

    /// Presses a key for 100 ms: five packets, the last of them thrice.
    pub(crate) fn press(&mut self, now: Instant, event: u8, clock: u32) {
        let payload_type = if clock == 8000 { 126 } else { 110 };
        let timestamp = u32::from(self.said) * 960;
        for (number, step) in [1, 2, 3, 4, 5, 5, 5].into_iter().enumerate() {
            let duration = (clock / 50 * step) as u16;
            let end = if step == 5 { 0x8a } else { 0x0a };
            let data = [event, end, (duration >> 8) as u8, duration as u8];
            let mut packet = Self::packet(AUDIO_SSRC, payload_type, self.said, timestamp, &data);
            packet.header.marker = number == 0;
            let mut sender = self.connection.rtp_sender(self.audio.unwrap()).unwrap();
            sender.write_rtp(now, packet).unwrap();
            self.said += 1;
        }
    }

    /// Sends a picture of VP8 in one packet.
    pub(crate) fn show(&mut self, now: Instant, is_key: bool) {
        let first = if is_key { 0x10 } else { 0x31 };
        let mut data = vec![0x10, first];
        data.extend(self.shown.to_be_bytes());
        data.resize(900, 0x55);
        let timestamp = u32::from(self.shown) * 3600;
        let mut packet = Self::packet(VIDEO_SSRC, VP8, self.shown, timestamp, &data);
        packet.header.marker = true;
        let mut sender = self.connection.rtp_sender(self.video.unwrap()).unwrap();
        sender.write_rtp(now, packet).unwrap();
        self.shown += 1;
    }

    /// Asks for a picture that stands alone.
    pub(crate) fn wish_for_a_key_frame(&mut self, now: Instant, ssrc: u32) {
        let receivers: Vec<_> = self.connection.get_receivers().collect();
        let wish = PictureLossIndication {
            sender_ssrc: VIDEO_SSRC,
            media_ssrc: ssrc,
        };
        let mut receiver = self
            .connection
            .rtp_receiver(*receivers.last().unwrap())
            .unwrap();
        receiver.write_rtcp(now, vec![Box::new(wish)]).unwrap();
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, data: &[u8]) {
        let message = TaggedBytesMut {
            now,
            transport: TransportContext {
                local_addr: self.local,
                peer_addr: from,
                ecn: None,
                transport_protocol: TransportProtocol::UDP,
            },
            message: data.into(),
        };
        self.asked += usize::from(data.first().is_some_and(|byte| *byte < 4));
        // It reports what it does not understand; the tests look at what arrives.
        self.connection.handle_read(message).ok();
    }

    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now).ok();
    }

    pub(crate) fn drain(&mut self) -> Vec<Transmit> {
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                self.is_connected = state == RTCPeerConnectionState::Connected;
            }
        }
        while let Some(tagged) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = tagged.message {
                self.received.push(Heard {
                    payload_type: packet.header.payload_type,
                    marker: packet.header.marker,
                    sequence: packet.header.sequence_number,
                    ssrc: packet.header.ssrc,
                    payload: packet.payload.to_vec(),
                });
            }
        }
        let messages = std::iter::from_fn(|| self.connection.poll_write());
        let messages: Vec<_> = messages.collect();
        let alerts = messages
            .iter()
            .filter(|one| one.message.first() == Some(&21));
        self.alerts += alerts.count();
        messages
            .into_iter()
            .filter(|_| !self.is_silent)
            .map(|message| Transmit {
                local: message.transport.local_addr,
                to: message.transport.peer_addr,
                data: message.message.into(),
            })
            .collect()
    }
}
