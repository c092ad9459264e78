//! A file of which only so much is read at a time, so that no file holds up who reads for others.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Octets that a block of sound may take: more than any encoding of it has.
const OF_BLOCK: u64 = 4_194_304;
/// Octets that are looked through for the beginning of the sound, or a place in it.
const OF_SEARCH: u64 = 67_108_864;

/// What is read when the ration is used up fails; the clones of one share it.
#[derive(Debug, Clone)]
pub(crate) struct RationedFile {
    file: Arc<File>,
    left: Arc<AtomicU64>,
}

impl RationedFile {
    /// Takes a file, of which there is a search's ration first.
    pub(crate) fn new(file: File) -> Self {
        Self {
            file: Arc::new(file),
            left: Arc::new(AtomicU64::new(OF_SEARCH)),
        }
    }

    /// Allows for the next block, after a search or without.
    pub(crate) fn allow(&self, is_search: bool) {
        let octets = if is_search { OF_SEARCH } else { OF_BLOCK };
        self.left.store(octets, Ordering::Relaxed);
    }

    /// The length of the file.
    pub(crate) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

impl Read for RationedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 && !buffer.is_empty() {
            let reason = "it has more octets than sound";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let most = left.min(buffer.len() as u64) as usize;
        let read = (&*self.file).read(&mut buffer[..most])?;
        self.left.store(left - read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for RationedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        (&*self.file).seek(to)
    }
}
