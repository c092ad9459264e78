//! A session's descriptions: sockets in, offers and answers out, what is agreed put to use.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use super::Session;
use super::negotiation::{Negotiated, TransportKind};
use super::offer_answer::{Applied, DescriptionKind, LocalMedia, OfferAnswer};
use super::receive::ReceiveSettings;
use super::send::SendSettings;
use super::transports::open_transport;
use crate::MediaError;
use crate::transport::{ComponentId, IceDescription, IceTransport, Transport};

/// The address of a description that knows none yet: port 9 of no host.
pub(super) const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9);

/// An offer of the peer that we have not answered: nothing of it is in force.
pub(super) struct PendingOffer {
    before: OfferAnswer,
    applied: Applied,
    dialog: String,
}

impl Session {
    /// Whether `attach` is still to be called, before the first description.
    pub fn needs_sockets(&self) -> bool {
        self.transport.is_none()
    }

    /// Which transport it was opened with.
    pub fn transport_kind(&self) -> TransportKind {
        self.settings.transport
    }

    /// Gives the session the addresses of its bound sockets: all candidates, or RTP and RTCP.
    ///
    /// # Errors
    /// `MediaError::Fault` when no ICE agent can be made.
    pub fn attach(&mut self, now: Instant, locals: &[SocketAddr]) -> Result<(), MediaError> {
        let kind = self.settings.transport;
        let transport = open_transport(now, kind, &self.identity, locals, self.is_lite)?;
        self.transport = Some(transport);
        self.locals = locals.to_vec();
        Ok(())
    }

    /// Where media goes, once ICE has found it.
    pub fn path(&self) -> Option<SocketAddr> {
        match &self.transport {
            Some(Transport::Ice(ice)) => ice.path().map(|(_, remote)| remote),
            _ => None,
        }
    }

    /// The ICE user fragments checks of the peer may name.
    pub fn ufrags(&self) -> Vec<String> {
        match &self.transport {
            Some(Transport::Ice(ice)) => {
                let mut ufrags = vec![ice.description().ufrag, ice.offered_description().ufrag];
                ufrags.extend(ice.former_ufrag().map(str::to_owned));
                ufrags.sort_unstable();
                ufrags.dedup();
                ufrags
            }
            _ => Vec::new(),
        }
    }

    /// Writes an offer.
    ///
    /// # Errors
    /// `MediaError::State` while the peer's offer waits for an answer.
    pub fn create_offer(&mut self, now: Instant, ice_restart: bool) -> Result<String, MediaError> {
        self.fit_homes(now)?;
        self.want_data_line();
        if ice_restart
            && let Some(Transport::Ice(ice)) = &mut self.transport
            && self.has_remote
        {
            ice.prepare_restart()?;
            self.restart_lines()?;
        }
        let local = self.local_media(true)?;
        let offer = self.offer_answer.create_offer(&local)?;
        self.has_local = true;
        self.note_told(&local);
        Ok(offer)
    }

    /// Takes a description of the peer.
    ///
    /// # Errors
    /// `MediaError::Negotiation` when both sides do not fit; nothing has changed then.
    pub fn set_remote(
        &mut self,
        now: Instant,
        sdp: &str,
        kind: DescriptionKind,
        dialog: &str,
    ) -> Result<(), MediaError> {
        let before = self.offer_answer.clone();
        self.want_data_line();
        let applied = self.offer_answer.set_remote(sdp, kind, dialog)?;
        self.has_remote = true;
        if kind == DescriptionKind::Offer {
            let dialog = dialog.to_owned();
            let before = self.pending.take().map_or(before, |pending| pending.before);
            self.pending = Some(Box::new(PendingOffer {
                before,
                applied,
                dialog,
            }));
            return Ok(());
        }
        self.apply(now, applied, kind, dialog)?;
        self.take_direction(now, false)?;
        self.drain_transport(now);
        Ok(())
    }

    /// Forgets an offer that was refused, ours with the wish it told of, or the peer's with all it
    /// would have changed.
    pub fn rollback(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.offer_answer = pending.before;
        }
        if let Some(Transport::Ice(ice)) = &mut self.transport {
            ice.cancel_restart();
        }
        self.cancel_line_restarts();
        self.offer_answer.rollback();
    }

    /// Writes the answer to the offer set before; media flows from here on.
    ///
    /// # Errors
    /// `MediaError::State` when there is no offer.
    pub fn create_answer(&mut self, now: Instant) -> Result<String, MediaError> {
        if let Some(pending) = self.pending.take() {
            let PendingOffer {
                applied, dialog, ..
            } = *pending;
            self.apply(now, applied, DescriptionKind::Offer, &dialog)?;
        }
        self.fit_homes(now)?;
        let local = self.local_media(false)?;
        let answer = self.offer_answer.create_answer(&local)?;
        self.has_local = true;
        self.note_told(&local);
        self.take_direction(now, true)?;
        self.drain_transport(now);
        Ok(answer)
    }

    pub(super) fn local_media(&self, is_offer: bool) -> Result<LocalMedia, MediaError> {
        let Some(transport) = &self.transport else {
            return Err(MediaError::State("the session has no sockets".to_owned()));
        };
        let first = self.first_address(transport)?;
        let advertised = self.settings.advertised.filter(|_| !self.is_by_relays());
        let address = advertised.unwrap_or(first.ip());
        let ice = match transport {
            Transport::Plain(_) | Transport::Sdes(_) | Transport::Dtls(_) => None,
            Transport::Ice(ice) => Some(self.ice_media(ice, is_offer)),
        };
        let rtcp_port = self.locals.get(1).unwrap_or(&first).port();
        Ok(LocalMedia {
            address,
            rtp_port: first.port(),
            rtcp_port,
            ice,
            lines: self.line_media(address, is_offer),
            fingerprint: matches!(transport, Transport::Dtls(_))
                .then(|| self.identity.fingerprint().to_owned()),
            keys: match transport {
                Transport::Sdes(sdes) => sdes.keys().to_vec(),
                _ => Vec::new(),
            },
        })
    }

    /// The address a description names outside of its candidates.
    fn first_address(&self, transport: &Transport) -> Result<SocketAddr, MediaError> {
        if let Some(first) = self.locals.first() {
            return Ok(*first);
        }
        let gathered = match transport {
            Transport::Ice(ice) => ice
                .gathered(ComponentId::Rtp)
                .first()
                .map(|one| one.address),
            _ => None,
        };
        let known = gathered.or(self.last_relayed());
        // Who takes candidates later is told of no address for now (RFC 8840 §4.1.1).
        let nowhere = (!self.has_all_candidates()).then_some(NOWHERE);
        known.or(nowhere).ok_or_else(|| {
            MediaError::State(
                "the call goes by relays only, and there is none: gather addresses first, and \
                 look at what gathering says about the ice_servers"
                    .to_owned(),
            )
        })
    }

    /// Whether no address of ours may be told.
    pub(crate) fn is_by_relays(&self) -> bool {
        self.is_relay_only && self.settings.transport == TransportKind::Ice
    }

    /// What we say of an ICE transport; where we are reached elsewhere, that address.
    pub(super) fn ice_media(&self, ice: &IceTransport, is_offer: bool) -> IceDescription {
        let mut own = if is_offer {
            ice.offered_description()
        } else {
            ice.description()
        };
        if let Some(address) = self.settings.advertised.filter(|_| !self.is_by_relays()) {
            let rtcp = own.rtcp.iter_mut().flat_map(|rtcp| &mut rtcp.candidates);
            let candidates = own.candidates.iter_mut().chain(rtcp);
            candidates.for_each(|candidate| candidate.set_ip(address));
        }
        own.is_complete = self.has_all_candidates();
        own
    }

    fn take_direction(&mut self, now: Instant, is_offer: bool) -> Result<(), MediaError> {
        let Some(negotiated) = self.offer_answer.negotiated() else {
            return Ok(());
        };
        if negotiated.direction.receives() && !self.direction.receives() {
            self.receiving_since = Some(now);
        }
        self.direction = negotiated.direction;
        self.settle_data();
        self.take_lines(now, is_offer)?;
        self.close_idle_rtcp_relays(now);
        Ok(())
    }

    fn apply(
        &mut self,
        now: Instant,
        applied: Applied,
        kind: DescriptionKind,
        dialog: &str,
    ) -> Result<(), MediaError> {
        self.configure(&applied.negotiated)?;
        if applied.is_other_fork {
            self.hear_fork(now, dialog)?;
        }
        if kind == DescriptionKind::Provisional {
            self.forks.enter(dialog);
        }
        let is_offer = kind == DescriptionKind::Offer;
        self.connect(now, applied.negotiated.transport, is_offer)?;
        if kind != DescriptionKind::Provisional {
            self.forks.settle();
        }
        Ok(())
    }

    fn configure(&mut self, negotiated: &Negotiated) -> Result<(), MediaError> {
        let kind = negotiated.codec;
        let event = negotiated.telephone_event;
        let audio = *self.offer_answer.audio();
        self.sender.configure(SendSettings {
            codec: kind,
            payload_type: negotiated.send_payload_type,
            telephone_event: event.map(|event| (event.send_payload_type, event.clock_rate_hz)),
            packet_ms: negotiated.ptime_ms.into(),
            opus: negotiated.opus.settings(&audio.opus),
            comfort_noise: negotiated
                .send_comfort_noise
                .filter(|_| audio.has_comfort_noise),
        })?;
        let mut formats = negotiated.receive_payload_types.clone();
        if formats.is_empty() {
            formats.push((negotiated.send_payload_type, kind));
        }
        self.receiver.configure(ReceiveSettings {
            formats,
            telephone_event: event.map(|event| (event.receive_payload_type, event.clock_rate_hz)),
            comfort_noise: negotiated.receive_comfort_noise,
        })?;
        self.codec = Some(kind);
        Ok(())
    }

    /// The peer's offer is not answered: it does not expect media yet.
    pub(super) fn has_open_offer(&self) -> bool {
        self.offer_answer.has_remote_offer()
    }
}
