//! What joins a session with others: a bridge or a room, and what of it flows through the session.
//!
//! Packets are sent on as they come where the other side can take them so; else the 20 ms that were
//! decoded are given away frame by frame, and what the other gives is mixed into what is sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

mod room;

use super::Session;
use super::receive::Received;
use crate::MediaError;
use crate::fan::Encoding;
use crate::lane::{Heard, Lane, Takes};
use crate::player::{Tap, mix};
use crate::recorder::Recorder;
use crate::resample::Resampler;

/// When nothing came to be sent on for this long, silence of our own goes out: far ends and address
/// translators want to see packets. Opus pauses for 400 ms at most (RFC 6716 §2.1.9).
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Digits that are sent anew are as long as they were, within what far ends understand.
const DIGIT_SECONDS: (f64, f64) = (0.05, 5.0);
const DIGIT_GAP: f64 = 0.05;

/// What a session is joined with.
pub(crate) enum Joined {
    /// Nothing.
    Alone,
    /// One other session.
    Bridge(Box<BridgeEnd>),
    /// A room.
    Room(Box<RoomEnd>),
}

/// One end of a bridge.
pub(crate) struct BridgeEnd {
    peer: u64,
    out: Arc<Lane>,
    into: Arc<Lane>,
    /// Whether what came last was given away undecoded.
    is_giving: bool,
    has_given_digit: bool,
    must_wake: bool,
    last_sent: Option<Instant>,
    heard: Option<Heard>,
    resampler: Option<Resampler>,
    ready: Vec<i16>,
}

impl BridgeEnd {
    pub(crate) fn new(peer: u64, out: Arc<Lane>, into: Arc<Lane>) -> Self {
        Self {
            peer,
            out,
            into,
            is_giving: false,
            has_given_digit: false,
            must_wake: false,
            last_sent: None,
            heard: None,
            resampler: None,
            ready: Vec::new(),
        }
    }

    /// Adds what was heard last to a frame.
    fn mix_into(&mut self, rate_hz: u32, frame: &mut [i16]) {
        let Some(heard) = self.heard.take() else {
            return;
        };
        let is_fitting = |old: &Resampler| old.from_hz() == heard.rate_hz && old.to_hz() == rate_hz;
        if !self.resampler.as_ref().is_some_and(is_fitting) {
            self.resampler = Some(Resampler::new(heard.rate_hz, rate_hz));
            self.ready.clear();
        }
        if let Some(resampler) = &mut self.resampler {
            resampler.process(&heard.samples, &mut self.ready);
        }
        let count = frame.len().min(self.ready.len());
        mix(frame, &self.ready[..count]);
        self.ready.drain(..count);
        self.ready.truncate(frame.len());
    }
}

pub(crate) use room::RoomEnd;

impl Joined {
    /// Adds what comes of others to a frame that is to be sent.
    pub(super) fn mix_into(&mut self, rate_hz: u32, frame: &mut [i16]) {
        match self {
            Self::Alone => {}
            Self::Bridge(end) => end.mix_into(rate_hz, frame),
            Self::Room(end) => end.mix_into(rate_hz, frame),
        }
    }

    /// Whether nothing of others is mixed in.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self, Self::Alone)
    }

    /// Whether received packets are given away undecoded: there is nothing to pull.
    pub(super) fn is_giving(&self) -> bool {
        matches!(self, Self::Bridge(end) if end.is_giving)
    }

    /// Gives 20 ms that were received.
    pub(super) fn give(&mut self, rate_hz: u32, samples: &[i16]) {
        match self {
            Self::Alone => {}
            Self::Bridge(end) => end.out.put_frame(rate_hz, samples),
            Self::Room(end) => end.give(rate_hz, samples),
        }
    }

    /// Gives a digit that has ended, unless its packets were given.
    pub(super) fn give_digit(&mut self, digit: char, duration: f64) {
        if let Self::Bridge(end) = self
            && !std::mem::take(&mut end.has_given_digit)
        {
            end.out.put_digit(digit, duration);
        }
    }
}

impl Session {
    /// Joins it with another; both lanes have their other end there.
    ///
    /// # Errors
    /// `MediaError::State` when it is joined already.
    pub(crate) fn join_bridge(&mut self, end: BridgeEnd) -> Result<(), MediaError> {
        self.join(Joined::Bridge(Box::new(end)))
    }

    /// Gives it a seat in a room.
    ///
    /// # Errors
    /// `MediaError::State` when it is joined already.
    pub(crate) fn join_room(&mut self, end: RoomEnd) -> Result<(), MediaError> {
        self.join(Joined::Room(Box::new(end)))
    }

    fn join(&mut self, joined: Joined) -> Result<(), MediaError> {
        self.notice_leaving();
        if !matches!(self.joined, Joined::Alone) {
            return Err(MediaError::State(
                "the session is in a bridge or a room: it must leave that first".to_owned(),
            ));
        }
        self.joined = joined;
        Ok(())
    }

    /// Leaves what it is joined with.
    pub(crate) fn leave(&mut self) {
        match std::mem::replace(&mut self.joined, Joined::Alone) {
            Joined::Alone => {}
            Joined::Room(end) => end.seat.close(),
            Joined::Bridge(end) => {
                end.out.close();
                end.into.close();
                if end.is_giving {
                    self.receiver.restart();
                }
            }
        }
    }

    /// The next session to be served because of this one.
    pub(crate) fn poll_wake(&mut self) -> Option<u64> {
        match &mut self.joined {
            Joined::Bridge(end) => std::mem::take(&mut end.must_wake).then_some(end.peer),
            Joined::Alone | Joined::Room(_) => None,
        }
    }

    /// Gives a packet away as it is; None when it is to be heard here.
    pub(super) fn give_untrusted(&mut self, now: Instant, packet: &[u8]) -> Option<Received> {
        let is_heard_here = self.is_heard_here();
        let Joined::Bridge(end) = &mut self.joined else {
            return None;
        };
        let takes = end.out.takes().filter(|_| !is_heard_here);
        let given = takes.and_then(|takes| self.receiver.pass_untrusted(now, packet, takes));
        let Some((received, passed)) = given else {
            if std::mem::take(&mut end.is_giving) {
                self.receiver.restart();
            }
            return None;
        };
        if let Some(passed) = passed {
            end.is_giving = true;
            end.has_given_digit |= passed.codec.is_none();
            end.must_wake |= end.out.put_packet(passed);
        }
        Some(received)
    }

    /// Sends on what the other has left.
    pub(super) fn send_given(&mut self, now: Instant) {
        let takes = self.takes();
        let Joined::Bridge(end) = &mut self.joined else {
            return;
        };
        for packet in end.into.take_packets() {
            let is_taken = takes.is_some_and(|takes| match packet.codec {
                Some(codec) => codec == takes.codec,
                None => takes.has_events,
            });
            if let Some(transport) = self.transport.as_mut().filter(|_| is_taken) {
                self.sender
                    .pass(&packet, |bytes| transport.send_rtp(now, bytes));
                end.last_sent = Some(now);
            }
        }
        while let Some((digit, duration)) = end.into.take_digit() {
            let duration = duration.clamp(DIGIT_SECONDS.0, DIGIT_SECONDS.1);
            if let Some(dtmf) = self.sender.digits() {
                // Refused only when too many wait: a far end that sends that many is no person.
                let _ = dtmf.send(&digit.to_string(), duration, DIGIT_GAP);
            }
        }
    }

    /// Says what can be sent on undecoded, and takes the frame that is due.
    pub(super) fn fetch(&mut self) {
        self.notice_leaving();
        let (takes, encoding) = (self.takes(), self.shared_encoding());
        match &mut self.joined {
            Joined::Alone => {}
            Joined::Bridge(end) => {
                end.into.set_takes(takes);
                end.heard = end.into.take_frame();
                if end.heard.is_some() {
                    end.last_sent = None;
                }
            }
            Joined::Room(end) => {
                let payload = end.fetch(self.sender.rate_hz(), encoding);
                self.sender.set_shared(payload);
            }
        }
    }

    /// Whether packets of the other are sent in place of a frame of our own.
    pub(super) fn is_sending_given(&self, now: Instant) -> bool {
        let Joined::Bridge(end) = &self.joined else {
            return false;
        };
        let is_recent = |at: Instant| now.saturating_duration_since(at) < LONGEST_PAUSE;
        end.last_sent.is_some_and(is_recent) && self.takes().is_some()
    }

    fn takes(&self) -> Option<Takes> {
        let may_send = self.direction.sends() && self.connected.is_some();
        let may_pass = may_send && !self.is_heard_here();
        self.sender.takes().filter(|_| may_pass)
    }

    /// Whether somebody records or listens here, or takes what is heard for another session.
    fn is_heard_here(&self) -> bool {
        !self.ports.is_empty()
            || self.recordings.values().any(Recorder::takes_sound)
            || self.listening.is_wanted()
            || self.taps.iter().any(Tap::is_wanted)
    }

    /// How it could send what all hear just as it is: nothing of its own is mixed in.
    fn shared_encoding(&self) -> Option<Encoding> {
        let encoding = self.sender.shared_encoding();
        encoding.filter(|_| self.direction.sends())
    }

    /// Leaves what the other side has left.
    pub(crate) fn notice_leaving(&mut self) {
        let is_over = match &self.joined {
            Joined::Alone => false,
            Joined::Bridge(end) => end.into.is_closed(),
            Joined::Room(end) => end.seat.is_closed(),
        };
        if is_over {
            self.leave();
        }
    }
}

#[cfg(test)]
mod tests;
