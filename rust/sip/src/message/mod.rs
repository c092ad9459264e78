//! One message: the received bytes and a table of offsets into them; values decode on demand.
mod build;
mod feedback;
mod header;
pub(crate) mod lexer;
mod name_addr;
mod tags;
mod uri;
mod validate;
mod via;

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;
use smallvec::SmallVec;

pub use build::check_value;
pub(crate) use build::{Builder, Head, check_sent_by, check_tag, marked};
pub(crate) use feedback::{Feedback, Mark, OFFER, is_of_feedback};
pub use header::HeaderName;
pub use name_addr::NameAddr;
pub use uri::{Parameters, Uri};
pub use via::Via;
pub(crate) use via::{ALIAS, split_host};

use crate::error::ParseError;
use lexer::{
    decimal, has, has_bare_control, has_separator, is_bare_control, is_token, split, trim, unfold,
};
use tags::Tags;

/// Largest message taken, in bytes.
pub(crate) const MAX_MESSAGE: usize = 65_536;
/// Most header lines taken.
const MAX_HEADERS: usize = 256;
/// Most Via values taken.
const MAX_VIAS: usize = 64;

#[derive(Clone, Debug)]
struct Field {
    kind: HeaderName,
    name: Range<u32>,
    value: Range<u32>,
}

#[derive(Clone, Debug)]
enum Start {
    Request {
        method: Range<u32>,
        uri: Range<u32>,
        is_version_known: bool,
    },
    Response {
        status: u16,
        reason: Range<u32>,
    },
}

/// A parsed message. `read` accepts what can still be answered, `parse` only what is well framed.
#[derive(Clone, Debug)]
pub struct Message {
    data: Box<[u8]>,
    start: Start,
    fields: SmallVec<[Field; 24]>,
    body: Range<u32>,
    tags: Tags,
    defect: Option<ParseError>,
    /// What the top Via of its responses says beyond its own.
    pub(crate) mark: Option<Mark>,
}

fn range(from: usize, to: usize) -> Range<u32> {
    from as u32..to as u32
}

/// The end of the line at `from` (without CRLF) and the start of the next one.
fn line_end(data: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        at += memchr(b'\n', &data[at..])? + 1;
        if at >= from + 2 && data[at - 2] == b'\r' {
            return Some((at - 2, at));
        }
    }
}

impl Message {
    /// Parse one whole message, as from a datagram; octets beyond Content-Length are cut off.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let message = Self::read(data)?;
        message.defect.map_or(Ok(message), Err)
    }

    /// As `parse`, but keep a message whose start line and headers can still be answered.
    pub(crate) fn read(data: &[u8]) -> Result<Self, ParseError> {
        if data.len() > MAX_MESSAGE {
            return Err(ParseError {
                status: 513,
                reason: "Message Too Large",
            });
        }
        let (end, next) = line_end(data, 0).ok_or(ParseError::bad("No start line"))?;
        if has(&data[..end], is_bare_control) {
            return Err(ParseError::bad("Control character in start line"));
        }
        let mut message = Self {
            start: parse_start(&data[..end])?,
            data: data.into(),
            fields: SmallVec::new(),
            body: 0..0,
            tags: Tags::default(),
            defect: None,
            mark: None,
        };
        match message.read_fields(next) {
            Ok(body) => message.defect = message.cut_body(body).err(),
            Err(defect) => message.defect = Some(defect),
        }
        message.tags = message.find_tags();
        if has_separator(&data[..end]) {
            message.defect = Some(ParseError::bad("Line separator in start line"));
        }
        Ok(message)
    }

    /// Fill the header table and return where the body begins.
    fn read_fields(&mut self, mut at: usize) -> Result<usize, ParseError> {
        // The RFC archive's `baddn` ends without the blank line: the end of the data serves.
        while at < self.data.len() {
            let (end, next) = match line_end(&self.data, at) {
                Some(line) => line,
                None => return Err(ParseError::bad("Header line without end")),
            };
            if end == at {
                return Ok(next);
            }
            let line = &self.data[at..end];
            if has(line, is_bare_control) && has_bare_control(line) {
                return Err(ParseError::bad("Control character in header"));
            }
            if matches!(line[0], b' ' | b'\t') {
                let field = self
                    .fields
                    .last_mut()
                    .ok_or(ParseError::bad("Fold without header"))?;
                field.value.end = end as u32;
            } else {
                let colon =
                    memchr(b':', line).ok_or(ParseError::bad("Header line without colon"))?;
                let name = trim(&line[..colon]);
                if !is_token(name) {
                    return Err(ParseError::bad("Bad header name"));
                }
                if self.fields.len() == MAX_HEADERS {
                    return Err(ParseError::bad("Too many headers"));
                }
                let kind = HeaderName::classify(name);
                let name = range(at, at + name.len());
                self.fields.push(Field {
                    kind,
                    name,
                    value: range(at + colon + 1, end),
                });
            }
            at = next;
        }
        Ok(at)
    }

    fn cut_body(&mut self, start: usize) -> Result<(), ParseError> {
        if self.values(HeaderName::Via).nth(MAX_VIAS).is_some() {
            return Err(ParseError::bad("Too many Via"));
        }
        let end = match self.content_length()? {
            Some(length) if length > self.data.len() - start => {
                return Err(ParseError::bad("Content-Length beyond the end"));
            }
            Some(length) => start + length,
            None => self.data.len(),
        };
        self.body = range(start, end);
        Ok(())
    }

    /// The one Content-Length; an error when it is malformed or given twice.
    pub(crate) fn content_length(&self) -> Result<Option<usize>, ParseError> {
        let mut all = self.lines(HeaderName::ContentLength);
        let Some(first) = all.next() else {
            return Ok(None);
        };
        if all.next().is_some() {
            return Err(ParseError::bad("Content-Length given twice"));
        }
        decimal(trim(first))
            .filter(|&length| length <= MAX_MESSAGE as u64)
            .map(|length| Some(length as usize))
            .ok_or(ParseError::bad("Bad Content-Length"))
    }

    fn at(&self, range: &Range<u32>) -> &[u8] {
        &self.data[range.start as usize..range.end as usize]
    }

    /// Whether the start line is a request's.
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The request's method; for a response the method of its CSeq.
    pub fn method(&self) -> &[u8] {
        match &self.start {
            Start::Request { method, .. } => self.at(method),
            Start::Response { .. } => self.cseq().map_or(&[], |(_, method)| method),
        }
    }

    /// The status code; 0 for a request.
    pub fn status(&self) -> u16 {
        match self.start {
            Start::Request { .. } => 0,
            Start::Response { status, .. } => status,
        }
    }

    /// The reason phrase; empty for a request.
    pub fn reason(&self) -> Cow<'_, [u8]> {
        match &self.start {
            Start::Request { .. } => Cow::default(),
            Start::Response { reason, .. } => unfold(self.at(reason)),
        }
    }

    /// The Request-URI as written; empty for a response.
    pub fn uri(&self) -> &[u8] {
        match &self.start {
            Start::Request { uri, .. } => self.at(uri),
            Start::Response { .. } => &[],
        }
    }

    /// The body, cut at Content-Length.
    pub fn body(&self) -> &[u8] {
        self.at(&self.body)
    }

    /// All bytes as received.
    pub fn raw(&self) -> &[u8] {
        &self.data
    }

    /// Raw values of one header, line by line, folds included.
    pub(crate) fn lines(&self, kind: HeaderName) -> impl Iterator<Item = &[u8]> {
        let fields = self.fields.iter().filter(move |field| field.kind == kind);
        fields.map(|field| trim(self.at(&field.value)))
    }

    /// The first raw value of a header.
    pub(crate) fn first(&self, kind: HeaderName) -> Option<&[u8]> {
        self.lines(kind).next()
    }

    /// Values of one header split at top-level commas, folds included.
    pub(crate) fn values(&self, kind: HeaderName) -> impl Iterator<Item = &[u8]> {
        self.lines(kind).flat_map(|line| split(line, b','))
    }

    /// Every value of a header by any spelling of its name, unfolded.
    pub fn header_lines(&self, name: &str) -> impl Iterator<Item = Cow<'_, [u8]>> {
        let kind = HeaderName::classify(name.as_bytes());
        let fields = self.fields.iter().filter(move |field| {
            field.kind == kind
                && (kind != HeaderName::Other
                    || self.at(&field.name).eq_ignore_ascii_case(name.as_bytes()))
        });
        fields.map(|field| unfold(trim(self.at(&field.value))))
    }

    /// As `header_lines`, split at top-level commas.
    pub fn header_values(&self, name: &str) -> Vec<Vec<u8>> {
        let lines = self.header_lines(name);
        lines
            .flat_map(|line| split(&line, b',').map(<[u8]>::to_vec).collect::<Vec<_>>())
            .collect()
    }

    /// The URI of the first Contact; empty when absent or not a URI.
    pub fn contact_uri(&self) -> Vec<u8> {
        let first = self.values(HeaderName::Contact).next().unwrap_or_default();
        NameAddr::parse(first).map_or_else(|_| Vec::new(), |contact| contact.uri)
    }

    /// Every header in order; compact names are expanded.
    pub fn items(&self) -> impl Iterator<Item = (&[u8], Cow<'_, [u8]>)> {
        self.fields.iter().map(|field| {
            let name = match self.at(&field.name) {
                [_] if field.kind != HeaderName::Other => field.kind.canonical().as_bytes(),
                long => long,
            };
            (name, unfold(trim(self.at(&field.value))))
        })
    }

    /// Every header in order with its kind, name as received and raw value.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (HeaderName, &[u8], &[u8])> {
        let raw = |field: &Field| {
            (
                field.kind,
                self.at(&field.name),
                trim(self.at(&field.value)),
            )
        };
        self.fields.iter().map(raw)
    }

    /// CSeq number and method; `None` when missing or malformed (RFC 3261 §8.1.1.5: below 2^31).
    pub fn cseq(&self) -> Option<(u32, &[u8])> {
        let value = self.first(HeaderName::CSeq)?;
        let space = value.iter().position(u8::is_ascii_whitespace)?;
        let number = decimal(&value[..space]).filter(|&number| number < 1 << 31)?;
        let method = trim(&value[space..]);
        is_token(method).then_some((number as u32, method))
    }

    /// Call-ID; empty when absent.
    pub fn call_id(&self) -> &[u8] {
        self.first(HeaderName::CallId).unwrap_or_default()
    }

    /// The topmost Via, if it parses.
    pub fn top_via(&self) -> Option<Via<'_>> {
        Via::parse(self.values(HeaderName::Via).next()?)
    }
}

fn parse_start(line: &[u8]) -> Result<Start, ParseError> {
    if line
        .get(..4)
        .is_some_and(|head| head.eq_ignore_ascii_case(b"SIP/"))
    {
        return parse_status_line(line);
    }
    let bad = ParseError::bad("Bad start line");
    let first = line.iter().position(|&byte| byte == b' ').ok_or(bad)?;
    let end = line.trim_ascii_end().len();
    let last = line[..end]
        .iter()
        .rposition(|&byte| byte == b' ')
        .ok_or(bad)?;
    let version = &line[last + 1..end];
    let is_sip = version
        .get(..4)
        .is_some_and(|head| head.eq_ignore_ascii_case(b"SIP/"));
    if last <= first || !is_token(&line[..first]) || !is_sip {
        return Err(bad);
    }
    Ok(Start::Request {
        method: range(0, first),
        uri: range(first + 1, last),
        // Octets behind the version are a fault (§25.1), found by validate().
        is_version_known: version.eq_ignore_ascii_case(b"SIP/2.0") && end == line.len(),
    })
}

fn parse_status_line(line: &[u8]) -> Result<Start, ParseError> {
    let bad = ParseError::bad("Bad status line");
    let rest = line
        .get(..8)
        .filter(|head| head.eq_ignore_ascii_case(b"SIP/2.0 "));
    rest.ok_or(ParseError {
        status: 505,
        reason: "Version Not Supported",
    })?;
    let end = line[8..]
        .iter()
        .position(|&byte| byte == b' ')
        .map_or(line.len(), |at| at + 8);
    let status = decimal(&line[8..end])
        .filter(|status| end == 11 && (100..700).contains(status))
        .ok_or(bad)?;
    let reason = range((end + 1).min(line.len()), line.len());
    Ok(Start::Response {
        status: status as u16,
        reason,
    })
}
