//! What can go wrong in the engine, for the program that uses it. Peers cause events, not errors.

/// An error of a command. The binding maps these to `trivox.errors`.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The two sides' session descriptions cannot be brought together (answer it with SIP 488).
    #[error("{0}")]
    Negotiation(String),
    /// A file cannot be read, written or understood.
    #[error("{0}")]
    File(String),
    /// An argument is out of range; the sentence says which range.
    #[error("{0}")]
    Argument(String),
    /// The command does not fit the state of the session.
    #[error("{0}")]
    State(String),
    /// A bounded queue is full; nothing was taken.
    #[error("{0}")]
    Full(String),
    /// No session, playback, recording or audio port has this number (any more).
    #[error("there is no {kind} {number}: it has ended or never was")]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// Its number.
        number: u64,
    },
    /// A codec or a resampler failed.
    #[error("{0}")]
    Codec(String),
    /// The operating system refused.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// A bug in the engine; the session it happened in has ended, the others live on.
    #[error("a fault inside the media engine ended this session: {0}")]
    Fault(String),
}

/// EMFILE, ENFILE, ENOMEM and ENOBUFS on Linux and macOS.
const EXHAUSTED: [i32; 5] = [24, 23, 12, 105, 55];

impl MediaError {
    /// Whether the machine has nothing left to give: descriptors, memory, or a port of the range.
    pub fn is_exhaustion(&self) -> bool {
        let Self::System { source, .. } = self else {
            return false;
        };
        let is_out = |number| EXHAUSTED.contains(&number);
        source.kind() == std::io::ErrorKind::AddrInUse || source.raw_os_error().is_some_and(is_out)
    }

    /// Wraps an error of the operating system with what was tried.
    pub fn system(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::System {
            what: what.into(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::*;

    fn is_exhaustion(number: i32) -> bool {
        MediaError::system("bind", Error::from_raw_os_error(number)).is_exhaustion()
    }

    #[test]
    fn what_the_machine_has_no_more_of_is_told_from_what_is_wrong() {
        let (emfile, enfile, enomem) = (24, 23, 12);
        let (enetunreach, eacces, eaddrnotavail, einval) = (101, 13, 99, 22);

        assert!([emfile, enfile, enomem].into_iter().all(is_exhaustion));
        let wrong = [enetunreach, eacces, eaddrnotavail, einval];
        assert!(!wrong.into_iter().any(is_exhaustion));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn buffers_and_ports_run_out_too() {
        let (enobufs, eaddrinuse) = (105, 98);

        assert!(is_exhaustion(enobufs) && is_exhaustion(eaddrinuse));
    }

    #[test]
    fn only_the_system_runs_out() {
        assert!(!MediaError::Full("24 frames".into()).is_exhaustion());
        assert!(!MediaError::File("error 24".into()).is_exhaustion());
    }
}
