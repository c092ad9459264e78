//! What makes a message wrong though it could be read (RFC 3261 §8.2, §16.3; RFC 4475 §3).
use super::lexer::{decimal, has_separator, split};
use super::{HeaderName, Message, NameAddr, Start, Uri, Via};
use crate::error::ParseError;

/// Longest Request-URI taken, in bytes.
const MAX_URI: usize = 4096;

const MANDATORY: [(HeaderName, &str); 5] = [
    (HeaderName::Via, "Missing Via"),
    (HeaderName::From, "Missing From"),
    (HeaderName::To, "Missing To"),
    (HeaderName::CallId, "Missing Call-ID"),
    (HeaderName::CSeq, "Missing CSeq"),
];

impl Message {
    /// What a UAS answers to this request if it is wrong; for a response, why it is dropped.
    pub fn validate(&self) -> Option<ParseError> {
        self.check().err()
    }

    fn check(&self) -> Result<(), ParseError> {
        if let Some(defect) = self.defect {
            return Err(defect);
        }
        if let Start::Request {
            is_version_known: false,
            ..
        } = self.start
        {
            return Err(self.version_error());
        }
        for (name, missing) in MANDATORY {
            self.first(name)
                .filter(|v| !v.is_empty())
                .ok_or(ParseError::bad(missing))?;
        }
        self.check_singletons()?;
        self.check_numbers()?;
        for value in self.values(HeaderName::Via) {
            Via::parse(value).ok_or(ParseError::bad("Bad Via"))?;
        }
        self.check_repeated()?;
        if !self.call_id().iter().all(is_graphic) {
            return Err(ParseError::bad("Bad Call-ID"));
        }
        for name in [HeaderName::From, HeaderName::To] {
            NameAddr::check(self.first(name).unwrap_or_default())?;
            // Tags are repeated in every message of a dialog.
            if !self.tag(name).iter().all(is_graphic) || self.tag(name).contains(&b'"') {
                return Err(ParseError::bad("Bad tag"));
            }
        }
        for kind in [
            HeaderName::Contact,
            HeaderName::Route,
            HeaderName::RecordRoute,
        ] {
            self.check_addresses(kind)?;
        }
        if self.is_request() {
            self.check_uri()
        } else {
            Ok(())
        }
    }

    /// What goes into messages of ours must be fit to be sent: see `check_value`.
    fn check_repeated(&self) -> Result<(), ParseError> {
        use HeaderName::*;
        let repeated = [From, To, CallId, Contact, Route, RecordRoute];
        let mut lines = repeated.into_iter().flat_map(|kind| self.lines(kind));
        if lines.any(has_separator) {
            return Err(ParseError::bad("Line separator in header"));
        }
        Ok(())
    }

    fn version_error(&self) -> ParseError {
        let line = self
            .raw()
            .split(|&byte| byte == b'\r')
            .next()
            .unwrap_or_default();
        if line.ends_with(b" ") || line.ends_with(b"\t") {
            return ParseError::bad("Bad Request-Line");
        }
        ParseError {
            status: 505,
            reason: "Version Not Supported",
        }
    }

    fn check_singletons(&self) -> Result<(), ParseError> {
        for (index, field) in self.fields.iter().enumerate() {
            let mut earlier = self.fields[..index].iter();
            if field.kind.is_singleton() && earlier.any(|other| other.kind == field.kind) {
                return Err(ParseError::bad("Header given twice"));
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), ParseError> {
        let (_, method) = self.cseq().ok_or(ParseError::bad("Bad CSeq"))?;
        if self.is_request() && method != self.method() {
            return Err(ParseError::bad("CSeq Method Does Not Match"));
        }
        if let Some(hops) = self.first(HeaderName::MaxForwards) {
            decimal(hops).ok_or(ParseError::bad("Bad Max-Forwards"))?;
        }
        Ok(())
    }

    fn check_addresses(&self, kind: HeaderName) -> Result<(), ParseError> {
        for line in self.lines(kind) {
            if kind == HeaderName::Contact && line == b"*" {
                continue;
            }
            for value in split(line, b',') {
                NameAddr::check(value)?;
            }
        }
        Ok(())
    }

    fn check_uri(&self) -> Result<(), ParseError> {
        if self.uri().len() > MAX_URI {
            return Err(ParseError {
                status: 414,
                reason: "Request-URI Too Long",
            });
        }
        let uri = Uri::parse(self.uri())?;
        // tel is served by gateways; any other scheme is one no element here acts on (§8.2.2.1).
        match uri.scheme.as_str() {
            "sip" | "sips" if uri.headers.is_empty() => Ok(()),
            "sip" | "sips" => Err(ParseError::bad("Headers in Request-URI")),
            "tel" => Ok(()),
            _ => Err(ParseError {
                status: 416,
                reason: "Unsupported URI Scheme",
            }),
        }
    }
}

/// Neither white space nor a control character.
fn is_graphic(byte: &u8) -> bool {
    *byte > b' ' && *byte != 0x7f
}
