//! What signalling wants to know of a session description.
use pyo3::prelude::*;
use trivox_media::session;

/// Which transport an offer asks for: "ice" or "plain".
#[pyfunction]
pub(super) fn detect_transport(sdp: &str) -> &'static str {
    session::detect(sdp)
}

/// Whether the author of a description has put us on hold, in any dialect.
#[pyfunction]
pub(super) fn detect_hold(sdp: &str) -> bool {
    session::detect_hold(sdp)
}

/// Whether an offer brings video beside what its author and we have said before.
#[pyfunction]
#[pyo3(signature = (sdp, before = "", ours = ""))]
pub(super) fn detect_video(sdp: &str, before: &str, ours: &str) -> bool {
    session::detect_video(sdp, before, ours)
}
