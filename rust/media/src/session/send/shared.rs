//! Payloads made once for many sessions.

use std::sync::Arc;

use super::Sender;
use crate::fan::Encoding;

impl Sender {
    /// How a sound could be sent that is the only one here; None while others are mixed in.
    pub(crate) fn shared_encoding(&self) -> Option<Encoding> {
        let settings = self.settings?;
        let is_alone = !self.is_muted && !self.is_sending_digits() && self.player.is_idle();
        (is_alone && settings.packet_ms == 20).then_some(Encoding {
            codec: settings.codec,
            opus: settings.opus,
        })
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

    /// Encodes the frames that wait, or takes what was made of them elsewhere; whether the payload
    /// says that there is nothing to hear. None where the encoder refuses.
    pub(super) fn encode(
        &mut self,
        shared: Option<Arc<[u8]>>,
        payload: &mut Vec<u8>,
    ) -> Option<bool> {
        let encoder = self.encoder.as_mut()?;
        match shared {
            Some(shared) => {
                payload.clear();
                payload.extend_from_slice(&shared);
            }
            None => encoder.encode(&self.waiting, payload).ok()?,
        }
        Some(encoder.is_silent(payload))
    }
}
