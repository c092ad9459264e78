//! Lines with sockets of their own: how they are told of, and what carries them.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::line::VideoLine;
use super::paths::is_dead;
use super::{Session, Videos};
use crate::MediaError;
use crate::session::describe::NOWHERE;
use crate::session::lines::Line;
use crate::session::negotiation::TransportKind;
use crate::session::offer_answer::LocalMedia;
use crate::session::transports::{give_remote, kind_of, open_transport};
use crate::transport::{ComponentId, Transport};

/// The sockets of a line.
pub(in crate::session) struct Home {
    number: u64,
    pub(in crate::session) locals: Vec<SocketAddr>,
    /// Those of RTCP's own component by ICE.
    rtcp: Vec<SocketAddr>,
    /// Made for a description of ours; the line has it once the far end has described its half.
    pub(super) waiting: Option<Transport>,
}

impl Videos {
    /// The transport a line has, or will have.
    fn transport_of(&self, home: &Home) -> Option<TransportKind> {
        let line = self.lines.iter().find(|line| line.number == home.number);
        let at_work = line.and_then(|line| line.transport.as_ref());
        home.waiting.as_ref().or(at_work).map(kind_of)
    }

    fn leave_homes(&mut self, is_left: impl Fn(&Home) -> bool) {
        let left = self.homes.extract_if(.., |home| is_left(home));
        self.idle
            .extend(left.flat_map(|home| [home.locals, home.rtcp]).flatten());
    }

    /// The transport of a line by itself: at work, or made for a description of ours.
    pub(in crate::session) fn transport_at(&mut self, number: u64) -> Option<&mut Transport> {
        let mut lines = self.lines.iter_mut();
        let line = lines.find(|line| line.number == number);
        let at_work = line.and_then(|line| line.transport.as_mut());
        at_work.or_else(|| {
            let mut homes = self.homes.iter_mut();
            let home = homes.find(|home| home.number == number);
            home.and_then(|home| home.waiting.as_mut())
        })
    }

    /// Whether a line by itself has its way.
    pub(in crate::session) fn is_ready_at(&self, number: u64) -> bool {
        let mut lines = self.lines.iter();
        lines.any(|line| line.number == number && line.is_alone && line.is_ready())
    }

    /// The lines that have something to do for the sockets they have.
    fn at_work(&self) -> Vec<u64> {
        let lines = self.lines.iter().filter(|line| line.transport.is_some());
        lines.map(|line| line.number).collect()
    }

    /// Gives a line at work the far end's half of its transport, or the one all share.
    pub(super) fn settle_home(
        &mut self,
        now: Instant,
        place: usize,
        agreed: &Line,
        is_offer: bool,
    ) -> Result<(), MediaError> {
        let line = &mut self.lines[place];
        let Some(agreed) = &agreed.agreed else {
            return Ok(());
        };
        line.is_alone = agreed.transport.is_some();
        let Some(remote) = &agreed.transport else {
            let number = line.number;
            self.part_with_line(now, number);
            return Ok(());
        };
        let home = self
            .homes
            .iter_mut()
            .find(|home| home.number == line.number);
        let waiting = home.and_then(|home| home.waiting.take());
        if waiting.is_some() {
            line.transport = waiting;
        }
        // Without sockets its port is 0 in our description: nothing comes of it.
        let transport = line.transport.as_mut();
        let Some(transport) = transport.filter(|transport| !is_dead(transport)) else {
            return Ok(());
        };
        give_remote(now, transport, remote, is_offer)?;
        if let Transport::Plain(plain) = transport {
            plain.expect(agreed.expected());
        }
        Ok(())
    }
}

impl Home {
    /// The line's.
    pub(in crate::session) fn number(&self) -> u64 {
        self.number
    }

    /// All its sockets.
    pub(in crate::session) fn sockets(&self) -> impl Iterator<Item = &SocketAddr> {
        self.locals.iter().chain(&self.rtcp)
    }
}

impl Session {
    /// How the lines travel that do not share the audio's transport.
    fn kind_of_lines(&self) -> TransportKind {
        let agreed = self.offer_answer.negotiated();
        agreed.map_or(self.settings.transport, |agreed| agreed.transport.kind())
    }

    /// The sockets of lines by themselves.
    pub(in crate::session) fn homes(&self) -> impl Iterator<Item = &Home> {
        self.videos.iter().flat_map(|videos| &videos.homes)
    }

    /// The line by itself whose socket that is.
    pub(in crate::session) fn line_at(&self, local: SocketAddr) -> Option<u64> {
        let mut homes = self.homes();
        let home = homes.find(|home| home.sockets().any(|own| *own == local));
        home.map(Home::number)
    }

    /// The lines by themselves that candidates are gathered for.
    pub(crate) fn homes_of_ice(&self) -> Vec<u64> {
        let is_ice = self.kind_of_lines() == TransportKind::Ice;
        let homes = self.homes().filter(|_| is_ice);
        homes.map(Home::number).collect()
    }

    /// Lines that need sockets of their own before the next description, and for which transport.
    pub(crate) fn lines_without_sockets(&self) -> (TransportKind, Vec<u64>) {
        let has = |number: u64| self.homes().any(|home| home.number == number);
        let mut lines = self.offer_answer.lines_alone();
        lines.retain(|number| !has(*number));
        (self.kind_of_lines(), lines)
    }

    /// Gives a line the addresses of its sockets: RTP and RTCP, or all candidates; none where it
    /// goes by relays only.
    pub fn attach_line(&mut self, number: u64, locals: Vec<SocketAddr>) {
        let videos = self
            .videos
            .get_or_insert_with(|| Box::new(Videos::new(self.video_seed)));
        videos.homes.push(Home {
            number,
            locals,
            rtcp: Vec::new(),
            waiting: None,
        });
    }

    /// Makes the transports that a description of ours is to speak of.
    pub(in crate::session) fn fit_homes(&mut self, now: Instant) -> Result<(), MediaError> {
        let kind = self.kind_of_lines();
        let alone = self.offer_answer.lines_alone();
        let Some(videos) = &mut self.videos else {
            return Ok(());
        };
        for place in 0..videos.homes.len() {
            let home = &videos.homes[place];
            if !alone.contains(&home.number) || videos.transport_of(home) == Some(kind) {
                continue;
            }
            let made = open_transport(now, kind, &self.identity, &home.locals, self.is_lite)?;
            videos.homes[place].waiting = Some(made);
        }
        Ok(())
    }

    /// Lets go of sockets that were offered for lines which the far end has bundled, or which were
    /// bound for another transport: the addresses to be closed.
    pub(crate) fn take_idle_sockets(&mut self) -> Vec<SocketAddr> {
        let mut idle = self.take_idle_rtcp();
        let is_over = self.has_idle_homes();
        let Some(videos) = &mut self.videos else {
            return idle;
        };
        if is_over {
            let at_work = videos.at_work();
            videos.leave_homes(|home| !at_work.contains(&home.number));
        }
        idle.append(&mut videos.idle);
        idle
    }

    /// Lets go of sockets for RTCP of lines where it goes with RTP.
    pub(in crate::session) fn take_idle_rtcp_of_lines(&mut self) -> Vec<SocketAddr> {
        let mut idle = Vec::new();
        for place in 0..self.videos.as_ref().map_or(0, |videos| videos.homes.len()) {
            let Some(videos) = &mut self.videos else {
                break;
            };
            let number = videos.homes[place].number;
            if let Some(Transport::Ice(ice)) = videos.transport_at(number)
                && ice.take_idle_rtcp().is_some()
            {
                idle.append(&mut videos.homes[place].rtcp);
            }
        }
        idle
    }

    /// Notes the sockets of RTCP's own component of a line.
    pub(in crate::session) fn note_rtcp_sockets(
        &mut self,
        line: Option<u64>,
        locals: &[SocketAddr],
    ) {
        let homes = self.videos.iter_mut().flat_map(|videos| &mut videos.homes);
        for home in homes.filter(|home| Some(home.number) == line) {
            home.rtcp = locals.to_vec();
        }
    }

    /// Whether sockets without a line at work are of no use any more.
    fn has_idle_homes(&self) -> bool {
        self.offer_answer.is_settled() && self.kind_of_lines() == TransportKind::Ice
    }

    /// Ends what lines have that were refused, and gives relayed addresses back that were offered
    /// for lines without a path of their own.
    pub(super) fn leave_idle_homes(&mut self, now: Instant) {
        if !self.has_idle_homes() {
            return;
        }
        let Some(videos) = &mut self.videos else {
            return;
        };
        for line in self.offer_answer.lines() {
            if line.agreed.is_none() {
                videos.part_with_line(now, line.number);
            }
        }
        let at_work = videos.at_work();
        self.close_relays_of(now, |at| {
            at.line.is_some_and(|line| !at_work.contains(&line))
        });
    }

    /// Has lines bound anew: the next offer is over another transport.
    pub(in crate::session) fn leave_all_homes(&mut self) {
        if let Some(videos) = &mut self.videos {
            videos.leave_homes(|_| true);
        }
    }

    /// Looks for the paths of lines anew in the next offer.
    pub(in crate::session) fn restart_lines(&mut self) -> Result<(), MediaError> {
        for line in self.videos.iter_mut().flat_map(|videos| &mut videos.lines) {
            if let Some(Transport::Ice(ice)) = &mut line.transport {
                ice.prepare_restart()?;
            }
        }
        Ok(())
    }

    /// Forgets those restarts: their offer was refused.
    pub(in crate::session) fn cancel_line_restarts(&mut self) {
        for line in self.videos.iter_mut().flat_map(|videos| &mut videos.lines) {
            if let Some(Transport::Ice(ice)) = &mut line.transport {
                ice.cancel_restart();
            }
        }
    }

    /// What our descriptions say of lines with sockets of their own.
    pub(in crate::session) fn line_media(
        &self,
        address: IpAddr,
        is_offer: bool,
    ) -> Vec<(u64, LocalMedia)> {
        let Some(videos) = &self.videos else {
            return Vec::new();
        };
        let media = videos.homes.iter().filter_map(|home| {
            let mut lines = videos.lines.iter();
            let line: Option<&VideoLine> = lines.find(|line| line.number == home.number);
            let at_work = line.and_then(|line| line.transport.as_ref());
            let transport = home.waiting.as_ref().or(at_work)?;
            // By relays only there may be none, and then it is in the bundle or nowhere.
            let known = home.locals.first().copied().or_else(|| relayed(transport));
            let later = || (!self.has_all_candidates()).then_some(NOWHERE);
            let rtp = known.or_else(later)?;
            let local = LocalMedia {
                address,
                rtp_port: rtp.port(),
                rtcp_port: home.locals.get(1).unwrap_or(&rtp).port(),
                ice: match transport {
                    Transport::Ice(ice) => Some(self.ice_media(ice, is_offer)),
                    _ => None,
                },
                fingerprint: matches!(transport, Transport::Dtls(_))
                    .then(|| self.identity.fingerprint().to_owned()),
                keys: match transport {
                    Transport::Sdes(sdes) => sdes.keys().to_vec(),
                    _ => Vec::new(),
                },
                lines: Vec::new(),
            };
            Some((home.number, local))
        });
        media.collect()
    }
}

fn relayed(transport: &Transport) -> Option<SocketAddr> {
    match transport {
        Transport::Ice(ice) => ice
            .gathered(ComponentId::Rtp)
            .first()
            .map(|one| one.address),
        _ => None,
    }
}
