//! Video as it travels: codecs, packets, losses, feedback, files. Nothing here decodes a picture.
//!
//! `receiver` and `sender` are the two halves of a video line; between them go `VideoPacket`s, also
//! from one session to another through a `relay`.

mod assemble;
mod av1;
mod bits;
mod clip;
mod codec;
pub(crate) mod feed;
pub mod feedback;
pub(crate) mod header;
pub mod ivf;
mod layers;
mod missing;
mod packet;
mod packetise;
mod payload;
mod picture_id;
mod rate;
pub(crate) mod reader;
pub(crate) mod receiver;
pub(crate) mod relay;
pub(crate) mod sender;
pub mod transport_wide;
mod window;

pub(crate) use assemble::Assembler;
pub use assemble::EncodedFrame;
pub use clip::Clip;
pub(crate) use clip::units;
pub use codec::VideoCodec;
pub(crate) use layers::LayerChoice;
pub use layers::{LayerFacts, LayerWish};
pub use packet::{Orientation, VideoPacket};
pub use payload::begins_key_frame_untrusted;
pub use receiver::VideoReceived;
pub use sender::VideoSent;
