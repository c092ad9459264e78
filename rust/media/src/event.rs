//! Events of sessions and the one bounded ring that carries them to the program.
use std::collections::VecDeque;
use std::sync::Mutex;

use crate::error::MediaError;
use crate::wake::Wake;

/// What an event says. The numbers are shared with `EngineEventKind` in Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum EventKind {
    /// Media may flow.
    Connected = 1,
    /// The session is dead; text says why.
    Failed = 2,
    /// Text is the new ICE state.
    IceState = 3,
    /// The first valid RTP packet was received.
    FirstRtp = 4,
    /// A key press ended: text is the tone, number its duration in seconds.
    Dtmf = 5,
    /// Number is the sending.
    DtmfSent = 6,
    /// Number is the playback, text the seconds really sent, a space and the error if it failed.
    PlaybackEnded = 7,
    /// Number is the recording, text is empty or the error.
    RecordingEnded = 8,
    /// Number is the audio port that has a batch to take.
    FramesReady = 9,
    /// Number is the audio port whose send queue has room again.
    AudioLow = 10,
    /// Number is the seconds without RTP and RTCP while receiving was agreed.
    MediaTimeout = 11,
    /// A key went down: text is the tone.
    DtmfStarted = 12,
    /// Number is the audio port; text is a mark of it that is past, with " heard" behind where what
    /// lies before it left in packets.
    MarkPassed = 20,
    /// Text is "start" or "end" of speech; with the end, number is how long it lasted.
    VoiceActivity = 21,
    /// Number is the level of what is received, text of what is sent, both in dBov.
    Level = 22,
    /// A key press heard in the audio itself ended: text is the tone, number its duration in seconds.
    InbandDtmf = 23,
    /// A key went down, heard in the audio itself: text is the tone.
    InbandDtmfStarted = 24,
    /// A tone of the network or of a machine: text is its name and its frequencies in Hz.
    ToneHeard = 25,
    /// Who has answered: text is who, why, and how many words; number the seconds of the greeting.
    AnswererTold = 26,
    /// Number is the value, text "issue level threshold".
    QualityRaised = 50,
    /// As `QualityRaised`; the level is "fine".
    QualityCleared = 51,
    /// Number is the video line the far end sends on now, text what it is: "video VP8".
    VideoAdded = 40,
    /// Number is the video line the far end no longer sends on.
    VideoRemoved = 41,
    /// Number is the push of video that is to make a key frame.
    KeyFrameWanted = 42,
    /// Number is the tap that has encoded frames to take.
    EncodedReady = 43,
    /// Number is the video file that was played out.
    VideoEnded = 44,
    /// Number is the data channel that messages may be sent on now; the far end may have opened it.
    ChannelOpened = 46,
    /// Number is the data channel that is over; text is the reason, if it was not closed.
    ChannelClosed = 47,
    /// Number is the data channel that has messages to take.
    DataReady = 48,
    /// More messages may be queued on the call's data channels.
    DataLow = 49,
    /// Number is the member of the room that speaks now, 0 for nobody.
    ActiveSpeaker = 30,
    /// Addresses were gathered: text is how many, a space, and what could not be had.
    Gathered = 60,
    /// A relay that was in use is gone; text says which and why.
    RelayLost = 61,
    /// A candidate of ours that no description has had is there: a fragment tells it.
    LocalCandidates = 62,
    /// Number is the video line whose path of its own is dead; text says why.
    LineFailed = 63,
    /// Number is the video line whose path was dead, and is there again.
    LineRestored = 64,
    /// Number is the tap that has packets to take.
    RtpReady = 70,
    /// Number is a recording that cannot be written any more, text the reason; it ends later.
    RecordingFailed = 71,
    /// Number is a recording that loses what it is given, text how many blocks it has lost so far.
    RecordingBehind = 72,
}

impl EventKind {
    /// Whether far ends bring it about as often as they like, and nobody waits for it.
    fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Dtmf
                | Self::DtmfStarted
                | Self::InbandDtmf
                | Self::InbandDtmfStarted
                | Self::VoiceActivity
                | Self::Level
                | Self::ToneHeard
                | Self::ActiveSpeaker
                | Self::MediaTimeout
        )
    }
}

/// One event of one session.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The session it belongs to.
    pub session: u64,
    /// What it says.
    pub kind: EventKind,
    /// See the kind.
    pub number: f64,
    /// See the kind.
    pub text: String,
}

/// A bounded queue with a descriptor that is readable while events wait.
///
/// When it is full new events are dropped and counted: the newest facts of a program that does not
/// drain are worth no more than its oldest, and memory stays flat. Half of it is kept for what a
/// program waits for: keys without end of one far end hide no other call's beginning or end.
#[derive(Debug)]
pub struct EventRing {
    queue: Mutex<Queue>,
    capacity: usize,
    wake: Option<Wake>,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    lost: u64,
}

impl EventRing {
    /// Makes a ring; `signalled` gives it a descriptor (a driven engine has none).
    ///
    /// # Errors
    /// `MediaError::System` when no descriptor can be had.
    pub fn new(capacity: usize, signalled: bool) -> Result<Self, MediaError> {
        let wake = if signalled { Some(Wake::new()?) } else { None };
        Ok(Self {
            queue: Mutex::default(),
            capacity,
            wake,
        })
    }

    /// The descriptor to wait on, or -1.
    pub fn descriptor(&self) -> i32 {
        self.wake.as_ref().map_or(-1, Wake::descriptor)
    }

    /// Adds events; the descriptor is written only when the ring was empty.
    pub fn push(&self, events: impl IntoIterator<Item = Event>) {
        let mut queue = self
            .queue
            .lock()
            .expect("no thread panics while it holds the ring");
        let was_empty = queue.events.is_empty();
        for event in events {
            let room = if event.kind.is_passing() {
                self.capacity / 2
            } else {
                self.capacity
            };
            if queue.events.len() < room {
                queue.events.push_back(event);
            } else {
                queue.lost += 1;
            }
        }
        if was_empty
            && !queue.events.is_empty()
            && let Some(wake) = &self.wake
        {
            wake.signal();
        }
    }

    /// Takes up to `limit` events. The descriptor stays readable while more wait.
    pub fn drain(&self, limit: usize) -> Vec<Event> {
        let mut queue = self
            .queue
            .lock()
            .expect("no thread panics while it holds the ring");
        let count = limit.min(queue.events.len());
        let taken = queue.events.drain(..count).collect();
        if queue.events.is_empty()
            && let Some(wake) = &self.wake
        {
            wake.clear();
        }
        taken
    }

    /// (waiting, lost) events.
    pub fn counts(&self) -> (usize, u64) {
        let queue = self
            .queue
            .lock()
            .expect("no thread panics while it holds the ring");
        (queue.events.len(), queue.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(session: u64) -> Event {
        Event {
            session,
            kind: EventKind::Connected,
            number: 0.0,
            text: String::new(),
        }
    }

    #[test]
    fn a_full_ring_counts_what_it_loses() {
        let ring = EventRing::new(2, false).unwrap();
        ring.push((1..=5).map(event));
        assert_eq!(ring.counts(), (2, 3));
        assert_eq!(
            ring.drain(10).iter().map(|e| e.session).collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!(ring.counts(), (0, 3));
    }

    #[test]
    fn keys_of_a_far_end_take_half_of_the_room() {
        let ring = EventRing::new(10, false).unwrap();
        let key = |session| Event {
            kind: EventKind::Dtmf,
            ..event(session)
        };
        ring.push((1..=50).map(key));
        ring.push((51..=60).map(event));
        let sessions: Vec<_> = ring.drain(20).iter().map(|one| one.session).collect();

        assert_eq!(sessions, [1, 2, 3, 4, 5, 51, 52, 53, 54, 55]);
        assert_eq!(ring.counts(), (0, 50));
    }

    #[test]
    fn the_descriptor_is_readable_exactly_while_events_wait() {
        let ring = EventRing::new(10, true).unwrap();
        assert!(!ring.wake.as_ref().unwrap().is_signalled());
        ring.push([event(1), event(2)]);
        assert!(ring.wake.as_ref().unwrap().is_signalled());
        ring.drain(1);
        assert!(ring.wake.as_ref().unwrap().is_signalled());
        ring.drain(1);
        assert!(!ring.wake.as_ref().unwrap().is_signalled());
    }
}
