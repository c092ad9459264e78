//! Where recordings are written: a thread with a bounded queue, or at once when driven.

use super::output::{Block, OutputFile};
use super::waiting::Waiting;
use super::{Format, Picture, RecorderError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

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

/// A recording that cannot be written any more: what was written before stands.
#[derive(Debug)]
pub struct Broken {
    /// The number [`WriterFile::number`] gave.
    pub number: u64,
    /// The path, and what the system said.
    pub error: String,
}

/// A recording that loses what it is given, as the disk is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// The number [`WriterFile::number`] gave.
    pub number: u64,
    /// Blocks of sound and pictures lost so far.
    pub lost_blocks: u64,
}

/// Where the writer tells what becomes of recordings. Who is gone has no use for it.
#[derive(Debug, Clone)]
struct Results {
    behind: Sender<Behind>,
    broken: Sender<Broken>,
    finished: Sender<Finished>,
}

#[derive(Debug)]
struct Open {
    number: u64,
    path: PathBuf,
    file: OutputFile,
    error: Option<String>,
}

impl Open {
    /// Writes a block; the first time that fails, why.
    fn write(&mut self, block: &Block) -> Option<Broken> {
        if self.error.is_some() {
            return None;
        }
        let error = self.file.write(block).err()?;
        let error = format!("{}: {error}", self.path.display());
        self.error = Some(error.clone());
        let number = self.number;
        Some(Broken { number, error })
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
    Write(Arc<Mutex<Open>>, Block),
    Finish(Arc<Mutex<Open>>, u64),
    Stop,
}

fn carry_out(command: Command, results: &Results) {
    match command {
        Command::Write(open, block) => {
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(broken) = open.write(&block) {
                let _ = results.broken.send(broken);
            }
        }
        Command::Finish(open, lost) => {
            if let Some(open) = Arc::into_inner(open) {
                let open = open.into_inner().unwrap_or_else(PoisonError::into_inner);
                let _ = results.finished.send(open.finish(lost));
            }
        }
        Command::Stop => {}
    }
}

/// Writes recordings, in its own thread or, for virtual time, in the caller's.
#[derive(Debug)]
pub struct Writer {
    queue: Option<Sender<Command>>,
    results: Results,
    behind: Mutex<Receiver<Behind>>,
    broken: Mutex<Receiver<Broken>>,
    finished: Mutex<Receiver<Finished>>,
    next_number: AtomicU64,
    waiting: Arc<Waiting>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Makes a writer that writes within the call: runs in virtual time repeat exactly.
    #[must_use]
    pub fn inline() -> Self {
        let (behind_sender, behind) = channel();
        let (broken_sender, broken) = channel();
        let (finished_sender, finished) = channel();
        Self {
            queue: None,
            results: Results {
                behind: behind_sender,
                broken: broken_sender,
                finished: finished_sender,
            },
            behind: Mutex::new(behind),
            broken: Mutex::new(broken),
            finished: Mutex::new(finished),
            next_number: AtomicU64::new(1),
            waiting: Arc::default(),
            thread: None,
        }
    }

    /// Starts a writer with a thread of its own, which ends when the writer is dropped.
    pub fn threaded() -> Result<Self, RecorderError> {
        let mut writer = Self::inline();
        let (queue, commands) = channel();
        let results = writer.results.clone();
        let waiting = Arc::clone(&writer.waiting);
        let thread = std::thread::Builder::new()
            .name("trivox-recorder".into())
            .spawn(move || {
                for command in commands {
                    let bytes = match &command {
                        Command::Write(_, block) => Some(block.bytes()),
                        Command::Finish(..) => None,
                        Command::Stop => return,
                    };
                    carry_out(command, &results);
                    if let Some(bytes) = bytes {
                        waiting.let_out(bytes);
                    }
                }
            })?;
        writer.queue = Some(queue);
        writer.thread = Some(thread);
        Ok(writer)
    }

    /// Creates a file, with sound of so many channels at 16 kHz where it has sound.
    pub fn create(
        &self,
        path: &Path,
        format: Format,
        channels: u16,
    ) -> Result<WriterFile, RecorderError> {
        let file = OutputFile::create(path, format, channels)?;
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
            results: self.results.clone(),
            waiting: Arc::clone(&self.waiting),
            lost_blocks: 0,
        })
    }

    /// Returns a recording that began to lose since last asked, or by now has lost twice as much.
    pub fn poll_behind(&self) -> Option<Behind> {
        self.behind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .try_recv()
            .ok()
    }

    /// Returns a recording that broke since last asked, while it is open or after.
    pub fn poll_broken(&self) -> Option<Broken> {
        self.broken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .try_recv()
            .ok()
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
    queue: Option<Sender<Command>>,
    results: Results,
    waiting: Arc<Waiting>,
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
        self.hand_over(Block::Sound(block));
    }

    /// Hands over a picture; false when it is lost, as the disk is too slow.
    pub fn write_picture(&mut self, picture: Picture) -> bool {
        let is_room = self.waiting.has_room_for_pictures();
        if !is_room {
            self.note_lost();
        }
        is_room && self.hand_over(Block::Picture(picture))
    }

    fn hand_over(&mut self, block: Block) -> bool {
        let is_taken = self
            .open
            .as_ref()
            .is_some_and(|open| self.submit(open, block));
        if !is_taken {
            self.note_lost();
        }
        is_taken
    }

    /// Tells of the first block and whenever their number has doubled: a disk that stays slow is
    /// told of again, and nobody is flooded.
    fn note_lost(&mut self) {
        self.lost_blocks += 1;
        if self.lost_blocks.is_power_of_two() {
            let (number, lost_blocks) = (self.number, self.lost_blocks);
            let _ = self.results.behind.send(Behind {
                number,
                lost_blocks,
            });
        }
    }

    /// What the writer locks to write this file: a disk that stands still, while it is locked.
    #[cfg(test)]
    pub(crate) fn disk(&self) -> Arc<Mutex<impl Sized + use<>>> {
        Arc::clone(self.open.as_ref().expect("the file is open"))
    }

    /// Has the file closed.
    pub fn finish(mut self) {
        self.close();
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let command = Command::Finish(open, self.lost_blocks);
        match &self.queue {
            None => carry_out(command, &self.results),
            Some(queue) => {
                if let Err(refused) = queue.send(command) {
                    carry_out(refused.0, &self.results);
                }
            }
        }
    }

    fn submit(&self, open: &Arc<Mutex<Open>>, block: Block) -> bool {
        let Some(queue) = &self.queue else {
            carry_out(Command::Write(Arc::clone(open), block), &self.results);
            return true;
        };
        let bytes = block.bytes();
        if !self.waiting.take_in(bytes) {
            return false;
        }
        let is_taken = queue.send(Command::Write(Arc::clone(open), block)).is_ok();
        if !is_taken {
            self.waiting.let_out(bytes);
        }
        is_taken
    }
}

impl Drop for WriterFile {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::waiting::MOST_WAITING_BYTES;
    use super::*;
    use crate::video::VideoCodec;

    #[test]
    fn pictures_that_find_no_room_are_lost_and_told() {
        let path = std::env::temp_dir().join(format!("trivox-room-{}.ivf", std::process::id()));
        let writer = Writer::threaded().unwrap();
        let mut file = writer.create(&path, Format::Ivf, 0).unwrap();
        let picture = Picture {
            codec: VideoCodec::Vp8,
            at: Duration::ZERO,
            is_key: true,
            orientation: Default::default(),
            data: vec![0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0],
        };
        assert!(file.write_picture(picture.clone()));
        let waiting = Arc::clone(&file.waiting);
        waiting.take_in(MOST_WAITING_BYTES + 1);
        assert!(!file.write_picture(picture.clone()));
        waiting.let_out(MOST_WAITING_BYTES + 1);
        assert!(file.write_picture(picture));
        assert_eq!(file.lost_blocks, 1);
        file.finish();
        drop(writer);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();

        assert_eq!(bytes[24], 2);
    }
}
