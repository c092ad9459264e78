//! Candidates that come and go after the descriptions, as fragments of them (RFC 8840).

use std::time::Instant;

use super::Session;
use super::candidates_writer::write_candidates;
use super::offer_answer::refused;
use super::sdp::{Description, Media};
use super::sdp_writer::{Lines, line};
use crate::MediaError;
use crate::event::EventKind;
use crate::transport::{IceDescription, Transport, Trickled};

/// What we tell of our candidates after a description.
#[derive(Debug, Default)]
pub(super) struct Trickle {
    /// The peer takes fragments: descriptions need not wait for candidates.
    is_on: bool,
    /// Gathering will begin, or has begun and is not over.
    is_gathering: bool,
    /// The generation of ours, by its user name fragment, whose end was told.
    complete: Option<String>,
}

impl Session {
    /// Notes that the peer takes candidates by fragments: `LOCAL_CANDIDATES` tells of each one that
    /// no description has had. With `is_gathering` descriptions do not end the candidates
    /// before the next `GATHERED`.
    pub fn trickle(&mut self, is_gathering: bool) {
        self.trickle.is_on = true;
        self.trickle.is_gathering = is_gathering;
    }

    /// The fragment that tells all candidates of the generation offered last or in force; empty
    /// when their end was told, as none may follow then (RFC 8838 §13).
    pub fn fragment(&mut self) -> String {
        let local = self.local_media(true).ok();
        let own = local.and_then(|local| Some((local.ice?, local.address)));
        let Some((own, address)) = own else {
            return String::new();
        };
        if self.trickle.complete.as_ref() == Some(&own.ufrag) {
            return String::new();
        }
        let mut out = Lines::default();
        line!(out, "a=ice-ufrag:{}", own.ufrag);
        line!(out, "a=ice-pwd:{}", own.password);
        line!(out, "m=audio 9 RTP/AVP 0");
        if let Some(mid) = self.offer_answer.mid() {
            line!(out, "a=mid:{mid}");
        }
        write_candidates(&mut out, &own, address);
        if own.is_complete {
            line!(out, "a=end-of-candidates");
        }
        self.note_told(&own);
        out.into_text()
    }

    /// Takes a fragment of the peer's, the body of an INFO request.
    ///
    /// # Errors
    /// `MediaError::Negotiation` for what is no fragment.
    pub fn take_fragment_untrusted(
        &mut self,
        now: Instant,
        text: &str,
    ) -> Result<Trickled, MediaError> {
        // It is a description without its first lines (RFC 8840 §9.2).
        let fragment = Description::parse_untrusted(&format!("v=0\r\n{text}"))?;
        let ours = self.sections_of_ours(&fragment);
        let lines = ours.iter().copied().chain(&fragment.media);
        let mut sections = lines.map(|media| &media.section).chain([&fragment.session]);
        let Some(ufrag) = sections.find_map(|section| section.attribute("ice-ufrag")) else {
            return Err(refused("the fragment has no ICE credentials"));
        };
        let Some(Transport::Ice(ice)) = &mut self.transport else {
            return Ok(Trickled::Unknown);
        };
        let is_end = fragment.session.attribute("end-of-candidates").is_some()
            || ours
                .iter()
                .any(|media| media.section.attribute("end-of-candidates").is_some());
        let candidates = ours
            .iter()
            .flat_map(|media| media.section.attributes("candidate"));
        let outcome = ice.trickle(now, ufrag, candidates, is_end);
        self.drain_transport(now);
        Ok(outcome)
    }

    /// The parts of a fragment that are about the call's transport: of its own line, and of those
    /// that share it.
    fn sections_of_ours<'a>(&self, fragment: &'a Description) -> Vec<&'a Media> {
        let Some((remote, index)) = self.offer_answer.remote_line() else {
            return Vec::new();
        };
        let Some(mid) = remote.media[index].section.attribute("mid") else {
            // Without names lines are known by their places.
            return fragment.media.get(index).into_iter().collect();
        };
        let mids = remote.bundle_of(mid).unwrap_or_else(|| vec![mid]);
        let named = |media: &&Media| {
            let name = media.section.attribute("mid");
            name.is_some_and(|name| mids.contains(&name))
        };
        fragment.media.iter().filter(named).collect()
    }

    /// Whether no candidate of ours is to come after this description.
    pub(super) fn has_all_candidates(&self) -> bool {
        !(self.trickle.is_on && (self.trickle.is_gathering || self.is_gathering()))
    }

    /// Notes what a description or a fragment has told.
    pub(super) fn note_told(&mut self, own: &IceDescription) {
        if own.is_complete {
            self.trickle.complete = Some(own.ufrag.clone());
        }
    }

    /// Another candidate of ours is there.
    pub(super) fn tell_candidate(&mut self) {
        if self.trickle.is_on && self.has_local {
            self.emit(EventKind::LocalCandidates, 0.0, "");
        }
    }

    /// No candidate of ours is to come.
    pub(super) fn end_candidates(&mut self) {
        self.trickle.is_gathering = false;
    }
}
