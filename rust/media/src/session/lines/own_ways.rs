//! Which lines have a transport of their own in our offers over ICE: the first one of a far end that
//! may not bundle, as JSEP's policy "balanced" has it (RFC 8829 §4.1.1), and each of one that does
//! not.
//!
//! They stand in the bundle as well. Who bundles passes their addresses over.

use super::reading::Before;
use super::{AgreedLine, FurtherLines, Line};
use crate::session::negotiation::TransportKind;
use crate::transport::Expected;

impl Line {
    /// What a description of the far end is read with.
    pub(super) fn before(&self) -> Before<'_> {
        Before {
            agreed: self.agreed.as_ref(),
            offers_own_way: self.offers_own_way,
        }
    }

    /// Whether our next offer says where this line alone is reached.
    pub(super) fn has_own_way(&self, kind: TransportKind) -> bool {
        kind != TransportKind::Ice || self.is_alone() || self.offers_own_way
    }
}

impl AgreedLine {
    /// What the far end may send beside its first stream where nothing but addresses tells
    /// strangers apart.
    pub(in crate::session) fn expected(&self) -> Expected {
        let announced = self.sources.iter();
        let announced = announced.flat_map(|source| [Some(source.ssrc), source.retransmission]);
        let repeats = self.receive.iter().map(|format| format.retransmission);
        Expected {
            sources: announced.flatten().collect(),
            repeats: repeats.flatten().collect(),
        }
    }
}

impl FurtherLines {
    /// The lines that are to have a transport of their own in our next offer over ICE; `bundles`
    /// is whether the far end does, if that is known.
    pub(in crate::session) fn own_ways(&self, bundles: Option<bool>) -> Vec<u64> {
        let is_offered = |line: &&Line| line.place.is_some() || line.wish.sends();
        let offered = self.lines.iter().filter(is_offered);
        let alone = offered.enumerate().filter(|(order, line)| {
            let is_new = line.agreed.is_none();
            line.is_alone() || (is_new && !bundles.unwrap_or(*order > 0))
        });
        alone.map(|(_, line)| line.number).collect()
    }

    /// Notes which lines our offer gives a transport of their own.
    pub(in crate::session) fn offer_own_ways(&mut self, numbers: &[u64]) {
        for line in &mut self.lines {
            line.offers_own_way = numbers.contains(&line.number);
        }
    }
}
