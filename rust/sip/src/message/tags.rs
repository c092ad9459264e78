//! The tags of From and To: asked for at every step, so found once.
use std::ops::Range;

use super::lexer::{address_parameters, find_parameter};
use super::{HeaderName, Message, range};

/// Where they stand in the message; empty for none.
#[derive(Clone, Debug, Default)]
pub(super) struct Tags {
    from: Range<u32>,
    to: Range<u32>,
}

impl Message {
    /// The tag of From or To; empty when absent.
    pub fn tag(&self, kind: HeaderName) -> &[u8] {
        match kind {
            HeaderName::From => self.at(&self.tags.from),
            HeaderName::To => self.at(&self.tags.to),
            _ => &[],
        }
    }

    pub(super) fn find_tags(&self) -> Tags {
        Tags {
            from: self.find_tag(HeaderName::From),
            to: self.find_tag(HeaderName::To),
        }
    }

    fn find_tag(&self, kind: HeaderName) -> Range<u32> {
        let value = self.first(kind).unwrap_or_default();
        let tag = find_parameter(address_parameters(value), "tag").unwrap_or_default();
        if tag.is_empty() {
            return 0..0;
        }
        let start = tag.as_ptr().addr() - self.data.as_ptr().addr();
        range(start, start + tag.len())
    }
}
