//! The protocol that opens data channels (RFC 8832): an OPEN, and the ACK to it.

use crate::transport::sctp::Reliability;

const ACK: u8 = 2;
const OPEN: u8 = 3;
/// The bit of a channel's type that says unordered.
const UNORDERED: u8 = 0x80;
/// "Normal" (RFC 8831 §6.4).
const PRIORITY: u16 = 256;

/// How a channel is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelSettings {
    /// Its name; more than one may have the same.
    pub label: String,
    /// What is spoken on it.
    pub protocol: String,
    /// Messages may overtake each other.
    pub is_unordered: bool,
    /// How hard it is tried that messages arrive.
    pub reliability: Reliability,
    /// The stream both sides have agreed on otherwise: nothing is said of the channel.
    pub negotiated: Option<u16>,
}

/// One message of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Opens the channel on whose stream it comes.
    Open(ChannelSettings),
    /// Says that it is open.
    Ack,
}

impl Control {
    /// Reads one from the network; None for what is none.
    #[must_use]
    pub fn read_untrusted(data: &[u8]) -> Option<Self> {
        match *data.first()? {
            ACK => Some(Self::Ack),
            OPEN => read_open(data).map(Self::Open),
            _ => None,
        }
    }

    /// Its bytes. Names must be shorter than 64 KiB.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let Self::Open(settings) = self else {
            return vec![ACK];
        };
        let (kind, value) = match settings.reliability {
            Reliability::Full => (0, 0),
            Reliability::Retransmits(times) => (1, times),
            Reliability::LifetimeMs(time) => (2, time),
        };
        let unordered = if settings.is_unordered { UNORDERED } else { 0 };
        let mut bytes = vec![OPEN, kind | unordered];
        bytes.extend(PRIORITY.to_be_bytes());
        bytes.extend(value.to_be_bytes());
        bytes.extend((settings.label.len() as u16).to_be_bytes());
        bytes.extend((settings.protocol.len() as u16).to_be_bytes());
        bytes.extend(settings.label.as_bytes());
        bytes.extend(settings.protocol.as_bytes());
        bytes
    }
}

fn read_open(data: &[u8]) -> Option<ChannelSettings> {
    let short = |at: usize| Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
    let value = u32::from_be_bytes(data.get(4..8)?.try_into().ok()?);
    let (label, protocol) = (usize::from(short(8)?), usize::from(short(10)?));
    let names = data.get(12..12 + label + protocol)?;
    let (label, protocol) = names.split_at(label);
    let kind = data[1];
    let reliability = match kind & !UNORDERED {
        0 => Reliability::Full,
        1 => Reliability::Retransmits(value),
        2 => Reliability::LifetimeMs(value),
        _ => return None,
    };
    Some(ChannelSettings {
        label: String::from_utf8(label.to_vec()).ok()?,
        protocol: String::from_utf8(protocol.to_vec()).ok()?,
        is_unordered: kind & UNORDERED != 0,
        reliability,
        negotiated: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(reliability: Reliability, is_unordered: bool) -> ChannelSettings {
        ChannelSettings {
            label: "Grüße".to_owned(),
            protocol: "p".to_owned(),
            is_unordered,
            reliability,
            negotiated: None,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for reliability in [
            Reliability::Full,
            Reliability::Retransmits(3),
            Reliability::LifetimeMs(500),
        ] {
            for is_unordered in [false, true] {
                let open = Control::Open(settings(reliability, is_unordered));
                assert_eq!(Control::read_untrusted(&open.write()), Some(open));
            }
        }
        assert_eq!(
            Control::read_untrusted(&Control::Ack.write()),
            Some(Control::Ack)
        );
    }

    #[test]
    fn what_is_cut_short_or_unknown_is_none() {
        let open = Control::Open(settings(Reliability::Full, false)).write();

        let cut = (0..open.len()).filter_map(|end| Control::read_untrusted(&open[..end]));

        assert_eq!(cut.count(), 0);
        assert_eq!(Control::read_untrusted(&[0]), None);
        assert_eq!(Control::read_untrusted(&[1, 0]), None);
        let mut unknown = open;
        unknown[1] = 5;
        assert_eq!(Control::read_untrusted(&unknown), None);
    }
}
