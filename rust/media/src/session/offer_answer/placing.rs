//! Which m-line is the call's, and what it is called.

use super::super::sdp::Description;
use super::super::sdp_writer::offered_mid;
use super::OfferAnswer;

impl OfferAnswer {
    /// The peer's last description, and the place of the call's m-line in it.
    pub(in crate::session) fn remote_line(&self) -> Option<(&Description, usize)> {
        let (remote, index) = (self.remote.as_ref()?, self.index?);
        (index < remote.media.len()).then_some((remote, index))
    }

    /// Where the call's m-line stands in descriptions.
    pub(in crate::session) fn place(&self) -> usize {
        self.index.unwrap_or(0)
    }

    /// The name our next offer gives to the call's m-line.
    pub(in crate::session) fn mid(&self) -> Option<&str> {
        let (kind, index) = (self.settings.kind, self.index.unwrap_or(0));
        offered_mid(kind, self.mid.as_deref(), index, self.remote.as_ref())
    }
}
