//! Records a call, true to wall time: its sound at 16 kHz, the far end's pictures as they came.
//!
//! The session hands over what it received and sent with its `now`; where nothing came for
//! longer than [`TOLERANCE`], silence is put in. Blocks of half a second go to a [`Writer`].

mod output;
mod pictures;
mod video;
mod waiting;
mod writer;

pub use pictures::Picture;
pub use video::seconds_of_pictures;
pub use writer::{Behind, Broken, Finished, Writer, WriterFile};

use crate::ogg_opus::OggError;
use crate::resample::Resampler;
use crate::video::LayerWish;
use crate::wav::WavError;
use pictures::Pictures;
use std::path::Path;
use std::time::{Duration, Instant};

/// Rate of every recording.
pub const RECORDING_RATE_HZ: u32 = 16_000;
/// A block for the writer: half a second.
const BLOCK_SAMPLES: usize = 8_000;
/// Audio may come this much late, in a burst after a stall, before silence is put in its place.
const TOLERANCE: Duration = Duration::from_millis(150);
/// Audio may run this far ahead of wall time before it is cut.
const AHEAD: Duration = Duration::from_millis(500);

/// Which side of the call is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Stereo: left received, right sent.
    Both,
    /// Mono: what was received.
    Received,
    /// Mono: what was sent.
    Sent,
    /// No sound: pictures alone.
    Neither,
}

impl Side {
    /// Finds a side by its name: both, received, sent or none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "both" => Some(Self::Both),
            "received" => Some(Self::Received),
            "sent" => Some(Self::Sent),
            "none" => Some(Self::Neither),
            _ => None,
        }
    }

    fn has_received(self) -> bool {
        matches!(self, Self::Both | Self::Received)
    }

    fn has_sent(self) -> bool {
        matches!(self, Self::Both | Self::Sent)
    }
}

/// What a recording is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// WAV, PCM of 16 bits.
    Wav,
    /// Opus in Ogg (RFC 7845), 24 kb/s a channel.
    Ogg,
    /// Matroska (RFC 9559): pictures, and sound as Opus.
    Matroska,
    /// IVF: pictures alone.
    Ivf,
}

impl Format {
    /// Finds a format by its name: wav, ogg, mkv or ivf.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "wav" => Some(Self::Wav),
            "ogg" => Some(Self::Ogg),
            "mkv" => Some(Self::Matroska),
            "ivf" => Some(Self::Ivf),
            _ => None,
        }
    }

    /// Whether it takes pictures.
    #[must_use]
    pub fn has_pictures(self) -> bool {
        matches!(self, Self::Matroska | Self::Ivf)
    }
}

/// Why there is no recording, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The WAV file.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// The Ogg file.
    #[error(transparent)]
    Ogg(#[from] OggError),
    /// The Matroska file.
    #[error(transparent)]
    Matroska(#[from] crate::matroska::MatroskaError),
    /// The IVF file.
    #[error(transparent)]
    Ivf(#[from] crate::video::ivf::IvfError),
    /// The system refused.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

#[derive(Debug, Default)]
struct Track {
    resampler: Option<Resampler>,
    samples: Vec<i16>,
    /// Samples handed to the writer already.
    written: u64,
    has_begun: bool,
}

impl Track {
    fn position(&self) -> u64 {
        self.written + self.samples.len() as u64
    }

    fn push(&mut self, elapsed: Duration, rate_hz: u32, samples: &[i16]) {
        if self
            .resampler
            .as_ref()
            .is_none_or(|r| r.from_hz() != rate_hz)
        {
            self.resampler = Some(Resampler::new(rate_hz, RECORDING_RATE_HZ));
        }
        let count = samples.len() as u64 * u64::from(RECORDING_RATE_HZ) / u64::from(rate_hz.max(1));
        // The audio given now ends now: it began as long ago as it lasts.
        let begin = samples_in(elapsed).saturating_sub(count);
        let tolerance = if self.has_begun {
            samples_in(TOLERANCE)
        } else {
            0
        };
        self.has_begun = true;
        if begin > self.position() + tolerance {
            self.pad_to(begin);
        } else if self.position() > begin + samples_in(AHEAD) {
            return;
        }
        let Some(resampler) = self.resampler.as_mut() else {
            return;
        };
        resampler.process(samples, &mut self.samples);
    }

    fn pad_to(&mut self, position: u64) {
        let missing = position.saturating_sub(self.position());
        self.samples
            .resize(self.samples.len() + missing as usize, 0);
    }
}

/// One recording of one session.
#[derive(Debug)]
pub struct Recorder {
    side: Side,
    start: Instant,
    received: Track,
    sent: Track,
    pictures: Option<Pictures>,
    file: WriterFile,
}

impl Recorder {
    /// Creates the file and starts at `now`.
    ///
    /// The file is created at once, in the caller's thread, so that a bad path is told at once.
    pub fn start(
        path: &Path,
        side: Side,
        format: Format,
        now: Instant,
        writer: &Writer,
    ) -> Result<Self, RecorderError> {
        let side = if format == Format::Ivf {
            Side::Neither
        } else {
            side
        };
        let channels = u16::from(side.has_received()) + u16::from(side.has_sent());
        let file = writer.create(path, format, channels)?;
        let (received, sent) = (Track::default(), Track::default());
        Ok(Self {
            side,
            start: now,
            received,
            sent,
            pictures: format
                .has_pictures()
                .then(|| Pictures::new(None, LayerWish::default())),
            file,
        })
    }

    /// Takes audio that was received, ending at `now`.
    pub fn push_received(&mut self, now: Instant, rate_hz: u32, samples: &[i16]) {
        if self.side.has_received() {
            self.received
                .push(now.saturating_duration_since(self.start), rate_hz, samples);
            self.write_blocks(now);
        }
    }

    /// Takes audio that was sent, ending at `now`.
    pub fn push_sent(&mut self, now: Instant, rate_hz: u32, samples: &[i16]) {
        if self.side.has_sent() {
            self.sent
                .push(now.saturating_duration_since(self.start), rate_hz, samples);
            self.write_blocks(now);
        }
    }

    #[cfg(test)]
    pub(crate) fn file(&self) -> &WriterFile {
        &self.file
    }

    /// Returns the number that [`Finished`] will carry.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.file.number()
    }

    /// Returns the seconds since the start.
    #[must_use]
    pub fn seconds(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.start).as_secs_f64()
    }

    /// Ends at `now`: pads to wall time, writes the rest and has the file closed.
    ///
    /// Returns the seconds in the file. [`Writer::poll_finished`] tells when it is on disk.
    pub fn stop(mut self, now: Instant) -> f64 {
        let end = samples_in(now.saturating_duration_since(self.start));
        let mut count = 0;
        for track in self.tracks() {
            count = end.saturating_sub(track.written) as usize;
            track.samples.resize(count, 0);
        }
        self.write(count);
        let heard = self.received.written.max(self.sent.written) as f64;
        let shown = self.pictures.as_ref().map_or(0.0, Pictures::seconds);
        self.file.finish();
        shown.max(heard / f64::from(RECORDING_RATE_HZ))
    }

    fn tracks(&mut self) -> impl Iterator<Item = &mut Track> {
        let received = self.side.has_received().then_some(&mut self.received);
        let sent = self.side.has_sent().then_some(&mut self.sent);
        received.into_iter().chain(sent)
    }

    fn write_blocks(&mut self, now: Instant) {
        let settled = samples_in(now.saturating_duration_since(self.start))
            .saturating_sub(samples_in(TOLERANCE));
        // A side that is silent for good must not hold the other one back.
        for track in self.tracks() {
            if settled > track.position() + BLOCK_SAMPLES as u64 {
                track.pad_to(settled);
            }
        }
        while self
            .tracks()
            .all(|track| track.samples.len() >= BLOCK_SAMPLES)
        {
            self.write(BLOCK_SAMPLES);
        }
    }

    fn write(&mut self, count: usize) {
        let block: Vec<i16> = match self.side {
            Side::Both => {
                let pairs = self
                    .received
                    .samples
                    .iter()
                    .zip(&self.sent.samples)
                    .take(count);
                pairs
                    .flat_map(|(&received, &sent)| [received, sent])
                    .collect()
            }
            Side::Received => self.received.samples[..count].to_vec(),
            Side::Sent => self.sent.samples[..count].to_vec(),
            Side::Neither => return,
        };
        for track in self.tracks() {
            track.samples.drain(..count);
            track.written += count as u64;
        }
        self.file.write(block);
    }
}

fn samples_in(duration: Duration) -> u64 {
    (duration.as_micros() as u64) * u64::from(RECORDING_RATE_HZ) / 1_000_000
}

#[cfg(test)]
mod tests;
