//! What is fuzzed, by name: each target takes any bytes and panics where something is wrong.
//!
//! `tests/replay.rs` runs all of them over the seeds and over seeded mutations, on stable and
//! without tools; `guided/` puts the same functions under libFuzzer.
#![forbid(unsafe_code)]

pub mod audio;
pub mod cut;
pub mod data;
pub mod media;
pub mod mutate;
pub mod signalling;
pub mod transports;
pub mod video;
mod world;

/// A function under test.
pub type Target = fn(&[u8]);

/// All targets; seeds lie in `seeds/<name>/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("message", signalling::message),
    ("stream", signalling::stream),
    ("uri", signalling::uri),
    ("name_addr", signalling::name_addr),
    ("via", signalling::via),
    ("core", signalling::core),
    ("sdp", media::sdp),
    ("stun", media::stun),
    ("rtp", media::rtp),
    ("rtcp", media::rtcp),
    ("dtmf", media::dtmf),
    ("jitter", audio::jitter),
    ("decoder", audio::decoder_input),
    ("session", media::session),
    ("wav", media::wav),
    ("clip", video::clip),
    ("video", video::video),
    ("ogg", media::ogg),
    ("flac", media::flac),
    ("octets", media::octets),
    ("crypto", transports::crypto),
    ("srtp", transports::srtp),
    ("relay", transports::relay),
    ("data", data::data),
];

/// The target of that name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, run)| *run)
}
