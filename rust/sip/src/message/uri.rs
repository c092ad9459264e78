//! SIP and SIPS URIs (RFC 3261 §19.1, RFC 5954); other schemes are kept opaque.
use std::hash::{Hash, Hasher};

use super::lexer::{has, parameter};
use super::via::split_host;
use crate::error::ParseError;

/// Parameters in order of appearance: lower-case name and the value, if there is one.
pub type Parameters = Vec<(String, Option<Vec<u8>>)>;

/// A URI taken apart. Text is bytes: percent-escapes may hide any octet.
#[derive(Clone, Debug)]
pub struct Uri {
    /// In lower case.
    pub scheme: String,
    /// Percent-decoded; empty when absent.
    pub user: Vec<u8>,
    /// Percent-decoded; empty when absent.
    pub password: Vec<u8>,
    /// Lower case without brackets; the opaque rest for other schemes.
    pub host: Vec<u8>,
    /// `None` when not written: that differs from 5060 (§19.1.4).
    pub port: Option<u16>,
    /// `;name=value`, percent-decoded.
    pub parameters: Parameters,
    /// What follows `?`, undecoded.
    pub headers: Vec<u8>,
}

/// Most parameters taken: comparing two URIs looks at every pair.
const MAX_PARAMETERS: usize = 64;

/// Parameters that count even when only one of two URIs has them (§19.1.4).
const SIGNIFICANT: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

/// A URI cut into its parts, which hold no bad escape; nothing is decoded.
struct Parts<'a> {
    scheme: &'a [u8],
    user: &'a [u8],
    password: &'a [u8],
    host: &'a [u8],
    port: Option<u16>,
    parameters: &'a [u8],
    headers: &'a [u8],
}

impl<'a> Parts<'a> {
    fn cut(text: &'a [u8]) -> Result<Self, ParseError> {
        let is_bad = |byte| byte <= b' ' || matches!(byte, 0x7f | b'<' | b'>' | b'"');
        if has(text, is_bad) {
            return Err(ParseError::bad("Bad character in URI"));
        }
        let colon = text.iter().position(|&byte| byte == b':');
        let (scheme, rest) = match colon {
            Some(at) if at > 0 => (&text[..at], &text[at + 1..]),
            _ => return Err(ParseError::bad("URI without scheme")),
        };
        let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        if !scheme[0].is_ascii_alphabetic() || !scheme.iter().all(known) {
            return Err(ParseError::bad("Bad URI scheme"));
        }
        if scheme.eq_ignore_ascii_case(b"sip") || scheme.eq_ignore_ascii_case(b"sips") {
            return Self::cut_sip(scheme, rest);
        }
        if rest.is_empty() {
            return Err(ParseError::bad("Empty URI"));
        }
        Ok(Self {
            scheme,
            user: &[],
            password: &[],
            host: rest,
            port: None,
            parameters: &[],
            headers: &[],
        })
    }

    fn cut_sip(scheme: &'a [u8], rest: &'a [u8]) -> Result<Self, ParseError> {
        let (user_info, rest) = match rest.iter().position(|&byte| byte == b'@') {
            Some(0) => return Err(ParseError::bad("Empty user in URI")),
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (&rest[..0], rest),
        };
        let (rest, headers) = cut(rest, b'?');
        let (host_port, parameters) = cut(rest, b';');
        let (user, password) = cut(user_info, b':');
        let (host, port) = split_host(host_port).ok_or(ParseError::bad("Bad host in URI"))?;
        let parts = Self {
            scheme,
            user,
            password,
            host,
            port,
            parameters,
            headers,
        };
        if parts.parameters().nth(MAX_PARAMETERS).is_some() {
            return Err(ParseError::bad("Too many URI parameters"));
        }
        if ![user_info, parameters, headers].into_iter().all(is_escaped) {
            return Err(ParseError::bad("Bad escape in URI"));
        }
        Ok(parts)
    }

    fn parameters(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let list = self.parameters.split(|&byte| byte == b';');
        list.filter(|part| !part.is_empty()).map(parameter)
    }
}

impl Uri {
    /// Read a URI that must fill the whole text.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let parts = Parts::cut(text)?;
        let name = |name| String::from_utf8_lossy(&unescape(name)).to_ascii_lowercase();
        let parameters = parts.parameters();
        let scheme = String::from_utf8_lossy(parts.scheme).to_ascii_lowercase();
        let is_sip = scheme == "sip" || scheme == "sips";
        Ok(Self {
            user: unescape(parts.user),
            password: unescape(parts.password),
            host: if is_sip {
                parts.host.to_ascii_lowercase()
            } else {
                parts.host.to_vec()
            },
            port: parts.port,
            parameters: parameters
                .map(|(key, value)| (name(key), value.map(unescape)))
                .collect(),
            headers: parts.headers.to_vec(),
            scheme,
        })
    }

    /// What `parse` finds wrong, without taking anything apart.
    pub(crate) fn check(text: &[u8]) -> Result<(), ParseError> {
        Parts::cut(text).map(drop)
    }

    fn parameter(&self, name: &str) -> Option<&Option<Vec<u8>>> {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Of a parameter given twice, which no URI may have (§19.1.1), the first counts.
    fn agrees_with(&self, other: &Self) -> bool {
        let same = |name: &str| match (self.parameter(name), other.parameter(name)) {
            (_, None) => !SIGNIFICANT.contains(&name),
            (Some(Some(mine)), Some(Some(theirs))) => mine.eq_ignore_ascii_case(theirs),
            (mine, theirs) => mine == theirs,
        };
        self.parameters.iter().all(|(name, _)| same(name))
    }

    fn sorted_headers(&self) -> Vec<Vec<u8>> {
        let mut parts: Vec<_> = self
            .headers
            .split(|&byte| byte == b'&')
            .map(|part| unescape(part).to_ascii_lowercase())
            .collect();
        parts.sort();
        parts
    }
}

impl PartialEq for Uri {
    fn eq(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.user == other.user
            && self.password == other.password
            && self.host == other.host
            && self.port == other.port
            && self.agrees_with(other)
            && other.agrees_with(self)
            && self.sorted_headers() == other.sorted_headers()
    }
}

impl Eq for Uri {}

impl Hash for Uri {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.scheme, &self.user, &self.host, self.port).hash(state);
    }
}

fn cut(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == separator) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    let digit = byte.and_then(|&byte| char::from(byte).to_digit(16))?;
    u8::try_from(digit).ok()
}

/// Whether two hexadecimal digits follow each `%`.
fn is_escaped(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        rest = &rest[at + 1..];
        if hex(rest.first()).is_none() || hex(rest.get(1)).is_none() {
            return false;
        }
    }
    true
}

/// Decode; what is no escape stays as it is.
fn unescape(text: &[u8]) -> Vec<u8> {
    if !text.contains(&b'%') {
        return text.to_vec();
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escaped = (*first == b'%').then(|| (hex(tail.first()), hex(tail.get(1))));
        if let Some((Some(high), Some(low))) = escaped {
            plain.push(high * 16 + low);
            rest = &tail[2..];
        } else {
            plain.push(*first);
        }
    }
    plain
}
