//! Layers of received video, and key frames of it.

use super::Engine;
use crate::MediaError;
use crate::video::{LayerFacts, LayerWish};

impl Engine {
    /// What is known of the layers of a line, and whether each is being sent.
    ///
    /// # Errors
    /// `MediaError::Unknown` without such a line.
    pub fn video_layers(
        &self,
        session: u64,
        line: u64,
    ) -> Result<Vec<(LayerFacts, bool)>, MediaError> {
        self.command(session, |open, now| {
            let layers = open.video_layers(now, line)?.into_iter();
            Ok(layers
                .map(|layer| {
                    let is_active = layer.is_active(now);
                    (layer, is_active)
                })
                .collect())
        })
    }

    /// Chooses the layer that a reader of encoded frames is given.
    ///
    /// # Errors
    /// `MediaError::Unknown` for a reader that is closed.
    pub fn choose_tap_layer(&self, tap: u64, wish: &LayerWish) -> Result<(), MediaError> {
        let owner = super::lock(&self.ports).get(&tap).copied();
        let session = owner.ok_or(MediaError::Unknown {
            kind: "reader of video",
            number: tap,
        })?;
        self.command(session, |open, now| {
            open.choose_tap_layer(now, tap, wish);
            Ok(())
        })
    }

    /// Asks the far end for a key frame of a line.
    ///
    /// # Errors
    /// `MediaError::Unknown` without such a line.
    pub fn want_key_frame(&self, session: u64, line: u64) -> Result<(), MediaError> {
        self.command(session, |open, now| open.want_key_frame(now, line))
    }
}
