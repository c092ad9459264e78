//! Matroska files (RFC 9559): pictures as they came, and the sound of a call as Opus.

mod cluster;
mod ebml;
mod length;
mod tracks;
mod writer;

pub use length::seconds_of;
pub use writer::MatroskaWriter;

use std::io;

/// Why a Matroska file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum MatroskaError {
    /// The system refused.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The codec library refused.
    #[error(transparent)]
    Sound(#[from] crate::ogg_opus::OggError),
    /// A picture, or what a decoder has to be told of it, has no place in the file.
    #[error("a picture is too large for the file")]
    TooLarge,
    /// A track of the file has one codec.
    #[error("the far end changed its codec from {0} to {1}, which a file cannot: record anew")]
    CodecChanged(&'static str, &'static str),
}

#[cfg(test)]
mod tests;
