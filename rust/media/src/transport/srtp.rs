//! SRTP and SRTCP of one association: a context per direction (RFC 3711).

use std::sync::Arc;

use rtc::crypto::RTCCryptoProvider;
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::dtls::state::State;
use rtc::srtp::config::{Config, LABEL_EXTRACTOR_DTLS_SRTP};
use rtc::srtp::context::Context;

use super::inbound::{Inbound, sending};
use super::keys::{SrtpKey, Suite};

/// The profiles of DTLS-SRTP, best first: GCM is the cheaper one, CM with SHA-1 is what all have.
pub(super) fn profiles() -> Vec<SrtpProtectionProfile> {
    vec![
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32,
    ]
}

/// One context per direction.
pub(super) struct Srtp {
    suite: Suite,
    sending: Context,
    receiving: Inbound,
}

impl Srtp {
    /// Derives both directions from a finished handshake (RFC 5764 §4.2); None if it agreed on no
    /// known profile.
    pub(super) fn new(state: &State, provider: &Arc<dyn RTCCryptoProvider>) -> Option<Self> {
        let suite = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Suite::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Suite::AeadAes256Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Suite::AesCm128Sha1_80,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32 => Suite::AesCm128Sha1_32,
            _ => return None,
        };
        let mut config = Config {
            profile: suite.profile(),
            ..Config::default()
        };
        let length = config.keying_material_len();
        let material = state
            .export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], length)
            .ok()?;
        config
            .set_session_keys_from_keying_material(material.as_ref(), state.is_client())
            .ok()?;
        let keys = config.keys;
        let own = [keys.local_master_key, keys.local_master_salt].concat();
        let theirs = [keys.remote_master_key, keys.remote_master_salt].concat();
        Self::from_keys(
            provider,
            &SrtpKey::new(suite, own)?,
            SrtpKey::new(suite, theirs)?,
        )
    }

    fn from_keys(
        provider: &Arc<dyn RTCCryptoProvider>,
        own: &SrtpKey,
        theirs: SrtpKey,
    ) -> Option<Self> {
        Some(Self {
            suite: own.suite(),
            sending: sending(own, provider.as_ref())?,
            receiving: Inbound::new(provider.clone(), theirs, Vec::new())?,
        })
    }

    /// What it is made with.
    pub(super) fn suite(&self) -> Suite {
        self.suite
    }

    /// Encrypts an RTP packet; None if it is not one.
    pub(super) fn protect_rtp(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        self.sending.encrypt_rtp(packet).ok().map(Vec::from)
    }

    /// Encrypts a compound RTCP packet; None if it is not one.
    pub(super) fn protect_rtcp(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        self.sending.encrypt_rtcp(packet).ok().map(Vec::from)
    }

    /// Checks and decrypts an SRTP packet; None for a wrong tag or a replay.
    pub(super) fn unprotect_rtp(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        self.receiving.unprotect_rtp(packet)
    }

    /// Checks and decrypts an SRTCP packet; None for a wrong tag or a replay.
    pub(super) fn unprotect_rtcp(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        self.receiving.unprotect_rtcp(packet)
    }
}
