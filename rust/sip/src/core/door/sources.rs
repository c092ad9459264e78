//! How fast each source may bring new requests: a bounded table, the longest unheard goes first.
use std::collections::VecDeque;
use std::net::IpAddr;

use super::bucket::Bucket;
use super::networks::customer;
use crate::hash::Map;

struct Source {
    bucket: Bucket,
    banned_until: f64,
    serial: u64,
}

/// The table. IPv4 addresses count each, IPv6 ones by their /64, which is one customer's.
#[derive(Default)]
pub(super) struct Sources {
    known: Map<u128, Source>,
    /// Uses in order; only the last use of a source counts.
    uses: VecDeque<(u128, u64)>,
    serial: u64,
}

/// What the table says of one more request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Fine,
    /// Too fast: banned with this request.
    Exceeds,
    /// Banned before.
    Banned,
}

/// The limit that all sources share.
#[derive(Clone, Copy, Debug)]
pub(super) struct SourceLimit {
    pub(super) rate: f64,
    pub(super) ban: f64,
    pub(super) capacity: usize,
}

impl Sources {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Count one new request of a source.
    pub(super) fn judge(&mut self, address: IpAddr, limit: SourceLimit, now: f64) -> Standing {
        let key = customer(address);
        self.serial += 1;
        let serial = self.serial;
        self.uses.push_back((key, serial));
        if !self.known.contains_key(&key) {
            self.make_room(limit.capacity);
        }
        let source = self.known.entry(key).or_insert_with(|| Source {
            bucket: Bucket::full(limit.rate, now),
            banned_until: 0.0,
            serial,
        });
        source.serial = serial;
        let standing = if now < source.banned_until {
            Standing::Banned
        } else if source.bucket.take(limit.rate, now) {
            Standing::Fine
        } else {
            source.banned_until = now + limit.ban;
            Standing::Exceeds
        };
        if self.uses.len() > 2 * limit.capacity.max(8) {
            let known = &self.known;
            self.uses
                .retain(|(key, serial)| known.get(key).is_some_and(|one| one.serial == *serial));
        }
        standing
    }

    fn make_room(&mut self, capacity: usize) {
        while self.known.len() >= capacity.max(1) {
            let Some((key, serial)) = self.uses.pop_front() else {
                return;
            };
            if self.known.get(&key).is_some_and(|one| one.serial == serial) {
                self.known.remove(&key);
            }
        }
    }
}
