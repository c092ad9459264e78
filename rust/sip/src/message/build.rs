//! Writing messages. No control character given by the application gets through.
use super::lexer::{
    address_parameters, find_parameter, has_separator, is_control, is_token, split, trim,
};
use super::via::split_host;
use super::{Feedback, HeaderName, Message, is_of_feedback};
use crate::core::Address;
use crate::error::InvalidHeader;

const WHY_CONTROL: &str = "holds a control character or line break; remove it";

/// Refuse C0, DEL, C1 and the Unicode line and paragraph separators in a value to be sent.
pub fn check_value(what: &str, value: &[u8]) -> Result<(), InvalidHeader> {
    if value.iter().any(|&byte| is_control(byte)) || has_separator(value) {
        return Err(InvalidHeader {
            what: what.to_owned(),
            why: WHY_CONTROL,
        });
    }
    Ok(())
}

fn check_word(what: &str, value: &[u8]) -> Result<(), InvalidHeader> {
    check_value(what, value)?;
    if value.is_empty() || value.contains(&b' ') {
        let why = "is empty or holds a space; give one word";
        return Err(InvalidHeader {
            what: what.to_owned(),
            why,
        });
    }
    Ok(())
}

/// Refuse a sent-by that is not `host` or `host:port` (RFC 3261 §20.42).
pub(crate) fn check_sent_by(sent_by: &str) -> Result<(), InvalidHeader> {
    let is_whole = split_host(sent_by.as_bytes()).is_some() && !sent_by.contains(' ');
    let why = "is not host or host:port; IPv6 goes in brackets";
    let refused = InvalidHeader {
        what: "sent_by".to_owned(),
        why,
    };
    if is_whole {
        check_value("sent_by", sent_by.as_bytes())
    } else {
        Err(refused)
    }
}

/// Refuse a tag that is not a token; empty means none.
pub(crate) fn check_tag(tag: &str) -> Result<(), InvalidHeader> {
    if tag.is_empty() || is_token(tag.as_bytes()) {
        return Ok(());
    }
    Err(InvalidHeader {
        what: "to_tag".to_owned(),
        why: "is not a token; see RFC 3261 §25.1",
    })
}

/// The first line of a message to be built.
pub(crate) enum Head<'a> {
    Request { method: &'a str, uri: &'a [u8] },
    Response { status: u16, reason: &'a [u8] },
}

/// A message being written into one buffer.
pub(crate) struct Builder {
    data: Vec<u8>,
    is_compact: bool,
}

impl Builder {
    pub(crate) fn new(head: &Head<'_>) -> Result<Self, InvalidHeader> {
        let mut out = Self {
            data: Vec::with_capacity(768),
            is_compact: false,
        };
        match head {
            Head::Request { method, uri } => {
                if !is_token(method.as_bytes()) {
                    let why = "is not a token; see RFC 3261 §25.1";
                    return Err(InvalidHeader {
                        what: "method".to_owned(),
                        why,
                    });
                }
                check_word("Request-URI", uri)?;
                out.put(&[method.as_bytes(), b" ", uri, b" SIP/2.0\r\n"]);
            }
            Head::Response { status, reason } => {
                check_value("reason", reason)?;
                let code = status.to_string();
                out.put(&[b"SIP/2.0 ", code.as_bytes(), b" ", reason, b"\r\n"]);
            }
        }
        Ok(out)
    }

    fn put(&mut self, parts: &[&[u8]]) {
        parts
            .iter()
            .for_each(|part| self.data.extend_from_slice(part));
    }

    /// A header of our own or one copied from a message that was checked on receipt.
    pub(crate) fn line(&mut self, name: &str, value: &[u8]) {
        if self.is_compact {
            let short = HeaderName::classify(name.as_bytes()).compact();
            let name = if short.is_empty() { name } else { short };
            self.put(&[name.as_bytes(), b":", value, b"\r\n"]);
        } else {
            self.put(&[name.as_bytes(), b": ", value, b"\r\n"]);
        }
    }

    /// Write header names in their compact forms from here on (RFC 3261 §7.3.3).
    pub(crate) fn in_compact_form(mut self) -> Self {
        self.is_compact = true;
        self
    }

    pub(crate) fn via(
        &mut self,
        transport: &str,
        sent_by: &str,
        branch: &str,
        [listens, serves]: [&str; 2],
    ) {
        let transport = transport.to_ascii_uppercase();
        let parts = [
            "SIP/2.0/", &transport, " ", sent_by, ";branch=", branch, ";rport", listens, serves,
        ];
        self.line("Via", parts.concat().as_bytes());
    }

    /// Headers given by the application; `reserved` ones are written by the core alone.
    pub(crate) fn headers(
        &mut self,
        headers: &[(String, Vec<u8>)],
        reserved: &[HeaderName],
    ) -> Result<(), InvalidHeader> {
        for (name, value) in headers {
            let refuse = |why| {
                Err(InvalidHeader {
                    what: "a header name".to_owned(),
                    why,
                })
            };
            if !is_token(name.as_bytes()) {
                return refuse("is not a token; see RFC 3261 §25.1");
            }
            if reserved.contains(&HeaderName::classify(name.as_bytes())) {
                return Err(InvalidHeader {
                    what: name.clone(),
                    why: "is written by the SIP core; leave it out",
                });
            }
            check_value(name, value)?;
            self.line(name, trim(value));
        }
        Ok(())
    }

    /// Every line of one header of another message, folds and all.
    pub(crate) fn copy(&mut self, message: &Message, kind: HeaderName) {
        for value in message.lines(kind) {
            self.line(kind.canonical(), value);
        }
    }

    /// To with a tag, unless it has one (RFC 3261 §8.2.6.2).
    pub(crate) fn to(&mut self, message: &Message, tag: &str) {
        let value = message.first(HeaderName::To).unwrap_or_default();
        if tag.is_empty() || find_parameter(address_parameters(value), "tag").is_some() {
            self.line("To", value);
        } else {
            self.line("To", &[value, b";tag=", tag.as_bytes()].concat());
        }
    }

    /// The Via stack, the first value marked with where the request came from (RFC 3581 §4).
    pub(crate) fn vias(&mut self, message: &Message) {
        let mut is_top = true;
        for line in message.lines(HeaderName::Via) {
            match message.mark.as_ref().filter(|_| is_top) {
                None => self.line("Via", line),
                Some(mark) => {
                    for (index, value) in split(line, b',').enumerate() {
                        if index == 0 {
                            self.line("Via", &marked(value, &mark.source, mark.feedback));
                        } else {
                            self.line("Via", value);
                        }
                    }
                }
            }
            is_top = false;
        }
    }

    pub(crate) fn finish(mut self, body: &[u8]) -> Vec<u8> {
        self.line("Content-Length", body.len().to_string().as_bytes());
        self.put(&[b"\r\n", body]);
        self.data
    }
}

/// A Via value with `received` and, if asked for, `rport` and `oc` filled in.
pub(crate) fn marked(value: &[u8], source: &Address, feedback: Option<Feedback>) -> Vec<u8> {
    let mut parts = split(value, b';');
    let mut out = parts.next().unwrap_or_default().to_vec();
    let mut has_rport = false;
    for part in parts {
        let name = trim(part.split(|&byte| byte == b'=').next().unwrap_or_default());
        if name.eq_ignore_ascii_case(b"rport") {
            has_rport = true;
        } else if !name.eq_ignore_ascii_case(b"received")
            && (feedback.is_none() || !is_of_feedback(name))
        {
            out.push(b';');
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(format!(";received={}", source.host).as_bytes());
    if has_rport {
        out.extend_from_slice(format!(";rport={}", source.port).as_bytes());
    }
    if let Some(feedback) = feedback {
        out.extend_from_slice(feedback.text().as_bytes());
    }
    out
}
