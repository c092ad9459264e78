//! `a=crypto`: SRTP keys in session descriptions (RFC 4568).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::sdp::Media;
use crate::transport::keys::{SrtpKey, Suite};

/// Padding is written and not insisted on: phones leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Lines of one m-line that are read.
const MOST_LINES: usize = 32;
/// A tag has at most nine digits (RFC 4568 §9.1).
const TAG_DIGITS: usize = 9;
/// Longest master key identifier (RFC 4568 §6.1).
const MKI_BYTES: usize = 128;
/// The lifetime of a key is at most this many packets (RFC 3711 §9.2).
const LIFETIME: u64 = 1 << 48;

/// One `a=crypto` line that we can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CryptoLine {
    /// Names it in the answer.
    pub tag: u32,
    /// What its author's packets are under.
    pub key: SrtpKey,
    /// The identifier of that key in each packet; empty without.
    pub mki: Vec<u8>,
}

/// Reads the value of an `a=crypto` attribute.
///
/// None for one that we cannot use: an unknown suite, several keys, a key of the wrong length, a
/// parameter that changes what SRTP does (no encryption, no tags, key derivation, FEC keys).
pub fn read_untrusted(value: &str) -> Option<CryptoLine> {
    let mut fields = value.split_ascii_whitespace();
    let tag = fields.next().filter(|tag| tag.len() <= TAG_DIGITS)?;
    let suite = Suite::from_name(fields.next()?)?;
    let (key, mki) = read_key(suite, fields.next()?)?;
    // A hint of the window's size changes nothing, and a dash says that it may be passed over
    // (RFC 4568 §6.3.6, §6.3.7).
    let is_harmless = |field: &str| field.starts_with('-') || starts_with(field, "WSH=");
    fields.all(is_harmless).then_some(CryptoLine {
        tag: digits(tag)?,
        key,
        mki,
    })
}

fn read_key(suite: Suite, parameters: &str) -> Option<(SrtpKey, Vec<u8>)> {
    let inline = starts_with(parameters, "inline:").then(|| &parameters["inline:".len()..])?;
    // Several keys take turns by their identifiers; nobody is known to send that.
    if inline.contains(';') {
        return None;
    }
    let mut parts = inline.split('|');
    let key = SrtpKey::new(suite, BASE64.decode(parts.next()?).ok()?)?;
    let mut mki = Vec::new();
    for part in parts {
        match part.split_once(':') {
            Some((value, length)) => mki = read_mki(value, length)?,
            // Its author counts its own packets: it is the one that must bring a new key.
            None => read_lifetime(part)?,
        }
    }
    Some((key, mki))
}

fn read_lifetime(text: &str) -> Option<()> {
    let packets = match text.strip_prefix("2^") {
        Some(exponent) => 1_u64.checked_shl(digits(exponent)?)?,
        None => text.parse().ok()?,
    };
    (1..=LIFETIME).contains(&packets).then_some(())
}

fn read_mki(value: &str, length: &str) -> Option<Vec<u8>> {
    let value: u128 = value.parse().ok()?;
    let length = usize::try_from(digits(length)?).ok()?;
    if !(1..=MKI_BYTES).contains(&length) {
        return None;
    }
    let bytes = value.to_be_bytes();
    let used = bytes.len() - (value.leading_zeros() / 8) as usize;
    let fits = used <= length;
    fits.then(|| {
        let mut mki = vec![0; length];
        let shown = length.min(bytes.len());
        mki[length - shown..].copy_from_slice(&bytes[bytes.len() - shown..]);
        mki
    })
}

fn digits(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// The usable lines of an m-line, in the order its author prefers.
pub(super) fn lines(media: &Media) -> impl Iterator<Item = CryptoLine> {
    let values = media.section.attributes("crypto").take(MOST_LINES);
    values.filter_map(read_untrusted)
}

/// The tag a suite has in offers of ours: the same in all.
pub(super) fn own_tag(suite: Suite) -> u32 {
    let place = Suite::ALL.iter().position(|known| *known == suite);
    place.map_or(0, |place| place as u32 + 1)
}

/// The suites of an offer: the one in use, whose key goes on, then the others.
pub(super) fn offered(in_use: Option<Suite>) -> Vec<Suite> {
    let others = Suite::OFFERED.into_iter();
    let others = others.filter(|suite| Some(*suite) != in_use);
    in_use.into_iter().chain(others).collect()
}

/// The line that tells the peer a key of ours.
pub(super) fn write(tag: u32, key: &SrtpKey) -> String {
    let suite = key.suite().as_str();
    format!(
        "a=crypto:{tag} {suite} inline:{}",
        BASE64.encode(key.key_and_salt())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thirty bytes, as RFC 4568 writes its examples.
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";

    fn read(rest: &str) -> Option<CryptoLine> {
        read_untrusted(&format!("1 AES_CM_128_HMAC_SHA1_80 {rest}"))
    }

    #[test]
    fn a_line_is_read_with_lifetime_and_identifier() {
        let plain = read(&format!("inline:{KEY}")).unwrap();
        let full = read(&format!("inline:{KEY}|2^20|1:4")).unwrap();

        assert_eq!(plain.tag, 1);
        assert_eq!(plain.key.key_and_salt(), (0..30).collect::<Vec<u8>>());
        assert!(plain.mki.is_empty());
        assert_eq!(full.mki, [0, 0, 0, 1]);
        assert_eq!(full.key, plain.key);
    }

    #[test]
    fn what_changes_nothing_is_passed_over() {
        for rest in ["WSH=128", "-future=1", "WSH=64 -x"] {
            assert!(read(&format!("inline:{KEY} {rest}")).is_some(), "{rest}");
        }
        assert!(read(&format!("INLINE:{KEY}|1048576")).is_some());
        assert!(read_untrusted(&format!("7 aes_cm_128_hmac_sha1_32 inline:{KEY}")).is_some());
    }

    #[test]
    fn what_would_change_srtp_is_refused() {
        for rest in [
            "UNENCRYPTED_SRTP",
            "UNENCRYPTED_SRTCP",
            "UNAUTHENTICATED_SRTP",
            "KDR=1",
            "FEC_ORDER=FEC_SRTP",
            "FEC_KEY=inline:AAAA",
            "unknown",
        ] {
            assert!(read(&format!("inline:{KEY} {rest}")).is_none(), "{rest}");
        }
    }

    #[test]
    fn nonsense_is_no_line() {
        for rest in [
            "inline:",
            "inline:AAAA",
            "inline:*",
            &format!("inline:{KEY};inline:{KEY}"),
            &format!("inline:{KEY}|0"),
            &format!("inline:{KEY}|2^49"),
            &format!("inline:{KEY}|2^99999999999"),
            &format!("inline:{KEY}|1:0"),
            &format!("inline:{KEY}|256:1"),
            &format!("inline:{KEY}|1:129"),
            &format!("uri:{KEY}"),
        ] {
            assert!(read(rest).is_none(), "{rest}");
        }
        assert!(read_untrusted(&format!("+1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")).is_none());
        assert!(read_untrusted(&format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}")).is_none());
    }

    #[test]
    fn what_is_written_is_read() {
        let key = SrtpKey::new(Suite::AeadAes256Gcm, (0..44).collect()).unwrap();

        let line = write(own_tag(key.suite()), &key);

        let read = read_untrusted(line.strip_prefix("a=crypto:").unwrap()).unwrap();
        assert_eq!((read.tag, read.key), (2, key));
    }

    #[test]
    fn an_offer_begins_with_the_suite_in_use() {
        let suites = offered(Some(Suite::AesCm128Sha1_32));

        assert_eq!(suites[0], Suite::AesCm128Sha1_32);
        assert_eq!(suites.len(), Suite::OFFERED.len());
    }
}
