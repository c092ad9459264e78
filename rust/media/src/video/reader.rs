//! Frames for one who reads or records: of one layer, put together.

use std::time::Instant;

use super::receiver::VideoReceiver;
use super::{Assembler, EncodedFrame, LayerChoice, LayerWish, VideoPacket};

/// Chooses a layer and puts its frames together.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    choice: LayerChoice,
    assembler: Assembler,
}

impl Reader {
    pub(crate) fn new(wish: LayerWish) -> Self {
        Self {
            choice: LayerChoice::new(wish),
            assembler: Assembler::default(),
        }
    }

    /// Wants another layer from now on.
    pub(crate) fn choose(&mut self, wish: LayerWish) {
        self.choice.change(wish);
    }

    /// The source a key frame is to be asked of.
    pub(crate) fn source(&self) -> Option<u64> {
        self.choice.source()
    }

    /// Takes a packet of the line; the frames that are whole with it.
    pub(crate) fn push(
        &mut self,
        now: Instant,
        packet: &VideoPacket,
        receiver: &mut VideoReceiver,
    ) -> Vec<EncodedFrame> {
        let mut frames = Vec::new();
        let source = packet.source as u32;
        let layers = receiver.layers(now);
        let verdict = self
            .choice
            .judge(now, source, packet.begins_key_frame, layers);
        if let Some(wanted) = verdict.wants_key_frame {
            receiver.want_key_frame(Some(u64::from(wanted)));
        }
        if verdict.is_shown {
            self.assembler.push(packet, &mut frames);
            receiver.count_dropped(self.assembler.take_dropped());
            if self.assembler.take_key_frame_wish() {
                receiver.want_key_frame(Some(packet.source));
            }
        }
        frames
    }
}
