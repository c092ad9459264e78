//! What a session sends: one frame every 20 ms, of playbacks and pushed audio, or digits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::packet::RtpHeader;
use super::rtcp::SenderInformation;
use crate::MediaError;
use crate::codec::{CodecKind, Encoder, OpusSettings};
use crate::dtmf::{DtmfSender, InbandSender};
use crate::level::{SILENCE_DBOV, level_dbov};
use crate::player::Player;
use crate::random::Random;
use renumber::Renumbering;

mod digits;
mod packets;
mod pass;
mod renumber;
mod shared;
mod silence;

use silence::Silence;

/// The grid of a session: one frame is pulled, heard and sent in each.
pub(super) const FRAME: Duration = Duration::from_millis(20);

/// Loss in percent that forward error correction is made for: never less, since the first loss
/// comes before its report, and never more, since little would be left for the voice.
const LEAST_EXPECTED_LOSS: u8 = 5;
const MOST_EXPECTED_LOSS: u8 = 25;

/// How the far end wants to be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SendSettings {
    pub(crate) codec: CodecKind,
    pub(crate) payload_type: u8,
    /// Payload type and clock rate of telephone-events.
    pub(crate) telephone_event: Option<(u8, u32)>,
    /// 10 to 60, in steps of 10.
    pub(crate) packet_ms: u32,
    /// How Opus is encoded, if it is.
    pub(crate) opus: OpusSettings,
    /// Payload type of the comfort noise that silence is replaced by.
    pub(crate) comfort_noise: Option<u8>,
}

/// The sending half of a session: sources, encoder and the numbering of packets.
pub(crate) struct Sender {
    pub(crate) player: Player,
    /// Made with the first agreement on telephone-events, and kept.
    pub(crate) dtmf: Option<DtmfSender>,
    /// Made with the first digits that are sent as sound.
    inband: Option<Box<InbandSender>>,
    may_sound: bool,
    pub(crate) is_muted: bool,
    settings: Option<SendSettings>,
    encoder: Option<Encoder>,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    packets: u64,
    bytes: u64,
    level_dbov: f64,
    is_first: bool,
    frame: Vec<i16>,
    /// Samples that wait until a packet is full.
    waiting: Vec<i16>,
    payload: Vec<u8>,
    packet: Vec<u8>,
    silence: Silence,
    drop_share: f64,
    expected_loss_percent: u8,
    random: Random,
    /// Packets of another session that are sent on, and the timestamp after the last of them.
    passing: Renumbering,
    passed_until: Option<u32>,
    /// What the present frame is sent as, made elsewhere.
    shared: Option<Arc<[u8]>>,
    /// Packets encoded here.
    encoded: u64,
}

impl Sender {
    pub(crate) fn new(mut random: Random) -> Self {
        let bits = random.bits();
        Self {
            player: Player::new(),
            dtmf: None,
            inband: None,
            may_sound: false,
            is_muted: false,
            settings: None,
            encoder: None,
            ssrc: (bits >> 32) as u32,
            sequence: (bits & 0x7fff) as u16,
            timestamp: (random.bits() >> 32) as u32,
            packets: 0,
            bytes: 0,
            level_dbov: SILENCE_DBOV,
            is_first: true,
            frame: Vec::new(),
            waiting: Vec::new(),
            payload: Vec::new(),
            packet: Vec::new(),
            silence: Silence::default(),
            drop_share: 0.0,
            expected_loss_percent: LEAST_EXPECTED_LOSS,
            random,
            passing: Renumbering::default(),
            passed_until: None,
            shared: None,
            encoded: 0,
        }
    }

    /// Goes on with these numbers.
    pub(crate) fn begin_at(&mut self, sequence: u16, timestamp: u32) {
        (self.sequence, self.timestamp) = (sequence, timestamp);
    }

    /// Takes what was negotiated; an unchanged codec keeps its state.
    pub(crate) fn configure(&mut self, settings: SendSettings) -> Result<(), MediaError> {
        if self.settings == Some(settings) {
            return Ok(());
        }
        let encoding = |settings: SendSettings| (settings.codec, settings.opus);
        if self.settings.map(encoding) != Some(encoding(settings)) {
            let encoder = Encoder::new(settings.codec, &settings.opus)
                .map_err(|error| MediaError::Codec(error.to_string()))?;
            self.encoder = Some(encoder);
            self.expected_loss_percent = LEAST_EXPECTED_LOSS;
            self.waiting.clear();
        }
        match (settings.telephone_event, &mut self.dtmf) {
            (Some((_, clock)), Some(dtmf)) => dtmf.change_clock(clock),
            (Some((_, clock)), None) => self.dtmf = Some(DtmfSender::new(clock)),
            // Nobody would understand the digits that still wait.
            (None, Some(dtmf)) => dtmf.drop_all(),
            (None, None) => {}
        }
        self.settings = Some(settings);
        Ok(())
    }

    /// Takes the loss the far end reports, 0 to 1: forward error correction is made for it.
    pub(crate) fn expect_loss(&mut self, loss: f64) {
        let percent = ((loss * 100.0) as u8).clamp(LEAST_EXPECTED_LOSS, MOST_EXPECTED_LOSS);
        if percent != self.expected_loss_percent
            && let Some(encoder) = &mut self.encoder
        {
            self.expected_loss_percent = percent;
            // libopus takes any percentage.
            encoder.set_expected_loss_percent(percent).ok();
        }
    }

    /// Loses that share of outgoing packets on purpose, for tests.
    pub(crate) fn set_drop_share(&mut self, share: f64) {
        self.drop_share = share;
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn level_dbov(&self) -> f64 {
        self.level_dbov
    }

    /// What a sender report says; None before the first packet.
    pub(crate) fn information(&self) -> Option<SenderInformation> {
        (self.packets > 0).then_some(SenderInformation {
            timestamp: self.timestamp,
            packets: self.packets as u32,
            bytes: self.bytes as u32,
        })
    }

    /// Makes the samples of one frame; (rate, samples) also for the recording of what was sent.
    /// `others` adds what comes of other sessions.
    pub(crate) fn pull(&mut self, others: impl FnOnce(u32, &mut [i16])) -> Option<(u32, &[i16])> {
        let rate_hz = self.encoder.as_ref()?.sample_rate_hz();
        self.frame.resize((rate_hz / 50) as usize, 0);
        self.player.pull(rate_hz, self.is_muted, &mut self.frame);
        if !self.is_muted && !self.player.is_holding() {
            others(rate_hz, &mut self.frame);
        }
        self.write_digits(rate_hz);
        self.level_dbov = level_dbov(&self.frame);
        Some((rate_hz, &self.frame))
    }

    /// Sends what `pull` made, or a digit in its place; `may_send` is the direction agreed.
    pub(crate) fn send(&mut self, may_send: bool, mut transmit: impl FnMut(&[u8]) -> bool) {
        let Some(settings) = self.settings else {
            return;
        };
        let ticks = self.frame_ticks();
        self.end_passing();
        let shared = self.shared.take();
        let start = self.timestamp;
        self.timestamp = start.wrapping_add(ticks);
        if !may_send {
            // Sequence numbers stand still, time goes on, and what comes next begins a spurt.
            self.waiting.clear();
            self.player.confirm(false);
            self.is_first = true;
            return;
        }
        let digit = match (settings.telephone_event, &mut self.dtmf) {
            (Some((payload_type, clock)), Some(dtmf)) => dtmf
                .tick(start, clock / 50)
                .map(|packet| (payload_type, packet)),
            _ => None,
        };
        if let Some((payload_type, digit)) = digit {
            self.waiting.clear();
            self.player.confirm(false);
            self.emit(
                payload_type,
                digit.marker,
                digit.timestamp,
                &digit.payload,
                &mut transmit,
            );
            self.is_first = true;
            return;
        }
        self.silence.push_level(self.level_dbov);
        self.waiting.extend_from_slice(&self.frame);
        // Of packets that begin or end in the middle of a frame, those that do leave half a step late.
        let spare = if settings.has_half_frames() {
            self.frame.len() / 2
        } else {
            0
        };
        self.send_packets(settings, shared, spare, &mut transmit);
    }

    fn emit(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
        transmit: &mut impl FnMut(&[u8]) -> bool,
    ) -> bool {
        let header = RtpHeader {
            marker,
            payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            payload: 0..0,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.transmit(&header, payload, transmit)
    }

    fn transmit(
        &mut self,
        header: &RtpHeader,
        payload: &[u8],
        transmit: &mut impl FnMut(&[u8]) -> bool,
    ) -> bool {
        header.write(payload, &mut self.packet);
        // A dropped packet counts as sent: the network between is what is played.
        let is_dropped = self.drop_share > 0.0 && self.random.unit() < self.drop_share;
        let is_sent = is_dropped || transmit(&self.packet);
        if is_sent {
            self.packets += 1;
            self.bytes += payload.len() as u64;
        }
        is_sent
    }

    /// Playbacks, pushed sources and digits that are over or low are told by these.
    pub(crate) fn next_tick_after(now: Instant, tick: Instant) -> Instant {
        // Beyond half a second behind, the grid starts anew instead of sending a burst.
        let behind = now.saturating_duration_since(tick);
        if behind > Duration::from_millis(500) {
            now + FRAME
        } else {
            tick + FRAME
        }
    }
}

#[cfg(test)]
mod tests;
