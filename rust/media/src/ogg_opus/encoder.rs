//! Voice of 16 kHz as Opus packets of 20 ms, for the files that hold them.

use super::{Head, OggError, RATE_HZ};
use opusic_c::{Application, Bitrate, Channels, SampleRate};

/// The rate it takes.
const INPUT_HZ: u32 = 16_000;
/// 20 ms, for each channel.
const FRAME: usize = 320;
/// Ticks of a packet, at 48 kHz.
const TICKS: u64 = FRAME as u64 * (RATE_HZ / INPUT_HZ) as u64;
const PACKET_MS: u64 = 20;
/// Enough for voice on each channel: 24 kb/s.
const BITRATE_BPS: u32 = 24_000;
/// A third of what 9 costs, and hardly heard with voice.
const COMPLEXITY: u8 = 3;
const LARGEST_PACKET: usize = 1_275;

/// Takes interleaved samples and gives packets.
pub(crate) struct VoiceEncoder {
    encoder: opusic_c::Encoder,
    channels: u8,
    pre_skip: u16,
    waiting: Vec<u16>,
    packets: u64,
    /// Samples a channel.
    written: u64,
}

impl std::fmt::Debug for VoiceEncoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("VoiceEncoder")
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

fn checked<T>(result: Result<T, opusic_c::ErrorCode>) -> Result<T, OggError> {
    result.map_err(|error| OggError::Codec(error.message()))
}

impl VoiceEncoder {
    /// Makes an encoder of 1 or 2 channels.
    pub(crate) fn new(channels: u16) -> Result<Self, OggError> {
        let layout = if channels == 2 {
            Channels::Stereo
        } else {
            Channels::Mono
        };
        let mut encoder = checked(opusic_c::Encoder::new(
            layout,
            SampleRate::Hz16000,
            Application::Audio,
        ))?;
        let channels = if channels == 2 { 2_u8 } else { 1 };
        checked(encoder.set_bitrate(Bitrate::Value(BITRATE_BPS * u32::from(channels))))?;
        checked(encoder.set_complexity(COMPLEXITY))?;
        let ahead = checked(encoder.get_look_ahead())?;
        Ok(Self {
            encoder,
            channels,
            pre_skip: (ahead * (RATE_HZ / INPUT_HZ)) as u16,
            waiting: Vec::new(),
            packets: 0,
            written: 0,
        })
    }

    /// The identification header (RFC 7845 §5.1).
    pub(crate) fn head(&self) -> Vec<u8> {
        let head = Head {
            channels: self.channels,
            pre_skip: self.pre_skip,
            input_rate_hz: INPUT_HZ,
            gain: 0,
        };
        head.to_bytes()
    }

    pub(crate) fn channels(&self) -> u8 {
        self.channels
    }

    /// Samples at 48 kHz at the beginning that are decoded and not heard.
    pub(crate) fn pre_skip(&self) -> u16 {
        self.pre_skip
    }

    /// Packets given so far.
    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// Samples at 48 kHz in the packets given so far.
    pub(super) fn ticks(&self) -> u64 {
        self.packets * TICKS
    }

    /// The seconds taken.
    pub(crate) fn seconds(&self) -> f64 {
        self.written as f64 / f64::from(INPUT_HZ)
    }

    /// Takes interleaved samples.
    pub(crate) fn push(&mut self, samples: &[i16]) {
        self.written += (samples.len() / usize::from(self.channels)) as u64;
        self.waiting
            .extend(samples.iter().map(|sample| sample.cast_unsigned()));
    }

    /// The next packet that is full, with its time in ms; the last one is kept for `rest`.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, OggError> {
        let size = FRAME * usize::from(self.channels);
        if self.waiting.len() <= size {
            return Ok(None);
        }
        let frame: Vec<u16> = self.waiting.drain(..size).collect();
        self.encode(&frame).map(Some)
    }

    /// Whether the packets hold all that was taken, and what the encoder held back of it.
    pub(super) fn is_over(&self) -> bool {
        self.ticks() >= self.end()
    }

    /// The next packet of what is left, its time in ms, and the ticks at 48 kHz of its end that
    /// were not taken; None when nothing is left.
    pub(crate) fn rest(&mut self) -> Result<Option<(u64, Vec<u8>, u64)>, OggError> {
        if self.is_over() {
            return Ok(None);
        }
        let size = FRAME * usize::from(self.channels);
        let count = self.waiting.len().min(size);
        let mut frame: Vec<u16> = self.waiting.drain(..count).collect();
        frame.resize(size, 0);
        let (at_ms, packet) = self.encode(&frame)?;
        let left_out = self.ticks().saturating_sub(self.end());
        Ok(Some((at_ms, packet, left_out)))
    }

    /// Where the audio ends in ticks, behind what is decoded and not heard.
    fn end(&self) -> u64 {
        self.written * u64::from(RATE_HZ / INPUT_HZ) + u64::from(self.pre_skip)
    }

    fn encode(&mut self, frame: &[u16]) -> Result<(u64, Vec<u8>), OggError> {
        let mut packet = vec![0; LARGEST_PACKET];
        let length = checked(self.encoder.encode_to_slice(frame, &mut packet))?;
        packet.truncate(length);
        let at_ms = self.packets * PACKET_MS;
        self.packets += 1;
        Ok((at_ms, packet))
    }
}
