//! Overload control between neighbours, by loss (RFC 7339): what we ask for, and what we obey.
use super::{Address, Outgoing, SipCore};
use crate::hash::Map;
use crate::message::lexer::{address_parameters, find_parameter};
use crate::message::{Feedback, Message};

/// Seconds over which the share of refusals is taken.
const WINDOW: f64 = 0.5;
/// How fast the share falls while nothing is refused, per window.
const DECAY: f64 = 0.8;
/// How long a neighbour is to obey, in milliseconds: some windows.
const VALIDITY_MS: u32 = 2000;
/// Most neighbours whose feedback is kept.
const MAX_NEIGHBOURS: usize = 1024;

/// The share of new requests that is too much, as a loss for who sends them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    began: f64,
    share: f64,
    pub(super) admitted: u64,
    pub(super) refused: u64,
}

impl Default for Loss {
    fn default() -> Self {
        Self {
            began: f64::NEG_INFINITY,
            share: 0.0,
            admitted: 0,
            refused: 0,
        }
    }
}

impl Loss {
    /// The loss to ask for, in percent.
    pub(super) fn percent(&mut self, now: f64) -> u8 {
        if self.began == f64::NEG_INFINITY {
            self.began = now;
        }
        let windows = ((now - self.began) / WINDOW).min(100.0);
        if windows >= 1.0 {
            let came = self.admitted + self.refused;
            if self.refused > 0 {
                // What came is what the last loss let through of it.
                let taken = self.admitted as f64 / came as f64;
                self.share = 1.0 - (1.0 - self.share) * taken;
            } else {
                self.share *= DECAY.powf(windows.floor());
            }
            (self.admitted, self.refused, self.began) = (0, 0, now);
        }
        (self.share.clamp(0.0, 1.0) * 100.0).floor() as u8
    }
}

/// What a neighbour asked for, and until when.
struct Throttle {
    feedback: Feedback,
    until: f64,
}

/// The neighbours that asked for less.
#[derive(Default)]
pub(super) struct Throttles(Map<u128, Throttle>);

impl SipCore {
    /// What a response to this request tells its sender, if it listens (RFC 7339 §5.2).
    pub(super) fn feedback(&mut self, now: f64) -> Feedback {
        Feedback {
            loss: self.loss.percent(now),
            validity_ms: VALIDITY_MS,
            sequence: (now.max(0.0) * 1000.0) as u64,
        }
    }

    /// Obey the feedback of a response from now on (RFC 7339 §5.3).
    pub(super) fn hear_feedback(&mut self, response: &Message, from: &Address, now: f64) {
        let Some(feedback) = response.top_via().and_then(|via| Feedback::read(&via)) else {
            return;
        };
        let key = self.neighbour(from);
        let all = &mut self.throttles.0;
        if all
            .get(&key)
            .is_some_and(|known| known.feedback.sequence > feedback.sequence && known.until > now)
        {
            return;
        }
        if feedback.loss == 0 || feedback.validity_ms == 0 {
            all.remove(&key);
            return;
        }
        if all.len() >= MAX_NEIGHBOURS {
            all.retain(|_, known| known.until > now);
        }
        if all.len() < MAX_NEIGHBOURS {
            let until = now + f64::from(feedback.validity_ms) / 1000.0;
            all.insert(key, Throttle { feedback, until });
        }
    }

    /// Whether a request of ours is not sent because its neighbour asked for less. What is inside a
    /// dialog is: leaving it out would waste what was spent on the dialog (RFC 7339 §5.10.1).
    pub(super) fn falls_to_loss(&mut self, request: &Outgoing<'_>, now: f64) -> bool {
        !self.throttles.0.is_empty()
            && !is_inside(request)
            && self.is_throttled(&request.destination, now)
    }

    /// Whether one more request outside of dialogs falls to the loss that a neighbour asked for.
    pub fn is_throttled(&mut self, to: &Address, now: f64) -> bool {
        if self.throttles.0.is_empty() {
            return false;
        }
        let key = self.neighbour(to);
        let Some(known) = self.throttles.0.get(&key) else {
            return false;
        };
        if known.until <= now {
            self.throttles.0.remove(&key);
            return false;
        }
        let loss = u128::from(known.feedback.loss);
        let chance = self.next_id().to_be_bytes();
        let is_lost = self.hash.hash(&[b"loss", &chance]) % 100 < loss;
        self.counters.throttled += u64::from(is_lost);
        is_lost
    }

    fn neighbour(&self, address: &Address) -> u128 {
        let port = address.port.to_be_bytes();
        self.hash
            .hash(&[b"neighbour", address.host.as_bytes(), &port])
    }
}

fn is_inside(request: &Outgoing<'_>) -> bool {
    request.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("To")
            && find_parameter(address_parameters(value), "tag").is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::Loss;

    #[test]
    fn the_loss_asked_for_is_the_share_refused_and_fades_without_refusals() {
        let mut loss = Loss::default();
        loss.percent(10.0);

        (loss.admitted, loss.refused) = (30, 70);
        let first = loss.percent(10.5);
        (loss.admitted, loss.refused) = (30, 30);
        let more = loss.percent(11.0);
        loss.admitted = 30;
        let less = loss.percent(11.5);
        let none = loss.percent(40.0);

        assert_eq!((first, more, less, none), (70, 85, 68, 0));
    }
}
