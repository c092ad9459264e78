//! The small pieces of the grammar (RFC 3261 §25.1): tokens, white space, lists, parameters, digits.
use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3};

/// Which bytes a token has (§25.1).
const TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric()
            || matches!(
                byte as u8,
                b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
            );
        byte += 1;
    }
    table
};

pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES[usize::from(byte)]
}

pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Strip SP, HTAB and the CRLF of folded lines from both ends.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_white(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_white(*last)
    {
        bytes = rest;
    }
    bytes
}

/// 1*DIGIT in ASCII, `None` for anything else or beyond `u64`.
pub(crate) fn decimal(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// A port: 1*DIGIT, at most 65535.
pub(crate) fn port(bytes: &[u8]) -> Option<u16> {
    decimal(bytes).and_then(|value| u16::try_from(value).ok())
}

pub(crate) fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// A control character other than HTAB, which is white space.
pub(crate) fn is_bare_control(byte: u8) -> bool {
    is_control(byte) && byte != b'\t'
}

/// Whether some byte is one of those. It looks at all of them, which lets the compiler take many at
/// a time: what is asked for is not there as a rule.
pub(crate) fn has(bytes: &[u8], is: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(false, |found, &byte| found | is(byte))
}

/// A control character, except behind the backslash of a quoted pair (RFC 3261 §25.1; a line break
/// is none even there).
pub(crate) fn has_bare_control(line: &[u8]) -> bool {
    let mut is_escaped = false;
    line.iter().any(|&byte| {
        let is_bad = is_bare_control(byte) && (!is_escaped || matches!(byte, b'\r' | b'\n'));
        is_escaped = byte == b'\\' && !is_escaped;
        is_bad
    })
}

/// A C1 control or a Unicode line or paragraph separator, in UTF-8: some readers end a line there.
pub(crate) fn has_separator(bytes: &[u8]) -> bool {
    if bytes.is_ascii() {
        return false;
    }
    let mut twos = bytes.windows(2);
    let mut threes = bytes.windows(3);
    twos.any(|two| two[0] == 0xc2 && (0x80..0xa0).contains(&two[1]))
        || threes.any(|three| matches!(three, [0xe2, 0x80, 0xa8 | 0xa9]))
}

/// Folded lines as one: each CRLF with the white space around it becomes one space. So does any
/// other control character (HTAB, and what a quoted pair holds) and what some readers end a line at,
/// so that a value which was read can be sent.
pub(crate) fn unfold(bytes: &[u8]) -> Cow<'_, [u8]> {
    let separates = has_separator(bytes);
    if !separates && !has(bytes, is_control) {
        return Cow::Borrowed(bytes);
    }
    let mut flat = Vec::with_capacity(bytes.len());
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if index > 0 {
            flat.push(b' ');
        }
        let plain = |&byte: &u8| if is_control(byte) { b' ' } else { byte };
        flat.extend(trim(line).iter().map(plain));
    }
    if separates {
        flat = without_separators(&flat);
    }
    Cow::Owned(flat)
}

fn without_separators(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, others @ ..] = rest {
        let length = separator_length(rest);
        if length > 0 {
            plain.push(b' ');
            rest = &rest[length..];
        } else {
            plain.push(*first);
            rest = others;
        }
    }
    plain
}

fn separator_length(bytes: &[u8]) -> usize {
    match bytes {
        [0xc2, 0x80..0xa0, ..] => 2,
        [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
        _ => 0,
    }
}

/// Parts between separators that stand outside quoted strings and angle brackets.
pub(crate) struct Split<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

pub(crate) fn split(bytes: &[u8], separator: u8) -> Split<'_> {
    Split {
        rest: Some(bytes),
        separator,
    }
}

/// Where `wanted` first stands outside quoted strings (and outside angle brackets, unless it is one).
pub(crate) fn find_outside_quotes(bytes: &[u8], wanted: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = &bytes[from..];
        let at = memchr3(wanted, b'"', b'<', rest)?;
        let inner = &rest[at + 1..];
        from += at
            + 2
            + match rest[at] {
                byte if byte == wanted => return Some(from + at),
                b'"' => closing_quote(inner)?,
                _ => memchr(b'>', inner)?,
            };
    }
}

/// Where the quoted string whose inside begins here ends.
fn closing_quote(inner: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\\', inner.get(from..)?)?;
        if inner[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let part = match find_outside_quotes(rest, self.separator) {
            Some(at) => {
                self.rest = Some(&rest[at + 1..]);
                &rest[..at]
            }
            None => {
                self.rest = None;
                rest
            }
        };
        Some(trim(part))
    }
}

/// One `;name=value` of a parameter list, both trimmed.
pub(crate) fn parameter(part: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(b'=', part) {
        Some(at) => (trim(&part[..at]), Some(trim(&part[at + 1..]))),
        None => (trim(part), None),
    }
}

/// The value of a named parameter in a list `;a;b=c`; `Some(b"")` for one without value.
pub(crate) fn find_parameter<'a>(list: &'a [u8], name: &str) -> Option<&'a [u8]> {
    split(list, b';')
        .map(parameter)
        .find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value.unwrap_or(b""))
}

/// Whether `;a;b=c` is well formed: no empty parameter, names are tokens, values close their quotes.
pub(crate) fn are_parameters_valid(list: &[u8]) -> bool {
    let list = trim(list);
    if list.is_empty() {
        return true;
    }
    let Some(rest) = list.strip_prefix(b";") else {
        return false;
    };
    split(rest, b';')
        .map(parameter)
        .all(|(name, value)| is_token(name) && value.is_none_or(is_parameter_value))
}

fn is_parameter_value(value: &[u8]) -> bool {
    match value {
        [] => false,
        [b'"', ..] => unquote(value).is_some(),
        _ => value
            .iter()
            .all(|&byte| byte > b' ' && !matches!(byte, b'"' | b'<' | b'>' | b',')),
    }
}

/// The text of a quoted string with its escapes removed; `None` when the quotes do not balance.
pub(crate) fn unquote(quoted: &[u8]) -> Option<Vec<u8>> {
    let inner = quoted.strip_prefix(b"\"")?;
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().enumerate();
    while let Some((index, &byte)) = bytes.next() {
        match byte {
            b'"' => return (index + 1 == inner.len()).then_some(text),
            b'\\' => text.push(*bytes.next()?.1),
            _ => text.push(byte),
        }
    }
    None
}

/// The parameters behind a name-addr or addr-spec, from their first semicolon.
pub(crate) fn address_parameters(value: &[u8]) -> &[u8] {
    let from = match find_outside_quotes(value, b'<') {
        Some(open) => match memchr(b'>', &value[open..]) {
            Some(close) => open + close + 1,
            None => return b"",
        },
        None => 0,
    };
    match find_outside_quotes(&value[from..], b';') {
        Some(at) => &value[from + at..],
        None => b"",
    }
}
