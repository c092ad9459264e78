//! A session's relays, and the phase before a description in which its addresses are gathered.
//!
//! They lie between the sockets and the transport: what a relay brings is given to the transport as
//! if it had come to the relayed address, and what leaves from there goes by the relay.

mod entry;
mod gathering;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use super::Session;
use super::components::ComponentAt;
use crate::MediaError;
use crate::event::EventKind;
use crate::transport::reflexive::Reflexive;
use crate::transport::relay::RelayEvent;
use crate::transport::{GatheredCandidate, GatheredKind, Transmit};

use entry::Entry;
pub use entry::RelayAt;

/// Relays a session may use at a time.
pub(crate) const MOST_RELAYS: usize = 4;

/// Addresses at relays that are remembered as gone.
const MOST_GONE: usize = 8;

/// The relays and STUN questions of one session.
pub(crate) struct Relays {
    /// The time of the last input: what leaves after it leaves then.
    now: Instant,
    entries: Vec<Entry>,
    /// Addresses at relays that are gone; media may have gone by one until ICE finds another way.
    gone: VecDeque<SocketAddr>,
    questions: Vec<Reflexive>,
    /// When gathering ends, whatever has come by then; None while none is under way.
    until: Option<Instant>,
    failures: Vec<String>,
    transmits: VecDeque<Transmit>,
}

impl Relays {
    fn new(now: Instant) -> Self {
        Self {
            now,
            entries: Vec::new(),
            gone: VecDeque::new(),
            questions: Vec::new(),
            until: None,
            failures: Vec::new(),
            transmits: VecDeque::new(),
        }
    }

    fn of_socket(&mut self, local: SocketAddr) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|one| one.at.local == local)
    }

    fn is_gathering(&self) -> bool {
        let asks = |entry: &Entry| entry.relayed.is_none() && !entry.relay.is_over();
        self.entries.iter().any(asks) || self.questions.iter().any(Reflexive::is_asking)
    }

    fn next_deadline(&self) -> Option<Instant> {
        let relays = self
            .entries
            .iter()
            .filter_map(|one| one.relay.next_deadline());
        let questions = self.questions.iter().filter_map(Reflexive::next_deadline);
        relays.chain(questions).chain(self.until).min()
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(first) = self.transmits.pop_front() {
            return Some(first);
        }
        for entry in &mut self.entries {
            if let Some(data) = entry.relay.poll_transmit() {
                let (local, to) = (entry.at.local, entry.at.server);
                return Some(Transmit { local, to, data });
            }
        }
        self.questions.iter_mut().find_map(Reflexive::poll_transmit)
    }
}

impl Session {
    /// Has ICE go by relays only, and no address of ours be told (RFC 8828 §5.2, mode 4).
    ///
    /// # Errors
    /// `MediaError::State` once the session has sockets.
    pub fn go_by_relays_only(&mut self) -> Result<(), MediaError> {
        if !self.needs_sockets() {
            return Err(MediaError::State(
                "a session that has sockets cannot go by relays only any more".to_owned(),
            ));
        }
        self.is_relay_only = true;
        Ok(())
    }

    /// The address of the relay that was lost last.
    pub(super) fn last_relayed(&self) -> Option<SocketAddr> {
        self.relays
            .as_ref()
            .and_then(|own| own.gone.back().copied())
    }

    /// Takes a datagram that is from a relay or a STUN server; false leaves it to the transport.
    pub(super) fn relay_input(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
    ) -> bool {
        let Some(own) = &mut self.relays else {
            return false;
        };
        if let Some(entry) = own.of_socket(local) {
            // Nobody else has business at this socket.
            if entry.at.server == from {
                entry.relay.handle_message(now, data);
                self.drain_relays(now);
            }
            return true;
        }
        let mut questions = own.questions.iter_mut();
        if !questions.any(|one| one.handle_datagram(now, local, from, data)) {
            return false;
        }
        self.drain_relays(now);
        true
    }

    /// Takes what is to leave from a relayed address; returns what is not.
    pub(super) fn by_relay(&mut self, transmit: Transmit) -> Option<Transmit> {
        let Some(own) = &mut self.relays else {
            return Some(transmit);
        };
        let now = own.now;
        let through = |entry: &&mut Entry| entry.relayed == Some(transmit.local);
        if let Some(entry) = own.entries.iter_mut().find(through) {
            entry.relay.send(now, transmit.to, &transmit.data);
            return None;
        }
        (!own.gone.contains(&transmit.local)).then_some(transmit)
    }

    /// Notes what time it is, for what is sent after this input.
    pub(super) fn note_relay_time(&mut self, now: Instant) {
        if let Some(own) = &mut self.relays {
            own.now = now;
        }
    }

    pub(super) fn poll_relay_transmit(&mut self) -> Option<Transmit> {
        self.relays.as_mut().and_then(|own| own.poll_transmit())
    }

    pub(super) fn relay_deadline(&self) -> Option<Instant> {
        self.relays.as_ref().and_then(|own| own.next_deadline())
    }

    pub(super) fn tick_relays(&mut self, now: Instant) {
        let found = self.questions_without_use();
        let Some(own) = &mut self.relays else { return };
        for entry in &mut own.entries {
            entry.relay.handle_timeout(now);
        }
        for question in &mut own.questions {
            question.handle_timeout(now);
            if found.contains(&question.local()) {
                question.finish();
            }
        }
        self.drain_relays(now);
    }

    /// The path no longer answers: if it leads by a relay, that may be why.
    pub(super) fn doubt_relays(&mut self, now: Instant) {
        for entry in self.relays.iter_mut().flat_map(|own| &mut own.entries) {
            entry.relay.probe(now);
        }
    }

    /// Sends the last words by the relays, and gives all relayed addresses back.
    pub(super) fn close_relays(&mut self, now: Instant) {
        self.speak_by_relays(now);
        for entry in self.relays.iter_mut().flat_map(|own| &mut own.entries) {
            entry.relay.close(now);
        }
    }

    /// Gives the relays what is to leave by them, as some of them are about to end.
    fn speak_by_relays(&mut self, now: Instant) {
        if self.relays.is_none() {
            return;
        }
        self.note_relay_time(now);
        while let Some(transmit) = self.poll_own_transmit() {
            let direct = self.by_relay(transmit);
            self.relays
                .iter_mut()
                .for_each(|own| own.transmits.extend(direct.clone()));
        }
    }

    fn drain_relays(&mut self, now: Instant) {
        while let Some((index, event)) = self.poll_relay_event() {
            match event {
                RelayEvent::Data(peer, data) => self.take_relayed(now, index, peer, &data),
                RelayEvent::Allocated { relayed, mapped } => {
                    if let Some(own) = &mut self.relays {
                        own.entries[index].relayed = Some(relayed);
                    }
                    let related = mapped.filter(|_| !self.is_relay_only);
                    let candidate = GatheredCandidate {
                        kind: GatheredKind::Relayed,
                        address: relayed,
                        related,
                    };
                    if let Some(at) = self.relay_component(index) {
                        self.add_gathered(at, candidate);
                    }
                }
                RelayEvent::Redirected(next) => self.follow_relay(now, index, next),
                RelayEvent::Lost(why) => self.lose_relay(now, index, &why),
            }
        }
        self.take_reflexive();
        self.end_gathering(now);
    }

    /// Takes what a relay has brought, as if it had come to the relayed address.
    fn take_relayed(&mut self, now: Instant, index: usize, peer: SocketAddr, data: &[u8]) {
        let entry = self.relays.as_ref().map(|own| &own.entries[index]);
        let Some(relayed) = entry.and_then(|entry| entry.relayed) else {
            return;
        };
        match self.relay_component(index).and_then(|at| at.line) {
            Some(line) => self.line_datagram(now, line, (relayed, peer), data),
            None => {
                if let Some(transport) = &mut self.transport {
                    transport.handle_datagram(now, relayed, peer, data);
                    self.drain_transport(now);
                }
            }
        }
    }

    /// Gives the relayed addresses back of components that are of no use any more.
    pub(super) fn close_relays_of(&mut self, now: Instant, is_left: impl Fn(ComponentAt) -> bool) {
        self.speak_by_relays(now);
        for entry in self.relays.iter_mut().flat_map(|own| &mut own.entries) {
            if is_left(entry.at.component) {
                entry.relay.close(now);
            }
        }
    }

    fn relay_component(&self, index: usize) -> Option<ComponentAt> {
        let own = self.relays.as_ref()?;
        Some(own.entries[index].at.component)
    }

    fn poll_relay_event(&mut self) -> Option<(usize, RelayEvent)> {
        let entries = &mut self.relays.as_mut()?.entries;
        entries
            .iter_mut()
            .enumerate()
            .find_map(|(index, entry)| Some((index, entry.relay.poll_event()?)))
    }

    fn follow_relay(&mut self, now: Instant, index: usize, next: SocketAddr) {
        let identity = &self.identity;
        let own = self.relays.as_mut();
        let is_followed = own.is_some_and(|own| own.entries[index].follow(now, identity, next));
        if !is_followed {
            self.lose_relay(
                now,
                index,
                &format!("it sends us to {next}, which is not tried"),
            );
        }
    }

    fn lose_relay(&mut self, now: Instant, index: usize, why: &str) {
        let Some(own) = &mut self.relays else { return };
        let entry = &mut own.entries[index];
        let (text, line) = (format!("{}: {why}", entry.at.name), entry.at.component.line);
        match entry.relayed.take() {
            Some(relayed) => {
                if own.gone.len() == MOST_GONE {
                    own.gone.pop_front();
                }
                own.gone.push_back(relayed);
                if let Some(ice) = self.ice_of(line) {
                    ice.lose_gathered(relayed);
                }
                self.forks.ices().for_each(|ice| ice.lose_gathered(relayed));
                self.emit(EventKind::RelayLost, 0.0, text);
                self.drain_transport(now);
                self.drain_lines(now);
            }
            None => own.failures.push(text),
        }
    }
}
