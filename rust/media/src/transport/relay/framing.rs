//! The messages of a relay in a stream of octets (RFC 8656 §12.5, RFC 8489 §6.2.2).

const STUN_HEADER: usize = 20;
const CHANNEL_HEADER: usize = 4;

/// What came of a stream and is no whole message yet.
#[derive(Debug, Default)]
pub struct Framing {
    buffer: Vec<u8>,
}

/// The stream speaks something else; where its next message begins nobody can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Framing {
    /// Takes what has come.
    pub fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// The next whole message; its padding is left out. At most 65 555 octets wait for one.
    ///
    /// # Errors
    /// `Malformed` for what is neither STUN nor data of a channel.
    pub fn next_untrusted(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        let Some((header, _)) = self.buffer.split_at_checked(CHANNEL_HEADER) else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let (message, taken) = match header[0] >> 6 {
            0 if length.is_multiple_of(4) => (STUN_HEADER + length, STUN_HEADER + length),
            1 => (
                CHANNEL_HEADER + length,
                CHANNEL_HEADER + length.next_multiple_of(4),
            ),
            _ => return Err(Malformed),
        };
        if self.buffer.len() < taken {
            return Ok(None);
        }
        let found = self.buffer[..message].to_vec();
        self.buffer.drain(..taken);
        Ok(Some(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, Malformed> {
        let mut framing = Framing::default();
        let mut found = Vec::new();
        for piece in pieces {
            framing.push(piece);
            while let Some(message) = framing.next_untrusted()? {
                found.push(message);
            }
        }
        Ok(found)
    }

    fn stun(length: u8) -> Vec<u8> {
        let mut message = vec![1, 3, 0, length];
        message.resize(20 + usize::from(length), 7);
        message
    }

    #[test]
    fn messages_come_out_whole_however_the_stream_is_cut() {
        let channel = [&[0x40, 1, 0, 5][..], b"hello"].concat();
        let stream = [stun(8), channel.clone(), vec![0; 3], stun(0)].concat();
        let whole = vec![stun(8), channel, stun(0)];

        for cut in 0..stream.len() {
            assert_eq!(taken(&[&stream[..cut], &stream[cut..]]), Ok(whole.clone()));
        }
        let octets: Vec<_> = stream.chunks(1).collect();
        assert_eq!(taken(&octets), Ok(whole));
    }

    #[test]
    fn what_is_no_message_of_a_relay_ends_the_stream() {
        assert_eq!(taken(&[b"HTTP/1.1 400 Bad Request\r\n"]), Ok(Vec::new()));
        for first in [0x80, 0xc0, 0xff] {
            assert_eq!(taken(&[&[first, 0, 0, 0]]), Err(Malformed));
        }
        assert_eq!(taken(&[&[0, 1, 0, 3]]), Err(Malformed));
    }
}
