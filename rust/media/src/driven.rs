//! Sessions in virtual time: no thread, no socket, one order of events for one seed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use crate::MediaError;
use crate::event::EventRing;
use crate::link::{Link, LinkSettings};
use crate::room::RoomSlot;
use crate::session::TransportKind;
use crate::shard::not_before;
use crate::slot::Slot;
use crate::timers::Timers;

/// Ports of the virtual network are given out from here on.
const FIRST_PORT: u16 = 10_000;

/// The sessions of a driven engine and the link between them.
pub(crate) struct Driven {
    now: Instant,
    link: Link,
    timers: Timers,
    sessions: BTreeMap<u64, Arc<Slot>>,
    rooms: BTreeMap<u64, Arc<RoomSlot>>,
    addresses: BTreeMap<SocketAddr, u64>,
    next_port: BTreeMap<IpAddr, u16>,
    unrouted: u64,
}

impl Driven {
    pub(crate) fn new(origin: Instant, seed: u64) -> Self {
        Self {
            now: origin,
            link: Link::new(seed),
            timers: Timers::default(),
            sessions: BTreeMap::new(),
            rooms: BTreeMap::new(),
            addresses: BTreeMap::new(),
            next_port: BTreeMap::new(),
            unrouted: 0,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn set_link(&mut self, settings: LinkSettings) {
        self.link.configure(settings);
    }

    /// Addresses in use, and datagrams that were for none of them.
    pub(crate) fn counts(&self) -> (usize, u64) {
        (self.addresses.len(), self.unrouted)
    }

    pub(crate) fn add_session(&mut self, slot: Arc<Slot>) {
        self.sessions.insert(slot.id, slot);
    }

    pub(crate) fn add_room(&mut self, slot: Arc<RoomSlot>) {
        self.rooms.insert(slot.id, slot);
    }

    pub(crate) fn remove_room(&mut self, id: u64) {
        self.rooms.remove(&id);
        self.timers.set(id, None);
    }

    /// Has a room served at once.
    pub(crate) fn schedule(&mut self, room: u64) {
        self.timers.set(room, Some(self.now));
    }

    /// Sends the goodbye and forgets the session.
    pub(crate) fn end_session(&mut self, slot: &Slot) {
        for transmit in slot.collect().transmits {
            self.link.send(self.now, transmit);
        }
        self.timers.set(slot.id, None);
        self.sessions.remove(&slot.id);
        self.addresses.retain(|_, owner| *owner != slot.id);
        if self.sessions.is_empty() {
            self.link.clear();
        }
    }

    /// Gives the session virtual addresses: a port per address, or RTP and RTCP.
    pub(crate) fn bind(&mut self, slot: &Slot, kind: TransportKind) -> Vec<SocketAddr> {
        let hosts: Vec<IpAddr> = match kind {
            TransportKind::Ice => slot.addresses.clone(),
            _ => slot.addresses.iter().take(1).copied().collect(),
        };
        let mut locals = Vec::new();
        for host in hosts {
            let port = self.free_port(host);
            locals.push(SocketAddr::new(host, port));
            if kind != TransportKind::Ice {
                locals.push(SocketAddr::new(host, port + 1));
            }
        }
        self.addresses
            .extend(locals.iter().map(|local| (*local, slot.id)));
        locals
    }

    /// Gives the session a virtual address for the way to a relay.
    pub(crate) fn bind_relay(
        &mut self,
        slot: &Slot,
        server: SocketAddr,
    ) -> Result<SocketAddr, MediaError> {
        let host = slot.address_towards(server)?;
        let local = SocketAddr::new(host, self.free_port(host));
        self.addresses.insert(local, slot.id);
        Ok(local)
    }

    /// Takes addresses back that nothing is left for.
    pub(crate) fn release_sockets(&mut self, locals: &[SocketAddr]) {
        self.addresses
            .retain(|address, _| !locals.contains(address));
    }

    fn free_port(&mut self, host: IpAddr) -> u16 {
        let next = self.next_port.entry(host).or_insert(FIRST_PORT);
        while self.addresses.contains_key(&SocketAddr::new(host, *next)) {
            *next = next.checked_add(2).unwrap_or(FIRST_PORT);
        }
        let port = *next;
        *next = next.checked_add(2).unwrap_or(FIRST_PORT);
        port
    }

    /// Carries out what a session wants after a command or an input.
    pub(crate) fn serve(&mut self, slot: &Slot, ring: &EventRing) {
        let outcome = slot.collect();
        for transmit in outcome.transmits {
            self.link.send(self.now, transmit);
        }
        if !outcome.events.is_empty() {
            ring.push(outcome.events);
        }
        self.timers.set(slot.id, outcome.deadline);
        for woken in outcome.wakes {
            self.wake(woken);
        }
    }

    /// Has a session served at once: another has left something for it.
    fn wake(&mut self, session: u64) {
        if self.sessions.contains_key(&session) {
            self.timers.set(session, Some(self.now));
        }
    }

    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        [self.link.next_arrival(), self.timers.next()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Goes through datagrams and deadlines up to `until` in order of time; datagrams come first.
    pub(crate) fn advance(&mut self, until: Instant, ring: &EventRing) {
        while let Some(next) = self.next_deadline().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            let now = self.now;
            if let Some((from, to, data)) = self.link.receive(now) {
                if let Some(slot) = self.owner(to) {
                    slot.run(|session| session.input(now, to, from, &data));
                    self.serve(&slot, ring);
                } else {
                    self.unrouted += 1;
                }
            } else if let Some(id) = self.timers.pop(now) {
                self.serve_due(id, ring);
            }
        }
        self.now = self.now.max(until);
    }

    fn serve_due(&mut self, id: u64, ring: &EventRing) {
        let now = self.now;
        if let Some(room) = self.rooms.get(&id) {
            let outcome = room.tick(now);
            ring.push(outcome.events);
            self.timers.set(id, outcome.deadline);
        } else if let Some(slot) = self.sessions.get(&id).cloned() {
            slot.run(|session| session.tick(now));
            self.serve_after_tick(&slot, ring);
        }
    }

    /// A session that still asks for the past after its tick is asked again a little later.
    fn serve_after_tick(&mut self, slot: &Slot, ring: &EventRing) {
        self.serve(slot, ring);
        let deadline = slot
            .command(|session| Ok(session.next_deadline()))
            .ok()
            .flatten();
        self.timers.set(slot.id, not_before(deadline, self.now));
    }

    fn owner(&self, to: SocketAddr) -> Option<Arc<Slot>> {
        self.sessions.get(self.addresses.get(&to)?).cloned()
    }
}
