//! The plain values that go in and out of the core.
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::message::Message;

/// Host without brackets and port, as numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// An IP address in text form.
    pub host: Arc<str>,
    /// The port.
    pub port: u16,
}

/// Where a message came from, its text made only where it is needed.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// In text form already.
    Known(&'a Address),
    /// As the system gives it.
    Raw(SocketAddr),
}

impl<'a> From<&'a Address> for Origin<'a> {
    fn from(address: &'a Address) -> Self {
        Self::Known(address)
    }
}

impl Origin<'_> {
    /// The address as text.
    pub fn address(&self) -> Address {
        match self {
            Self::Known(address) => (*address).clone(),
            Self::Raw(address) => Address {
                host: host_text(address.ip().to_canonical()),
                port: address.port(),
            },
        }
    }

    /// The IP address; `None` when the text is none.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Known(address) => address.host.parse().ok(),
            Self::Raw(address) => Some(address.ip()),
        }
    }
}

/// As `Display` writes it, which takes ten times as long for IPv4: each message has an address.
fn host_text(address: IpAddr) -> Arc<str> {
    let IpAddr::V4(address) = address else {
        return address.to_string().into();
    };
    let mut text = String::with_capacity("255.255.255.255".len());
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            text.push('.');
        }
        for unit in [100, 10, 1] {
            if octet >= unit || unit == 1 {
                text.push(char::from(b'0' + octet / unit % 10));
            }
        }
    }
    text.into()
}

/// Timer values in seconds (RFC 3261 §17.1.1.1) and bounds.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Round-trip estimate.
    pub t1: f64,
    /// Longest interval of repeated non-INVITE requests and INVITE responses.
    pub t2: f64,
    /// Longest life of a message in the network.
    pub t4: f64,
    /// Beyond this many transactions requests are answered 503 without state.
    pub max_transactions: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            t1: 0.5,
            t2: 4.0,
            t4: 5.0,
            max_transactions: 1_000_000,
        }
    }
}

/// What an event says; the numbers are the ones Python sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EventKind {
    /// A new request.
    Request = 1,
    /// The ACK for a 2xx of ours; transaction 0 when it matches none (a proxy forwards it).
    Ack = 2,
    /// A CANCEL that matched, already answered.
    Cancel = 3,
    /// A response.
    Response = 4,
    /// No final response in time.
    Timeout = 5,
    /// The flow of a client transaction is gone.
    TransportError = 6,
    /// A 2xx of ours had no ACK in 64·T1, or a reliable provisional response no PRACK.
    AckTimeout = 7,
    /// A response no transaction claims.
    StrayResponse = 8,
    /// Framing of a stream is lost.
    FlowBroken = 9,
    /// A CANCEL for an INVITE that was forwarded, already answered.
    ProxyCancelled = 10,
    /// A STUN keep-alive of ours was answered; status 1 when we are seen at another address.
    Pong = 11,
}

/// What the transaction user hears.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The call's own number; 0 without one.
    pub token: i64,
    /// The transaction concerned; 0 without one.
    pub transaction: u64,
    /// Its method.
    pub method: String,
    /// Status of a response, else 0.
    pub status: u16,
    /// The message, if one came.
    pub message: Option<Arc<Message>>,
    /// The flow it came by.
    pub flow: u64,
    /// Where it came from.
    pub source: Address,
}

/// Bytes to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// By which flow.
    pub flow: u64,
    /// To where.
    pub destination: Address,
    /// One message or a keep-alive.
    pub data: Vec<u8>,
}

/// A request to be sent: Via and Content-Length are added to `headers`.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// The method; `ACK` in `acknowledge`.
    pub method: &'a str,
    /// The Request-URI.
    pub uri: &'a [u8],
    /// The flow it leaves by.
    pub flow: u64,
    /// Where it goes.
    pub destination: Address,
    /// Host and port for its Via.
    pub sent_by: &'a str,
    /// All other headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: &'a [u8],
}

/// A response to be sent.
#[derive(Clone, Debug)]
pub struct Reply<'a> {
    /// 100 to 699.
    pub status: u16,
    /// The reason phrase.
    pub reason: &'a [u8],
    /// Headers beyond those copied from the request.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: &'a [u8],
    /// Added to To unless the request had a tag.
    pub to_tag: &'a str,
    /// The call's own number.
    pub token: i64,
}

/// How a proxy sends a request on (RFC 3261 §16.6).
#[derive(Clone, Debug)]
pub struct Forward<'a> {
    /// The new Request-URI.
    pub uri: &'a [u8],
    /// The flow it leaves by.
    pub flow: u64,
    /// Where it goes.
    pub destination: Address,
    /// Host and port for the new Via.
    pub sent_by: &'a str,
    /// Values that replace the Route set.
    pub routes: Vec<Vec<u8>>,
    /// Value put on top of Record-Route; empty for none.
    pub record_route: &'a [u8],
    /// The new Max-Forwards.
    pub max_forwards: u32,
    /// Headers that are left out by any spelling of their names, each with what stands there instead;
    /// an empty value for nothing.
    pub replaced: Vec<(String, Vec<u8>)>,
    /// The server transaction it belongs to; 0 for an ACK.
    pub server: u64,
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) retransmitted: u64,
    pub(crate) absorbed: u64,
    pub(crate) malformed: u64,
    pub(crate) dropped: u64,
    pub(crate) refused: u64,
    pub(crate) panics: u64,
    pub(crate) throttled: u64,
    pub(crate) given_up: u64,
    pub(crate) silenced: u64,
    pub(crate) forgotten: u64,
}

impl Counters {
    pub(crate) fn items(&self) -> [(&'static str, u64); 12] {
        [
            ("received", self.received),
            ("sent", self.sent),
            ("retransmitted", self.retransmitted),
            ("absorbed", self.absorbed),
            ("malformed", self.malformed),
            ("dropped", self.dropped),
            ("refused", self.refused),
            ("panics", self.panics),
            ("throttled", self.throttled),
            ("given_up", self.given_up),
            ("silenced", self.silenced),
            ("forgotten", self.forgotten),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::host_text;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    #[test]
    fn an_address_is_written_as_the_library_writes_it() {
        let octets = 0..=255;
        let addresses = octets.map(|octet| Ipv4Addr::new(octet, 0, 255 - octet, 10).into());
        for address in addresses.chain([IpAddr::V6(Ipv6Addr::LOCALHOST)]) {
            assert_eq!(*host_text(address), address.to_string());
        }
    }
}
