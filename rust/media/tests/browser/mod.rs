//! A far end nobody here wrote: the peer connection of the `rtc` crate.
#![allow(dead_code, clippy::unwrap_used)] // Helpers of tests, of which each file uses a part.

use std::net::SocketAddr;
use std::time::Instant;

use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MediaEngine};
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{
    CandidateConfig, CandidateHostConfig, RTCIceCandidate, RTCIceCandidateInit,
};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp::packet::Packet;
use rtc::rtp_transceiver::RTCRtpSenderId;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use rtc::sansio::Protocol;
use rtc::shared::marshal::Unmarshal;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use trivox_media::transport::Transmit;

pub(crate) const SSRC: u32 = 0x00c0_ffee;

pub(crate) struct Browser {
    connection: RTCPeerConnection,
    sender: RTCRtpSenderId,
    pub(crate) local: SocketAddr,
    pub(crate) received: Vec<u16>,
    pub(crate) is_connected: bool,
    /// Nothing leaves it.
    pub(crate) is_silent: bool,
}

impl Browser {
    pub(crate) fn new(now: Instant, local: SocketAddr) -> Self {
        let opus = RTCRtpCodec {
            mime_type: MIME_TYPE_OPUS.to_owned(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
            rtcp_feedback: vec![],
        };
        let mut media_engine = MediaEngine::default();
        let parameters = RTCRtpCodecParameters {
            rtp_codec: opus.clone(),
            payload_type: 120,
        };
        media_engine
            .register_codec(parameters, RtpCodecKind::Audio)
            .unwrap();
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(media_engine)
            .build(now)
            .unwrap();
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(SSRC),
                ..Default::default()
            },
            codec: opus,
            ..Default::default()
        };
        let name = |part: &str| format!("far-{part}");
        let (kind, encodings) = (RtpCodecKind::Audio, vec![encoding]);
        let track = MediaStreamTrack::new(
            name("stream"),
            name("track"),
            name("label"),
            kind,
            encodings,
        );
        let sender = connection.add_track(track).unwrap();
        Self {
            connection,
            sender,
            local,
            received: Vec::new(),
            is_connected: false,
            is_silent: false,
        }
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

    pub(crate) fn offer(&mut self, now: Instant, restart: bool) -> String {
        if restart {
            self.connection.restart_ice();
        }
        let offer = self.connection.create_offer(None).unwrap();
        self.connection.set_local_description(now, offer).unwrap();
        self.add_candidate();
        self.connection.local_description().unwrap().sdp
    }

    pub(crate) fn take_answer(&mut self, now: Instant, sdp: String) {
        let answer = RTCSessionDescription::answer(sdp).unwrap();
        self.connection.set_remote_description(now, answer).unwrap();
    }

    pub(crate) fn answer(&mut self, now: Instant, sdp: String) -> String {
        let offer = RTCSessionDescription::offer(sdp).unwrap();
        self.connection.set_remote_description(now, offer).unwrap();
        self.add_candidate();
        let answer = self.connection.create_answer(None).unwrap();
        self.connection.set_local_description(now, answer).unwrap();
        self.connection.local_description().unwrap().sdp
    }

    /// Takes a candidate that came by itself.
    pub(crate) fn take_candidate(&mut self, candidate: &str) {
        let init = RTCIceCandidateInit {
            candidate: candidate.to_owned(),
            ..Default::default()
        };
        self.connection.add_remote_candidate(init).unwrap();
    }

    /// Sends an RTP packet with the payload type it has negotiated.
    pub(crate) fn send(&mut self, now: Instant, bytes: &[u8]) {
        let mut packet = Packet::unmarshal(&mut &bytes[..]).unwrap();
        let mut sender = self.connection.rtp_sender(self.sender).unwrap();
        let codecs = sender.get_parameters().rtp_parameters.codecs.clone();
        packet.header.payload_type = codecs[0].payload_type;
        packet.header.ssrc = SSRC;
        sender.write_rtp(now, packet).unwrap();
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
                self.received.push(packet.header.sequence_number);
            }
        }
        let messages = std::iter::from_fn(|| self.connection.poll_write());
        messages
            .filter(|_| !self.is_silent)
            .map(|message| Transmit {
                local: message.transport.local_addr,
                to: message.transport.peer_addr,
                data: message.message.into(),
            })
            .collect()
    }
}
