//! How lines end: each says goodbye, and a transport of its own is closed as the call's is.

use std::time::Instant;

use super::{Session, Videos};
use crate::transport::Transport;

impl Videos {
    /// Has a line do without a transport of its own: it is bundled now, or refused.
    pub(super) fn part_with_line(&mut self, now: Instant, number: u64) {
        let mut lines = self.lines.iter_mut();
        let Some(line) = lines.find(|line| line.number == number) else {
            return;
        };
        (line.is_lost, line.has_failed) = (false, false);
        if let Some(own) = line.transport.take() {
            self.part_with(now, own);
        }
    }

    /// Closes a transport: what it has left to say, a close_notify among it, is sent yet
    /// (RFC 5764 §3).
    fn part_with(&mut self, now: Instant, mut transport: Transport) {
        transport.close(now);
        let words = std::iter::from_fn(|| transport.poll_transmit());
        self.last_words.extend(words);
    }

    /// Ends all lines; their last words are there to be taken.
    fn end(&mut self, now: Instant) {
        let at_work = self.lines.drain(..).filter_map(|line| line.transport);
        let waiting = self.homes.drain(..).filter_map(|home| home.waiting);
        for transport in at_work.chain(waiting).collect::<Vec<_>>() {
            self.part_with(now, transport);
        }
    }
}

impl Session {
    /// Says goodbye on each line, and lets go of what other sessions give and take; the call's own
    /// transport is open yet.
    pub(in crate::session) fn close_videos(&mut self, now: Instant) {
        let count = self.videos.as_ref().map_or(0, |videos| videos.lines.len());
        for place in 0..count {
            self.on_line(place, |line, way| {
                let sent = line.sender.information(now);
                // Who never sent a packet says no goodbye (RFC 3550 §6.3.7).
                if sent.is_some() || line.rtcp.has_reported() {
                    let bye = line.rtcp.bye(now, sent);
                    way.send_rtcp(now, &bye);
                }
                line.close(way.wakes);
            });
        }
        if let Some(videos) = &mut self.videos {
            videos.end(now);
        }
    }
}
