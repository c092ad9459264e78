//! Candidates that come and go after the descriptions, as fragments of them (RFC 8840).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use super::Session;
use super::candidates_writer::write_candidates;
use super::offer_answer::{LocalMedia, refused};
use super::sdp::{Description, Media};
use super::sdp_writer::{Lines, line};
use crate::MediaError;
use crate::event::EventKind;
use crate::transport::{IceDescription, Transport, Trickled};

/// Stands for the audio, where lines have their numbers, which begin with 1.
const AUDIO: u64 = 0;

/// What we tell of our candidates after a description.
#[derive(Debug, Default)]
pub(super) struct Trickle {
    /// The peer takes fragments: descriptions need not wait for candidates.
    is_on: bool,
    /// Gathering will begin, or has begun and is not over.
    is_gathering: bool,
    /// The generation of ours, by its user name fragment, whose end was told: of the audio, and of
    /// lines by themselves.
    complete: BTreeMap<u64, String>,
}

/// What a fragment of the peer's says of one transport.
pub(super) struct Part<'a> {
    ufrag: &'a str,
    candidates: Vec<&'a str>,
    is_end: bool,
}

impl<'a> Part<'a> {
    /// `named` is a name the fragment has, for a part that has none.
    fn new(fragment: &'a Description, sections: &[&'a Media], named: &'a str) -> Self {
        let end = "end-of-candidates";
        let own = sections.iter().map(|media| &media.section);
        let mut all = own.clone().chain([&fragment.session]);
        Self {
            ufrag: ufrag_of(fragment, sections).unwrap_or(named),
            candidates: own
                .flat_map(|section| section.attributes("candidate"))
                .collect(),
            is_end: all.any(|section| section.attribute(end).is_some()),
        }
    }

    /// Gives it to its transport.
    pub(super) fn give(&self, now: Instant, transport: Option<&mut Transport>) -> Trickled {
        let Some(Transport::Ice(ice)) = transport else {
            return Trickled::Unknown;
        };
        let candidates = self.candidates.iter().copied();
        ice.trickle(now, self.ufrag, candidates, self.is_end)
    }
}

/// The user name fragment of some parts of a fragment; what is said once is said for all.
fn ufrag_of<'a>(fragment: &'a Description, sections: &[&'a Media]) -> Option<&'a str> {
    let own = sections.iter().map(|media| &media.section);
    let mut all = own.chain([&fragment.session]);
    all.find_map(|section| section.attribute("ice-ufrag"))
}

/// One of our transports, as a fragment tells of it.
struct Telling<'a> {
    number: u64,
    /// Where its line stands in descriptions.
    place: usize,
    kind: &'static str,
    mid: Option<&'a str>,
    own: &'a IceDescription,
    address: IpAddr,
}

impl Telling<'_> {
    /// Writes its part: credentials stand at the level they have in our descriptions (RFC 8840
    /// §4.4), which is that of lines.
    fn write(&self, out: &mut Lines) {
        line!(out, "m={} 9 RTP/AVP 0", self.kind);
        if let Some(mid) = self.mid {
            line!(out, "a=mid:{mid}");
        }
        write_credentials(out, self.own);
        write_candidates(out, self.own, self.address);
        if self.own.is_complete {
            line!(out, "a=end-of-candidates");
        }
    }
}

fn write_credentials(out: &mut Lines, own: &IceDescription) {
    line!(out, "a=ice-ufrag:{}", own.ufrag);
    line!(out, "a=ice-pwd:{}", own.password);
}

impl Session {
    /// Notes that the peer takes candidates by fragments: `LOCAL_CANDIDATES` tells of each one that
    /// no description has had. With `is_gathering` descriptions do not end the candidates
    /// before the next `GATHERED`.
    pub fn trickle(&mut self, is_gathering: bool) {
        self.trickle.is_on = true;
        self.trickle.is_gathering = is_gathering;
    }

    /// The fragment that tells all candidates of the generations offered last or in force, of each
    /// path; empty when the end of all was told, as none may follow then (RFC 8838 §13).
    pub fn fragment(&mut self) -> String {
        let Ok(local) = self.local_media(true) else {
            return String::new();
        };
        let told = self.tellings(&local);
        if told.iter().all(|one| self.was_told(one.number, one.own)) {
            return String::new();
        }
        let mut out = Lines::default();
        told.iter().for_each(|one| one.write(&mut out));
        self.note_told(&local);
        out.into_text()
    }

    /// Our transports by ICE that descriptions speak of, in the order of their lines.
    fn tellings<'a>(&'a self, local: &'a LocalMedia) -> Vec<Telling<'a>> {
        let audio = local.ice.as_ref().map(|own| Telling {
            number: AUDIO,
            place: self.offer_answer.place(),
            kind: "audio",
            mid: self.offer_answer.mid(),
            own,
            address: local.address,
        });
        let lines = local.lines.iter().filter_map(|(number, media)| {
            let mut lines = self.offer_answer.lines().iter();
            let line = lines.find(|line| line.number == *number)?;
            Some(Telling {
                number: *number,
                place: line.place()?,
                kind: "video",
                mid: line.mid(),
                own: media.ice.as_ref()?,
                address: media.address,
            })
        });
        let mut all: Vec<_> = audio.into_iter().chain(lines).collect();
        all.sort_by_key(|one| one.place);
        all
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
        let Some(named) = ufrag_of(&fragment, &fragment.media.iter().collect::<Vec<_>>()) else {
            return Err(refused("the fragment has no ICE credentials"));
        };
        let shared = self.sections_of_ours(&fragment);
        let mut outcomes = Vec::new();
        for line in self.offer_answer.lines() {
            let at = |(place, media): (usize, &'_ Media)| match media.section.attribute("mid") {
                Some(mid) => line.mid() == Some(mid),
                None => line.place() == Some(place),
            };
            let mut places = fragment.media.iter().enumerate();
            let part = places.position(at).map(|place| &fragment.media[place]);
            let part = part.filter(|part| !shared.contains(part));
            let Some(part) = part else { continue };
            let part = Part::new(&fragment, &[part], named);
            let videos = self.videos.as_mut();
            outcomes.extend(videos.map(|videos| videos.trickle(now, line.number, &part)));
        }
        if !shared.is_empty() || outcomes.is_empty() {
            let part = Part::new(&fragment, &shared, named);
            outcomes.push(part.give(now, self.transport.as_mut()));
        }
        self.drain_transport(now);
        self.drain_lines(now);
        let all = [Trickled::Unknown, Trickled::Taken];
        let told = all.into_iter().find(|one| outcomes.contains(one));
        Ok(told.unwrap_or(Trickled::Old))
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
    pub(super) fn note_told(&mut self, local: &LocalMedia) {
        let told = self.tellings(local);
        let complete = told.iter().filter(|one| one.own.is_complete);
        let complete: Vec<_> = complete
            .map(|one| (one.number, one.own.ufrag.clone()))
            .collect();
        self.trickle.complete.extend(complete);
    }

    fn was_told(&self, number: u64, own: &IceDescription) -> bool {
        self.trickle.complete.get(&number) == Some(&own.ufrag)
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
