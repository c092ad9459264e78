//! The in-memory network of a driven engine: delay, jitter, loss and duplication from a seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::random::Random;
use crate::transport::Transmit;

/// What the link does to datagrams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkSettings {
    /// Least time on the way.
    pub delay: Duration,
    /// Up to this much is added, evenly spread; more than the packet spacing reorders.
    pub jitter: Duration,
    /// Share lost, 0 to 1.
    pub loss: f64,
    /// Share delivered twice, 0 to 1.
    pub duplicate: f64,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
        }
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    arrival: Instant,
    order: u64,
    from: SocketAddr,
    to: SocketAddr,
    data: Vec<u8>,
}

/// Datagrams on their way.
#[derive(Debug)]
pub(crate) struct Link {
    settings: LinkSettings,
    random: Random,
    order: u64,
    flights: BinaryHeap<Reverse<Flight>>,
}

impl Link {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            settings: LinkSettings::default(),
            random: Random::new(seed),
            order: 0,
            flights: BinaryHeap::new(),
        }
    }

    /// Changes what happens to datagrams sent from now on.
    pub(crate) fn configure(&mut self, settings: LinkSettings) {
        self.settings = settings;
    }

    /// Puts a datagram on its way, or loses it.
    pub(crate) fn send(&mut self, now: Instant, transmit: Transmit) {
        // All four are drawn for every datagram, so that one setting does not shift another's luck.
        let draws: [f64; 4] = std::array::from_fn(|_| self.random.unit());
        if draws[0] < self.settings.loss {
            return;
        }
        let copies = if draws[1] < self.settings.duplicate {
            2
        } else {
            1
        };
        for draw in &draws[2..2 + copies] {
            self.order += 1;
            self.flights.push(Reverse(Flight {
                arrival: now + self.settings.delay + self.settings.jitter.mul_f64(*draw),
                order: self.order,
                from: transmit.local,
                to: transmit.to,
                data: transmit.data.clone(),
            }));
        }
    }

    /// When the next datagram arrives.
    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.flights.peek().map(|Reverse(flight)| flight.arrival)
    }

    /// Takes the next datagram that has arrived: (from, to, data).
    pub(crate) fn receive(&mut self, now: Instant) -> Option<(SocketAddr, SocketAddr, Vec<u8>)> {
        if self.next_arrival()? > now {
            return None;
        }
        let Reverse(flight) = self.flights.pop()?;
        Some((flight.from, flight.to, flight.data))
    }

    /// Drops all that is on its way.
    pub(crate) fn clear(&mut self) {
        self.flights.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(seed: u64, settings: LinkSettings) -> Vec<(Duration, u8)> {
        let origin = crate::shard::now();
        let mut link = Link::new(seed);
        link.configure(settings);
        let address: SocketAddr = "10.0.0.1:1000".parse().unwrap();
        for index in 0..200_u8 {
            let data = vec![index];
            let sent = origin + Duration::from_millis(20) * u32::from(index);
            link.send(
                sent,
                Transmit {
                    local: address,
                    to: address,
                    data,
                },
            );
        }
        std::iter::from_fn(|| {
            let arrival = link.next_arrival()?;
            let (_, _, data) = link.receive(arrival)?;
            Some((arrival - origin, data[0]))
        })
        .collect()
    }

    #[test]
    fn a_seed_gives_the_same_network_each_time() {
        let settings = LinkSettings {
            jitter: Duration::from_millis(50),
            loss: 0.1,
            duplicate: 0.1,
            ..LinkSettings::default()
        };
        let first = arrivals(7, settings);
        assert_eq!(first, arrivals(7, settings));
        assert_ne!(first, arrivals(8, settings));
        assert!(
            first.windows(2).any(|pair| pair[0].1 > pair[1].1),
            "jitter reorders"
        );
    }

    #[test]
    fn a_clean_link_delivers_all_in_order_after_its_delay() {
        let got = arrivals(1, LinkSettings::default());
        let want: Vec<_> = (0..200_u8)
            .map(|i| (Duration::from_millis(10 + 20 * u64::from(i)), i))
            .collect();
        assert_eq!(got, want);
    }
}
