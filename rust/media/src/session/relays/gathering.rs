//! The phase before a description, or beside the call, in which servers are asked for addresses: of
//! the audio, and of each line that has sockets of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::entry::Entry;
use super::{RelayAt, Relays, Session};
use crate::MediaError;
use crate::event::EventKind;
use crate::session::components::ComponentAt;
use crate::session::video::Home;
use crate::transport::reflexive::Reflexive;
use crate::transport::{GatheredCandidate, GatheredKind, IceTransport, Transport};

impl Session {
    /// Begins to gather: asks STUN servers and relays for addresses. `GATHERED` is told when all
    /// have answered, and no later than `limit` from now.
    ///
    /// Relays that a gathering before has found and that are there yet are kept.
    ///
    /// # Errors
    /// `MediaError::State` when the session's media does not travel by ICE, or without sockets.
    pub fn gather(
        &mut self,
        now: Instant,
        relays: Vec<RelayAt>,
        stun: &[(SocketAddr, SocketAddr)],
        failures: Vec<String>,
        limit: Duration,
    ) -> Result<(), MediaError> {
        if !matches!(self.transport, Some(Transport::Ice(_))) {
            return Err(MediaError::State(
                "addresses are gathered for sessions with ICE only".to_owned(),
            ));
        }
        self.fit_homes(now)?;
        let identity = &self.identity;
        let own = self
            .relays
            .get_or_insert_with(|| Box::new(Relays::new(now)));
        own.failures = failures;
        own.until = Some(now + limit);
        let fresh = relays.into_iter();
        own.entries
            .extend(fresh.map(|at| Entry::new(now, identity, at)));
        let known: Vec<_> = own.questions.iter().map(Reflexive::local).collect();
        let fresh = stun.iter().filter(|(local, _)| !known.contains(local));
        own.questions
            .extend(fresh.map(|(local, server)| Reflexive::new(now, *local, *server)));
        self.drain_relays(now);
        Ok(())
    }

    /// Whether servers are being asked.
    pub(crate) fn is_gathering(&self) -> bool {
        self.relays.as_ref().is_some_and(|own| own.until.is_some())
    }

    /// The relays that are there or being asked: for which component, by name.
    pub(crate) fn relay_names(&self) -> Vec<(ComponentAt, String)> {
        let entries = self.relays.iter().flat_map(|relays| &relays.entries);
        let alive = entries.filter(|entry| !entry.relay.is_over());
        let names = alive.map(|entry| (entry.at.component, entry.at.name.clone()));
        names.collect()
    }

    /// Which of our sockets asks which server: none where only relays may be known.
    pub(crate) fn questions_for(&self, servers: &[SocketAddr]) -> Vec<(SocketAddr, SocketAddr)> {
        let towards = |local: &SocketAddr| {
            let mut fitting = servers.iter();
            let server = fitting.find(|server| server.is_ipv4() == local.is_ipv4())?;
            Some((*local, *server))
        };
        let lines = self.homes().flat_map(Home::sockets);
        let audio = self.locals.iter().chain(self.rtcp_locals());
        audio.chain(lines).filter_map(towards).collect()
    }

    /// The sockets that ask, though ICE has found the way that is looked for from there: the call's,
    /// or that of a line by itself.
    pub(super) fn questions_without_use(&self) -> Vec<SocketAddr> {
        let has_way = |local: &SocketAddr| match self.line_at(*local) {
            Some(line) => self.videos.iter().any(|videos| videos.is_ready_at(line)),
            None => self.connected.is_some(),
        };
        let questions = self.relays.iter().flat_map(|own| &own.questions);
        let open = questions.filter(|one| one.next_deadline().is_some());
        open.map(Reflexive::local).filter(has_way).collect()
    }

    /// Forgets relays that are gone; returns the sockets that led to them.
    pub(crate) fn forget_lost_relays(&mut self) -> Vec<SocketAddr> {
        let Some(own) = &mut self.relays else {
            return Vec::new();
        };
        let is_over = |entry: &Entry| entry.relay.is_over();
        let over = own.entries.iter().filter(|entry| is_over(entry));
        let locals = over.map(|entry| entry.at.local).collect();
        own.entries.retain(|entry| !is_over(entry));
        locals
    }

    /// The ICE of the audio, or of a line by itself.
    pub(in crate::session) fn ice_of(&mut self, line: Option<u64>) -> Option<&mut IceTransport> {
        let transport = match line {
            None => self.transport.as_mut(),
            Some(number) => {
                let videos = self.videos.as_mut();
                videos.and_then(|videos| videos.transport_at(number))
            }
        };
        match transport {
            Some(Transport::Ice(ice)) => Some(ice),
            _ => None,
        }
    }

    /// Adds a candidate of the audio's, or of a line's by itself.
    pub(super) fn add_gathered(&mut self, at: ComponentAt, candidate: GatheredCandidate) {
        let Some(ice) = self.ice_of(at.line) else {
            return;
        };
        if ice.gathered(at.id).contains(&candidate) {
            return;
        }
        let mut added = ice.add_gathered(at.id, candidate.clone());
        if at.line.is_none() {
            for ice in self.forks.ices() {
                added = added.and(ice.add_gathered(at.id, candidate.clone()));
            }
        }
        match (added, &mut self.relays) {
            (Err(error), Some(own)) => own.failures.push(error.to_string()),
            _ => self.tell_candidate(),
        }
    }

    pub(super) fn take_reflexive(&mut self) {
        let questions = self.relays.iter().flat_map(|own| &own.questions);
        let found = questions.filter_map(|one| Some((one.mapped()?, one.local())));
        // Where nobody translates addresses, a socket of ours has it already.
        let is_ours = |mapped: &SocketAddr| {
            let mut own = self.locals.iter().chain(self.rtcp_locals());
            own.any(|own| own == mapped) || self.line_at(*mapped).is_some()
        };
        let found: Vec<_> = found.filter(|(mapped, _)| !is_ours(mapped)).collect();
        for (address, base) in found {
            let at = self.component_at(base);
            let candidate = GatheredCandidate {
                kind: GatheredKind::ServerReflexive,
                address,
                related: Some(base),
            };
            self.add_gathered(at, candidate);
        }
    }

    pub(super) fn end_gathering(&mut self, now: Instant) {
        let Some(own) = &mut self.relays else { return };
        let Some(until) = own.until else { return };
        if own.is_gathering() && now < until {
            return;
        }
        own.until = None;
        let late = own.entries.iter();
        let late = late.filter(|entry| entry.relayed.is_none() && !entry.relay.is_over());
        let late: Vec<_> = late
            .map(|entry| format!("{}: it does not answer in time", entry.at.name))
            .collect();
        let text = [own.failures.as_slice(), &late].concat().join("; ");
        let all = self.components().into_iter();
        let of = |at: ComponentAt| {
            let ice = self.ice_of(at.line);
            ice.map_or(0, |ice| ice.gathered(at.id).len())
        };
        let count: usize = all.map(of).sum();
        self.end_candidates();
        self.emit(EventKind::Gathered, 0.0, format!("{count} {text}"));
    }
}
