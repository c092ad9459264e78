//! A 503 written from the raw bytes of the request (RFC 3261 §8.2.7, §21.5.4).
use std::io::Write;

use super::scan::{self, Name};
use crate::core::brief::is_too_long;
use crate::core::stateless::reply_address;
use crate::core::{Address, types::Origin};
use crate::hash::HashKey;
use crate::message::lexer::{is_control, split, trim};
use crate::message::{Feedback, Via, is_of_feedback, marked, split_host};

/// What every refusal of one core has in common.
pub(super) struct Stamp<'a> {
    /// The beginning of the To tag, by which the ACK is known again.
    pub(super) mark: &'a str,
    pub(super) hash: &'a HashKey,
    /// The branch: no two requests share it, so no two tags are alike though none is remembered.
    pub(super) branch: &'a [u8],
    pub(super) retry_after: u32,
    /// For who listens to it.
    pub(super) feedback: Feedback,
}

/// The refusal and where it goes; `None` when the request is not fit to be answered.
pub(super) fn write(
    data: &[u8],
    stamp: &Stamp<'_>,
    source: Origin<'_>,
    is_reliable: bool,
) -> Option<(Address, Vec<u8>)> {
    let source = source.address();
    let mut out = Vec::with_capacity(data.len().min(1024));
    out.extend_from_slice(b"SIP/2.0 503 Service Unavailable\r\n");
    let (mut destination, mut found) = (None, [false; 4]);
    for (name, value) in scan::lines(data) {
        if name == Name::Other {
            continue;
        }
        if !is_fit(value) {
            return None;
        }
        match name {
            Name::Via if destination.is_none() => {
                destination = Some(top_via(
                    &mut out,
                    value,
                    &source,
                    is_reliable,
                    stamp.feedback,
                )?);
            }
            Name::Via => line(&mut out, b"Via", value),
            Name::From if !std::mem::replace(&mut found[0], true) => line(&mut out, b"From", value),
            Name::To if !std::mem::replace(&mut found[1], true) => {
                line(&mut out, b"To", value);
                out.truncate(out.len() - 2);
                let tag = stamp.hash.hash(&[b"refusal", stamp.branch]) as u32;
                write!(out, ";tag={}{tag:08x}\r\n", stamp.mark).ok()?;
            }
            Name::CallId if !std::mem::replace(&mut found[2], true) => {
                line(&mut out, b"Call-ID", value)
            }
            Name::CSeq if !std::mem::replace(&mut found[3], true) => line(&mut out, b"CSeq", value),
            // A header given twice makes a request nobody can answer rightly.
            _ => return None,
        }
    }
    if found != [true; 4] {
        return None;
    }
    let retry_after = stamp.retry_after;
    write!(
        out,
        "Retry-After: {retry_after}\r\nContent-Length: 0\r\n\r\n"
    )
    .ok()?;
    if !is_reliable && is_too_long(out.len(), data.len()) {
        return None;
    }
    Some((destination?, out))
}

/// Write the topmost Via, marked with where the request came from; return where the answer goes.
fn top_via(
    out: &mut Vec<u8>,
    value: &[u8],
    source: &Address,
    is_reliable: bool,
    feedback: Feedback,
) -> Option<Address> {
    let is_plain = !value.iter().any(|byte| b"\",".contains(byte));
    let Some((sent_by, _)) = scan::via_key(value).filter(|_| is_plain) else {
        let mut values = split(value, b',');
        let top = values.next()?;
        let via = Via::parse(top)?;
        let feedback = via.parameter("oc").map(|_| feedback);
        line(out, b"Via", &marked(top, source, feedback));
        values.for_each(|other| line(out, b"Via", other));
        return Some(reply_address(&via, source, is_reliable));
    };
    let (_, port) = split_host(sent_by)?;
    let mut parts = value.split(|&byte| byte == b';');
    out.extend_from_slice(b"Via: ");
    out.extend_from_slice(parts.next()?);
    let (mut has_rport, mut listens) = (false, false);
    for part in parts {
        let name = trim(part.split(|&byte| byte == b'=').next()?);
        if name.eq_ignore_ascii_case(b"rport") {
            has_rport = true;
        } else if is_of_feedback(name) {
            listens = true;
        } else if !name.eq_ignore_ascii_case(b"received") {
            out.push(b';');
            out.extend_from_slice(part);
        }
    }
    write!(out, ";received={}", source.host).ok()?;
    if has_rport {
        write!(out, ";rport={}", source.port).ok()?;
    }
    if listens {
        out.extend_from_slice(feedback.text().as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    let mut destination = source.clone();
    if !is_reliable && !has_rport {
        destination.port = port.unwrap_or(5060);
    }
    Some(destination)
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// Whether a value may be repeated as it is: no control character, no fold.
fn is_fit(value: &[u8]) -> bool {
    let bad = |is_bad: bool, &byte: &u8| is_bad | (is_control(byte) & (byte != b'\t'));
    // Without a way out early, so that it is done many bytes at a time.
    !value.is_empty() && !value.iter().fold(false, bad)
}
