//! When a flight of the handshake is sent again, and what of the peer's is one (RFC 6347 §4.2.4).
//!
//! The DTLS module forgets its timer with every handshake record it reads, new or not. A repeat of
//! what it has would leave both sides waiting for each other, so it is shown what is new only; the
//! timer stays, and the repeat is answered by it.

use std::time::{Duration, Instant};

/// The first wait, doubled with each repeat: seven of them end before the handshake's time limit.
/// RFC 6347 §4.2.4.1 begins with a second and lets media begin with less.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(200);

const RECORD: usize = 13;
const MESSAGE: usize = 12;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// Fragments remembered: those of far longer chains than any far end has.
const MOST_FRAGMENTS: usize = 256;

/// Number of the message, offset and length.
type Fragment = (u16, u32, u32);

/// The flights of one handshake.
#[derive(Default)]
pub(super) struct Flights {
    seen: Vec<Fragment>,
    /// The client has shown its cookie: its first hello asks for nothing any more.
    has_cookie: bool,
    timer: Option<(Instant, Duration)>,
}

impl Flights {
    /// Whether a datagram before the end of the handshake says nothing that was not said before.
    pub(super) fn is_repeat(&mut self, data: &[u8]) -> bool {
        let Some(fragments) = fragments_untrusted(data) else {
            return false;
        };
        let mut is_repeat = !fragments.is_empty();
        for (kind, fragment) in fragments {
            self.has_cookie |= kind == CLIENT_HELLO && fragment.0 > 0;
            // Without its cookie a hello is answered each time (§4.2.1), never by a timer.
            let is_first_hello = kind == CLIENT_HELLO && !self.has_cookie;
            is_repeat &= self.seen.contains(&fragment) && !is_first_hello;
            if !self.seen.contains(&fragment) && self.seen.len() < MOST_FRAGMENTS {
                self.seen.push(fragment);
            }
        }
        is_repeat
    }

    /// Takes the module's timer before and after something came: another one is a new flight.
    pub(super) fn follow(&mut self, now: Instant, before: Option<Instant>, after: Option<Instant>) {
        if after.is_none() {
            self.timer = None;
        } else if before != after {
            self.timer = Some((now + FIRST_WAIT, FIRST_WAIT));
        }
    }

    /// Whether the flight is to be sent again now; the next wait is twice as long.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let Some((_, wait)) = self.timer.filter(|(at, _)| *at <= now) else {
            return false;
        };
        self.timer = Some((now + wait * 2, wait * 2));
        true
    }

    /// When the flight is sent again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timer.map(|(at, _)| at)
    }
}

/// The plain handshake fragments of a datagram with their kinds; None if it cannot be read.
/// What is under keys or no handshake message belongs to the flight of those beside it.
fn fragments_untrusted(mut data: &[u8]) -> Option<Vec<(u8, Fragment)>> {
    let mut found = Vec::new();
    while !data.is_empty() {
        let (header, rest) = data.split_at_checked(RECORD)?;
        let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
        let (mut record, rest) = rest.split_at_checked(length)?;
        let is_plain = header[0] == HANDSHAKE && header[3..5] == [0, 0];
        while is_plain && !record.is_empty() {
            let (message, body) = record.split_at_checked(MESSAGE)?;
            let number =
                |at: usize| u32::from_be_bytes([0, message[at], message[at + 1], message[at + 2]]);
            let (offset, length) = (number(6), number(9));
            let sequence = u16::from_be_bytes([message[4], message[5]]);
            found.push((message[0], (sequence, offset, length)));
            record = body.split_at_checked(length as usize)?.1;
        }
        data = rest;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let mut data = vec![
            kind,
            254,
            253,
            0,
            epoch,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            body.len() as u8,
        ];
        data.extend(body);
        data
    }

    fn message(kind: u8, sequence: u8, (offset, length): (u8, u8)) -> Vec<u8> {
        let mut body = vec![kind, 0, 0, 50, 0, sequence, 0, 0, offset, 0, 0, length];
        body.resize(MESSAGE + usize::from(length), 7);
        body
    }

    fn handshake(kind: u8, sequence: u8, part: (u8, u8)) -> Vec<u8> {
        record(HANDSHAKE, 0, &message(kind, sequence, part))
    }

    #[test]
    fn a_flight_is_new_once_and_as_long_as_a_part_of_it_is() {
        let mut flights = Flights::default();
        let (certificate, key) = (handshake(11, 1, (0, 50)), handshake(12, 2, (0, 50)));

        assert!(!flights.is_repeat(&certificate));
        assert!(flights.is_repeat(&certificate));
        let both = [certificate.clone(), key.clone()].concat();
        assert!(!flights.is_repeat(&both));
        assert!(flights.is_repeat(&both));
        let one_record = [message(11, 1, (0, 50)), message(14, 3, (0, 0))].concat();
        assert!(!flights.is_repeat(&record(HANDSHAKE, 0, &one_record)));
        assert!(!flights.is_repeat(&handshake(11, 1, (25, 25))));
    }

    #[test]
    fn hellos_without_a_cookie_are_answered_each_time() {
        let mut flights = Flights::default();
        let (bare, with_cookie) = (handshake(1, 0, (0, 50)), handshake(1, 1, (0, 50)));

        assert!(!flights.is_repeat(&bare));
        assert!(!flights.is_repeat(&bare));
        assert!(!flights.is_repeat(&with_cookie));
        assert!(flights.is_repeat(&with_cookie));
        assert!(flights.is_repeat(&bare));
    }

    #[test]
    fn what_is_not_plain_or_cannot_be_read_is_no_repeat() {
        let mut flights = Flights::default();
        for data in [
            record(20, 0, &[1]),
            record(HANDSHAKE, 1, &[9; 40]),
            vec![22; 7],
            record(HANDSHAKE, 0, &[1; 5]),
            Vec::new(),
        ] {
            assert!(!flights.is_repeat(&data));
            assert!(!flights.is_repeat(&data));
        }
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let mut flights = Flights::default();
        for number in 0..=255 {
            flights.is_repeat(&handshake(11, number, (0, 1)));
            flights.is_repeat(&handshake(11, number, (1, 1)));
        }

        assert_eq!(flights.seen.len(), MOST_FRAGMENTS);
    }
}
