//! Which lines beside the audio need sockets of their own.

use super::super::negotiation::TransportKind;
use super::{LocalMedia, OfferAnswer};

impl OfferAnswer {
    /// The lines whose part of our next description says where they alone are reached.
    pub(in super::super) fn lines_alone(&self) -> Vec<u64> {
        let lines = self.further.all().iter();
        if self.settings.kind != TransportKind::Ice {
            return lines.map(|line| line.number).collect();
        }
        if self.has_remote_offer() {
            let alone = lines.filter(|line| line.is_alone());
            return alone.map(|line| line.number).collect();
        }
        self.further.own_ways(self.is_bundled())
    }

    /// Whether nothing but what was agreed is reached at sockets of a line's own.
    pub(in super::super) fn is_settled(&self) -> bool {
        matches!(self.state, super::State::Stable)
    }

    /// The lines of our offer that are reached at sockets of their own, which are there.
    pub(super) fn own_ways_at(&self, local: &LocalMedia) -> Vec<u64> {
        let has_sockets = |number: &u64| local.lines.iter().any(|(line, _)| line == number);
        let mut alone = self.lines_alone();
        alone.retain(has_sockets);
        alone
    }

    /// Whether the far end bundles, as far as it has said.
    fn is_bundled(&self) -> Option<bool> {
        let remote = self.remote.as_ref()?;
        let audio = remote.media.get(self.index.unwrap_or(0))?;
        let mid = audio.section.attribute("mid");
        Some(mid.is_some_and(|mid| remote.bundle_of(mid).is_some()))
    }
}
