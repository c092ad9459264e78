//! The shards of an engine with threads, and who has which socket.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::MediaError;
use crate::bound::{BoundSocket, Owner, transmit};
use crate::engine::lock;
use crate::event::EventRing;
use crate::random::Random;
use crate::recordings::Recordings;
use crate::relay_streams::{RelayStreams, RelayWay};
use crate::room::RoomSlot;
use crate::session::TransportKind;
use crate::shard::{Neighbours, Shard};
use crate::slot::Slot;
use crate::socket::{PortRange, bind_own, bind_pair, bind_shared};
use crate::transport::mux::Mux;

/// Any port: browser calls do not use the range for trunks.
const ANY_PORT: PortRange = PortRange { first: 0, last: 0 };

/// A shard and an address.
type Home = (usize, IpAddr);

/// Shards, and the sockets that browser calls of a shard share.
pub(crate) struct Live {
    shards: Mutex<Vec<Shard>>,
    neighbours: Arc<Neighbours>,
    ports: PortRange,
    random: Mutex<Random>,
    shared: Mutex<HashMap<Home, (Arc<BoundSocket>, usize)>>,
    count: usize,
    sockets: Mutex<usize>,
    relay_streams: RelayStreams,
}

impl Live {
    pub(crate) fn start(
        threads: usize,
        ports: PortRange,
        seed: u64,
        ring: &Arc<EventRing>,
        recordings: &Arc<Recordings>,
    ) -> Result<Self, MediaError> {
        let neighbours = Arc::new(Neighbours::default());
        let shards = (0..threads)
            .map(|number| {
                let (ring, recordings) = (Arc::clone(ring), Arc::clone(recordings));
                Shard::start(number, ring, recordings, Arc::clone(&neighbours))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            neighbours,
            shards: Mutex::new(shards),
            ports,
            random: Mutex::new(Random::new(!seed)),
            shared: Mutex::default(),
            count: threads,
            sockets: Mutex::default(),
            relay_streams: RelayStreams::default(),
        })
    }

    /// Ends the threads.
    pub(crate) fn stop(&self) {
        let shards = std::mem::take(&mut *lock(&self.shards));
        drop(shards);
    }

    pub(crate) fn sockets(&self) -> usize {
        *lock(&self.sockets)
    }

    pub(crate) fn add_session(&self, slot: Arc<Slot>) {
        if let Some(shard) = lock(&self.shards).get(self.home(slot.id)) {
            shard.add_session(slot);
        }
    }

    pub(crate) fn add_room(&self, slot: Arc<RoomSlot>) {
        if let Some(shard) = lock(&self.shards).get(self.home(slot.id)) {
            shard.add_room(slot);
        }
    }

    pub(crate) fn remove_room(&self, id: u64) {
        if let Some(shard) = lock(&self.shards).get(self.home(id)) {
            shard.remove_session(id);
        }
    }

    /// Has a room served at that time.
    pub(crate) fn schedule(&self, id: u64, deadline: Instant) {
        if let Some(shard) = lock(&self.shards).get(self.home(id)) {
            shard.schedule(id, deadline);
        }
    }

    pub(crate) fn touch(&self, slot: &Slot) {
        if let Some(shard) = lock(&self.shards).get(self.home(slot.id)) {
            shard.touch(slot);
        }
    }

    /// Datagrams that were for no session.
    pub(crate) fn unrouted(&self) -> u64 {
        lock(&self.shards).iter().map(Shard::unrouted).sum()
    }

    /// Does what a session wants done now, and tells its shard when it wants to be served.
    pub(crate) fn serve(&self, slot: &Slot, ring: &EventRing) {
        let outcome = slot.collect();
        transmit(slot, outcome.transmits);
        if !outcome.events.is_empty() {
            ring.push(outcome.events);
        }
        for woken in outcome.wakes {
            self.neighbours.wake(woken);
        }
        if let (Some(deadline), Some(shard)) =
            (outcome.deadline, lock(&self.shards).get(self.home(slot.id)))
        {
            shard.schedule(slot.id, deadline);
        }
    }

    /// Sends the goodbye, forgets the session and closes the sockets nobody else uses.
    pub(crate) fn end_session(&self, slot: &Slot) {
        transmit(slot, slot.collect().transmits);
        let home = self.home(slot.id);
        let shards = lock(&self.shards);
        let Some(shard) = shards.get(home) else {
            return;
        };
        shard.remove_session(slot.id);
        for socket in slot.take_sockets() {
            self.release(shard, slot, &socket);
        }
    }

    fn release(&self, shard: &Shard, slot: &Slot, socket: &BoundSocket) {
        let is_last = match socket.mux() {
            None => true,
            Some(mut mux) => {
                mux.forget(slot.id);
                self.leave((self.home(slot.id), socket.local().ip()))
            }
        };
        if is_last {
            shard.remove_socket(socket);
            self.relay_streams.end(socket.local());
            *lock(&self.sockets) -= 1;
        }
    }

    /// Binds what a session needs and returns the addresses.
    pub(crate) fn bind(
        &self,
        slot: &Slot,
        kind: TransportKind,
        is_offer: bool,
    ) -> Result<Vec<SocketAddr>, MediaError> {
        let home = self.home(slot.id);
        let shards = lock(&self.shards);
        let shard = shards
            .get(home)
            .ok_or_else(|| MediaError::State("the engine is closed".to_owned()))?;
        let mut bound = Vec::new();
        if let Err(error) = self.bind_all(shard, slot, (kind, is_offer), &mut bound) {
            for socket in bound {
                self.release(shard, slot, &socket);
            }
            return Err(error);
        }
        let locals = bound.iter().map(|socket| socket.local()).collect();
        slot.add_sockets(bound);
        Ok(locals)
    }

    /// Binds a socket of its own for the way to a relay, on an address of the relay's family.
    pub(crate) fn bind_relay(
        &self,
        slot: &Slot,
        server: SocketAddr,
    ) -> Result<SocketAddr, MediaError> {
        let shards = lock(&self.shards);
        let shard = shards
            .get(self.home(slot.id))
            .ok_or_else(|| MediaError::State("the engine is closed".to_owned()))?;
        let start = lock(&self.random).bits() as usize & 0xffff;
        let socket = bind_own(slot.address_towards(server)?, ANY_PORT, start)?;
        let bound = shard.add_socket(socket, Owner::Session(slot.id))?;
        *lock(&self.sockets) += 1;
        let local = bound.local();
        slot.add_sockets([bound]);
        Ok(local)
    }

    /// Binds a socket for a relay over a stream; the second address stands for the relay there.
    pub(crate) fn bind_stream(
        &self,
        slot: &Slot,
        server: SocketAddr,
        way: &RelayWay,
    ) -> Result<(SocketAddr, SocketAddr), MediaError> {
        let local = self.bind_relay(slot, server)?;
        let opened = self.relay_streams.open(local, server, way);
        if opened.is_err() {
            self.release_sockets(slot, &[local]);
        }
        Ok((local, opened?))
    }

    /// Closes sockets that nothing is left for.
    pub(crate) fn release_sockets(&self, slot: &Slot, locals: &[SocketAddr]) {
        if let Some(shard) = lock(&self.shards).get(self.home(slot.id)) {
            for socket in locals.iter().filter_map(|local| slot.drop_socket(*local)) {
                self.release(shard, slot, &socket);
            }
        }
    }

    fn bind_all(
        &self,
        shard: &Shard,
        slot: &Slot,
        how: (TransportKind, bool),
        bound: &mut Vec<Arc<BoundSocket>>,
    ) -> Result<(), MediaError> {
        let start = lock(&self.random).bits() as usize & 0xffff;
        let add_own = |socket| {
            let added = shard.add_socket(socket, Owner::Session(slot.id))?;
            *lock(&self.sockets) += 1;
            Ok::<_, MediaError>(added)
        };
        match how {
            (TransportKind::Ice, true) => {
                for address in &slot.addresses {
                    bound.push(add_own(bind_own(*address, ANY_PORT, start)?)?);
                }
            }
            (TransportKind::Ice, false) => {
                for address in &slot.addresses {
                    bound.push(self.join(shard, (self.home(slot.id), *address), start)?);
                }
            }
            _ => {
                let (rtp, rtcp) = bind_pair(slot.addresses[0], self.ports, start)?;
                bound.push(add_own(rtp)?);
                bound.push(add_own(rtcp)?);
            }
        }
        Ok(())
    }

    /// Tells the shared sockets of a session which checks are for it, and where its media goes.
    pub(crate) fn register_ufrags(&self, slot: &Slot, ufrags: &[String], path: Option<SocketAddr>) {
        for socket in slot.sockets() {
            if let Some(mut mux) = socket.mux() {
                mux.update(slot.id, ufrags, path);
            }
        }
    }

    fn home(&self, session: u64) -> usize {
        session as usize % self.count
    }

    fn join(&self, shard: &Shard, key: Home, start: usize) -> Result<Arc<BoundSocket>, MediaError> {
        let mut shared = lock(&self.shared);
        if let Some((socket, users)) = shared.get_mut(&key) {
            *users += 1;
            return Ok(Arc::clone(socket));
        }
        let socket = bind_shared(key.1, ANY_PORT, start)?;
        let socket = shard.add_socket(socket, Owner::Shared(Mutex::new(Mux::new())))?;
        shared.insert(key, (Arc::clone(&socket), 1));
        *lock(&self.sockets) += 1;
        Ok(socket)
    }

    /// True when nobody uses the socket any more.
    fn leave(&self, key: Home) -> bool {
        let mut shared = lock(&self.shared);
        let Some((_, users)) = shared.get_mut(&key) else {
            return false;
        };
        *users -= 1;
        let is_last = *users == 0;
        if is_last {
            shared.remove(&key);
        }
        is_last
    }
}
