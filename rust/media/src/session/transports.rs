//! The transport of a session: made, changed with what is agreed, made anew for a fork.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::Session;
use super::negotiation::{RemoteTransport, TransportKind};
use crate::MediaError;
use crate::transport::{
    DtlsTransport, IceTransport, Identity, PlainTransport, SdesTransport, Transport,
};

/// Makes a transport for bound sockets: all candidates with `Ice`, which answers as a lite agent
/// if it is to; else RTP and RTCP.
///
/// # Errors
/// `MediaError::Argument` without an address, `MediaError::Fault` when no ICE agent or no keys can
/// be made.
pub(super) fn open_transport(
    now: Instant,
    kind: TransportKind,
    identity: &Arc<Identity>,
    locals: &[SocketAddr],
    is_lite: bool,
) -> Result<Transport, MediaError> {
    let identity = Arc::clone(identity);
    let home = locals
        .first()
        .map(|rtp| (*rtp, *locals.get(1).unwrap_or(rtp)))
        .ok_or_else(|| MediaError::Argument("a session needs a local address".to_owned()));
    Ok(match kind {
        TransportKind::Plain => {
            let (rtp, rtcp) = home?;
            Transport::Plain(Box::new(PlainTransport::new(rtp, rtcp)))
        }
        TransportKind::Sdes => {
            let (rtp, rtcp) = home?;
            Transport::Sdes(Box::new(SdesTransport::new(identity, rtp, rtcp)?))
        }
        TransportKind::Dtls => {
            let (rtp, rtcp) = home?;
            Transport::Dtls(Box::new(DtlsTransport::new(identity, rtp, rtcp)))
        }
        // Without an address of ours it goes by relays.
        TransportKind::Ice => {
            let mut ice = IceTransport::new(now, identity, locals)?;
            if is_lite {
                ice.answer_as_lite();
            }
            Transport::Ice(Box::new(ice))
        }
    })
}

/// Gives the peer's half to a transport of its kind.
///
/// # Errors
/// `MediaError::State` for one of another kind, or what ICE says of the description.
pub(super) fn give_remote(
    now: Instant,
    transport: &mut Transport,
    remote: &RemoteTransport,
    is_offer: bool,
) -> Result<(), MediaError> {
    match (transport, remote) {
        (Transport::Plain(plain), RemoteTransport::Plain(remote)) => plain.set_remote(now, *remote),
        (Transport::Sdes(sdes), RemoteTransport::Sdes(remote)) => sdes.set_remote(now, remote),
        (
            Transport::Dtls(dtls),
            RemoteTransport::Dtls {
                remote,
                is_dtls_client,
            },
        ) => dtls.set_remote(now, remote, *is_dtls_client),
        (
            Transport::Ice(ice),
            RemoteTransport::Ice {
                remote,
                is_dtls_client,
            },
        ) => ice.set_remote(now, remote, is_offer, *is_dtls_client)?,
        _ => return Err(MediaError::State("the session has no sockets".to_owned())),
    }
    Ok(())
}

pub(super) fn kind_of(transport: &Transport) -> TransportKind {
    match transport {
        Transport::Plain(_) => TransportKind::Plain,
        Transport::Sdes(_) => TransportKind::Sdes,
        Transport::Dtls(_) => TransportKind::Dtls,
        Transport::Ice(_) => TransportKind::Ice,
    }
}

impl Session {
    /// Answers offers by ICE as a lite agent (RFC 8445 §2.5): far ends do all checks.
    ///
    /// # Errors
    /// `MediaError::State` once the session has sockets.
    pub fn answer_as_lite(&mut self) -> Result<(), MediaError> {
        if !self.needs_sockets() {
            return Err(MediaError::State(
                "a session that has sockets cannot become a lite agent any more".to_owned(),
            ));
        }
        self.is_lite = true;
        Ok(())
    }

    /// Offers another transport in place of the one whose offer was refused.
    ///
    /// # Errors
    /// `MediaError::State` once the peer has described itself.
    pub fn change_transport(
        &mut self,
        now: Instant,
        kind: TransportKind,
        accepts: Vec<TransportKind>,
    ) -> Result<(), MediaError> {
        if self.has_remote {
            return Err(MediaError::State(
                "the far end has answered: a transport changes only by its offers then".to_owned(),
            ));
        }
        let is_paired = |kind| kind != TransportKind::Ice;
        if is_paired(kind) {
            self.close_relays(now);
        }
        let keeps_sockets = is_paired(kind) && is_paired(self.settings.transport);
        self.transport = if keeps_sockets && !self.locals.is_empty() {
            Some(open_transport(
                now,
                kind,
                &self.identity,
                &self.locals,
                self.is_lite,
            )?)
        } else {
            self.leave_all_homes();
            None
        };
        self.settings.transport = kind;
        self.settings.accepts.clone_from(&accepts);
        self.offer_answer.offer_over(kind, accepts);
        Ok(())
    }

    /// Gives the peer's half to the transport, or to one of another kind where that was agreed.
    pub(super) fn connect(
        &mut self,
        now: Instant,
        remote: RemoteTransport,
        is_offer: bool,
    ) -> Result<(), MediaError> {
        let kind = remote.kind();
        if self
            .transport
            .as_ref()
            .is_some_and(|own| kind_of(own) != kind)
        {
            let next = match self.forks.take_offered(|own| kind_of(own) == kind) {
                Some(offered) => offered,
                None => open_transport(now, kind, &self.identity, &self.locals, self.is_lite)?,
            };
            if let Some(before) = self.transport.replace(next) {
                self.forks.keep_offered(before);
            }
            self.begin_anew();
        }
        let transport = self.transport.as_mut();
        let none = || MediaError::State("the session has no sockets".to_owned());
        give_remote(now, transport.ok_or_else(none)?, &remote, is_offer)
    }

    /// Another fork of our offer is heard: what it needs of its own is made, or found again.
    ///
    /// Bare RTP and SRTP under keys of descriptions only change the address and the peer's key.
    pub(super) fn hear_fork(&mut self, now: Instant, dialog: &str) -> Result<(), MediaError> {
        let Some(transport) = &mut self.transport else {
            return Ok(());
        };
        if matches!(transport, Transport::Plain(_) | Transport::Sdes(_)) {
            return Ok(());
        }
        self.forks
            .change(transport, dialog, |before| match before {
                Transport::Ice(ice) => Ok(Transport::Ice(Box::new(ice.fork(now)?))),
                Transport::Dtls(dtls) => Ok(Transport::Dtls(Box::new(dtls.fork()))),
                _ => Err(MediaError::State("this transport has no forks".to_owned())),
            })?;
        self.begin_anew();
        Ok(())
    }

    /// The transport is another one; that it is up is told of again when it is.
    fn begin_anew(&mut self) {
        let transport = self.transport.as_ref();
        self.is_transport_ready = transport.is_some_and(Transport::is_ready);
        self.connected = None;
        self.begin_data_anew();
    }
}
