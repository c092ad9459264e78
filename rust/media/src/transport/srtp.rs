//! SRTP and SRTCP with the keys of a DTLS handshake (RFC 5764 §4.2).

use rtc::crypto::RTCCryptoProvider;
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::dtls::state::State;
use rtc::srtp::config::{Config, LABEL_EXTRACTOR_DTLS_SRTP};
use rtc::srtp::context::Context;
use rtc::srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc::srtp::protection_profile::ProtectionProfile;

/// Packets a replay is recognised among (RFC 3711 §3.3.2 asks for at least 64).
const REPLAY_WINDOW: usize = 64;

/// The profiles we offer, best first: GCM is the cheaper one, CM with SHA-1 is what all have.
pub(super) fn profiles() -> Vec<SrtpProtectionProfile> {
    vec![
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
    ]
}

/// One context per direction.
pub(super) struct Srtp {
    sending: Context,
    receiving: Context,
}

impl Srtp {
    /// Derives both directions from a finished handshake; None if it agreed on no known profile.
    pub(super) fn new(state: &State, provider: &dyn RTCCryptoProvider) -> Option<Self> {
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => {
                ProtectionProfile::Aes128CmHmacSha1_80
            }
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => ProtectionProfile::AeadAes128Gcm,
            _ => return None,
        };
        let mut config = Config {
            profile,
            ..Config::default()
        };
        let length = config.keying_material_len();
        let material = state
            .export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], length)
            .ok()?;
        config
            .set_session_keys_from_keying_material(material.as_ref(), state.is_client())
            .ok()?;
        let keys = &config.keys;
        let crypto = provider.crypto();
        Some(Self {
            sending: Context::new(
                &keys.local_master_key,
                &keys.local_master_salt,
                profile,
                None,
                None,
                crypto,
            )
            .ok()?,
            receiving: Context::new(
                &keys.remote_master_key,
                &keys.remote_master_salt,
                profile,
                Some(srtp_replay_protection(REPLAY_WINDOW)),
                Some(srtcp_replay_protection(REPLAY_WINDOW)),
                crypto,
            )
            .ok()?,
        })
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
        self.receiving.decrypt_rtp(packet).ok().map(Vec::from)
    }

    /// Checks and decrypts an SRTCP packet; None for a wrong tag or a replay.
    pub(super) fn unprotect_rtcp(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        self.receiving.decrypt_rtcp(packet).ok().map(Vec::from)
    }
}
