//! Handshakes over links that lose, delay and repeat datagrams, from seeds and in virtual time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::dtls::config::ExtendedMasterSecretType;

use super::{Dtls, DtlsOutcome, Identity};
use crate::random::Random;

/// What is wrong with a link.
#[derive(Clone, Copy)]
struct Link {
    loss: f64,
    duplicate: f64,
    /// Datagrams take 10 ms and up to this much longer.
    jitter: f64,
}

struct Handshake {
    sides: [Dtls; 2],
    is_complete: [bool; 2],
    now: Instant,
    flying: Vec<(Instant, usize, Vec<u8>)>,
    random: Random,
    link: Link,
    sent: usize,
}

impl Handshake {
    #[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn new(identity: &Arc<Identity>, seed: u64, link: Link) -> Self {
        let side = |is_client| {
            let prints = vec![identity.fingerprint().to_owned()];
            let secret = ExtendedMasterSecretType::Require;
            Dtls::new(identity.clone(), is_client, prints, secret).unwrap()
        };
        Self {
            sides: [side(true), side(false)],
            is_complete: [false; 2],
            now: Instant::now(),
            flying: Vec::new(),
            random: Random::new(seed),
            link,
            sent: 0,
        }
    }

    fn send(&mut self, from: usize) {
        while let Some(data) = self.sides[from].poll_transmit() {
            self.sent += 1;
            let copies = 1 + usize::from(self.random.unit() < self.link.duplicate);
            for _ in 0..copies {
                let late = 0.010 + self.random.unit() * self.link.jitter;
                let at = self.now + Duration::from_secs_f64(late);
                if self.random.unit() >= self.link.loss {
                    self.flying.push((at, 1 - from, data.clone()));
                }
            }
        }
    }

    fn take(&mut self, side: usize, outcome: DtlsOutcome) -> Result<(), String> {
        match outcome {
            DtlsOutcome::Continues => {}
            DtlsOutcome::Complete(_) => self.is_complete[side] = true,
            DtlsOutcome::Failed(why) => return Err(format!("side {side}: {why}")),
            DtlsOutcome::Closed => return Err(format!("side {side} was closed")),
        }
        self.send(side);
        Ok(())
    }

    /// Seconds until both sides have keys.
    fn run(&mut self) -> Result<f64, String> {
        let begin = self.now;
        self.sides[0].start(self.now);
        self.send(0);
        while self.is_complete != [true; 2] {
            self.turn()?;
        }
        Ok((self.now - begin).as_secs_f64())
    }

    fn turn(&mut self) -> Result<(), String> {
        let next = (0..self.flying.len()).min_by_key(|index| self.flying[*index].0);
        let arrival = next.map(|index| self.flying[index].0);
        let timers = self.sides.iter().filter_map(Dtls::next_deadline).min();
        match (next, arrival, timers) {
            (Some(index), Some(at), timer) if timer.is_none_or(|timer| at <= timer) => {
                let (_, side, data) = self.flying.remove(index);
                self.now = at;
                let outcome = self.sides[side].handle_datagram(at, &data);
                self.take(side, outcome)
            }
            (_, _, Some(timer)) => {
                self.now = timer;
                for side in 0..2 {
                    let outcome = self.sides[side].handle_timeout(timer);
                    self.take(side, outcome)?;
                }
                Ok(())
            }
            _ => Err("nobody has anything to do".to_owned()),
        }
    }
}

fn durations(link: Link) -> Vec<f64> {
    let identity = Arc::new(Identity::generate().unwrap());
    let mut failed = Vec::new();
    let mut took = Vec::new();
    for seed in 0..300 {
        match Handshake::new(&identity, seed, link).run() {
            Ok(seconds) => took.push(seconds),
            Err(why) => failed.push((seed, why)),
        }
    }
    assert!(failed.is_empty(), "{}: {failed:?}", failed.len());
    took.sort_by(f64::total_cmp);
    took
}

/// RFC 6347 §4.2.4: a flight is sent again until it is answered, whatever is lost of both.
#[test]
fn handshakes_complete_over_links_that_lose() {
    for loss in [0.05, 0.2] {
        for (duplicate, jitter) in [(0.0, 0.0), (0.1, 0.05)] {
            let took = durations(Link {
                loss,
                duplicate,
                jitter,
            });
            assert!(took[150] < 1.0, "{}", took[150]);
        }
    }
}
