//! Writes Ogg Opus: 20 ms a packet, a page each second.

use super::{OggError, VoiceEncoder, tags};
use ogg::{PacketWriteEndInfo, PacketWriter};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufWriter, Write};
use std::path::Path;

const PACKETS_A_PAGE: u64 = 50;

/// Writes interleaved samples of 16 kHz as Ogg Opus.
pub struct OggOpusWriter {
    pages: PacketWriter<'static, BufWriter<File>>,
    serial: u32,
    encoder: VoiceEncoder,
    is_finished: bool,
}

impl std::fmt::Debug for OggOpusWriter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("OggOpusWriter")
            .field("encoder", &self.encoder)
            .finish_non_exhaustive()
    }
}

impl OggOpusWriter {
    /// Creates a file of 1 or 2 channels and writes its headers.
    pub fn create(path: &Path, channels: u16) -> Result<Self, OggError> {
        let encoder = VoiceEncoder::new(channels)?;
        let mut pages = PacketWriter::new(BufWriter::new(File::create(path)?));
        let (serial, end) = (serial_of(path), PacketWriteEndInfo::EndPage);
        pages.write_packet(encoder.head(), serial, end, 0)?;
        pages.write_packet(tags(), serial, end, 0)?;
        pages.inner_mut().flush()?;
        Ok(Self {
            pages,
            serial,
            encoder,
            is_finished: false,
        })
    }

    /// Returns the seconds written.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.encoder.seconds()
    }

    /// Takes interleaved samples.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), OggError> {
        self.encoder.push(samples);
        while let Some((_, packet)) = self.encoder.next()? {
            let is_page_full = self.encoder.packets().is_multiple_of(PACKETS_A_PAGE);
            let end = if is_page_full {
                PacketWriteEndInfo::EndPage
            } else {
                PacketWriteEndInfo::NormalPacket
            };
            self.put(packet, end, self.encoder.ticks())?;
        }
        Ok(())
    }

    /// Writes the rest and ends the stream. A second call does nothing.
    pub fn finish(&mut self) -> Result<(), OggError> {
        if self.is_finished {
            return Ok(());
        }
        self.is_finished = true;
        // The last page says where the audio ends; decoders drop what the encoder put behind it.
        while let Some((_, packet, left_out)) = self.encoder.rest()? {
            if self.encoder.is_over() {
                let end = self.encoder.ticks() - left_out;
                self.put(packet, PacketWriteEndInfo::EndStream, end)?;
                return Ok(self.pages.inner_mut().flush()?);
            }
            self.put(
                packet,
                PacketWriteEndInfo::NormalPacket,
                self.encoder.ticks(),
            )?;
        }
        Ok(())
    }

    fn put(
        &mut self,
        packet: Vec<u8>,
        end: PacketWriteEndInfo,
        position: u64,
    ) -> Result<(), OggError> {
        let serial = self.serial;
        self.pages.write_packet(packet, serial, end, position)?;
        if end == PacketWriteEndInfo::EndPage {
            // Readable up to here, should the process die.
            self.pages.inner_mut().flush()?;
        }
        Ok(())
    }
}

/// A number of its own for each file, so that one may be put behind another (RFC 3533 §4); the same
/// for the same path, so that runs repeat.
fn serial_of(path: &Path) -> u32 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish() as u32
}

impl Drop for OggOpusWriter {
    fn drop(&mut self) {
        // A writer that was not finished has told of its error already.
        let _ = self.finish();
    }
}
