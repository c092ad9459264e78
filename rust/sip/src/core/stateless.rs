//! Answers that need no transaction: to malformed requests, under overload (RFC 3261 §8.2.7, §16.11).
use std::sync::Arc;

use super::brief::is_too_long;
use super::{Address, SipCore};
use crate::error::ParseError;
use crate::message::{Builder, Head, HeaderName, Message, Via};

impl SipCore {
    /// A tag only we can make, so that the ACK for a stateless answer is known (RFC 3261 §16.11).
    pub(super) fn stateless_tag(&self, request: &Message) -> String {
        self.hash
            .token(b"tag", &[request.call_id(), request.tag(HeaderName::From)])
    }

    /// The top Via does not parse: the answer can only go where the request came from.
    pub(super) fn refuse_without_via(&mut self, message: &Message, flow: u64, source: Address) {
        self.counters.malformed += 1;
        let defect = message.validate().filter(|_| message.method() != b"ACK");
        if let Some(defect) = defect
            && message.first(HeaderName::Via).is_some()
        {
            self.answer_statelessly(message, defect, flow, source);
        }
    }

    pub(super) fn answer_statelessly(
        &mut self,
        request: &Message,
        defect: ParseError,
        flow: u64,
        destination: Address,
    ) {
        // Who asks for the same twice is somebody whose first request is being served (482).
        if defect.status != 482 && self.is_silent_about(request, &destination) {
            return;
        }
        let tag = self.stateless_tag(request);
        let retry = (defect.status == 503).then_some("5");
        let reason = defect.reason.as_bytes();
        // What is copied from a mangled request, its Vias above all, may be of no use to anybody.
        let asked = request.raw().len();
        let is_proven = self.flows.get(&flow).is_some_and(|flow| flow.is_reliable);
        let is_fit = |data: &[u8]| {
            (is_proven || !is_too_long(data.len(), asked)) && Message::parse(data).is_ok()
        };
        match plain_response(request, defect.status, reason, &tag, retry) {
            Some(data) if is_fit(&data) => self.send(flow, destination, data),
            _ => self.counters.dropped += 1,
        }
    }
}

/// Where responses go: back on the connection, or to `rport`, or to the sent-by port of the address
/// it came from. `maddr` is not followed: it would let anyone aim our answers (RFC 3261 §18.2.2).
pub(super) fn reply_address(via: &Via<'_>, source: &Address, is_reliable: bool) -> Address {
    if is_reliable || via.parameter("rport").is_some() {
        return source.clone();
    }
    Address {
        host: Arc::clone(&source.host),
        port: via.port.unwrap_or(5060),
    }
}

/// A response without headers of its own; copies whatever of the mandatory ones there is. In compact
/// form where it would be too long beside its request.
pub(super) fn plain_response(
    request: &Message,
    status: u16,
    reason: &[u8],
    tag: &str,
    retry_after: Option<&str>,
) -> Option<Vec<u8>> {
    let write = |out| write_plain(out, request, tag, retry_after);
    let head = Head::Response { status, reason };
    let data = write(Builder::new(&head).ok()?);
    if is_too_long(data.len(), request.raw().len()) {
        return Some(write(Builder::new(&head).ok()?.in_compact_form()));
    }
    Some(data)
}

fn write_plain(
    mut out: Builder,
    request: &Message,
    tag: &str,
    retry_after: Option<&str>,
) -> Vec<u8> {
    out.vias(request);
    out.copy(request, HeaderName::From);
    if request.first(HeaderName::To).is_some() {
        out.to(request, tag);
    }
    out.copy(request, HeaderName::CallId);
    out.copy(request, HeaderName::CSeq);
    if let Some(seconds) = retry_after {
        out.line("Retry-After", seconds.as_bytes());
    }
    out.finish(b"")
}
