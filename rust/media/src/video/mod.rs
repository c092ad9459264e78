//! Video as it travels: its codecs, and frames in packets. Nothing here decodes a picture.

mod codec;

pub use codec::VideoCodec;
