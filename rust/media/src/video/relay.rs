//! A bounded way for packets from a line of one session to a line of another.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::layers::{LayerChoice, LayerFacts, LayerWish};
use super::packet::VideoPacket;

/// Packets that may wait: a second of 8 Mbit/s. A session that is not served meanwhile begins anew.
const MOST_WAITING: usize = 1024;
const NO_BOUND: u64 = u64::MAX;

/// The way, seen from both ends. What is received is left here; who sends takes it.
#[derive(Debug)]
pub(crate) struct Relay {
    /// The session that sends.
    pub(crate) to: u64,
    /// The session that receives.
    pub(crate) from: u64,
    packets: Mutex<VecDeque<Arc<VideoPacket>>>,
    wants_key_frame: AtomicBool,
    bound_bps: AtomicU64,
    is_closed: AtomicBool,
    choice: Mutex<LayerChoice>,
}

impl Relay {
    pub(crate) fn new(from: u64, to: u64) -> Self {
        Self {
            to,
            from,
            packets: Mutex::default(),
            wants_key_frame: AtomicBool::new(true),
            bound_bps: AtomicU64::new(NO_BOUND),
            is_closed: AtomicBool::new(false),
            choice: Mutex::default(),
        }
    }

    /// Leaves a packet; true if none was there before, so that who sends is to be woken. A queue that
    /// is full is emptied: half a picture is none.
    pub(crate) fn push(&self, packet: &Arc<VideoPacket>) -> bool {
        let mut packets = self.packets.lock().unwrap_or_else(PoisonError::into_inner);
        if packets.len() == MOST_WAITING {
            packets.clear();
            self.want_key_frame();
        }
        packets.push_back(Arc::clone(packet));
        packets.len() == 1
    }

    /// Takes all that was left.
    pub(crate) fn take(&self) -> VecDeque<Arc<VideoPacket>> {
        std::mem::take(&mut *self.packets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn want_key_frame(&self) {
        self.wants_key_frame.store(true, Ordering::Release);
    }

    /// Whether a key frame is wanted; told once.
    pub(crate) fn take_key_frame_wish(&self) -> bool {
        self.wants_key_frame.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn set_bound(&self, bits_per_second: u64) {
        self.bound_bps.store(bits_per_second, Ordering::Release);
    }

    pub(crate) fn bound(&self) -> Option<u64> {
        let bound = self.bound_bps.load(Ordering::Acquire);
        (bound != NO_BOUND).then_some(bound)
    }

    /// Chooses the simulcast layer; it is changed at its next key frame.
    pub(crate) fn choose_layer(&self, wish: LayerWish) {
        self.choice().change(wish);
        self.want_key_frame();
    }

    /// Whether a packet is of the layer that is passed on; and the source of the one that is to be,
    /// which a key frame is wanted of.
    pub(crate) fn judge(
        &self,
        now: Instant,
        packet: &VideoPacket,
        layers: &[LayerFacts],
    ) -> (bool, Option<u32>) {
        let source = packet.source as u32;
        let mut choice = self.choice();
        let verdict = choice.judge(now, source, packet.begins_key_frame, layers);
        (verdict.is_shown, verdict.wants_key_frame)
    }

    /// The source a key frame is to be asked of.
    pub(crate) fn source(&self) -> Option<u64> {
        self.choice().source()
    }

    fn choice(&self) -> MutexGuard<'_, LayerChoice> {
        self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}
