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
