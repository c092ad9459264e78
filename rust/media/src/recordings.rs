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

    /// Reports those that broke, and those that have come to disk.
    pub(crate) fn poll(&self, ring: &EventRing) {
        let Some(writer) = lock(&self.writer).clone() else {
            return;
        };
        let mut events: Vec<Event> = std::iter::from_fn(|| writer.poll_broken())
            .filter_map(|broken| {
                Some(Event {
                    session: *lock(&self.owners).get(&broken.number)?,
                    kind: EventKind::RecordingFailed,
                    number: broken.number as f64,
                    text: broken.error,
                })
            })
            .collect();
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
