//! Requests inside dialogs that there are none of: each may have its 481 of the program's machines
//! (RFC 3261 §12.2.2), but not at any rate, as a To tag is easily invented.
use super::SipCore;
use crate::core::Address;
use crate::error::ParseError;
use crate::message::{HeaderName, Message};

impl SipCore {
    /// Whether a request names a dialog we do not have, faster than such requests are looked at.
    ///
    /// The first of a NOTIFY may come before the dialog it is in (RFC 6665 §4.1.4): it is looked at
    /// again when it is repeated.
    pub(in crate::core) fn is_stranger_too_many(
        &mut self,
        request: &Message,
        token: i64,
        now: f64,
    ) -> bool {
        let rate = self.door.settings.strangers_per_second;
        let is_question = matches!(request.method(), b"OPTIONS" | b"CANCEL");
        let is_fine = token != 0 || request.tag(HeaderName::To).is_empty();
        !(is_fine || is_question || rate == f64::INFINITY || self.door.strangers.take(rate, now))
    }

    /// Answer a stranger without state while this second has answers left, or drop it.
    pub(in crate::core) fn turn_away(
        &mut self,
        request: &Message,
        flow: u64,
        destination: Address,
        now: f64,
    ) {
        self.door.refusals.strangers += 1;
        self.counters.refused += 1;
        let is_silent = self.is_silent_about(request, &destination);
        if is_silent || request.method() == b"NOTIFY" || !self.door.has_answer(now) {
            self.door.refusals.dropped += 1;
            return;
        }
        self.door.refusals.answered += 1;
        let gone = ParseError {
            status: 481,
            reason: "Call/Transaction Does Not Exist",
        };
        self.answer_statelessly(request, gone, flow, destination);
    }
}
