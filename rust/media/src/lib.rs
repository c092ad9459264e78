//! The media engine: transports, RTP sessions, codecs, players and recorders.
//!
//! Everything but `shard` and `socket` is sans-I/O: bytes and `now` go in, datagrams, events and
//! the next deadline come out. No pyo3, no async runtime.
#![forbid(unsafe_code)]

mod bound;
pub mod codec;
pub mod compare;
pub mod data;
mod driven;
pub mod dtmf;
pub mod engine;
pub mod error;
pub mod event;
mod fan;
pub mod flac;
mod inbox;
mod intake;
pub mod jitter;
pub mod lane;
pub mod level;
pub mod link;
mod live;
pub mod matroska;
pub mod octets;
pub mod ogg_opus;
pub mod player;
pub mod quality;
pub mod random;
mod ration;
pub mod recorder;
mod recordings;
pub mod relay_streams;
pub mod resample;
mod room;
pub mod session;
pub mod shard;
mod slot;
mod socket;
mod timers;
pub mod tones;
pub mod transport;
pub mod video;
pub mod voice;
pub mod wake;
pub mod watch;
pub mod wav;

pub use error::MediaError;
