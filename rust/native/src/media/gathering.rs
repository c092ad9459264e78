//! `MediaEngine`: addresses at STUN servers and relays.

use std::net::SocketAddr;

use pyo3::prelude::*;
use trivox_media::MediaError;
use trivox_media::engine::gathering::{Gathering, RelayServer};
use trivox_media::transport::relay::RelayCredentials;

use super::arguments::{address, seconds};
use super::engine::MediaEngine;
use super::errors::raise;

type Server = (String, u16);

#[pymethods]
impl MediaEngine {
    fn use_relays_only(&self, py: Python<'_>, session: u64) -> PyResult<()> {
        py.detach(|| self.engine.go_by_relays_only(session))
            .map_err(raise)
    }

    #[pyo3(signature = (session, *, relays, stun, is_offer, limit),
        text_signature = "(self, session, *, relays, stun, is_offer, limit)")]
    fn gather(
        &self,
        py: Python<'_>,
        session: u64,
        relays: Vec<(String, String, u16, String, String)>,
        stun: Vec<Server>,
        is_offer: bool,
        limit: f64,
    ) -> PyResult<()> {
        let relays: Result<_, MediaError> = relays
            .into_iter()
            .map(|(name, host, port, username, password)| {
                let address = SocketAddr::new(address(&host)?, port);
                let credentials = RelayCredentials { username, password };
                Ok(RelayServer {
                    address,
                    name,
                    credentials,
                })
            })
            .collect();
        let stun: Result<_, MediaError> = stun
            .into_iter()
            .map(|(host, port)| Ok(SocketAddr::new(address(&host)?, port)))
            .collect();
        let gathering = Gathering {
            relays: relays.map_err(raise)?,
            stun: stun.map_err(raise)?,
            is_offer,
            limit: seconds(limit)?,
        };
        py.detach(|| self.engine.gather(session, gathering))
            .map_err(raise)
    }
}
