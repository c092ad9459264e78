//! Frames of 20 ms made into packets of 10 to 60 ms.
//!
//! Packets that are no whole number of frames (10, 30 and 50 ms) leave in the middle between two
//! frames too, so that they come as evenly as others.

use std::sync::Arc;

use super::silence::{Silence, Turn};
use super::{SendSettings, Sender};

impl SendSettings {
    /// Whether some packets begin or end in the middle of a frame.
    pub(super) fn has_half_frames(&self) -> bool {
        !self.packet_ms.is_multiple_of(20)
    }
}

impl Sender {
    /// What a frame adds to the timestamp.
    pub(super) fn frame_ticks(&self) -> u32 {
        self.settings
            .map_or(0, |settings| settings.codec.rtp_clock_hz() / 50)
    }

    /// Whether [`send_half`](Self::send_half) is to be called half a frame after the last frame.
    pub(crate) fn has_half(&self) -> bool {
        let has_half_frames = |settings: SendSettings| settings.has_half_frames();
        !self.waiting.is_empty() && self.settings.is_some_and(has_half_frames)
    }

    /// Sends the packet that is due between two frames, if one is.
    pub(crate) fn send_half(&mut self, mut transmit: impl FnMut(&[u8]) -> bool) {
        if let Some(settings) = self.settings {
            self.send_packets(settings, None, 0, &mut transmit);
        }
    }

    /// Sends the packets that are full, as long as `spare` samples are left after each.
    pub(super) fn send_packets(
        &mut self,
        settings: SendSettings,
        shared: Option<Arc<[u8]>>,
        spare: usize,
        transmit: &mut impl FnMut(&[u8]) -> bool,
    ) {
        let count = self.frame.len() * settings.packet_ms as usize / 20;
        // What was made elsewhere is the present frame and nothing else.
        let mut shared = shared.filter(|_| self.waiting.len() == count);
        while count > 0 && self.waiting.len() >= count + spare {
            let ticks = u64::from(self.frame_ticks()) * self.waiting.len() as u64;
            let ticks = ticks / self.frame.len() as u64;
            let began = self.timestamp.wrapping_sub(ticks as u32);
            self.send_packet(settings, shared.take(), (count, began), transmit);
            self.waiting.drain(..count);
        }
    }

    /// Sends the first so many samples that wait, which began at that timestamp, as far as there
    /// is something to say.
    fn send_packet(
        &mut self,
        settings: SendSettings,
        shared: Option<Arc<[u8]>>,
        (count, began): (usize, u32),
        transmit: &mut impl FnMut(&[u8]) -> bool,
    ) {
        let turn = match settings.comfort_noise {
            Some(_) => self.silence.turn(settings.packet_ms.div_ceil(20)),
            None => Turn::Speak,
        };
        let mut payload = std::mem::take(&mut self.payload);
        // A silence that is left out is heard all the same.
        let mut is_sent = turn != Turn::Speak;
        if turn == Turn::Describe {
            Silence::describe(&self.waiting[..count], &mut payload);
            let noise = settings.comfort_noise.unwrap_or_default();
            is_sent = self.emit(noise, false, began, &payload, transmit);
        }
        if turn == Turn::Speak
            && let Some(is_silent) = self.encode(shared, count, &mut payload)
        {
            is_sent = is_silent;
            if self.silence.may_send(is_silent) {
                let marker = std::mem::take(&mut self.is_first);
                let format = settings.payload_type;
                is_sent = self.emit(format, marker, began, &payload, transmit);
            }
            self.is_first |= is_silent;
        }
        // Audio after a pause begins a spurt (RFC 3551 §4.1).
        self.is_first |= turn != Turn::Speak;
        self.payload = payload;
        self.player.confirm(is_sent);
    }
}
