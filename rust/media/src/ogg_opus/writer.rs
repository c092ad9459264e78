//! Writes Ogg Opus: 20 ms a packet, a page each second.

use super::{Head, OggError, RATE_HZ, tags};
use ogg::{PacketWriteEndInfo, PacketWriter};
use opusic_c::{Application, Bitrate, Channels, SampleRate};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The rate it takes.
const INPUT_HZ: u32 = 16_000;
/// 20 ms, for each channel.
const FRAME: usize = 320;
const PACKETS_A_PAGE: u64 = 50;
/// Enough for voice on each channel: 24 kb/s.
const BITRATE_BPS: u32 = 24_000;
/// A third of what 9 costs, and hardly heard with voice.
const COMPLEXITY: u8 = 3;
const SERIAL: u32 = 1;
const LARGEST_PACKET: usize = 1_275;

/// Writes interleaved samples of 16 kHz as Ogg Opus.
pub struct OggOpusWriter {
    pages: PacketWriter<'static, BufWriter<File>>,
    encoder: opusic_c::Encoder,
    channels: usize,
    pre_skip: u16,
    waiting: Vec<u16>,
    packets: u64,
    /// Samples a channel.
    written: u64,
    is_finished: bool,
}

impl std::fmt::Debug for OggOpusWriter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("OggOpusWriter")
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

fn setup<T>(result: Result<T, opusic_c::ErrorCode>) -> Result<T, OggError> {
    result.map_err(|error| OggError::Codec(error.message()))
}

impl OggOpusWriter {
    /// Creates a file of 1 or 2 channels and writes its headers.
    pub fn create(path: &Path, channels: u16) -> Result<Self, OggError> {
        let layout = if channels == 2 {
            Channels::Stereo
        } else {
            Channels::Mono
        };
        let mut encoder = setup(opusic_c::Encoder::new(
            layout,
            SampleRate::Hz16000,
            Application::Audio,
        ))?;
        let channels = if channels == 2 { 2_u8 } else { 1 };
        setup(encoder.set_bitrate(Bitrate::Value(BITRATE_BPS * u32::from(channels))))?;
        setup(encoder.set_complexity(COMPLEXITY))?;
        let ahead = setup(encoder.get_look_ahead())?;
        let head = Head {
            channels,
            pre_skip: (ahead * (RATE_HZ / INPUT_HZ)) as u16,
            input_rate_hz: INPUT_HZ,
            gain: 0,
        };
        let mut pages = PacketWriter::new(BufWriter::new(File::create(path)?));
        let end = PacketWriteEndInfo::EndPage;
        pages.write_packet(head.to_bytes(), SERIAL, end, 0)?;
        pages.write_packet(tags(), SERIAL, end, 0)?;
        pages.inner_mut().flush()?;
        Ok(Self {
            pages,
            encoder,
            channels: usize::from(channels),
            pre_skip: head.pre_skip,
            waiting: Vec::new(),
            packets: 0,
            written: 0,
            is_finished: false,
        })
    }

    /// Returns the seconds written.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.written as f64 / f64::from(INPUT_HZ)
    }

    /// Takes interleaved samples.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), OggError> {
        self.written += (samples.len() / self.channels) as u64;
        self.waiting
            .extend(samples.iter().map(|s| s.cast_unsigned()));
        let size = FRAME * self.channels;
        while self.waiting.len() > size {
            let frame: Vec<u16> = self.waiting.drain(..size).collect();
            let is_page_full = (self.packets + 1).is_multiple_of(PACKETS_A_PAGE);
            let end = if is_page_full {
                PacketWriteEndInfo::EndPage
            } else {
                PacketWriteEndInfo::NormalPacket
            };
            self.put(&frame, end, None)?;
        }
        Ok(())
    }

    /// Writes the rest and ends the stream. A second call does nothing.
    pub fn finish(&mut self) -> Result<(), OggError> {
        if self.is_finished {
            return Ok(());
        }
        self.is_finished = true;
        let size = FRAME * self.channels;
        // The last page says where the audio ends; decoders drop what the encoder put behind it.
        let pre_skip = u64::from(self.pre_skip);
        let end = self.written * u64::from(RATE_HZ / INPUT_HZ) + pre_skip;
        loop {
            let count = self.waiting.len().min(size);
            let mut frame: Vec<u16> = self.waiting.drain(..count).collect();
            frame.resize(size, 0);
            let ticks = (FRAME as u64) * u64::from(RATE_HZ / INPUT_HZ);
            if (self.packets + 1) * ticks >= end {
                self.put(&frame, PacketWriteEndInfo::EndStream, Some(end))?;
                return Ok(self.pages.inner_mut().flush()?);
            }
            self.put(&frame, PacketWriteEndInfo::NormalPacket, None)?;
        }
    }

    fn put(
        &mut self,
        frame: &[u16],
        end: PacketWriteEndInfo,
        position: Option<u64>,
    ) -> Result<(), OggError> {
        let mut packet = vec![0; LARGEST_PACKET];
        let length = setup(self.encoder.encode_to_slice(frame, &mut packet))?;
        packet.truncate(length);
        self.packets += 1;
        let ticks = (FRAME as u64) * u64::from(RATE_HZ / INPUT_HZ);
        let position = position.unwrap_or(self.packets * ticks);
        self.pages.write_packet(packet, SERIAL, end, position)?;
        if end == PacketWriteEndInfo::EndPage {
            // Readable up to here, should the process die.
            self.pages.inner_mut().flush()?;
        }
        Ok(())
    }
}

impl Drop for OggOpusWriter {
    fn drop(&mut self) {
        // A writer that was not finished has told of its error already.
        let _ = self.finish();
    }
}
