//! `MediaEngine`: addresses at STUN servers and relays.

use std::net::SocketAddr;

use pyo3::prelude::*;
use trivox_media::MediaError;
use trivox_media::engine::gathering::{Gathering, RelayServer};
use trivox_media::relay_streams::{RelayWay, TrustedRoots};
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

    fn answer_as_lite(&self, py: Python<'_>, session: u64) -> PyResult<()> {
        py.detach(|| self.engine.answer_as_lite(session))
            .map_err(raise)
    }

    fn negotiate_rtcp_mux(&self, py: Python<'_>, session: u64) -> PyResult<()> {
        py.detach(|| self.engine.negotiate_rtcp_mux(session))
            .map_err(raise)
    }

    #[pyo3(signature = (session, *, relays, stun, is_offer, limit, trusted=Vec::new()),
        text_signature = "(self, session, *, relays, stun, is_offer, limit, trusted=())")]
    #[expect(
        clippy::too_many_arguments,
        reason = "keywords of one call of Python's"
    )]
    fn gather(
        &self,
        py: Python<'_>,
        session: u64,
        relays: Vec<RelayPlace>,
        stun: Vec<Server>,
        is_offer: bool,
        limit: f64,
        trusted: Vec<Vec<u8>>,
    ) -> PyResult<()> {
        let relays = relay_servers(relays, trusted).map_err(raise)?;
        let stun: Result<_, MediaError> = stun
            .into_iter()
            .map(|(host, port)| Ok(SocketAddr::new(address(&host)?, port)))
            .collect();
        let gathering = Gathering {
            relays,
            stun: stun.map_err(raise)?,
            is_offer,
            limit: seconds(limit)?,
        };
        py.detach(|| self.engine.gather(session, gathering))
            .map_err(raise)
    }

    fn gather_lines(&self, py: Python<'_>, session: u64) -> PyResult<bool> {
        py.detach(|| self.engine.gather_lines(session))
            .map_err(raise)
    }
}

/// What it is called, IP address, port, user name, password, way, name in its certificate.
type RelayPlace = (String, String, u16, String, String, String, String);

fn relay_servers(
    places: Vec<RelayPlace>,
    trusted: Vec<Vec<u8>>,
) -> Result<Vec<RelayServer>, MediaError> {
    let is_tls = places.iter().any(|place| place.5 == "tls");
    let roots = is_tls.then(|| TrustedRoots::new(trusted)).transpose()?;
    let server = |place: RelayPlace| {
        let (name, host, port, username, password, way, certified) = place;
        let way = match (way.as_str(), &roots) {
            ("udp", _) => RelayWay::Udp,
            ("tcp", _) => RelayWay::Tcp,
            ("tls", Some(roots)) => RelayWay::Tls(certified, roots.clone()),
            _ => {
                let text = format!("{way:?} is no way to a relay: udp, tcp or tls");
                return Err(MediaError::Argument(text));
            }
        };
        Ok(RelayServer {
            address: SocketAddr::new(address(&host)?, port),
            name,
            credentials: RelayCredentials { username, password },
            way,
        })
    };
    places.into_iter().map(server).collect()
}
