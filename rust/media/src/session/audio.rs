//! Audio in the hands of the program: ports that hear, and queues that speak.

use super::Session;
use super::port::{Frame, Port};
use crate::MediaError;
use crate::player::{Feed, PushError, PushSource, Tap};

/// Seconds that may be queued ahead.
const AHEAD: std::ops::RangeInclusive<f64> = 0.02..=10.0;
/// Seconds of one block.
const LONGEST_BLOCK: usize = 60;
/// Relays of one stream.
const MOST_TAPS: usize = 64;

impl Session {
    /// Subscribes to received audio and opens a queue for what is to be said, `ahead` seconds long.
    ///
    /// # Errors
    /// `MediaError::Argument` for figures out of range.
    pub fn open_audio(
        &mut self,
        port: u64,
        rate_hz: u32,
        frame_ms: u32,
        batch: usize,
        ahead: f64,
    ) -> Result<(), MediaError> {
        let is_good = (10..=120).contains(&frame_ms)
            && (1..=50).contains(&batch)
            && (u64::from(rate_hz) * u64::from(frame_ms)).is_multiple_of(1000);
        if !is_good {
            return Err(MediaError::Argument(
                "audio has 10-120 ms a frame, a whole number of samples, and 1-50 frames a batch"
                    .to_owned(),
            ));
        }
        self.open_push(port, rate_hz, ahead)?;
        self.ports.push(Port::new(port, rate_hz, frame_ms, batch));
        Ok(())
    }

    /// Opens a queue for what is to be said, without hearing anything.
    ///
    /// # Errors
    /// `MediaError::Argument` for figures out of range.
    pub fn open_push(&mut self, port: u64, rate_hz: u32, ahead: f64) -> Result<(), MediaError> {
        if !(8000..=48_000).contains(&rate_hz) || !AHEAD.contains(&ahead) {
            return Err(MediaError::Argument(
                "audio has 8000-48000 Hz, and 0.02-10 s are queued ahead".to_owned(),
            ));
        }
        let source = PushSource::new(rate_hz, ahead);
        self.sender.player.add_push(port, source);
        Ok(())
    }

    /// Gives what is heard to a feed from now on, until the session ends or nobody has the feed.
    ///
    /// # Errors
    /// `MediaError::Full` when 64 feeds have it already.
    pub fn tap(&mut self, feed: Feed) -> Result<(), MediaError> {
        if self.taps.len() >= MOST_TAPS {
            return Err(MediaError::Full(
                "64 relays take this stream already: end some first".to_owned(),
            ));
        }
        self.taps.push(Tap::new(feed));
        Ok(())
    }

    /// Ends a subscription; what is queued is dropped.
    pub fn close_audio(&mut self, port: u64) {
        self.ports.retain(|open| open.number != port);
        self.sender.player.remove_push(port);
    }

    /// Says how many received frames of a port wait, and which of more are dropped.
    ///
    /// # Errors
    /// `MediaError::Argument` for less than a batch or more than a minute, `MediaError::Unknown`
    /// for a closed port.
    pub fn bound_audio(
        &mut self,
        port: u64,
        most: usize,
        keeps_oldest: bool,
    ) -> Result<(), MediaError> {
        let found = self.ports.iter_mut().find(|open| open.number == port);
        let open = found.ok_or(MediaError::Unknown {
            kind: "audio port",
            number: port,
        })?;
        open.bound(most, keeps_oldest)
    }

    /// Takes received frames of a port, and their rate.
    pub fn take_frames(&mut self, port: u64, limit: usize) -> (u32, Vec<Frame>) {
        let found = self.ports.iter_mut().find(|open| open.number == port);
        found
            .map(|open| (open.rate_hz(), open.take(limit)))
            .unwrap_or_default()
    }

    /// Queues samples whole; returns the seconds now queued, or None while they do not fit.
    ///
    /// # Errors
    /// `MediaError::Argument` for more than a minute, `MediaError::Unknown` for a closed port.
    pub fn send_audio(&mut self, port: u64, samples: &[i16]) -> Result<Option<f64>, MediaError> {
        let source = self.push_source(port)?;
        if samples.len() > LONGEST_BLOCK * source.rate_hz() as usize {
            return Err(MediaError::Argument(
                "a block has at most 60 s: send a longer one in pieces, or play a file".to_owned(),
            ));
        }
        match source.send(samples) {
            Ok(queued) => Ok(Some(queued)),
            Err(PushError::Full) => Ok(None),
            Err(error @ PushError::Marks) => Err(MediaError::Full(error.to_string())),
        }
    }

    /// Drops what is queued; returns the seconds that left in packets since the last clear.
    ///
    /// # Errors
    /// `MediaError::Unknown` for a closed port.
    pub fn clear_audio(&mut self, port: u64, fade: f64) -> Result<f64, MediaError> {
        let heard = self.push_source(port)?.clear(fade);
        self.report_pushed();
        Ok(heard)
    }

    /// Puts a mark behind what is queued; `MarkPassed` tells when it is past.
    ///
    /// # Errors
    /// `MediaError::Full` when too many wait, `MediaError::Unknown` for a closed port.
    pub fn mark_audio(&mut self, port: u64, mark: u64) -> Result<(), MediaError> {
        self.push_source(port)?
            .mark(mark)
            .map_err(|error| MediaError::Full(error.to_string()))
    }

    /// Returns the seconds queued, and how often the queue ran dry in the middle of a packet.
    ///
    /// # Errors
    /// `MediaError::Unknown` for a closed port.
    pub fn audio_state(&mut self, port: u64) -> Result<(f64, u64), MediaError> {
        let source = self.push_source(port)?;
        Ok((source.queued(), source.underruns()))
    }

    fn push_source(&mut self, port: u64) -> Result<&mut PushSource, MediaError> {
        self.sender
            .player
            .push_source(port)
            .ok_or(MediaError::Unknown {
                kind: "audio port",
                number: port,
            })
    }
}
