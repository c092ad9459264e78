//! The m-line of data channels (RFC 8841, RFC 8864): one at most, in the bundle of the audio.

use std::collections::BTreeSet;

use super::reading::is_bundled;
use super::{Exchange, FurtherLines, Writing, mids};
use crate::MediaError;
use crate::session::negotiation::TransportKind;
use crate::session::offer_answer::OfferAnswer;
use crate::session::sdp::Media;
use crate::session::sdp_writer::{Lines, line, write_ice_of_bundle};
use crate::transport::sctp::{LONGEST_MESSAGE, PORT};

const PROTOCOL: &str = "UDP/DTLS/SCTP";
const FORMAT: &str = "webrtc-datachannel";
/// What is taken at most by who does not say (RFC 8841 §6.1).
const USUAL_LONGEST: usize = 64 * 1024;

/// The line, and what is wanted of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Application {
    /// The program has opened a channel.
    is_wanted: bool,
    /// The program takes channels of the far end.
    accepts: bool,
    /// Where it stands in descriptions; None as long as it has no place.
    pub(super) place: Option<usize>,
    pub(super) mid: Option<String>,
    /// What the far end takes at most, once it is agreed.
    longest: Option<usize>,
    /// The far end does not want it.
    is_refused: bool,
}

impl Application {
    /// Gives it a place in our offer, if it is wanted and has none.
    pub(super) fn offer(
        &mut self,
        has_mids: bool,
        places: &mut impl Iterator<Item = usize>,
        names: &mut BTreeSet<String>,
        next_mid: &mut usize,
    ) {
        self.is_refused = false;
        if !self.is_wanted || self.place.is_some() || !has_mids {
            return;
        }
        self.place = places.next();
        let mid = mids::free(names, (*next_mid).max(self.place.unwrap_or_default()));
        *next_mid = mid + 1;
        self.mid = Some(mid.to_string());
        names.extend(self.mid.clone());
    }

    /// Takes an offer.
    pub(super) fn take_offer(&mut self, exchange: Exchange<'_>) {
        let media = exchange.description.media.iter().enumerate();
        let had_one = self.place.is_some();
        self.is_refused = false;
        let wants = had_one || self.is_wanted || self.accepts;
        let known = self.place;
        let found = media
            .filter(|(place, _)| known.is_none_or(|known| known == *place))
            .find_map(|(place, media)| Some((place, media, read(exchange, media)?)));
        match found.filter(|_| wants) {
            Some((place, media, longest)) => {
                self.place = Some(place);
                self.mid = mids::of(media);
                self.longest = Some(longest);
            }
            None if had_one => self.lose(),
            None => {}
        }
    }

    /// Takes the answer to our offer.
    pub(super) fn take_answer(&mut self, exchange: Exchange<'_>) {
        let Some(place) = self.place else {
            return;
        };
        let media = exchange.description.media.get(place);
        match media.and_then(|media| read(exchange, media)) {
            Some(longest) => self.longest = Some(longest),
            None => self.lose(),
        }
    }

    fn lose(&mut self) {
        *self = Self {
            accepts: self.accepts,
            is_refused: true,
            ..Self::default()
        };
    }

    /// Goes back to what was agreed; a wish about offers stays.
    pub(super) fn go_back(&self, before: &Self) -> Self {
        Self {
            accepts: self.accepts,
            ..before.clone()
        }
    }

    fn write(&self, out: &mut Lines, port: u16, protocol: &str, writing: &Writing<'_>) {
        line!(out, "m=application {port} {protocol} {FORMAT}");
        if let Some(mid) = &self.mid {
            line!(out, "a=mid:{mid}");
        }
        if port == 0 {
            line!(out, "a=bundle-only");
        }
        write_ice_of_bundle(out, writing.local, writing.role);
        line!(out, "a=sctp-port:{PORT}");
        line!(out, "a=max-message-size:{LONGEST_MESSAGE}");
    }
}

impl FurtherLines {
    /// Writes the line that an offer has at `place`; false if it is not this one.
    pub(super) fn write_offered_data(
        &self,
        out: &mut Lines,
        place: usize,
        writing: &Writing<'_>,
    ) -> bool {
        let is_here = self.application.place == Some(place);
        if is_here {
            let port = if writing.is_bundled {
                writing.local.rtp_port
            } else {
                0
            };
            self.application.write(out, port, PROTOCOL, writing);
        }
        is_here
    }

    /// Writes our answer to an offered line; false if it is not this one.
    pub(super) fn write_answered_data(
        &self,
        out: &mut Lines,
        (place, media): (usize, &Media),
        writing: &Writing<'_>,
    ) -> bool {
        let is_here = self.application.place == Some(place) && self.application.longest.is_some();
        if is_here {
            let port = writing.local.rtp_port;
            self.application.write(out, port, &media.protocol, writing);
        }
        is_here
    }
}

impl OfferAnswer {
    /// Takes a line for data the far end offers, from the next description on, or no longer.
    pub fn accept_data(&mut self, accepts: bool) {
        self.further.application.accepts = accepts;
    }

    /// Wants a line for data, or does without; takes effect in the next description.
    pub fn want_data(&mut self, is_wanted: bool) {
        self.further.application.is_wanted = is_wanted && self.kind() == TransportKind::Ice;
    }

    /// Refuses data channels where nothing carries them.
    ///
    /// # Errors
    /// `MediaError::State` over any transport but ICE.
    pub fn check_data(&self) -> Result<(), MediaError> {
        if self.kind() == TransportKind::Ice {
            return Ok(());
        }
        Err(MediaError::State(
            "data channels go over ICE and DTLS: the call needs media=\"webrtc\"".to_owned(),
        ))
    }

    /// What the far end takes at most, once a line for data is agreed.
    pub fn agreed_data(&self) -> Option<usize> {
        self.further.application.longest
    }

    /// Whether the far end has refused a line for data, or taken it away.
    pub fn is_data_refused(&self) -> bool {
        self.further.application.is_refused
    }
}

/// What the author of an m-line takes at most; None if it is no line of data, or not like ours.
fn read(exchange: Exchange<'_>, media: &Media) -> Option<usize> {
    let is_ours = media.kind == "application"
        && !media.is_refused()
        && media.protocol.ends_with("/DTLS/SCTP")
        && media.formats.iter().any(|format| format == FORMAT)
        && is_bundled(exchange, media);
    let port = media.section.attribute("sctp-port");
    if !is_ours || port.is_some_and(|port| port.parse() != Ok(PORT)) {
        return None;
    }
    let told = media.section.attribute("max-message-size");
    match told.map(str::parse) {
        // Nought is without limit.
        Some(Ok(0)) => Some(LONGEST_MESSAGE),
        Some(Ok(longest)) => Some(longest),
        _ => Some(USUAL_LONGEST),
    }
}
