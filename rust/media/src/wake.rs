//! A descriptor that is readable while it is signalled: eventfd on Linux, a socket pair elsewhere.
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::MediaError;

/// One wake-up between threads; signals that come before `clear` melt into one.
#[derive(Debug)]
pub struct Wake {
    reader: OwnedFd,
    #[cfg(not(target_os = "linux"))]
    writer: OwnedFd,
}

impl Wake {
    /// Makes an unsignalled wake-up, non-blocking on both sides.
    ///
    /// # Errors
    /// `MediaError::System` when the process has no descriptor left.
    #[cfg(target_os = "linux")]
    pub fn new() -> Result<Self, MediaError> {
        use rustix::event::{EventfdFlags, eventfd};
        let reader = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
            .map_err(|error| MediaError::system("cannot make an eventfd", error.into()))?;
        Ok(Self { reader })
    }

    /// Makes an unsignalled wake-up, non-blocking on both sides.
    ///
    /// # Errors
    /// `MediaError::System` when the process has no descriptor left.
    #[cfg(not(target_os = "linux"))]
    pub fn new() -> Result<Self, MediaError> {
        let pair = || -> std::io::Result<_> {
            let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            writer.set_nonblocking(true)?;
            Ok((reader.into(), writer.into()))
        };
        let (reader, writer) =
            pair().map_err(|error| MediaError::system("cannot make a socket pair", error))?;
        Ok(Self { reader, writer })
    }

    /// The descriptor to wait on for reading.
    pub fn descriptor(&self) -> i32 {
        self.reader.as_raw_fd()
    }

    /// Makes the descriptor readable. A full counter is readable already, so errors mean success.
    pub fn signal(&self) {
        #[cfg(target_os = "linux")]
        let _ = rustix::io::write(&self.reader, &1_u64.to_ne_bytes());
        #[cfg(not(target_os = "linux"))]
        let _ = rustix::io::write(&self.writer, &[1]);
    }

    /// Makes the descriptor unreadable until the next signal.
    pub fn clear(&self) {
        let mut buffer = [0_u8; 64];
        while matches!(rustix::io::read(&self.reader, &mut buffer), Ok(64)) {}
    }

    /// Whether the descriptor is readable now.
    pub fn is_signalled(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Waits until it is signalled, at most so long; returns whether it is.
    pub fn wait(&self, longest: Duration) -> bool {
        let timeout = Timespec {
            tv_sec: longest.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: longest.subsec_nanos().into(),
        };
        let mut descriptors = [PollFd::new(&self.reader, PollFlags::IN)];
        matches!(poll(&mut descriptors, Some(&timeout)), Ok(1))
    }
}
