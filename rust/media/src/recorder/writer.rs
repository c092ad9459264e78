//! Where recordings are written: a thread with a bounded queue, or at once when driven.

use super::{Format, RecorderError};
use crate::ogg_opus::OggOpusWriter;
use crate::wav::WavWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Blocks that may wait for the disk, all recordings together: 64 MB of half-second stereo.
const MOST_WAITING: usize = 2_048;

/// A recording that is closed.
#[derive(Debug)]
pub struct Finished {
    /// The number [`WriterFile::number`] gave.
    pub number: u64,
    /// Seconds on disk.
    pub seconds: f64,
    /// The first error there was; what came after it is not in the file.
    pub error: Option<String>,
}

/// What is written, in its format.
#[derive(Debug)]
enum OutputFile {
    Wav(WavWriter),
    Ogg(Box<OggOpusWriter>),
}

impl OutputFile {
    fn write(&mut self, block: &[i16]) -> Result<(), RecorderError> {
        match self {
            Self::Wav(wav) => Ok(wav.write(block)?),
            Self::Ogg(ogg) => Ok(ogg.write(block)?),
        }
    }

    fn finish(&mut self) -> Result<f64, RecorderError> {
        match self {
            Self::Wav(wav) => Ok(wav.seconds()),
            Self::Ogg(ogg) => {
                ogg.finish()?;
                Ok(ogg.seconds())
            }
        }
    }
}

#[derive(Debug)]
struct Open {
    number: u64,
    path: PathBuf,
    file: OutputFile,
    error: Option<String>,
}

impl Open {
    fn write(&mut self, block: &[i16]) {
        if self.error.is_none()
            && let Err(error) = self.file.write(block)
        {
            self.error = Some(format!("{}: {error}", self.path.display()));
        }
    }

    fn finish(mut self, lost_blocks: u64) -> Finished {
        let seconds = match self.file.finish() {
            Ok(seconds) => seconds,
            Err(error) => {
                let text = format!("{}: {error}", self.path.display());
                self.error.get_or_insert(text);
                0.0
            }
        };
        let lost = (lost_blocks > 0).then(|| {
            format!(
                "{}: the disk was too slow, {lost_blocks} blocks are lost",
                self.path.display()
            )
        });
        Finished {
            number: self.number,
            seconds,
            error: self.error.or(lost),
        }
    }
}

enum Command {
    Write(Arc<Mutex<Open>>, Vec<i16>),
    Finish(Arc<Mutex<Open>>, u64),
    Stop,
}

fn carry_out(command: Command, finished: &Sender<Finished>) {
    match command {
        Command::Write(open, block) => {
            open.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write(&block);
        }
        Command::Finish(open, lost) => {
            if let Some(open) = Arc::into_inner(open) {
                let open = open.into_inner().unwrap_or_else(PoisonError::into_inner);
                // A reader that is gone has no use for the result.
                let _ = finished.send(open.finish(lost));
            }
        }
        Command::Stop => {}
    }
}

/// Writes recordings, in its own thread or, for virtual time, in the caller's.
#[derive(Debug)]
pub struct Writer {
    queue: Option<SyncSender<Command>>,
    finished_sender: Sender<Finished>,
    finished: Mutex<Receiver<Finished>>,
    next_number: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Makes a writer that writes within the call: runs in virtual time repeat exactly.
    #[must_use]
    pub fn inline() -> Self {
        let (finished_sender, finished) = channel();
        let (finished, next_number) = (Mutex::new(finished), AtomicU64::new(1));
        Self {
            queue: None,
            finished_sender,
            finished,
            next_number,
            thread: None,
        }
    }

    /// Starts a writer with a thread of its own, which ends when the writer is dropped.
    pub fn threaded() -> Result<Self, RecorderError> {
        let mut writer = Self::inline();
        let (queue, commands) = sync_channel(MOST_WAITING);
        let finished = writer.finished_sender.clone();
        let thread = std::thread::Builder::new()
            .name("trivox-recorder".into())
            .spawn(move || {
                for command in commands {
                    if matches!(command, Command::Stop) {
                        return;
                    }
                    carry_out(command, &finished);
                }
            })?;
        writer.queue = Some(queue);
        writer.thread = Some(thread);
        Ok(writer)
    }

    /// Creates a file of 16 kHz and its header.
    pub fn create(
        &self,
        path: &Path,
        format: Format,
        channels: u16,
    ) -> Result<WriterFile, RecorderError> {
        let file = match format {
            Format::Wav => {
                OutputFile::Wav(WavWriter::create(path, super::RECORDING_RATE_HZ, channels)?)
            }
            Format::Ogg => OutputFile::Ogg(Box::new(OggOpusWriter::create(path, channels)?)),
        };
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let open = Open {
            number,
            path: path.to_path_buf(),
            file,
            error: None,
        };
        Ok(WriterFile {
            number,
            open: Some(Arc::new(Mutex::new(open))),
            queue: self.queue.clone(),
            finished: self.finished_sender.clone(),
            lost_blocks: 0,
        })
    }

    /// Returns a recording that was closed since last asked.
    pub fn poll_finished(&self) -> Option<Finished> {
        self.finished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .try_recv()
            .ok()
    }
}

impl Drop for Writer {
    /// Waits for what is queued. Files still open lose later blocks and are closed when dropped.
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            // Refused only by a thread that is gone already.
            let _ = queue.send(Command::Stop);
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its own message.
            let _ = thread.join();
        }
    }
}

/// One open file of a [`Writer`]. Dropping it closes the file.
#[derive(Debug)]
pub struct WriterFile {
    number: u64,
    open: Option<Arc<Mutex<Open>>>,
    queue: Option<SyncSender<Command>>,
    finished: Sender<Finished>,
    lost_blocks: u64,
}

impl WriterFile {
    /// Returns the number that [`Finished`] will carry.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Hands over a block; when the queue is full it is lost and counted, never waited for.
    pub fn write(&mut self, block: Vec<i16>) {
        if let Some(open) = &self.open
            && !self.submit(Command::Write(Arc::clone(open), block))
        {
            self.lost_blocks += 1;
        }
    }

    /// Has the file closed.
    pub fn finish(mut self) {
        self.close();
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let command = Command::Finish(open, self.lost_blocks);
        match &self.queue {
            None => carry_out(command, &self.finished),
            // Closing waits for room: it comes once a recording, and must not be lost.
            Some(queue) => {
                if let Err(refused) = queue.send(command) {
                    carry_out(refused.0, &self.finished);
                }
            }
        }
    }

    fn submit(&self, command: Command) -> bool {
        match &self.queue {
            None => {
                carry_out(command, &self.finished);
                true
            }
            Some(queue) => match queue.try_send(command) {
                Ok(()) => true,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
            },
        }
    }
}

impl Drop for WriterFile {
    fn drop(&mut self) {
        self.close();
    }
}
