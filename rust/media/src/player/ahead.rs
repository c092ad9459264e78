//! Files read ahead of time by a thread of their own, so that a slow disk holds up no shard.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{FileSource, SourceError};

/// Requests that may wait for the disk; beyond, a source asks again with its next packet.
const MOST_WAITING: usize = 4_096;
/// Samples read at a time: a second at 16 kHz.
const BLOCK: usize = 16_384;
/// The first is short: it is waited for, and many may begin at once.
const FIRST: usize = BLOCK / 8;
/// With fewer left, the next block is asked for.
const LOW: usize = BLOCK / 2;

/// What was read of a file and not yet played.
#[derive(Debug, Default)]
struct Shelf {
    /// None while the thread has it, or once it has ended.
    file: Option<FileSource>,
    samples: VecDeque<i16>,
    is_ended: bool,
    error: Option<SourceError>,
}

/// The shelf of a file, and how many samples are to be put there.
type Request = (Arc<Mutex<Shelf>>, FileSource, usize);

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the next block of a file; the shelf is locked only to put it there.
fn carry_out((shelf, mut file, count): Request) {
    let mut block = Vec::with_capacity(count);
    // The thread reads for all calls: a decoder that fails on one file ends that one alone.
    let reading = AssertUnwindSafe(|| file.read(count, &mut block));
    let result = catch_unwind(reading).unwrap_or(Err(SourceError::Fault));
    let mut shelf = lock(&shelf);
    shelf.is_ended = block.len() < count || result.is_err();
    shelf.error = result.err();
    shelf.samples.extend(block);
    shelf.file = Some(file);
}

/// The thread that reads; it ends when this and all sources are dropped.
#[derive(Debug)]
pub struct FileReader {
    requests: Option<SyncSender<Option<Request>>>,
    thread: Option<JoinHandle<()>>,
}

impl FileReader {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the system says when there can be no thread.
    pub fn start() -> std::io::Result<Self> {
        let (requests, waiting): (_, Receiver<Option<Request>>) = sync_channel(MOST_WAITING);
        let thread = std::thread::Builder::new()
            .name("trivox-player".into())
            .spawn(move || {
                waiting
                    .into_iter()
                    .map_while(|next| next)
                    .for_each(carry_out)
            })?;
        Ok(Self {
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    /// Has a file read ahead from now on, all of it by the thread: the caller waits for no disk.
    #[must_use]
    pub fn read_ahead(&self, file: FileSource) -> AheadSource {
        let source = AheadSource {
            rate_hz: file.rate_hz(),
            shelf: Arc::default(),
            requests: self.requests.clone(),
        };
        source.ask(&mut lock(&source.shelf), file, FIRST);
        source
    }
}

impl FileReader {
    /// Ends the thread once it has read what was asked for.
    pub fn stop(&self) {
        if let Some(requests) = &self.requests {
            // Refused only by a thread that is gone already.
            let _ = requests.send(None);
        }
    }
}

impl Drop for FileReader {
    fn drop(&mut self) {
        self.stop();
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its own message.
            let _ = thread.join();
        }
    }
}

/// A file that is read ahead of where it plays.
#[derive(Debug)]
pub struct AheadSource {
    rate_hz: u32,
    shelf: Arc<Mutex<Shelf>>,
    requests: Option<SyncSender<Option<Request>>>,
}

impl AheadSource {
    /// Holds up the thread that reads it.
    #[cfg(test)]
    pub(super) fn hold(&self) -> impl Drop + '_ {
        lock(&self.shelf)
    }

    pub(super) fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Appends `count` samples; fewer mean the end. Where the disk is late, silence fills in.
    pub(super) fn read(&mut self, count: usize, samples: &mut Vec<i16>) -> Result<(), SourceError> {
        let mut shelf = lock(&self.shelf);
        let there = count.min(shelf.samples.len());
        samples.extend(shelf.samples.drain(..there));
        if shelf.is_ended {
            if there < count
                && let Some(error) = shelf.error.take()
            {
                return Err(error);
            }
            return Ok(());
        }
        samples.resize(samples.len() + count - there, 0);
        if shelf.samples.len() < LOW
            && let Some(file) = shelf.file.take()
        {
            self.ask(&mut shelf, file, BLOCK);
        }
        Ok(())
    }

    /// Asks for the next block; where too many are asked for, the file waits on its shelf.
    fn ask(&self, shelf: &mut Shelf, file: FileSource, count: usize) {
        let request = Some((Arc::clone(&self.shelf), file, count));
        let Some(requests) = &self.requests else {
            return;
        };
        if let Err(refused) = requests.try_send(request) {
            let (TrySendError::Full(request) | TrySendError::Disconnected(request)) = refused;
            shelf.file = request.map(|(_, file, _)| file);
        }
    }
}
