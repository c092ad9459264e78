//! The engine half of the extension.
use pyo3::prelude::*;

mod arguments;
mod audio;
mod audio_bounds;
mod bridge;
mod codecs;
mod compare;
mod data;
mod decoder;
mod descriptions;
mod engine;
mod errors;
mod feed;
mod figures;
mod frame;
mod gathering;
mod quality;
mod rooms;
mod rtp_taps;
mod share;
mod tones;
mod transports;
mod trickle;
mod video;
mod video_layers;
mod video_recording;

/// Adds the engine classes to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<engine::MediaEngine>()?;
    module.add_class::<decoder::SoundDecoder>()?;
    module.add_class::<feed::AudioFeed>()?;
    module.add_class::<share::AudioShare>()?;
    module.add_class::<figures::Figures>()?;
    module.add_class::<frame::AudioFrame>()?;
    module.add_function(wrap_pyfunction!(feed::file_seconds, module)?)?;
    module.add_function(wrap_pyfunction!(compare::compare_recordings, module)?)?;
    module.add_function(wrap_pyfunction!(quality::quality_rules, module)?)?;
    module.add_function(wrap_pyfunction!(descriptions::detect_hold, module)?)?;
    module.add_function(wrap_pyfunction!(descriptions::detect_video, module)?)?;
    module.add_function(wrap_pyfunction!(descriptions::detect_transport, module)?)
}
