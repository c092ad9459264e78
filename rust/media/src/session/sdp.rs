//! Session descriptions as received (RFC 8866): a tolerant reader with hard limits.
//!
//! Lines that make no sense are passed over, as the peer may mean something we do not know; what
//! is too large is refused.

use std::net::{IpAddr, SocketAddr};

use crate::MediaError;

const MAX_BYTES: usize = 64 * 1024;
const MAX_MEDIA: usize = 32;
const MAX_CANDIDATES: usize = 128;
/// Formats of one m-line; there are 128 payload types.
const MAX_FORMATS: usize = 128;

/// Which way media flows, from the point of view of the description's author (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendReceive,
    /// The author only sends.
    SendOnly,
    /// The author only receives.
    ReceiveOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// Makes one of its halves.
    pub fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendReceive,
            (true, false) => Self::SendOnly,
            (false, true) => Self::ReceiveOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the author sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendReceive | Self::SendOnly)
    }

    /// Whether the author receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendReceive | Self::ReceiveOnly)
    }

    /// The same flow seen from the other end.
    pub fn reversed(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// What both allow.
    pub fn and(self, other: Self) -> Self {
        Self::of(
            self.sends() && other.sends(),
            self.receives() && other.receives(),
        )
    }

    /// The name of the attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendReceive => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::ReceiveOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The direction an attribute names.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::SendReceive,
            Self::SendOnly,
            Self::ReceiveOnly,
            Self::Inactive,
        ];
        all.into_iter().find(|direction| direction.as_str() == name)
    }
}

/// The attributes and the connection address of one level of a description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Section {
    /// `c=`; None without one, or with a host name.
    pub(super) connection: Option<IpAddr>,
    /// A bandwidth is given (`b=AS`, `TIAS` or `CT`), and whether it is none at all.
    has_no_bandwidth: Option<bool>,
    attributes: Vec<(String, String)>,
}

impl Section {
    /// The value of the first attribute of this name; empty for a flag.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The values of all attributes of this name.
    pub(super) fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let matching = self.attributes.iter().filter(move |(key, _)| key == name);
        matching.map(|(_, value)| value.as_str())
    }

    /// The direction written at this level.
    pub(super) fn direction(&self) -> Option<Direction> {
        self.attributes
            .iter()
            .find_map(|(name, _)| Direction::from_name(name))
    }

    fn read_bandwidth(&mut self, value: &str) {
        if let Some(("AS" | "TIAS" | "CT", amount)) = value.trim().split_once(':') {
            let is_none = amount.trim() == "0";
            self.has_no_bandwidth = Some(self.has_no_bandwidth.unwrap_or(false) || is_none);
        }
    }

    fn read_line(&mut self, kind: u8, value: &str) {
        match kind {
            b'c' => self.connection = read_connection(value),
            b'b' => self.read_bandwidth(value),
            b'a' => {
                let (name, value) = value.split_once(':').unwrap_or((value, ""));
                self.attributes
                    .push((name.trim().to_owned(), value.trim().to_owned()));
            }
            _ => {}
        }
    }
}

/// One m-line and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    /// "audio", "video", "application", …
    pub(super) kind: String,
    /// 0: refused, or bundled with another.
    pub(super) port: u16,
    /// "RTP/AVP", …
    pub(super) protocol: String,
    /// Payload types, or whatever the protocol has.
    pub(super) formats: Vec<String>,
    /// Its own lines.
    pub(super) section: Section,
}

/// A received session description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    /// What stands before the first m-line.
    pub(super) session: Section,
    /// The m-lines, in order.
    pub(super) media: Vec<Media>,
}

impl Description {
    /// Reads a description from the network.
    ///
    /// Raises Negotiation if it is none, or is larger than any honest one.
    pub(super) fn parse_untrusted(text: &str) -> Result<Self, MediaError> {
        if text.len() > MAX_BYTES {
            return Err(refused("the session description is larger than 64 KiB"));
        }
        // A lone CR ends a line too: nothing of the peer's that we echo may carry one.
        let mut lines = text.split(['\r', '\n']);
        if lines.next().map(str::trim_end) != Some("v=0") {
            return Err(refused("the session description does not begin with v=0"));
        }
        let mut description = Self {
            session: Section::default(),
            media: Vec::new(),
        };
        let mut candidates = 0;
        for line in lines {
            let Some((kind, value)) = split_line(line) else {
                continue;
            };
            if kind == b'm' {
                description.push_media(value)?;
                continue;
            }
            if value.starts_with("candidate:") {
                candidates += 1;
            }
            if candidates > MAX_CANDIDATES {
                return Err(refused("the session description has over 128 candidates"));
            }
            description.current().read_line(kind, value);
        }
        Ok(description)
    }

    fn push_media(&mut self, value: &str) -> Result<(), MediaError> {
        if self.media.len() == MAX_MEDIA {
            return Err(refused("the session description has over 32 m-lines"));
        }
        self.media.push(Media::parse_untrusted(value)?);
        Ok(())
    }

    fn current(&mut self) -> &mut Section {
        match self.media.last_mut() {
            Some(media) => &mut media.section,
            None => &mut self.session,
        }
    }

    /// An attribute of the transport of an m-line. One that is bundled has it from the first of its
    /// bundle where it writes none itself, as only that one has to (RFC 9143 §7.1.3).
    pub(super) fn of_transport<'a>(&'a self, media: &'a Media, name: &str) -> Option<&'a str> {
        let own = media.section.attribute(name);
        own.or_else(|| self.bundle_head(media)?.section.attribute(name))
            .or_else(|| self.session.attribute(name))
    }

    /// The first m-line of the bundle that another one is in.
    pub(super) fn bundle_head(&self, media: &Media) -> Option<&Media> {
        let mids = self.bundle_of(media.section.attribute("mid")?)?;
        let is_first = |media: &&Media| media.section.attribute("mid") == mids.first().copied();
        let head = self.media.iter().find(is_first)?;
        (head.section != media.section).then_some(head)
    }

    /// The direction of an m-line; without any it is sendrecv (RFC 8866 §6.7).
    pub(super) fn direction(&self, media: &Media) -> Direction {
        let own = media.section.direction();
        own.or_else(|| self.session.direction())
            .unwrap_or(Direction::SendReceive)
    }

    /// Whether an m-line wants no media by having no bandwidth for it, as old phones hold.
    pub(super) fn is_starved(&self, media: &Media) -> bool {
        let own = media.section.has_no_bandwidth;
        own.or(self.session.has_no_bandwidth).unwrap_or(false)
    }

    /// Where an m-line wants RTP; None for the hold address and for port 0.
    pub(super) fn rtp_address(&self, media: &Media) -> Option<SocketAddr> {
        let address = media.section.connection.or(self.session.connection)?;
        let is_usable = media.port != 0 && !address.is_unspecified();
        is_usable.then(|| SocketAddr::new(address, media.port))
    }

    /// The mids of the BUNDLE group that has `mid` in it.
    pub(super) fn bundle_of(&self, mid: &str) -> Option<Vec<&str>> {
        self.session.attributes("group").find_map(|group| {
            let mids: Vec<&str> = group.strip_prefix("BUNDLE")?.split_whitespace().collect();
            mids.contains(&mid).then_some(mids)
        })
    }
}

impl Media {
    fn parse_untrusted(value: &str) -> Result<Self, MediaError> {
        let mut fields = value.split_ascii_whitespace();
        let (Some(kind), Some(port), Some(protocol)) =
            (fields.next(), fields.next(), fields.next())
        else {
            return Err(refused("an m-line has fewer than three fields"));
        };
        let port = port.split('/').next().unwrap_or(port);
        let port = port
            .parse()
            .map_err(|_| refused("an m-line has no port number"))?;
        Ok(Self {
            kind: kind.to_owned(),
            port,
            protocol: protocol.to_owned(),
            formats: fields.take(MAX_FORMATS).map(str::to_owned).collect(),
            section: Section::default(),
        })
    }

    /// Port 0 refuses an m-line, but for one that only exists inside a BUNDLE (RFC 9143 §6).
    pub(super) fn is_refused(&self) -> bool {
        self.port == 0 && self.section.attribute("bundle-only").is_none()
    }
}

fn split_line(line: &str) -> Option<(u8, &str)> {
    let (kind, value) = line.split_once('=')?;
    match kind.as_bytes() {
        [kind] => Some((*kind, value)),
        _ => None,
    }
}

fn read_connection(value: &str) -> Option<IpAddr> {
    let address = value.split_ascii_whitespace().nth(2)?;
    address.split('/').next()?.parse().ok()
}

fn refused(reason: &str) -> MediaError {
    MediaError::Negotiation(reason.to_owned())
}
