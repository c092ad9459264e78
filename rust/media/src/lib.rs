//! The media engine: transports, RTP sessions, codecs, players and recorders.
//!
//! Everything but `shard` and `socket` is sans-I/O: bytes and `now` go in, datagrams, events and
//! the next deadline come out. No pyo3, no async runtime.
#![forbid(unsafe_code)]

pub mod codec;
pub mod compare;
pub mod dtmf;
pub mod error;
pub mod event;
pub mod jitter;
pub mod level;
pub mod player;
pub mod quality;
pub mod recorder;
pub mod resample;
pub mod session;
pub mod transport;
pub mod voice;
pub mod wake;
pub mod wav;

pub use error::MediaError;
