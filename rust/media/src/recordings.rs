//! The one writer of recordings, and which session each of its files belongs to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::MediaError;
use crate::engine::lock;
use crate::event::{Event, EventKind, EventRing};
use crate::recorder::{Recorder, Writer};

/// Recordings that are not on disk yet.
#[derive(Debug)]
pub(crate) struct Recordings {
    writer: Mutex<Option<Arc<Writer>>>,
    owners: Mutex<HashMap<u64, u64>>,
}

impl Recordings {
    pub(crate) fn new(is_driven: bool) -> Result<Self, MediaError> {
        let writer = if is_driven {
            Writer::inline()
        } else {
            Writer::threaded().map_err(|error| MediaError::File(error.to_string()))?
        };
        Ok(Self {
            writer: Mutex::new(Some(Arc::new(writer))),
            owners: Mutex::default(),
        })
    }

    /// Starts one for a session; `start` makes the file, with nothing locked meanwhile.
    pub(crate) fn start(
        &self,
        session: u64,
        start: impl FnOnce(&Writer) -> Result<Recorder, MediaError>,
    ) -> Result<Recorder, MediaError> {
        let writer = lock(&self.writer).clone();
        let writer = writer.ok_or_else(|| MediaError::State("the engine is closed".to_owned()))?;
        let recorder = start(&writer)?;
        lock(&self.owners).insert(recorder.number(), session);
        Ok(recorder)
    }

    /// How many are not on disk yet.
    pub(crate) fn active(&self) -> usize {
        lock(&self.owners).len()
    }

    /// Reports those that lose sound, those that broke, and those that have come to disk.
    pub(crate) fn poll(&self, ring: &EventRing) {
        let Some(writer) = lock(&self.writer).clone() else {
            return;
        };
        let told = |kind, number: u64, text| {
            Some(Event {
                session: *lock(&self.owners).get(&number)?,
                kind,
                number: number as f64,
                text,
            })
        };
        let mut events: Vec<Event> = std::iter::from_fn(|| writer.poll_behind())
            .filter_map(|behind| {
                let text = behind.lost_blocks.to_string();
                told(EventKind::RecordingBehind, behind.number, text)
            })
            .collect();
        let broken = std::iter::from_fn(|| writer.poll_broken());
        events
            .extend(broken.filter_map(|broken| {
                told(EventKind::RecordingFailed, broken.number, broken.error)
            }));
        let finished = std::iter::from_fn(|| writer.poll_finished());
        events.extend(finished.filter_map(|file| {
            Some(Event {
                session: lock(&self.owners).remove(&file.number)?,
                kind: EventKind::RecordingEnded,
                number: file.number as f64,
                text: file.error.unwrap_or_default(),
            })
        }));
        if !events.is_empty() {
            ring.push(events);
        }
    }

    /// Waits until all that was stopped is on disk.
    pub(crate) fn finish(&self, ring: &EventRing) {
        self.poll(ring);
        let writer = lock(&self.writer).take();
        drop(writer);
        lock(&self.owners).clear();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use std::time::{Duration, Instant};

    use super::*;
    use crate::recorder::{Format, Side};

    fn told(recordings: &Recordings, ring: &EventRing) -> Vec<(EventKind, String)> {
        recordings.poll(ring);
        let events = ring.drain(100).into_iter();
        events.map(|event| (event.kind, event.text)).collect()
    }

    #[test]
    fn a_disk_that_stands_still_is_told_with_the_first_block_that_is_lost_and_its_doubles() {
        let path = std::env::temp_dir().join(format!("trivox-slow-{}.wav", std::process::id()));
        let recordings = Recordings::new(false).unwrap();
        let ring = EventRing::new(100, false).unwrap();
        let mut now = Instant::now();
        let started = recordings.start(7, |writer| {
            Ok(Recorder::start(&path, Side::Received, Format::Wav, now, writer).unwrap())
        });
        let mut recorder = started.unwrap();
        let disk = recorder.file().disk();
        let held = disk.lock().unwrap();

        let mut events = Vec::new();
        for _ in 0..3_000 {
            now += Duration::from_millis(500);
            recorder.push_received(now, 16_000, &[1; 8_000]);
            events.extend(told(&recordings, &ring));
            if events.len() == 3 {
                break;
            }
        }
        drop(held);
        drop(disk);
        recorder.stop(now);
        let mut last = Vec::new();
        while last.is_empty() {
            last = told(&recordings, &ring);
            std::thread::yield_now();
        }
        std::fs::remove_file(&path).unwrap();

        let behind = |count: &str| (EventKind::RecordingBehind, count.to_owned());
        assert_eq!(events, [behind("1"), behind("2"), behind("4")]);
        assert_eq!(last[0].0, EventKind::RecordingEnded);
        assert!(last[0].1.contains("the disk was too slow"));
    }
}
