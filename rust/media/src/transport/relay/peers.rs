//! Whom a relay lets through to us: permissions and channels, their expiry and their refresh.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// A permission lives 5 minutes (RFC 8656 §9) and is asked for again after 4, if it was used.
const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
const PERMISSION_REFRESH: Duration = Duration::from_secs(240);
/// A channel lives 10 minutes (RFC 8656 §12).
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);
const CHANNEL_REFRESH: Duration = Duration::from_secs(480);
/// What a relay has refused is not asked for again sooner: the time a number or an address rests.
const REST: Duration = Duration::from_secs(300);
/// Addresses a session may have a relay send to: a description names no more that are any good.
const MOST_PERMISSIONS: usize = 32;
const MOST_CHANNELS: usize = 16;
/// Datagrams that wait for a permission; the oldest give way, as on any full line.
const MOST_WAITING: usize = 8;
const FIRST_CHANNEL: u16 = 0x4000;
const LAST_CHANNEL: u16 = 0x4fff;

/// Where a permission or a channel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Asked,
    Granted { until: Instant, refresh: Instant },
    Refused { until: Instant },
}

/// What the peers need asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Permission(SocketAddr),
    Channel(u16, SocketAddr),
}

/// How a datagram may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// With the short header of a channel.
    Channel(u16),
    /// In an indication.
    Indication,
    /// It waits for the permission that was asked for.
    Waits,
    /// The relay does not let it through.
    Barred,
}

struct Permission {
    standing: Standing,
    /// A peer with that address: requests name a whole one.
    peer: SocketAddr,
    is_used: bool,
    waiting: Vec<(SocketAddr, Vec<u8>)>,
}

struct Channel {
    number: u16,
    standing: Standing,
    is_used: bool,
}

/// The peers of one allocation.
pub(super) struct Peers {
    permissions: BTreeMap<IpAddr, Permission>,
    channels: BTreeMap<SocketAddr, Channel>,
    next_channel: u16,
    wanted: Vec<Wanted>,
}

impl Default for Peers {
    fn default() -> Self {
        Self {
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
            next_channel: FIRST_CHANNEL,
            wanted: Vec::new(),
        }
    }
}

impl Peers {
    /// Says how a datagram for `peer` may leave, and asks for what it needs; media is worth a channel.
    pub(super) fn way(&mut self, now: Instant, peer: SocketAddr, data: &[u8]) -> Way {
        self.forget_expired(now);
        let Some(permission) = self.permission(peer) else {
            return Way::Barred;
        };
        permission.is_used = true;
        match permission.standing {
            Standing::Refused { .. } => Way::Barred,
            Standing::Asked => {
                if permission.waiting.len() == MOST_WAITING {
                    permission.waiting.remove(0);
                }
                permission.waiting.push((peer, data.to_vec()));
                Way::Waits
            }
            Standing::Granted { .. } => {
                let is_media = data.first().is_some_and(|first| *first >= 20);
                self.channel(peer, is_media)
                    .map_or(Way::Indication, Way::Channel)
            }
        }
    }

    /// The peer's permission, asked for now if there is none; None when there are too many.
    fn permission(&mut self, peer: SocketAddr) -> Option<&mut Permission> {
        if !self.permissions.contains_key(&peer.ip()) {
            if self.permissions.len() == MOST_PERMISSIONS {
                return None;
            }
            self.wanted.push(Wanted::Permission(peer));
        }
        let fresh = || Permission {
            standing: Standing::Asked,
            peer,
            is_used: false,
            waiting: Vec::new(),
        };
        Some(self.permissions.entry(peer.ip()).or_insert_with(fresh))
    }

    /// The number of the peer's channel, where it is bound; asks for one where it would serve.
    fn channel(&mut self, peer: SocketAddr, is_media: bool) -> Option<u16> {
        if let Some(channel) = self.channels.get_mut(&peer) {
            channel.is_used |= is_media;
            let is_bound = matches!(channel.standing, Standing::Granted { .. });
            return is_bound.then_some(channel.number);
        }
        let has_room = self.channels.len() < MOST_CHANNELS && self.next_channel <= LAST_CHANNEL;
        if is_media && has_room {
            // No number is given twice: one must rest before it may name another peer.
            let number = self.next_channel;
            self.next_channel += 1;
            self.wanted.push(Wanted::Channel(number, peer));
            let (standing, is_used) = (Standing::Asked, true);
            self.channels.insert(
                peer,
                Channel {
                    number,
                    standing,
                    is_used,
                },
            );
        }
        None
    }

    /// The next request to make.
    pub(super) fn poll_wanted(&mut self) -> Option<Wanted> {
        (!self.wanted.is_empty()).then(|| self.wanted.remove(0))
    }

    /// Takes the relay's word on a permission; returns what has waited for it.
    pub(super) fn take_permission(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        is_granted: bool,
    ) -> Vec<(SocketAddr, Vec<u8>)> {
        let Some(permission) = self.permissions.get_mut(&peer.ip()) else {
            return Vec::new();
        };
        let waiting = std::mem::take(&mut permission.waiting);
        if is_granted {
            permission.standing = granted(now, PERMISSION_LIFETIME, PERMISSION_REFRESH);
            return waiting;
        }
        let until = now + REST;
        permission.standing = Standing::Refused { until };
        Vec::new()
    }

    /// Takes the relay's word on a channel; a refused one is done without.
    pub(super) fn take_channel(&mut self, now: Instant, peer: SocketAddr, is_granted: bool) {
        let Some(channel) = self.channels.get_mut(&peer) else {
            return;
        };
        channel.standing = if is_granted {
            granted(now, CHANNEL_LIFETIME, CHANNEL_REFRESH)
        } else {
            Standing::Refused { until: now + REST }
        };
    }

    /// The peer whose channel has that number.
    pub(super) fn peer_of(&self, number: u16) -> Option<SocketAddr> {
        let named = |(_, channel): &(&SocketAddr, &Channel)| channel.number == number;
        self.channels.iter().find(named).map(|(peer, _)| *peer)
    }

    /// Whether data of that address was asked for.
    pub(super) fn admits(&self, ip: IpAddr) -> bool {
        self.permissions.contains_key(&ip)
    }

    /// When `refresh` wants to be called.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let standings = self.permissions.values().map(|one| one.standing);
        let all = standings.chain(self.channels.values().map(|one| one.standing));
        all.filter_map(|standing| match standing {
            Standing::Granted { refresh, .. } => Some(refresh),
            Standing::Asked | Standing::Refused { .. } => None,
        })
        .min()
    }

    /// Asks again for what was used since the last time; the rest expires at the relay, and here.
    pub(super) fn refresh(&mut self, now: Instant) {
        self.forget_expired(now);
        for permission in self.permissions.values_mut() {
            if is_due(&mut permission.standing, &mut permission.is_used, now) {
                self.wanted.push(Wanted::Permission(permission.peer));
            }
        }
        for (peer, channel) in &mut self.channels {
            if is_due(&mut channel.standing, &mut channel.is_used, now) {
                self.wanted.push(Wanted::Channel(channel.number, *peer));
            }
        }
    }

    fn forget_expired(&mut self, now: Instant) {
        let lives = |standing: &Standing| match standing {
            Standing::Granted { until, .. } | Standing::Refused { until } => *until > now,
            Standing::Asked => true,
        };
        self.permissions.retain(|_, one| lives(&one.standing));
        self.channels.retain(|_, one| lives(&one.standing));
    }
}

fn granted(now: Instant, lifetime: Duration, refresh: Duration) -> Standing {
    let (until, refresh) = (now + lifetime, now + refresh);
    Standing::Granted { until, refresh }
}

/// Whether it is to be asked for again now; what was not used is looked at when it expires.
fn is_due(standing: &mut Standing, is_used: &mut bool, now: Instant) -> bool {
    let Standing::Granted { until, refresh } = standing else {
        return false;
    };
    if *refresh > now {
        return false;
    }
    *refresh = *until;
    std::mem::take(is_used)
}
