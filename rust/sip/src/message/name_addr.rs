//! name-addr and addr-spec with header parameters (RFC 3261 §20.10, RFC 8217).
use super::lexer::{
    are_parameters_valid, find_outside_quotes, is_token_byte, parameter, split, trim, unquote,
};
use super::uri::{Parameters, Uri};
use crate::error::ParseError;

/// What From, To, Contact, Route and their like hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// Unquoted; empty when absent.
    pub display_name: Vec<u8>,
    /// The URI as written.
    pub uri: Vec<u8>,
    /// Header parameters, quoted values unquoted.
    pub parameters: Parameters,
}

impl NameAddr {
    /// Read one value that must fill the whole text.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let (display_name, uri, list) = cut(text)?;
        let parameters = split(list, b';')
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (name, value) = parameter(part);
                let plain = value.map(|value| unquote(value).unwrap_or_else(|| value.to_vec()));
                (String::from_utf8_lossy(name).to_ascii_lowercase(), plain)
            });
        Ok(Self {
            display_name,
            uri: uri.to_vec(),
            parameters: parameters.collect(),
        })
    }

    /// What `parse` finds wrong, without taking the parameters apart.
    pub(crate) fn check(text: &[u8]) -> Result<(), ParseError> {
        cut(text).map(drop)
    }
}

type Cut<'a> = (Vec<u8>, &'a [u8], &'a [u8]);

/// Cut a value into display name, URI and parameters, none of which is malformed.
fn cut(text: &[u8]) -> Result<Cut<'_>, ParseError> {
    let text = trim(text);
    let (display_name, uri, list) = match find_outside_quotes(text, b'<') {
        Some(open) => {
            let inner = &text[open + 1..];
            let close = inner.iter().position(|&byte| byte == b'>');
            let close = close.ok_or(ParseError::bad("Unclosed angle bracket"))?;
            (
                display_name(trim(&text[..open]))?,
                &inner[..close],
                &inner[close + 1..],
            )
        }
        None => {
            let end = text
                .iter()
                .position(|&byte| byte == b';')
                .unwrap_or(text.len());
            let uri = trim(&text[..end]);
            if uri.iter().any(|byte| b",?\"".contains(byte)) {
                return Err(ParseError::bad("URI needs angle brackets"));
            }
            (Vec::new(), uri, &text[end..])
        }
    };
    Uri::check(uri)?;
    if !are_parameters_valid(list) {
        return Err(ParseError::bad("Bad header parameter"));
    }
    Ok((display_name, uri, list))
}

fn display_name(text: &[u8]) -> Result<Vec<u8>, ParseError> {
    if text.starts_with(b"\"") {
        return unquote(text).ok_or(ParseError::bad("Unbalanced quotes"));
    }
    let plain = |byte: &u8| is_token_byte(*byte) || *byte >= 0x80 || byte.is_ascii_whitespace();
    if text.iter().all(plain) {
        return Ok(text.to_vec());
    }
    Err(ParseError::bad("Display name needs quotes"))
}
