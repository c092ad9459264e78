//! Matching messages to transactions and dialogs (RFC 3261 §17.1.3, §17.2.3, §12.2.2).
use std::borrow::Cow;

use crate::hash::HashKey;
use crate::message::{HeaderName, Message, Via};

const COOKIE: &[u8] = b"z9hG4bK";

/// The server transaction a request belongs to; an ACK has the key of its INVITE.
pub(crate) fn server_key(hash: &HashKey, message: &Message, method: &[u8], via: &Via<'_>) -> u128 {
    let method = if method == b"ACK" { b"INVITE" } else { method };
    let branch = via.branch();
    if let Some(key) = server_key_of(hash, branch, via.sent_by, method) {
        return key;
    }
    // RFC 2543 matching; the To tag differs between INVITE and ACK, so it is left out.
    let number = message.cseq().map_or(0, |(number, _)| number).to_be_bytes();
    let from = message.tag(HeaderName::From);
    let parts: [&[u8]; 8] = [
        b"2543",
        message.uri(),
        from,
        message.call_id(),
        &number,
        via.sent_by,
        branch,
        method,
    ];
    hash.hash(&parts)
}

/// The same where the branch has the cookie, and so is enough with the sent-by; else `None`.
pub(crate) fn server_key_of(
    hash: &HashKey,
    branch: &[u8],
    sent_by: &[u8],
    method: &[u8],
) -> Option<u128> {
    let has_cookie =
        branch.len() > COOKIE.len() && branch[..COOKIE.len()].eq_ignore_ascii_case(COOKIE);
    has_cookie.then(|| hash.hash(&[b"server", branch, &lower_case(sent_by), method]))
}

/// A host and port in lower case, as nearly all are written: this is asked of each datagram of a flood.
fn lower_case(sent_by: &[u8]) -> Cow<'_, [u8]> {
    if sent_by.iter().any(u8::is_ascii_uppercase) {
        return Cow::Owned(sent_by.to_ascii_lowercase());
    }
    Cow::Borrowed(sent_by)
}

/// The client transaction a response belongs to.
pub(crate) fn client_key(hash: &HashKey, branch: &[u8], method: &[u8]) -> u128 {
    hash.hash(&[b"client", branch, method])
}

/// The dialog of two tags.
pub(crate) fn dialog_key(hash: &HashKey, call_id: &[u8], local: &[u8], remote: &[u8]) -> u128 {
    hash.hash(&[b"dialog", call_id, local, remote])
}

/// What a request and its responses share of the dialogs they make: Call-ID and From tag.
pub(crate) fn half_dialog(hash: &HashKey, message: &Message) -> u128 {
    let tag = message.tag(HeaderName::From);
    dialog_key(hash, message.call_id(), tag, b"")
}

/// The 2xx an ACK acknowledges: by dialog and CSeq number, since its branch is new (§13.2.2.4).
pub(crate) fn ack_key(
    hash: &HashKey,
    call_id: &[u8],
    local: &[u8],
    remote: &[u8],
    cseq: u32,
) -> u128 {
    hash.hash(&[b"ack", call_id, local, remote, &cseq.to_be_bytes()])
}

/// The reliable provisional response a PRACK is for: by dialog and CSeq number of the INVITE
/// (RFC 3262 §3); its RSeq is compared after.
pub(crate) fn prack_key(
    hash: &HashKey,
    call_id: &[u8],
    local: &[u8],
    remote: &[u8],
    cseq: u32,
) -> u128 {
    hash.hash(&[b"prack", call_id, local, remote, &cseq.to_be_bytes()])
}

/// What copies of one INVITE outside a dialog share, whichever way they came (§8.2.2.2).
pub(crate) fn merge_key(hash: &HashKey, message: &Message) -> Option<u128> {
    if message.method() != b"INVITE" || !message.tag(HeaderName::To).is_empty() {
        return None;
    }
    let number = message.cseq().map_or(0, |(number, _)| number).to_be_bytes();
    let from = message.tag(HeaderName::From);
    Some(hash.hash(&[b"merge", message.call_id(), from, &number]))
}
