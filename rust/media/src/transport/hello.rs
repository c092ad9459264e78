//! What a ClientHello says of SRTP, read before the handshake begins (RFC 5764 §4.1.1).
//!
//! The DTLS module takes the first profile of the client that we know, and browsers name AES in
//! counter mode first. The choice is the server's: the best one of ours that the client has. A
//! hello with keys for a quantum age comes in two datagrams, so the first ones wait here until it
//! is whole.

use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;

const RECORD: usize = 13;
const MESSAGE: usize = 12;
/// Version and random number.
const FIXED: usize = 2 + 32;
const USE_SRTP: u16 = 14;
/// More than any hello: datagrams that wait, and bytes of it.
const MOST_DATAGRAMS: usize = 8;
const MOST_BYTES: usize = 8192;

/// The beginning of a handshake, until the client's hello is whole.
#[derive(Default)]
pub(super) struct FirstHello {
    datagrams: Vec<Vec<u8>>,
    pieces: Vec<(usize, Vec<u8>)>,
    length: usize,
}

impl FirstHello {
    /// Takes a datagram; whether all that came may go on to the handshake now: the hello is whole,
    /// or it is none that can be waited for.
    pub(super) fn take_untrusted(&mut self, data: &[u8]) -> bool {
        self.datagrams.push(data.to_vec());
        let is_part = self.read_untrusted(data).is_some();
        !is_part || self.is_whole() || self.datagrams.len() == MOST_DATAGRAMS
    }

    /// The datagrams that waited, in their order.
    pub(super) fn into_datagrams(self) -> Vec<Vec<u8>> {
        self.datagrams
    }

    /// The best of `ours`, in their order, that the client offers; None where that cannot be read.
    pub(super) fn best_profile(
        &self,
        ours: &[SrtpProtectionProfile],
    ) -> Option<SrtpProtectionProfile> {
        let theirs = offered_profiles_untrusted(&self.body()?)?;
        let is_offered = |own: &&SrtpProtectionProfile| theirs.contains(&(**own as u16));
        ours.iter().find(is_offered).copied()
    }

    /// Reads the records of a datagram; None if one is no part of the hello.
    fn read_untrusted(&mut self, mut data: &[u8]) -> Option<()> {
        while !data.is_empty() {
            let (header, rest) = data.split_at_checked(RECORD)?;
            let (record, rest) = rest.split_at_checked(number_at(header, 11)?)?;
            let (message, piece) = record.split_at_checked(MESSAGE)?;
            let (length, offset) = (long_number(&message[1..4]), long_number(&message[6..9]));
            let is_hello = header[0] == 22 && header[3..5] == [0, 0] && message[0] == 1;
            let fits = piece.len() == long_number(&message[9..12])
                && length <= MOST_BYTES
                && offset + piece.len() <= length
                && (self.length == length || self.pieces.is_empty());
            if !is_hello || !fits {
                return None;
            }
            self.length = length;
            self.pieces.push((offset, piece.to_vec()));
            data = rest;
        }
        Some(())
    }

    fn is_whole(&self) -> bool {
        self.body().is_some()
    }

    fn body(&self) -> Option<Vec<u8>> {
        let mut body = Vec::with_capacity(self.length);
        while body.len() < self.length {
            let end = body.len();
            let continues = |(offset, piece): &&(usize, Vec<u8>)| {
                (*offset..offset + piece.len()).contains(&end)
            };
            let (offset, piece) = self.pieces.iter().find(continues)?;
            body.extend_from_slice(&piece[end - offset..]);
        }
        (!body.is_empty()).then_some(body)
    }
}

fn offered_profiles_untrusted(body: &[u8]) -> Option<Vec<u16>> {
    let rest = body.get(FIXED..)?;
    let (_session_id, rest) = short_vector(rest)?;
    let (_cookie, rest) = short_vector(rest)?;
    let (_cipher_suites, rest) = long_vector(rest)?;
    let (_compression, rest) = short_vector(rest)?;
    let (mut extensions, _) = long_vector(rest)?;
    while let Some(kind) = number_at(extensions, 0) {
        let (extension, rest) = long_vector(&extensions[2..])?;
        if kind == usize::from(USE_SRTP) {
            let (profiles, _) = long_vector(extension)?;
            let pairs = profiles.chunks_exact(2);
            return Some(
                pairs
                    .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                    .collect(),
            );
        }
        extensions = rest;
    }
    None
}

fn number_at(data: &[u8], at: usize) -> Option<usize> {
    let pair = data.get(at..at + 2)?;
    Some(usize::from(u16::from_be_bytes([pair[0], pair[1]])))
}

fn long_number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

fn short_vector(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

fn long_vector(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = number_at(data, 0)?;
    data[2..].split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use SrtpProtectionProfile::{
        Srtp_Aead_Aes_128_Gcm as GCM_128, Srtp_Aead_Aes_256_Gcm as GCM_256,
        Srtp_Aes128_Cm_Hmac_Sha1_32 as CM_32, Srtp_Aes128_Cm_Hmac_Sha1_80 as CM_80,
    };

    /// As browsers order them.
    fn body() -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend([7; 32]);
        body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
        body.extend([0, 17]);
        body.extend([0, 23, 0, 0]);
        body.extend([0, 14, 0, 9, 0, 6, 0, 1, 0, 8, 0, 7, 0]);
        body
    }

    fn datagram(from: usize, to: usize) -> Vec<u8> {
        let body = body();
        let piece = &body[from..to];
        let mut data = vec![
            22,
            254,
            253,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            12 + piece.len() as u8,
        ];
        data.extend([
            1,
            0,
            0,
            body.len() as u8,
            0,
            0,
            0,
            0,
            from as u8,
            0,
            0,
            piece.len() as u8,
        ]);
        data.extend(piece);
        data
    }

    fn taken(datagrams: &[Vec<u8>]) -> (Vec<bool>, FirstHello) {
        let mut hello = FirstHello::default();
        let told = datagrams
            .iter()
            .map(|data| hello.take_untrusted(data))
            .collect();
        (told, hello)
    }

    /// RFC 5764 §4.1.1.
    #[test]
    fn our_order_decides_among_what_the_client_has() {
        let (told, hello) = taken(&[datagram(0, body().len())]);

        assert_eq!(told, [true]);
        assert_eq!(
            hello.best_profile(&[GCM_128, GCM_256, CM_80]),
            Some(GCM_128)
        );
        assert_eq!(hello.best_profile(&[CM_80, GCM_128]), Some(CM_80));
        assert_eq!(hello.best_profile(&[CM_32]), None);
    }

    #[test]
    fn a_hello_in_pieces_waits_until_it_is_whole_in_any_order() {
        let end = body().len();
        let pieces = [
            datagram(40, end),
            datagram(0, 30),
            datagram(0, 30),
            datagram(25, 50),
        ];

        let (told, hello) = taken(&pieces);

        assert_eq!(told, [false, false, false, true]);
        assert_eq!(hello.best_profile(&[GCM_256]), Some(GCM_256));
        assert_eq!(hello.into_datagrams(), pieces);
    }

    #[test]
    fn what_is_no_hello_is_waited_for_no_longer() {
        for other in [
            vec![21; 40],
            vec![22; 5],
            datagram(0, 30)[..30].to_vec(),
            Vec::new(),
        ] {
            let (told, hello) = taken(&[datagram(0, 30), other.clone()]);
            assert_eq!(told, [false, !other.is_empty()]);
            assert_eq!(hello.best_profile(&[GCM_128]), None);
        }
        let (told, _) = taken(&vec![datagram(0, 30); MOST_DATAGRAMS]);
        assert_eq!(told.iter().filter(|is_over| **is_over).count(), 1);
    }

    #[test]
    fn a_hello_that_is_cut_inside_says_nothing() {
        let whole = body();
        for end in 0..whole.len() {
            assert_eq!(offered_profiles_untrusted(&whole[..end]), None);
        }
    }
}
