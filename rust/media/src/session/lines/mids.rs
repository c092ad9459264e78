//! Names of m-lines in a bundle: none is given twice (RFC 9143 §7.2), and nothing grows for it.

use std::collections::BTreeSet;

use super::Line;
use crate::session::sdp::{Description, Media};

/// A far end's mid that is a larger number is a name like any other.
const LARGEST: usize = 1 << 20;

/// The mid of an m-line.
pub(super) fn of(media: &Media) -> Option<String> {
    media.section.attribute("mid").map(str::to_owned)
}

/// One past the largest number among mids.
pub(super) fn after(media: &[Media]) -> usize {
    let numbers = media.iter().filter_map(of);
    let numbers = numbers.filter_map(|mid| mid.parse().ok().filter(|number| *number < LARGEST));
    numbers.map(|number: usize| number + 1).max().unwrap_or(0)
}

/// The mids that mean something now.
pub(super) fn in_use(lines: &[Line], remote: Option<&Description>) -> BTreeSet<String> {
    let theirs = remote.into_iter().flat_map(|remote| &remote.media);
    let ours = lines.iter().filter_map(|line| line.mid.clone());
    theirs.filter_map(of).chain(ours).collect()
}

/// The first number that is none of them.
pub(super) fn free(mids: &BTreeSet<String>, from: usize) -> usize {
    let mut free = from..;
    let found = free.find(|number| !mids.contains(&number.to_string()));
    found.unwrap_or(from)
}
