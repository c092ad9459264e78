//! Payloads made once for many sessions.

use std::sync::Arc;

use super::Sender;
use crate::fan::Encoding;

impl Sender {
    /// How a sound could be sent that is the only one here; None while others are mixed in.
    pub(crate) fn shared_encoding(&self) -> Option<Encoding> {
        let is_alone = !self.is_muted && self.player.is_idle();
        self.encoding().filter(|_| is_alone)
    }

    /// How frames are encoded, where each is a packet; None while digits are sent in their place.
    fn encoding(&self) -> Option<Encoding> {
        let settings = self.settings?;
        (!self.is_sending_digits() && settings.packet_ms == 20).then_some(Encoding {
            codec: settings.codec,
            opus: settings.opus,
        })
    }

    /// Takes the payload of what was pulled from those who play the same, if nothing else is in it.
    pub(crate) fn share_payload(&mut self) {
        self.shared = self
            .encoding()
            .and_then(|encoding| self.player.shared_payload(encoding));
    }

    /// Packets that were encoded here, and not taken from others.
    pub(crate) fn encoded(&self) -> u64 {
        self.encoded
    }

    /// Gives the payload that the next frame is sent as; None: it is encoded here.
    pub(crate) fn set_shared(&mut self, payload: Option<Arc<[u8]>>) {
        self.shared = payload;
    }

    /// The rate of what is sent; 0 before anything was agreed.
    pub(crate) fn rate_hz(&self) -> u32 {
        self.encoder
            .as_ref()
            .map_or(0, |encoder| encoder.sample_rate_hz())
    }

    /// Encodes the first so many samples that wait, or takes what was made of them elsewhere; whether the payload
    /// says that there is nothing to hear. None where the encoder refuses.
    pub(super) fn encode(
        &mut self,
        shared: Option<Arc<[u8]>>,
        count: usize,
        payload: &mut Vec<u8>,
    ) -> Option<bool> {
        let encoder = self.encoder.as_mut()?;
        match shared {
            Some(shared) => {
                payload.clear();
                payload.extend_from_slice(&shared);
            }
            None => {
                self.encoded += 1;
                encoder.encode(&self.waiting[..count], payload).ok()?;
            }
        }
        Some(encoder.is_silent(payload))
    }
}
