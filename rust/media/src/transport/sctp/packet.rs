//! SCTP packets as bytes (RFC 9260 §3): chunks in, chunks out, and their checksum.

/// Ports, verification tag and checksum.
const HEADER: usize = 12;

pub(super) const DATA: u8 = 0;
pub(super) const INIT: u8 = 1;
pub(super) const INIT_ACK: u8 = 2;
pub(super) const SACK: u8 = 3;
pub(super) const RE_CONFIG: u8 = 130;
pub(super) const FORWARD_TSN: u8 = 192;

/// One chunk: its kind, its flags, and all of its bytes without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
}

impl Chunk {
    /// Makes one of what follows its length.
    pub(super) fn new(kind: u8, flags: u8, value: &[u8]) -> Self {
        let length = (value.len() + 4) as u16;
        let mut bytes = vec![kind, flags];
        bytes.extend(length.to_be_bytes());
        bytes.extend(value);
        Self { bytes }
    }

    pub(super) fn kind(&self) -> u8 {
        self.bytes[0]
    }

    pub(super) fn set_flags(&mut self, flags: u8) {
        self.bytes[1] = flags;
    }

    /// What follows its length.
    pub(super) fn value(&self) -> &[u8] {
        &self.bytes[4..]
    }

    /// The four bytes at that place of its value.
    pub(super) fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.value().get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    /// The two bytes at that place of its value.
    pub(super) fn short(&self, at: usize) -> Option<u16> {
        let bytes = self.value().get(at..at + 2)?;
        Some(u16::from_be_bytes(bytes.try_into().ok()?))
    }
}

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    ports: [u8; 4],
    pub(super) tag: u32,
    pub(super) chunks: Vec<Chunk>,
}

impl Packet {
    /// Makes one between the ports that WebRTC has (RFC 8841 §5).
    pub(super) fn new(tag: u32, chunks: Vec<Chunk>) -> Self {
        let [high, low] = super::PORT.to_be_bytes();
        Self {
            ports: [high, low, high, low],
            tag,
            chunks,
        }
    }

    /// Reads one; None for what is cut short, has no chunk, or a wrong checksum.
    pub(super) fn read_untrusted(bytes: &[u8]) -> Option<Self> {
        let (header, mut rest) = bytes.split_at_checked(HEADER)?;
        let told = u32::from_le_bytes(header[8..12].try_into().ok()?);
        if told != checksum(bytes) {
            return None;
        }
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let length = usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
            if length < 4 {
                return None;
            }
            chunks.push(Chunk {
                bytes: rest.get(..length)?.to_vec(),
            });
            // Some leave out the padding of the last one.
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        (!chunks.is_empty()).then_some(Self {
            ports: header[..4].try_into().ok()?,
            tag: u32::from_be_bytes(header[4..8].try_into().ok()?),
            chunks,
        })
    }

    /// Its bytes, with their checksum.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut bytes = self.ports.to_vec();
        bytes.extend(self.tag.to_be_bytes());
        bytes.extend([0; 4]);
        for chunk in &self.chunks {
            bytes.extend(&chunk.bytes);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let sum = checksum(&bytes).to_le_bytes();
        bytes[8..HEADER].copy_from_slice(&sum);
        bytes
    }
}

/// The CRC32c of a packet, its own place taken as zeros (RFC 9260 §6.8).
fn checksum(bytes: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&bytes[..8]);
    let sum = crc32c::crc32c_append(sum, &[0; 4]);
    crc32c::crc32c_append(sum, &bytes[HEADER..])
}

/// How far `to` lies after `from`, in the serial arithmetic of TSNs (RFC 9260 §1.6).
pub(super) fn ahead(to: u32, from: u32) -> i32 {
    to.wrapping_sub(from) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let chunks = vec![Chunk::new(SACK, 0, &[1; 12]), Chunk::new(DATA, 3, &[2; 13])];
        let packet = Packet::new(7, chunks);

        let bytes = packet.write();

        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(Packet::read_untrusted(&bytes), Some(packet));
    }

    #[test]
    fn a_packet_that_was_changed_or_cut_is_none() {
        let bytes = Packet::new(7, vec![Chunk::new(SACK, 0, &[1; 12])]).write();
        let mut changed = bytes.clone();
        changed[20] ^= 1;

        assert_eq!(Packet::read_untrusted(&changed), None);
        assert_eq!(Packet::read_untrusted(&bytes[..bytes.len() - 4]), None);
        assert_eq!(Packet::read_untrusted(&bytes[..11]), None);
    }

    #[test]
    fn numbers_wrap() {
        assert_eq!(ahead(2, u32::MAX), 3);
        assert_eq!(ahead(u32::MAX, 2), -3);
    }
}
