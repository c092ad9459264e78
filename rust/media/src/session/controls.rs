//! What a program does with a connected session: play, record, push audio, send digits, mute.

use super::Session;
use super::port::{Frame, Port};
use super::sdp::Direction;
use crate::MediaError;
use crate::player::{Place, PushSource, SilenceSource, Source, ToneSource};
use crate::recorder::Recorder;

/// Seconds of pushed audio that may wait.
const PUSH_LIMIT: f64 = 2.0;
/// Stands for "until stopped".
const FOREVER: f64 = 1e9;

impl Session {
    /// Mutes or unmutes what is sent; sources run on.
    pub fn set_muted(&mut self, is_muted: bool) {
        self.sender.is_muted = is_muted;
    }

    /// Loses that share of outgoing packets on purpose, for tests.
    ///
    /// # Errors
    /// `MediaError::Argument` outside 0 to 1.
    pub fn set_impairment(&mut self, drop: f64) -> Result<(), MediaError> {
        if !(0.0..=1.0).contains(&drop) {
            return Err(MediaError::Argument(
                "the share to drop is from 0 to 1".to_owned(),
            ));
        }
        self.sender.set_drop_share(drop);
        Ok(())
    }

    /// Says what is heard of what plays; see `Player::set_mix`.
    pub fn set_mix(&mut self, is_own_silent: bool, is_holding: bool) {
        self.sender.player.set_mix(is_own_silent, is_holding);
    }

    /// Says which way we want media to flow; takes effect with the next description agreed on.
    pub fn set_direction(&mut self, wish: Direction) {
        self.offer_answer.set_wish(wish);
    }

    /// Forgets an offer that was refused, with the wish it told of.
    pub fn rollback(&mut self) {
        self.offer_answer.rollback();
    }

    /// Places an open WAV file and returns the playback's number.
    ///
    /// # Errors
    /// `MediaError::Full` when too many playbacks wait.
    pub fn play_file(&mut self, place: Place, source: Source) -> Result<u64, MediaError> {
        self.play(place, source)
    }

    /// Places a tone; an infinite duration plays until stopped.
    ///
    /// # Errors
    /// `MediaError::Argument` for what is no tone.
    pub fn play_tone(
        &mut self,
        place: Place,
        frequencies_hz: &[f64],
        cadence: &[(f64, f64)],
        duration: f64,
        level_dbov: f64,
    ) -> Result<u64, MediaError> {
        let duration = (duration != f64::INFINITY).then_some(duration);
        let source = ToneSource::new(frequencies_hz, cadence, duration, level_dbov)
            .map_err(|error| MediaError::Argument(error.to_string()))?;
        self.play(place, Source::Tone(source))
    }

    /// Places silence.
    ///
    /// # Errors
    /// `MediaError::Argument` for a negative duration.
    pub fn play_silence(&mut self, place: Place, duration: f64) -> Result<u64, MediaError> {
        let source = SilenceSource::new(if duration == f64::INFINITY {
            FOREVER
        } else {
            duration
        })
        .map_err(|error| MediaError::Argument(error.to_string()))?;
        self.play(place, Source::Silence(source))
    }

    fn play(&mut self, place: Place, source: Source) -> Result<u64, MediaError> {
        self.sender.player.play_at(place, source).ok_or_else(|| {
            MediaError::Full("1024 playbacks wait on this session: stop some first".to_owned())
        })
    }

    /// Stops a playback; returns the seconds sent of it, 0 for one that is over.
    pub fn stop_playback(&mut self, playback: u64) -> f64 {
        let Some(seconds) = self.sender.player.stop(playback) else {
            return 0.0;
        };
        self.emit(
            crate::event::EventKind::PlaybackEnded,
            playback as f64,
            format!("{seconds:.6}"),
        );
        seconds
    }

    /// Gives what flows to a recorder from now on.
    pub fn add_recording(&mut self, recorder: Recorder) {
        self.recordings.insert(recorder.number(), recorder);
    }

    /// Gives a recorder back, to be stopped.
    ///
    /// # Errors
    /// `MediaError::Unknown` when it has ended.
    pub fn take_recording(&mut self, recording: u64) -> Result<Recorder, MediaError> {
        let taken = self.recordings.remove(&recording);
        taken.ok_or(MediaError::Unknown {
            kind: "recording",
            number: recording,
        })
    }

    /// Subscribes to received audio and opens a way to send.
    ///
    /// # Errors
    /// `MediaError::Argument` for figures out of range.
    pub fn open_audio(
        &mut self,
        port: u64,
        rate_hz: u32,
        frame_ms: u32,
        batch: usize,
    ) -> Result<(), MediaError> {
        let is_good = (8000..=48_000).contains(&rate_hz)
            && (10..=120).contains(&frame_ms)
            && (1..=50).contains(&batch)
            && (u64::from(rate_hz) * u64::from(frame_ms)).is_multiple_of(1000);
        if !is_good {
            return Err(MediaError::Argument(
                "audio has 8000-48000 Hz, 10-120 ms a frame and 1-50 frames a batch".to_owned(),
            ));
        }
        self.ports.push(Port::new(port, rate_hz, frame_ms, batch));
        self.sender
            .player
            .add_push(port, PushSource::new(rate_hz, PUSH_LIMIT));
        Ok(())
    }

    /// Ends a subscription; what is queued is dropped.
    pub fn close_audio(&mut self, port: u64) {
        self.ports.retain(|open| open.number != port);
        self.sender.player.remove_push(port);
    }

    /// Takes received frames of a port.
    pub fn take_frames(&mut self, port: u64, limit: usize) -> Vec<Frame> {
        let found = self.ports.iter_mut().find(|open| open.number == port);
        found.map(|open| open.take(limit)).unwrap_or_default()
    }

    /// Queues samples whole; returns the seconds now queued.
    ///
    /// # Errors
    /// `MediaError::Full` when 2 seconds wait, `MediaError::Unknown` for a closed port.
    pub fn send_audio(&mut self, port: u64, samples: &[i16]) -> Result<f64, MediaError> {
        self.push_source(port)?
            .send(samples)
            .map_err(|error| MediaError::Full(error.to_string()))
    }

    /// Drops what is queued; returns the seconds sent since the last clear.
    ///
    /// # Errors
    /// `MediaError::Unknown` for a closed port.
    pub fn clear_audio(&mut self, port: u64, fade: f64) -> Result<f64, MediaError> {
        Ok(self.push_source(port)?.clear(fade))
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

    /// Queues digits; returns the sending's number.
    ///
    /// # Errors
    /// `MediaError::State` when the peer takes no telephone-events, `MediaError::Argument` for
    /// what is no digit.
    pub fn send_dtmf(&mut self, tones: &str, duration: f64, gap: f64) -> Result<u64, MediaError> {
        let dtmf = self.sender.digits().ok_or_else(|| {
            MediaError::State(
                "no telephone-events were agreed with the far end: send digits by INFO".to_owned(),
            )
        })?;
        dtmf.send(tones, duration, gap)
            .map_err(|error| MediaError::Argument(error.to_string()))
    }

    /// Sends none of the digits that have not begun.
    pub fn cancel_dtmf(&mut self, sending: u64) {
        if let Some(dtmf) = &mut self.sender.dtmf {
            dtmf.cancel(sending);
        }
    }

    /// Numbers of what runs: playbacks, ports, recordings.
    pub fn counts(&self) -> (usize, usize, usize) {
        (
            self.sender.player.playbacks(),
            self.ports.len(),
            self.recordings.len(),
        )
    }

    /// Panics, as a bug would, to prove that others live on.
    pub fn fault(&mut self) {
        panic!("a fault was asked for");
    }
}
