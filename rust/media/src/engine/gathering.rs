//! The phase before a description in which a session's addresses at servers are gathered.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Engine, Mode, lock};
use crate::MediaError;
use crate::relay_streams::RelayWay;
use crate::session::TransportKind;
use crate::session::relays::{MOST_RELAYS, RelayAt};
use crate::slot::Slot;
use crate::transport::relay::RelayCredentials;

/// A TURN server.
#[derive(Debug, Clone)]
pub struct RelayServer {
    /// Where it is.
    pub address: SocketAddr,
    /// What the program calls it; unique in a session.
    pub name: String,
    /// Who we are there.
    pub credentials: RelayCredentials,
    /// How it is reached.
    pub way: RelayWay,
}

/// What is gathered, and how long for.
#[derive(Debug, Clone)]
pub struct Gathering {
    /// Relays to get addresses at; those that a gathering before has found are kept.
    pub relays: Vec<RelayServer>,
    /// STUN servers; the first one of a socket's family is asked.
    pub stun: Vec<SocketAddr>,
    /// Whether our description will be the offer.
    pub is_offer: bool,
    /// What has come by then is all.
    pub limit: Duration,
}

impl Engine {
    /// Has ICE of a session go by relays only.
    ///
    /// # Errors
    /// `MediaError::State` once the session has sockets.
    pub fn go_by_relays_only(&self, session: u64) -> Result<(), MediaError> {
        self.command(session, |open, _| open.go_by_relays_only())
    }

    /// Has a session answer offers by ICE as a lite agent.
    ///
    /// # Errors
    /// `MediaError::State` once the session has sockets.
    pub fn answer_as_lite(&self, session: u64) -> Result<(), MediaError> {
        self.command(session, |open, _| open.answer_as_lite())
    }

    /// Begins to gather; a `Gathered` event ends it.
    ///
    /// # Errors
    /// `MediaError::State` for a session without ICE, `MediaError::Argument` for too many relays,
    /// `MediaError::System` when no port is free.
    pub fn gather(&self, session: u64, gathering: Gathering) -> Result<(), MediaError> {
        let slot = self.slot(session)?;
        if slot.command(|open| Ok(open.transport_kind()))? != TransportKind::Ice {
            return Err(MediaError::State(
                "addresses are gathered for sessions with ICE only".to_owned(),
            ));
        }
        if gathering.relays.len() > MOST_RELAYS {
            return Err(MediaError::Argument(format!(
                "a call uses {MOST_RELAYS} relays at most"
            )));
        }
        self.attach(session, gathering.is_offer)?;
        self.bind_lines(session)?;
        self.bind_rtcp(session)?;
        slot.remember(&gathering);
        self.ask_servers(session, &slot, &gathering)
    }

    /// Asks servers for the lines that the next description gives a path of their own; whether
    /// anything is being asked: a `Gathered` event ends it.
    ///
    /// # Errors
    /// `MediaError::System` when no port is free.
    pub fn gather_lines(&self, session: u64) -> Result<bool, MediaError> {
        self.attach_lines(session)?;
        self.slot(session)?.command(|open| Ok(open.is_gathering()))
    }

    /// Binds sockets for lines that do not share the audio's, and for RTCP where it does not go with
    /// RTP. Where servers were asked for the call, they are asked for those too.
    pub(super) fn attach_lines(&self, session: u64) -> Result<(), MediaError> {
        let has_lines = self.bind_lines(session)?;
        if !(self.bind_rtcp(session)? || has_lines) {
            return Ok(());
        }
        let slot = self.slot(session)?;
        let is_ice = slot.command(|open| Ok(!open.components().is_empty()))?;
        match slot.gathering().filter(|_| is_ice) {
            Some(gathering) => self.ask_servers(session, &slot, &gathering),
            None => Ok(()),
        }
    }

    fn ask_servers(
        &self,
        session: u64,
        slot: &Slot,
        gathering: &Gathering,
    ) -> Result<(), MediaError> {
        let (known, lost) =
            slot.command(|open| Ok((open.relay_names(), open.forget_lost_relays())))?;
        self.release_sockets(slot, &lost);
        let components = slot.command(|open| Ok(open.components()))?.into_iter();
        let all = components.flat_map(|at| gathering.relays.iter().map(move |one| (at, one)));
        let (mut relays, mut failures) = (Vec::new(), Vec::new());
        for (component, server) in all {
            if known.contains(&(component, server.name.clone())) {
                continue;
            }
            match self.bind_relay(slot, server) {
                Ok((local, at)) => relays.push(RelayAt {
                    local,
                    server: at,
                    name: server.name.clone(),
                    credentials: server.credentials.clone(),
                    component,
                    is_stream: !matches!(server.way, RelayWay::Udp),
                }),
                Err(error) => failures.push(format!("{}: {error}", server.name)),
            }
        }
        self.command(session, |open, now| {
            let stun = open.questions_for(&gathering.stun);
            open.gather(now, relays, &stun, failures, gathering.limit)
        })
    }

    /// A socket for the way to a relay, and where the relay is to that socket.
    fn bind_relay(
        &self,
        slot: &Slot,
        server: &RelayServer,
    ) -> Result<(SocketAddr, SocketAddr), MediaError> {
        let address = server.address;
        match (&self.mode, &server.way) {
            (Mode::Live(live), RelayWay::Udp) => Ok((live.bind_relay(slot, address)?, address)),
            (Mode::Live(live), way) => live.bind_stream(slot, address, way),
            (Mode::Driven(driven), RelayWay::Udp) => {
                Ok((lock(driven).bind_relay(slot, address)?, address))
            }
            (Mode::Driven(_), _) => Err(MediaError::State(
                "a driven engine has no streams: name relays over UDP".to_owned(),
            )),
        }
    }
}
