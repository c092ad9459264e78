//! `MediaEngine`: what changes how a session's media travels.

use pyo3::prelude::*;

use super::arguments::transport_kind;
use super::engine::MediaEngine;
use super::errors::raise;

#[pymethods]
impl MediaEngine {
    #[pyo3(signature = (session, *, transport, accepts = Vec::new()),
        text_signature = "(self, session, *, transport, accepts=())")]
    fn change_transport(
        &self,
        py: Python<'_>,
        session: u64,
        transport: &str,
        accepts: Vec<String>,
    ) -> PyResult<()> {
        let kind = transport_kind(transport).map_err(raise)?;
        let accepts: Result<_, _> = accepts.iter().map(|n| transport_kind(n)).collect();
        let accepts = accepts.map_err(raise)?;
        py.detach(|| self.engine.change_transport(session, kind, accepts))
            .map_err(raise)
    }
}
