//! What a program does with a connected session: play, record, push audio, send digits, mute.

use super::Session;
use super::sdp::Direction;
use crate::MediaError;
use crate::player::{Place, SilenceSource, Source, ToneSource};
use crate::recorder::Recorder;

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

    /// Places a source and returns the playback's number.
    ///
    /// # Errors
    /// `MediaError::Full` when too many playbacks wait.
    pub fn play_source(&mut self, place: Place, source: Source) -> Result<u64, MediaError> {
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
        self.sender.cancel_digits(sending);
    }

    /// Numbers of what runs: playbacks, ports, recordings.
    pub fn counts(&self) -> (usize, usize, usize) {
        (
            self.sender.player.playbacks(),
            self.ports.len(),
            self.recordings.len(),
        )
    }

    /// Packets that were encoded for this session alone.
    pub fn encoded(&self) -> u64 {
        self.sender.encoded()
    }

    /// Panics, as a bug would, to prove that others live on.
    pub fn fault(&mut self) {
        panic!("a fault was asked for");
    }
}
