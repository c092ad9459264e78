//! One call's media: what is agreed with the peer, and what flows.

mod negotiation;
pub mod offer_answer;
mod payload;
mod sdp;
mod sdp_writer;

pub use sdp::Direction;
