//! One Via value (RFC 3261 §20.42, RFC 3581).
use super::lexer::{are_parameters_valid, find_parameter, is_token, port, trim};

/// What our Via says on a connection that requests may come back by (RFC 5923 §7).
pub(crate) const ALIAS: &str = ";alias";

/// A parsed Via value, borrowing the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, … as received.
    pub transport: &'a [u8],
    /// Host without brackets.
    pub host: &'a [u8],
    /// Port of the sent-by, if given.
    pub port: Option<u16>,
    /// Host and port as received.
    pub sent_by: &'a [u8],
    parameters: &'a [u8],
}

impl<'a> Via<'a> {
    /// Read one value; `None` when it breaks the grammar.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let end = value
            .iter()
            .position(|&byte| byte == b';')
            .unwrap_or(value.len());
        let (head, parameters) = value.split_at(end);
        let mut parts = head.splitn(3, |&byte| byte == b'/');
        let (name, version) = (trim(parts.next()?), trim(parts.next()?));
        if !name.eq_ignore_ascii_case(b"SIP") || version != b"2.0" {
            return None;
        }
        let rest = trim(parts.next()?);
        let space = rest.iter().position(u8::is_ascii_whitespace)?;
        let (transport, sent_by) = (&rest[..space], trim(&rest[space..]));
        let (host, port) = split_host(sent_by)?;
        let valid = is_token(transport) && are_parameters_valid(parameters);
        valid.then_some(Self {
            transport,
            host,
            port,
            sent_by,
            parameters,
        })
    }

    /// A parameter's value; `Some(b"")` when it has none.
    pub fn parameter(&self, name: &str) -> Option<&'a [u8]> {
        find_parameter(self.parameters, name)
    }

    /// The branch, empty when absent.
    pub fn branch(&self) -> &'a [u8] {
        self.parameter("branch").unwrap_or(b"")
    }
}

/// `host [":" port]` with IPv6 in brackets; white space round the colon is allowed.
pub(crate) fn split_host(text: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let (host, rest) = match text.strip_prefix(b"[") {
        Some(inner) => {
            let close = inner.iter().position(|&byte| byte == b']')?;
            let host = &inner[..close];
            let known = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
            if host.is_empty() || !host.iter().all(known) {
                return None;
            }
            (host, trim(&inner[close + 1..]))
        }
        None => {
            let end = text
                .iter()
                .position(|&byte| byte == b':')
                .unwrap_or(text.len());
            let host = trim(&text[..end]);
            let known =
                |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if host.is_empty() || !host.iter().all(known) {
                return None;
            }
            (host, &text[end..])
        }
    };
    match rest.strip_prefix(b":") {
        Some(digits) => Some((host, Some(port(trim(digits))?))),
        None => rest.is_empty().then_some((host, None)),
    }
}
