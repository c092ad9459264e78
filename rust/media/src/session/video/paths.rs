//! What becomes of the paths of lines that have their own.

use std::net::SocketAddr;
use std::time::Instant;

use super::{Session, Videos};
use crate::event::EventKind;
use crate::session::trickle::Part;
use crate::transport::{IceState, Transport, TransportCounts, Trickled};

impl Videos {
    /// Takes candidates for a line by itself; one that shares the audio's transport has none.
    pub(in crate::session) fn trickle(
        &mut self,
        now: Instant,
        number: u64,
        part: &Part<'_>,
    ) -> Trickled {
        let mut lines = self.lines.iter_mut();
        let line = lines.find(|line| line.number == number);
        match line {
            Some(line) if line.transport.is_some() => part.give(now, line.transport.as_mut()),
            // Its description is not answered yet.
            _ => Trickled::Unknown,
        }
    }

    fn has_lost_path(&self) -> bool {
        self.lines.iter().any(|line| line.is_lost)
    }
}

impl Session {
    /// The state of all paths by ICE: that of the audio's, unless a line by itself has lost its own.
    pub(in crate::session) fn path_state(&self) -> &'static str {
        let is_up = self.ice_state == IceState::Connected.as_str();
        match &self.videos {
            Some(videos) if is_up && videos.has_lost_path() => IceState::Disconnected.as_str(),
            _ => self.ice_state,
        }
    }

    /// Takes a datagram if it came to a socket of a line's own.
    pub(in crate::session) fn line_input(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        data: &[u8],
    ) -> bool {
        let Some(number) = self.line_at(local) else {
            return false;
        };
        self.line_datagram(now, number, (local, from), data);
        true
    }

    /// Gives a datagram to the transport of a line by itself, also before the far end's half is
    /// here: a handshake may begin then.
    pub(in crate::session) fn line_datagram(
        &mut self,
        now: Instant,
        number: u64,
        (local, from): (SocketAddr, SocketAddr),
        data: &[u8],
    ) {
        let Some(videos) = &mut self.videos else {
            return;
        };
        let mut lines = videos.lines.iter();
        let place = lines.position(|line| line.number == number && line.transport.is_some());
        if let Some(transport) = videos.transport_at(number) {
            transport.handle_datagram(now, local, from, data);
        }
        if let Some(place) = place {
            self.drain_line(now, place);
        }
    }

    /// What the transports of the call and of its lines have refused, together.
    pub(in crate::session) fn refused(&self) -> Option<TransportCounts> {
        let lines = self.videos.iter().flat_map(|videos| &videos.lines);
        let own = lines.filter_map(|line| line.transport.as_ref());
        let all = self.transport.iter().chain(own).map(Transport::counts);
        all.reduce(TransportCounts::plus)
    }

    /// The audio's path has another state.
    pub(in crate::session) fn take_ice_state(&mut self, now: Instant, state: IceState) {
        if state == IceState::Disconnected {
            self.doubt_relays(now);
        }
        self.ice_state = state.as_str();
        self.emit(EventKind::IceState, 0.0, self.path_state());
    }

    /// Tells of the paths if their state is another one than before.
    pub(super) fn tell_path_state(&mut self, before: &'static str) {
        let state = self.path_state();
        if state != before {
            self.emit(EventKind::IceState, 0.0, state);
        }
    }

    /// The path of a line has another state.
    pub(super) fn take_line_state(&mut self, now: Instant, place: usize, state: IceState) {
        let is_lost = match state {
            IceState::Disconnected => true,
            IceState::Connected => false,
            // It is still not there, or is told to be dead next.
            IceState::Checking | IceState::Failed => return,
        };
        if is_lost {
            self.doubt_relays(now);
        }
        self.mark_line(place, is_lost);
    }

    /// A line has no way any more, and the call goes on without.
    pub(super) fn lose_line(&mut self, place: usize, why: String) {
        let lines = self.videos.as_mut().map(|videos| &mut videos.lines);
        let Some(line) = lines.and_then(|lines| lines.get_mut(place)) else {
            return;
        };
        line.has_failed = true;
        let number = line.number;
        self.emit(EventKind::LineFailed, number as f64, why);
        self.mark_line(place, false);
    }

    /// A line has its way: for the first time, or again.
    pub(super) fn restore_line(&mut self, place: usize) {
        let restored = self.on_line(place, |line, _| {
            // What was fed before went nowhere.
            line.sender.restart();
            std::mem::take(&mut line.has_failed).then_some(line.number)
        });
        if let Some(number) = restored.flatten() {
            self.emit(EventKind::LineRestored, number as f64, "");
        }
    }

    fn mark_line(&mut self, place: usize, is_lost: bool) {
        let before = self.path_state();
        self.on_line(place, |line, _| line.is_lost = is_lost);
        self.tell_path_state(before);
    }
}

/// Whether nothing will come of a transport any more: what descriptions say of it is passed over.
pub(super) fn is_dead(transport: &Transport) -> bool {
    matches!(transport, Transport::Ice(ice) if ice.is_dead())
}
