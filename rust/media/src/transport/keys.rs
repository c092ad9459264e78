//! SRTP master keys that SDP carries, and the suites they are for (RFC 4568, RFC 6188, RFC 7714).

use std::fmt;

use rtc::crypto::RTCCryptoProvider;
use rtc::srtp::protection_profile::ProtectionProfile;

use crate::MediaError;

/// A crypto suite of `a=crypto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// AES-128 in GCM (RFC 7714).
    AeadAes128Gcm,
    /// AES-256 in GCM (RFC 7714).
    AeadAes256Gcm,
    /// AES-128 in counter mode, tags of 80 bits: what every implementation has (RFC 4568 §6.2.1).
    AesCm128Sha1_80,
    /// The same with tags of 32 bits on RTP (RFC 4568 §6.2.2).
    AesCm128Sha1_32,
    /// AES-256 in counter mode, tags of 80 bits (RFC 6188).
    AesCm256Sha1_80,
    /// The same with tags of 32 bits on RTP (RFC 6188).
    AesCm256Sha1_32,
}

impl Suite {
    /// All we accept.
    pub const ALL: [Self; 6] = [
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
        Self::AesCm128Sha1_80,
        Self::AesCm128Sha1_32,
        Self::AesCm256Sha1_80,
        Self::AesCm256Sha1_32,
    ];

    /// What we offer, best first; the number of lines is small because old phones count them.
    pub const OFFERED: [Self; 3] = [
        Self::AeadAes128Gcm,
        Self::AesCm128Sha1_80,
        Self::AesCm128Sha1_32,
    ];

    /// Its name in SDP.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AesCm128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256Sha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256Sha1_32 => "AES_256_CM_HMAC_SHA1_32",
        }
    }

    /// The suite of a name; RFC 4568 §9.1 compares them without regard to case.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|suite| suite.as_str().eq_ignore_ascii_case(name))
    }

    pub(super) fn profile(self) -> ProtectionProfile {
        match self {
            Self::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            Self::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
            Self::AesCm128Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
            Self::AesCm128Sha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
            Self::AesCm256Sha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
            Self::AesCm256Sha1_32 => ProtectionProfile::Aes256CmHmacSha1_32,
        }
    }

    /// Bytes of master key and master salt together.
    pub fn key_bytes(self) -> usize {
        self.profile().key_len() + self.profile().salt_len()
    }
}

/// A master key and its salt. What prints it prints no byte of it.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKey {
    suite: Suite,
    key_and_salt: Vec<u8>,
}

impl SrtpKey {
    /// Takes the bytes that `inline:` carried; None if they are not as many as the suite has.
    pub fn new(suite: Suite, key_and_salt: Vec<u8>) -> Option<Self> {
        (key_and_salt.len() == suite.key_bytes()).then_some(Self {
            suite,
            key_and_salt,
        })
    }

    /// Makes a key for each suite we accept; one key must not serve two suites (RFC 4568 §6.1).
    pub(super) fn generate_all(provider: &dyn RTCCryptoProvider) -> Result<Vec<Self>, MediaError> {
        let make = |suite: Suite| {
            let mut key_and_salt = vec![0; suite.key_bytes()];
            provider
                .random()
                .fill(&mut key_and_salt)
                .map_err(|error| MediaError::Fault(format!("SRTP key: {error}")))?;
            Ok(Self {
                suite,
                key_and_salt,
            })
        };
        Suite::ALL.into_iter().map(make).collect()
    }

    /// What it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Key and salt, for the description that tells them to the peer.
    pub fn key_and_salt(&self) -> &[u8] {
        &self.key_and_salt
    }

    pub(super) fn halves(&self) -> (&[u8], &[u8]) {
        self.key_and_salt.split_at(self.suite.profile().key_len())
    }
}

impl fmt::Debug for SrtpKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SrtpKey({}, not shown)", self.suite.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_print_itself() {
        let key = SrtpKey::new(Suite::AesCm128Sha1_80, vec![0xab; 30]).unwrap();

        let printed = format!("{key:?}");

        assert_eq!(printed, "SrtpKey(AES_CM_128_HMAC_SHA1_80, not shown)");
    }

    #[test]
    fn a_key_of_another_length_is_none() {
        assert!(SrtpKey::new(Suite::AesCm128Sha1_80, vec![0; 28]).is_none());
        assert!(SrtpKey::new(Suite::AeadAes128Gcm, vec![0; 28]).is_some());
    }

    #[test]
    fn no_two_suites_share_a_key() {
        let provider = rtc::crypto::default_provider().unwrap();

        let keys = SrtpKey::generate_all(provider.as_ref()).unwrap();

        assert_eq!(keys.len(), Suite::ALL.len());
        assert_ne!(keys[2].key_and_salt, keys[3].key_and_salt);
    }
}
