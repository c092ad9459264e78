//! Fingerprints of certificates in session descriptions (RFC 8122 §5).

use std::collections::BTreeSet;

use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

/// The hashes we believe, best first; MD5 and SHA-1 can be forged, others nobody names.
const HASHES: [(&str, &Algorithm); 3] = [
    ("sha-512", &SHA512),
    ("sha-384", &SHA384),
    ("sha-256", &SHA256),
];

/// A certificate's fingerprint as SDP writes it: `AB:CD:…`.
pub(super) fn of(der: &[u8], hash: &'static Algorithm) -> String {
    let digest = digest(hash, der);
    let bytes: Vec<String> = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    bytes.join(":")
}

/// Reads the values of `a=fingerprint`: those of the best hash there is, in upper case. Their
/// length says which hash it is. A peer may name several certificates, and each by several hashes;
/// one that has the best hash is as good as all of them (RFC 8122 §5.1).
///
/// They are a set, in order and each once: a peer that repeats one at another level, or turns them
/// round, has no other certificates than before, and its association goes on (RFC 8842 §4).
pub fn read_untrusted<'a>(values: impl Iterator<Item = &'a str>) -> Vec<String> {
    let values: Vec<(&str, &str)> = values
        .filter_map(|value| value.trim().split_once(char::is_whitespace))
        .collect();
    let of_hash = |name: &str| {
        let matching = values
            .iter()
            .filter(|(hash, _)| hash.eq_ignore_ascii_case(name));
        matching
            .map(|(_, digest)| digest.trim().to_ascii_uppercase())
            .collect::<BTreeSet<String>>()
    };
    let mut known = HASHES.iter().map(|(name, _)| of_hash(name));
    let best = known.find(|digests| !digests.is_empty());
    best.unwrap_or_default().into_iter().collect()
}

/// Whether the certificate is one of those `expected`.
pub(super) fn is_among(der: &[u8], expected: &[String]) -> bool {
    let is_this = |expected: &String| {
        let hash = HASHES
            .iter()
            .find(|(_, hash)| expected.len() == hash.output_len() * 3 - 1);
        hash.is_some_and(|(_, hash)| of(der, hash) == *expected)
    };
    expected.iter().any(is_this)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DER: &[u8] = b"a certificate";

    #[test]
    fn each_strong_hash_is_recognised_by_its_length() {
        for (_, hash) in HASHES {
            assert!(is_among(DER, &[of(DER, hash)]));
            assert!(!is_among(b"another", &[of(DER, hash)]));
        }
        assert!(!is_among(DER, &["AA:BB".to_owned()]));
    }

    /// RFC 8122 §5.
    #[test]
    fn the_strongest_hash_decides_and_weak_ones_are_none() {
        let lines = [
            "md5 11",
            "sha-1 22",
            "SHA-256 aa",
            "sha-512 bb",
            "sha-512  cc",
        ];

        assert_eq!(read_untrusted(lines.into_iter()), ["BB", "CC"]);
        assert_eq!(read_untrusted(lines.into_iter().take(3)), ["AA"]);
        assert!(read_untrusted(lines.into_iter().take(2)).is_empty());
    }

    #[test]
    fn fingerprints_are_a_set() {
        let repeated = ["sha-256 bb", "sha-256 aa", "SHA-256 BB"];

        assert_eq!(read_untrusted(repeated.into_iter()), ["AA", "BB"]);
    }
}
