//! How long an answer may be: over UDP anybody can write another's address into a request, and what
//! we answer is aimed at that one. So an answer to who has proved nothing is hardly longer than what
//! was asked, and it is sent once a request (see `Material::is_first_word`).
use super::{Reply, SipCore};
use crate::error::InvalidHeader;
use crate::message::{Builder, Head, HeaderName, Message};
use crate::transaction::{Side, Transaction};

/// Headers that only tell what we can, those first that are the first to be left out: who asked at
/// more length is told.
const COURTESIES: [&str; 8] = [
    "Warning",
    "Server",
    "User-Agent",
    "Recv-Info",
    "Accept",
    "Allow-Events",
    "Supported",
    "Allow",
];

/// Bytes answered for each byte asked.
const MOST_ANSWERED: f64 = 1.7;

/// Whether an answer is too long beside its request.
pub(super) fn is_too_long(answer: usize, asked: usize) -> bool {
    answer as f64 > asked as f64 * MOST_ANSWERED
}

impl SipCore {
    /// Write the response to a request; in short where its sender has proved nothing and asked for
    /// so little that the whole of it would be too long.
    pub(super) fn compose(
        &self,
        transaction: &Transaction,
        request: &Message,
        reply: &Reply<'_>,
    ) -> Result<Vec<u8>, InvalidHeader> {
        let data = write(request, reply, false)?;
        let is_proven = transaction.is_reliable || !request.tag(HeaderName::To).is_empty();
        let is_plain =
            reply.status >= 300 || (reply.status >= 200 && request.method() == b"OPTIONS");
        let asked = request.raw().len();
        if is_proven || !is_plain || !reply.body.is_empty() || !is_too_long(data.len(), asked) {
            return Ok(data);
        }
        let mut brief = data;
        for left_out in 0..=COURTESIES.len() {
            let shorter = without(&COURTESIES[..left_out], reply);
            brief = write(request, &shorter, true)?;
            if !is_too_long(brief.len(), asked) {
                return Ok(brief);
            }
        }
        if !is_challenge(reply.status) {
            return Ok(brief);
        }
        let refusal = Reply {
            status: 400,
            reason: b"Too Short To Be Challenged",
            headers: Vec::new(),
            ..*reply
        };
        write(request, &refusal, true)
    }

    /// Whether nothing was said yet to an INVITE from outside of a dialog. Its client repeats it then
    /// until it hears of us, and has one answer to each copy (RFC 3261 §8.2.7); Timer G is for who
    /// has heard a provisional response and asks no more.
    pub(super) fn is_first_word(transaction: &Transaction) -> bool {
        let Side::Server(server) = &transaction.side else {
            return false;
        };
        let request = server.request.as_ref();
        transaction.last.is_empty()
            && request.is_some_and(|request| request.tag(HeaderName::To).is_empty())
    }
}

fn is_challenge(status: u16) -> bool {
    matches!(status, 401 | 407)
}

/// The same answer without some headers; of several challenges the strongest, which is the first
/// (RFC 8760 §2.4).
fn without<'a>(courtesies: &[&str], reply: &Reply<'a>) -> Reply<'a> {
    let mut has_challenge = false;
    let mut is_needed = |name: &str| {
        let is_challenge = matches!(
            HeaderName::classify(name.as_bytes()),
            HeaderName::WwwAuthenticate | HeaderName::ProxyAuthenticate
        );
        let is_repeated = is_challenge && std::mem::replace(&mut has_challenge, true);
        !is_repeated && !courtesies.iter().any(|one| one.eq_ignore_ascii_case(name))
    };
    let headers = reply.headers.iter().filter(|(name, _)| is_needed(name));
    Reply {
        headers: headers.cloned().collect(),
        ..*reply
    }
}

fn write(request: &Message, reply: &Reply<'_>, is_brief: bool) -> Result<Vec<u8>, InvalidHeader> {
    let head = Head::Response {
        status: reply.status,
        reason: reply.reason,
    };
    let mut out = Builder::new(&head)?;
    if is_brief {
        out = out.in_compact_form();
    }
    out.vias(request);
    out.copy(request, HeaderName::From);
    let tag = if reply.status == 100 {
        ""
    } else {
        reply.to_tag
    };
    out.to(request, tag);
    out.copy(request, HeaderName::CallId);
    out.copy(request, HeaderName::CSeq);
    if (101..300).contains(&reply.status) {
        out.copy(request, HeaderName::RecordRoute);
    }
    out.headers(&reply.headers, &super::act::RESERVED)?;
    Ok(out.finish(reply.body))
}
