//! What goes in and out of one component or two: datagrams, packets, events, time.

use std::net::SocketAddr;
use std::time::Instant;

use super::super::super::{DtlsState, Facts, Transmit, TransportCounts, TransportEvent};
use super::super::Component;
use super::{ComponentId, IceTransport};

impl IceTransport {
    pub(crate) fn is_ready(&self) -> bool {
        self.rtp.is_ready() && self.apart().is_none_or(Component::is_ready)
    }

    /// Whether nothing will ever go by it again.
    pub(crate) fn is_dead(&self) -> bool {
        self.rtp.is_dead() || self.apart().is_some_and(Component::is_dead)
    }

    pub(in super::super::super) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
    ) {
        match &mut self.rtcp {
            Some(own) if own.component.is_at(local) => {
                own.component.handle_datagram(now, local, from, data);
            }
            _ => self.rtp.handle_datagram(now, local, from, data),
        }
    }

    pub(in super::super::super) fn send_rtp(&mut self, now: Instant, packet: &[u8]) -> bool {
        self.rtp.send_rtp(now, packet)
    }

    pub(in super::super::super) fn send_rtcp(&mut self, now: Instant, packet: &[u8]) -> bool {
        match self.apart_mut() {
            Some(apart) => apart.send_rtcp(now, packet),
            None => self.rtp.send_rtcp(now, packet),
        }
    }

    pub(in super::super::super) fn send_data(&mut self, now: Instant, data: &[u8]) -> bool {
        self.rtp.send_data(now, data)
    }

    /// Our DTLS role once its association is there: whether we are the client.
    pub(in super::super::super) fn data_role(&self) -> Option<bool> {
        self.rtp.data_role()
    }

    pub(in super::super::super) fn poll_transmit(&mut self) -> Option<Transmit> {
        let first = self.rtp.poll_transmit();
        first.or_else(|| self.rtcp.as_mut()?.component.poll_transmit())
    }

    pub(in super::super::super) fn poll_event(&mut self) -> Option<TransportEvent> {
        if self.apart().is_none() {
            return self.rtp.poll_event();
        }
        loop {
            let told = match self.rtp.poll_event() {
                Some(event) => self.tell_of(ComponentId::Rtp, event),
                None => {
                    let event = self.apart_mut()?.poll_event()?;
                    self.tell_of(ComponentId::Rtcp, event)
                }
            };
            if told.is_some() {
                return told;
            }
        }
    }

    /// What an event of one component means for both.
    fn tell_of(&mut self, id: ComponentId, event: TransportEvent) -> Option<TransportEvent> {
        match event {
            TransportEvent::Connected => self.is_ready().then_some(event),
            TransportEvent::IceState(state) => {
                let both = self.rtcp.as_mut().and_then(|own| own.note(id, state));
                both.map(TransportEvent::IceState)
            }
            TransportEvent::Failed(reason) => Some(TransportEvent::Failed(self.end(id, reason))),
            // Data channels are RTP's neighbours.
            TransportEvent::Data(_) if id == ComponentId::Rtcp => None,
            event => Some(event),
        }
    }

    /// Ends the component that is left; returns why.
    fn end(&mut self, ended: ComponentId, reason: String) -> String {
        let (other, reason) = match ended {
            ComponentId::Rtp => (ComponentId::Rtcp, reason),
            ComponentId::Rtcp => (ComponentId::Rtp, format!("RTCP: {reason}")),
        };
        let may_restart = self
            .component(ended)
            .is_some_and(|component| !component.is_dead());
        if let Some(left) = self.component(other) {
            left.end_with_other(may_restart);
        }
        reason
    }

    pub(in super::super::super) fn next_deadline(&self) -> Option<Instant> {
        let own = self.rtcp.as_ref();
        let own = own.and_then(|own| own.component.next_deadline());
        [self.rtp.next_deadline(), own].into_iter().flatten().min()
    }

    pub(in super::super::super) fn handle_timeout(&mut self, now: Instant) {
        self.rtp.handle_timeout(now);
        if let Some(own) = &mut self.rtcp {
            own.component.handle_timeout(now);
        }
    }

    pub(in super::super::super) fn close(&mut self, now: Instant) {
        self.rtp.close(now);
        if let Some(own) = &mut self.rtcp {
            own.component.close(now);
        }
    }

    pub(in super::super::super) fn counts(&self) -> TransportCounts {
        let own = self.rtcp.as_ref().map(|own| own.component.counts());
        self.rtp.counts().plus(own.unwrap_or_default())
    }

    pub(in super::super::super) fn facts(&self) -> Facts {
        let mut facts = self.rtp.facts();
        if let (Some(DtlsState::Connected), Some(apart)) = (facts.dtls, self.apart()) {
            facts.dtls = apart.facts().dtls;
        }
        facts
    }
}

impl Component {
    /// The other component has ended, and tells why; this one has nothing to add.
    fn end_with_other(&mut self, may_restart: bool) {
        if may_restart {
            self.lose("");
        } else {
            self.fail("");
        }
        self.events.clear();
    }
}
