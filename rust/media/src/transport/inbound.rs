//! SRTP and SRTCP as received: who may make state, which key a packet is under, whose turn it is.
//!
//! The context of `rtc` keeps state for every SSRC it has seen, good tag or not. So a stranger's
//! packet is tried on a context that is thrown away now and then, and only an SSRC whose tag was
//! right reaches the one that is kept.

use std::collections::HashMap;
use std::sync::Arc;

use rtc::crypto::RTCCryptoProvider;
use rtc::srtp::context::Context;
use rtc::srtp::option::{srtcp_replay_protection, srtp_replay_protection};

use super::keys::SrtpKey;

/// Packets a replay is recognised among (RFC 3711 §3.3.2 asks for at least 64).
const REPLAY_WINDOW: usize = 64;
/// Trials before their context is made anew.
const TRIALS: u32 = 64;
/// Authenticated SSRCs of one key; only the peer itself can add one.
const MOST_SOURCES: usize = 4096;
/// Times an old rollover counter is tried under a new key, and the greatest one: three days.
const RESUMPTIONS: u8 = 8;
const GREATEST_RESUMED: u32 = 256;
/// A step forward in the sequence that cannot be taken for one backward.
const STRIDE: usize = 0x4000;

/// Where a stream of RTP was last: its rollover counter and highest sequence number.
#[derive(Debug, Clone, Copy)]
struct Place {
    rollover: u32,
    highest: u16,
}

impl Place {
    fn follow(&mut self, sequence_number: u16) {
        let step = sequence_number.wrapping_sub(self.highest);
        if step < 0x8000 {
            self.rollover = self
                .rollover
                .wrapping_add(u32::from(sequence_number < self.highest));
            self.highest = sequence_number;
        }
    }
}

/// The receiving half of a session under one master key.
pub(super) struct Inbound {
    provider: Arc<dyn RTCCryptoProvider>,
    key: SrtpKey,
    mki: Vec<u8>,
    context: Context,
    trial: Context,
    trials: u32,
    /// All authenticated SSRCs; with a place where RTP of them was.
    sources: HashMap<u32, Option<Place>>,
    /// Where streams were under the key before.
    earlier: HashMap<u32, Place>,
    resumptions: u8,
}

impl Inbound {
    /// Makes one; None if the cryptography refuses the key. `mki` is empty where there is none.
    pub(super) fn new(
        provider: Arc<dyn RTCCryptoProvider>,
        key: SrtpKey,
        mki: Vec<u8>,
    ) -> Option<Self> {
        Some(Self {
            context: receiving(&key, provider.as_ref())?,
            trial: receiving(&key, provider.as_ref())?,
            provider,
            key,
            mki,
            trials: 0,
            sources: HashMap::new(),
            earlier: HashMap::new(),
            resumptions: 0,
        })
    }

    /// The key the peer sends with.
    pub(super) fn is_under(&self, key: &SrtpKey, mki: &[u8]) -> bool {
        self.key == *key && self.mki == mki
    }

    /// Takes over where the streams were: a new key does not reset their rollover counters
    /// (RFC 3711 §3.3.1), though many peers do; both are tried.
    pub(super) fn resume(&mut self, before: &Self) {
        let places = before.sources.iter();
        let places = places.filter_map(|(ssrc, place)| Some((*ssrc, (*place)?)));
        // Streams that were silent under the key before are where they were under an older one.
        let unheard = before.earlier.iter().map(|(ssrc, place)| (*ssrc, *place));
        self.earlier = unheard
            .chain(places)
            .filter(|(_, place)| (1..=GREATEST_RESUMED).contains(&place.rollover))
            .collect();
    }

    /// Checks and decrypts an SRTP packet; None for a wrong tag or a replay.
    pub(super) fn unprotect_rtp(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let ssrc = u32::from_be_bytes(packet.get(8..12)?.try_into().ok()?);
        let sequence_number = u16::from_be_bytes(packet.get(2..4)?.try_into().ok()?);
        let stripped = self.without_mki(packet, self.key.suite().profile().rtp_auth_tag_len())?;
        // An SSRC of which only RTCP has come may go on from under the key before as well.
        if !matches!(self.sources.get(&ssrc), Some(Some(_))) {
            self.admit(ssrc, &stripped, |context, data| {
                context.decrypt_rtp(data).is_ok()
            })?;
        }
        let plain = self.context.decrypt_rtp(&stripped).ok()?;
        let place = self.sources.entry(ssrc).or_default();
        let earlier = self.earlier.remove(&ssrc);
        place
            .get_or_insert(earlier.unwrap_or(Place {
                rollover: 0,
                highest: sequence_number,
            }))
            .follow(sequence_number);
        Some(plain.into())
    }

    /// Checks and decrypts an SRTCP packet; None for a wrong tag or a replay.
    pub(super) fn unprotect_rtcp(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let ssrc = u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?);
        let stripped = self.without_mki(packet, self.key.suite().profile().rtcp_auth_tag_len())?;
        // Without the flag of encryption the context would look at no tag at all (RFC 3711 §3.4).
        let tag = self.key.suite().profile().rtcp_auth_tag_len();
        let flags = *stripped.get(stripped.len().checked_sub(tag + 4)?)?;
        if flags & 0x80 == 0 {
            return None;
        }
        if !self.sources.contains_key(&ssrc) {
            let tried = self.try_on(&stripped, &|context, data| {
                context.decrypt_rtcp(data).is_ok()
            });
            self.enter(ssrc, tried)?;
        }
        self.context.decrypt_rtcp(&stripped).ok().map(Vec::from)
    }

    fn admit(
        &mut self,
        ssrc: u32,
        packet: &[u8],
        opens: impl Fn(&mut Context, &[u8]) -> bool,
    ) -> Option<()> {
        let is_fresh = self.try_on(packet, &opens);
        let is_resumed = !is_fresh && self.resumes(ssrc, packet);
        if is_fresh {
            self.earlier.remove(&ssrc);
        }
        self.enter(ssrc, is_fresh || is_resumed)
    }

    fn enter(&mut self, ssrc: u32, is_authentic: bool) -> Option<()> {
        let is_known = self.sources.contains_key(&ssrc);
        if !is_authentic || (!is_known && self.sources.len() >= MOST_SOURCES) {
            return None;
        }
        self.sources.insert(ssrc, None);
        Some(())
    }

    fn try_on(&mut self, packet: &[u8], opens: &impl Fn(&mut Context, &[u8]) -> bool) -> bool {
        self.trials += 1;
        if self.trials.is_multiple_of(TRIALS)
            && let Some(context) = receiving(&self.key, self.provider.as_ref())
        {
            self.trial = context;
        }
        opens(&mut self.trial, packet)
    }

    /// Whether the packet goes on from where its stream was under the key before; the context is
    /// at that place then.
    fn resumes(&mut self, ssrc: u32, packet: &[u8]) -> bool {
        let Some(place) = self.earlier.get(&ssrc).copied() else {
            return false;
        };
        if self.resumptions >= RESUMPTIONS {
            return false;
        }
        self.resumptions += 1;
        let provider = self.provider.as_ref();
        let Some(mut trial) = receiving(&self.key, provider) else {
            return false;
        };
        let opens = advance(&mut trial, &self.key, provider, (ssrc, place)).is_some()
            && trial.decrypt_rtp(packet).is_ok();
        opens && advance(&mut self.context, &self.key, provider, (ssrc, place)).is_some()
    }

    /// The packet without its master key identifier, which stands before the tag, or after it
    /// with AEAD (RFC 3711 §3.1, RFC 7714 §8.1); None if it is another one.
    fn without_mki(&self, packet: &[u8], tag: usize) -> Option<Vec<u8>> {
        if self.mki.is_empty() {
            return Some(packet.to_vec());
        }
        let end = packet.len().checked_sub(tag)?;
        let start = end.checked_sub(self.mki.len())?;
        let is_ours = packet[start..end] == self.mki;
        is_ours.then(|| [&packet[..start], &packet[end..]].concat())
    }
}

fn receiving(key: &SrtpKey, provider: &dyn RTCCryptoProvider) -> Option<Context> {
    let (master, salt) = key.halves();
    Context::new(
        master,
        salt,
        key.suite().profile(),
        Some(srtp_replay_protection(REPLAY_WINDOW)),
        Some(srtcp_replay_protection(REPLAY_WINDOW)),
        provider.crypto(),
    )
    .ok()
}

/// The sending half of a session under one master key.
pub(super) fn sending(key: &SrtpKey, provider: &dyn RTCCryptoProvider) -> Option<Context> {
    let (master, salt) = key.halves();
    Context::new(
        master,
        salt,
        key.suite().profile(),
        None,
        None,
        provider.crypto(),
    )
    .ok()
}

/// Brings a receiving context to a place in a stream, by packets made for it: a rollover counter
/// cannot be set.
fn advance(
    context: &mut Context,
    key: &SrtpKey,
    provider: &dyn RTCCryptoProvider,
    (ssrc, place): (u32, Place),
) -> Option<()> {
    let mut maker = sending(key, provider)?;
    let target = (place.rollover as usize) << 16 | usize::from(place.highest);
    for index in (0..target).step_by(STRIDE) {
        let mut packet = vec![0x80, 0];
        packet.extend_from_slice(&(index as u16).to_be_bytes());
        packet.extend_from_slice(&[0; 4]);
        packet.extend_from_slice(&ssrc.to_be_bytes());
        packet.push(0);
        let protected = maker.encrypt_rtp(&packet).ok()?;
        context.decrypt_rtp(&protected).ok()?;
    }
    Some(())
}
