//! A glance at the raw bytes of a request: as much as it takes to refuse it, and no more.
use crate::message::lexer::{address_parameters, find_parameter, trim};

/// What a message is to the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A request that makes a dialog or a state of its own, if it is in no dialog yet.
    New,
    /// An ACK.
    Ack,
    /// A CANCEL.
    Cancel,
    /// Responses, requests inside dialogs, questions: never refused here.
    Other,
}

/// The headers that a refusal is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Via,
    From,
    To,
    CallId,
    CSeq,
    Other,
}

/// What kind of message begins so; the method counts in its own case (RFC 3261 §7.1).
pub(super) fn kind(data: &[u8]) -> Kind {
    match data {
        [b'I', b'N', b'V', b'I', b'T', b'E', b' ', ..] => Kind::New,
        [b'A', b'C', b'K', b' ', ..] => Kind::Ack,
        [b'C', b'A', b'N', b'C', b'E', b'L', b' ', ..] => Kind::Cancel,
        _ => {
            let others: [&[u8]; 5] = [
                b"SUBSCRIBE ",
                b"REFER ",
                b"MESSAGE ",
                b"PUBLISH ",
                b"REGISTER ",
            ];
            let is_new = others.into_iter().any(|method| data.starts_with(method));
            if is_new { Kind::New } else { Kind::Other }
        }
    }
}

/// Header lines with their folds, up to the blank line; ends early where the lines do.
pub(super) struct Lines<'a> {
    rest: &'a [u8],
}

/// The header lines behind the start line.
pub(super) fn lines(data: &[u8]) -> Lines<'_> {
    Lines {
        rest: find_newline(data).map_or(b"", |end| &data[end + 1..]),
    }
}

impl<'a> Iterator for Lines<'a> {
    /// Which header, and its value without the line end.
    type Item = (Name, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut end = find_newline(self.rest)?;
        while let Some(b' ' | b'\t') = self.rest.get(end + 1) {
            end += 1 + find_newline(&self.rest[end + 1..])?;
        }
        let (line, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        let line = line.strip_suffix(b"\r")?;
        let first = line.first()?.to_ascii_lowercase();
        if !matches!(first, b'v' | b'f' | b't' | b'i' | b'c') {
            return Some((Name::Other, b""));
        }
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some((name(trim(&line[..colon])), trim(&line[colon + 1..])))
    }
}

fn name(bytes: &[u8]) -> Name {
    let is = |long: &[u8], compact: &[u8]| {
        bytes.eq_ignore_ascii_case(long) || bytes.eq_ignore_ascii_case(compact)
    };
    match bytes.len() {
        1 | 3 if is(b"via", b"v") => Name::Via,
        1 | 4 if is(b"from", b"f") => Name::From,
        1 | 2 if is(b"to", b"t") => Name::To,
        1 | 7 if is(b"call-id", b"i") => Name::CallId,
        4 if is(b"cseq", b"") => Name::CSeq,
        _ => Name::Other,
    }
}

/// The top Via value and the To of a request, as far as they are there.
pub(super) struct Glance<'a> {
    pub(super) via: &'a [u8],
    pub(super) to: &'a [u8],
}

/// Read no further than it takes to find both; `None` when one is missing.
pub(super) fn glance(data: &[u8]) -> Option<Glance<'_>> {
    let (mut via, mut to) = (None, None);
    for (name, value) in lines(data) {
        match name {
            Name::Via if via.is_none() => via = Some(value),
            Name::To if to.is_none() => to = Some(value),
            _ => continue,
        }
        if let (Some(via), Some(to)) = (via, to) {
            return Some(Glance { via, to });
        }
    }
    None
}

/// The tag of a From or To value; empty when there is none.
pub(super) fn tag(value: &[u8]) -> &[u8] {
    find_parameter(address_parameters(value), "tag").unwrap_or_default()
}

/// Sent-by and branch of a plain Via value; `None` when it needs the whole grammar.
pub(super) fn via_key(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = value.iter().position(|&byte| byte == b',');
    let value = &value[..end.unwrap_or(value.len())];
    if value.contains(&b'"') {
        return None;
    }
    let mut parts = value.split(|&byte| byte == b';');
    let head = parts.next()?;
    let slash = head.iter().rposition(|&byte| byte == b'/')?;
    let rest = trim(&head[slash + 1..]);
    let space = rest.iter().position(u8::is_ascii_whitespace)?;
    let branch = parts.find_map(|part| {
        let part = trim(part);
        let name = part.get(..6)?;
        let value = trim(&part[6..]).strip_prefix(b"=")?;
        name.eq_ignore_ascii_case(b"branch").then(|| trim(value))
    })?;
    Some((trim(&rest[space..]), branch))
}

/// Where the first line feed is, eight bytes at a time.
pub(super) fn find_newline(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const FEEDS: u64 = ONES * b'\n' as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word) ^ FEEDS;
        let found = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|&byte| byte == b'\n')?;
    Some(words.len() * 8 + at)
}
