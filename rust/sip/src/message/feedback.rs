//! Overload feedback in the top Via: `oc` and its companions (RFC 7339 §4).
use super::Via;
use super::lexer::decimal;
use crate::core::Address;

/// What our own Via says: that we listen to feedback, and by which algorithm (RFC 7339 §4.1, §4.2).
pub(crate) const OFFER: &str = ";oc;oc-algo=\"loss\"";

/// How long feedback holds if it does not say, in milliseconds (RFC 7339 §4.3).
const VALIDITY_MS: u32 = 500;

/// What share of new requests a server asks not to be sent, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Feedback {
    /// Percent to be left out.
    pub(crate) loss: u8,
    pub(crate) validity_ms: u32,
    /// Rises with time, in thousandths.
    pub(crate) sequence: u64,
}

impl Feedback {
    /// As parameters of a Via.
    pub(crate) fn text(&self) -> String {
        format!(
            ";oc={};oc-algo=\"loss\";oc-validity={};oc-seq={}.{:03}",
            self.loss,
            self.validity_ms,
            self.sequence / 1000,
            self.sequence % 1000
        )
    }

    /// Read it from the top Via of a response; `None` when there is none that we understand.
    pub(crate) fn read(via: &Via<'_>) -> Option<Self> {
        let algorithm = via.parameter("oc-algo").unwrap_or(b"\"loss\"");
        if algorithm != b"\"loss\"" && algorithm != b"loss" {
            return None;
        }
        let number = |name: &str| via.parameter(name).and_then(decimal);
        let loss = number("oc").filter(|&loss| loss <= 100)?;
        let validity = number("oc-validity").map_or(u64::from(VALIDITY_MS), |given| given);
        Some(Self {
            loss: loss as u8,
            validity_ms: validity.min(3_600_000) as u32,
            sequence: via.parameter("oc-seq").and_then(sequence).unwrap_or(0),
        })
    }
}

/// `seconds.fraction` in thousandths.
fn sequence(text: &[u8]) -> Option<u64> {
    let mut parts = text.splitn(2, |&byte| byte == b'.');
    let whole = decimal(parts.next()?)?;
    let mut fraction = parts.next().unwrap_or(b"0").to_vec();
    fraction.resize(3, b'0');
    whole.checked_mul(1000)?.checked_add(decimal(&fraction)?)
}

/// What the top Via of a response says beyond the request's (RFC 3261 §18.2.1, RFC 3581 §4).
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// Where the request came from.
    pub(crate) source: Address,
    /// For who asked for it.
    pub(crate) feedback: Option<Feedback>,
}

/// Whether a parameter of a Via is one of those that feedback replaces.
pub(crate) fn is_of_feedback(name: &[u8]) -> bool {
    let known: [&[u8]; 4] = [b"oc", b"oc-algo", b"oc-validity", b"oc-seq"];
    known.iter().any(|one| name.eq_ignore_ascii_case(one))
}
