//! Offer and answer for the one audio stream of a call (RFC 3264, RFC 8829, RFC 5763).
//!
//! Takes the peer's descriptions, writes ours, and says what was agreed. It holds no transport:
//! whoever owns both gives `Negotiated::transport` to the transport after each `set_remote`, and
//! tells `create_offer` and `create_answer` what the transport's own half is.

mod choosing;
mod own_ways;
mod placing;

use super::audio_format::AudioSettings;
use super::lines::{Exchange, FurtherLines};
use super::negotiation::{Ours, Theirs, negotiate, offered_direction};
use super::payload::PayloadTypes;
use super::sdp::{Description, Direction, Media};
use super::sdp_writer::{Answering, Offering, offered_mid, write_answer, write_offer};
use crate::MediaError;
use crate::codec::CodecKind;

pub use super::exchange::{Applied, DescriptionKind, LocalMedia};
pub use super::negotiation::{Negotiated, RemoteTransport, TelephoneEvent, TransportKind, detect};

/// What does not change in a session's life.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The transport of offers; after an exchange, the one in use.
    pub kind: TransportKind,
    /// Others the peer's offers may change to. With `Plain` among them, the keys of an `Sdes`
    /// offer are the peer's to use or not.
    pub accepts: Vec<TransportKind>,
    /// Codecs, most wanted first; must not be empty.
    pub codecs: Vec<CodecKind>,
    /// Offer and accept telephone events (RFC 4733).
    pub dtmf: bool,
    /// Packet time to send with unless the peer asks for another.
    pub ptime_ms: u16,
    /// The number in `o=`, unique per session.
    pub session_id: u64,
    /// The SSRC we send with, told to browsers.
    pub ssrc: u32,
    /// Our RTCP canonical name.
    pub cname: String,
    /// How audio is sent and wanted.
    pub audio: AudioSettings,
}

#[derive(Debug, Clone)]
enum State {
    Stable,
    /// Our offer is out; a provisional answer of this dialog may have been applied.
    LocalOffer {
        applied: Option<String>,
        /// What it was offered over: the answer of one fork does not bind the others.
        kind: TransportKind,
    },
    RemoteOffer,
}

/// The offer/answer machine of one session.
#[derive(Debug, Clone)]
pub struct OfferAnswer {
    settings: Settings,
    state: State,
    wish: Direction,
    /// Payload types in use; fixed once both know them (RFC 3264 §8.3.2).
    payload_types: PayloadTypes,
    /// The lines beside the audio.
    pub(super) further: FurtherLines,
    /// What was in force after the last whole exchange, for `rollback`.
    agreed: Option<(Direction, PayloadTypes, FurtherLines)>,
    remote: Option<Description>,
    /// Which m-line is the call's; fixed by the first exchange.
    index: Option<usize>,
    /// The mid the call's m-line has, if mids are used.
    mid: Option<String>,
    is_dtls_client: Option<bool>,
    negotiated: Option<Negotiated>,
    version: u64,
    last_body: String,
}

impl OfferAnswer {
    /// Makes one in which nothing is agreed yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Stable,
            wish: Direction::SendReceive,
            payload_types: PayloadTypes::default(),
            further: FurtherLines::default(),
            agreed: None,
            remote: None,
            index: None,
            mid: None,
            is_dtls_client: None,
            negotiated: None,
            version: 0,
            last_body: String::new(),
        }
    }

    /// Says how audio is sent and wanted; takes effect in the next description.
    pub fn set_audio(&mut self, audio: AudioSettings) {
        self.settings.audio = audio;
    }

    /// How audio is sent and wanted.
    pub fn audio(&self) -> &AudioSettings {
        &self.settings.audio
    }

    /// Says which way we want media to flow; takes effect in the next description.
    pub fn set_wish(&mut self, wish: Direction) {
        self.wish = wish;
    }

    /// Forgets an offer of ours that was refused or crossed the peer's: all is as it was agreed
    /// before (RFC 3261 §14.1). Without an offer out it forgets a wish that was not offered yet.
    pub fn rollback(&mut self) {
        if let Some((wish, payload_types, further)) = &self.agreed {
            self.wish = *wish;
            self.further.go_back(further);
            if !matches!(self.state, State::Stable) {
                self.payload_types = payload_types.clone();
                self.state = State::Stable;
            }
        }
    }

    /// Offers another transport from now on; an offer that is out is forgotten.
    pub(super) fn offer_over(&mut self, kind: TransportKind, accepts: Vec<TransportKind>) {
        self.settings.kind = kind;
        self.settings.accepts = accepts;
        self.state = State::Stable;
    }

    /// The transport of our offers; after an exchange, the one in use.
    pub(super) fn kind(&self) -> TransportKind {
        self.settings.kind
    }

    /// What is agreed, if anything.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// Whether the peer's offer waits for our answer.
    pub fn has_remote_offer(&self) -> bool {
        matches!(self.state, State::RemoteOffer)
    }

    /// Writes an offer. An earlier one that was not answered is forgotten with it.
    pub fn create_offer(&mut self, local: &LocalMedia) -> Result<String, MediaError> {
        if self.has_remote_offer() {
            return Err(MediaError::State(
                "the peer's offer waits for an answer: answer it before offering".to_owned(),
            ));
        }
        let payload_types = self
            .payload_types
            .offering(&self.settings.codecs, self.settings.dtmf);
        let index = self.index.unwrap_or(0);
        let remote = self.remote.as_ref();
        let mid = offered_mid(self.settings.kind, self.mid.as_deref(), index, remote);
        let mut further = self
            .further
            .offering(index, remote, &payload_types, mid.is_some());
        further.offer_own_ways(&self.own_ways_at(local));
        let body = write_offer(&Offering {
            settings: &self.settings,
            local,
            payload_types: &payload_types,
            direction: self.wish,
            mid,
            index,
            remote,
            further: &further,
        });
        self.further = further;
        self.payload_types = payload_types;
        self.state = State::LocalOffer {
            applied: None,
            kind: self.settings.kind,
        };
        Ok(self.stamped(local, body))
    }

    /// Takes a description of the peer.
    ///
    /// `dialog` tells the early dialogs of a forked call apart. A remote offer while ours is out
    /// takes its place: whoever signals has refused or withdrawn ours by then.
    /// Raises Negotiation, with nothing changed, if the two sides do not fit.
    pub fn set_remote(
        &mut self,
        sdp: &str,
        kind: DescriptionKind,
        dialog: &str,
    ) -> Result<Applied, MediaError> {
        let description = Description::parse_untrusted(sdp)?;
        match kind {
            DescriptionKind::Offer => self.set_offer(description),
            DescriptionKind::Answer | DescriptionKind::Provisional => {
                self.set_answer(description, kind, dialog)
            }
        }
    }

    fn set_offer(&mut self, description: Description) -> Result<Applied, MediaError> {
        let index = self.index_in_offer(&description)?;
        let media = &description.media[index];
        let theirs = PayloadTypes::read(media);
        let codec = self.choose(&theirs)?;
        // In an answer the offer's numbers serve both ways (RFC 3264 §6.1).
        let negotiated = self.negotiate((&description, media, &theirs), &theirs, codec, true)?;
        let exchange = Exchange::new((&description, index), &negotiated, self.wish, true);
        self.further = self.further.offered(exchange);
        self.mid = media.section.attribute("mid").map(str::to_owned);
        self.index = Some(index);
        self.payload_types = theirs;
        self.remote = Some(description);
        self.state = State::RemoteOffer;
        self.remember(negotiated, false)
    }

    fn set_answer(
        &mut self,
        description: Description,
        kind: DescriptionKind,
        dialog: &str,
    ) -> Result<Applied, MediaError> {
        let State::LocalOffer {
            applied,
            kind: offered,
        } = &self.state
        else {
            return Err(MediaError::State(
                "an answer came although no offer is out".to_owned(),
            ));
        };
        let offered = *offered;
        let is_other_fork =
            self.remote.is_some() && applied.as_ref().is_some_and(|earlier| earlier != dialog);
        let index = self.index.unwrap_or(0);
        let media = description
            .media
            .get(index)
            .filter(|media| !media.is_refused() && media.kind == "audio")
            .ok_or_else(|| refused("the answer refuses the audio stream"))?;
        let theirs = PayloadTypes::read(media);
        let ours = self.payload_types.clone();
        // The answer's order is the answerer's wish (RFC 3264 §7).
        let codec = theirs
            .codecs
            .iter()
            .map(|(_, codec)| *codec)
            .find(|codec| ours.of_codec(*codec).is_some())
            .ok_or_else(|| refused("the answer has none of the offered codecs"))?;
        if is_other_fork {
            self.is_dtls_client = None;
        }
        let negotiated = self.negotiate((&description, media, &theirs), &ours, codec, false)?;
        let exchange = Exchange::new((&description, index), &negotiated, self.wish, false);
        self.further = self.further.answered(exchange);
        self.index = Some(index);
        self.remote = Some(description);
        self.state = match kind {
            DescriptionKind::Provisional => State::LocalOffer {
                applied: Some(dialog.to_owned()),
                kind: offered,
            },
            _ => {
                self.keep_agreed();
                State::Stable
            }
        };
        self.remember(negotiated, is_other_fork)
    }

    fn negotiate(
        &self,
        (description, media, theirs): (&Description, &Media, &PayloadTypes),
        ours: &PayloadTypes,
        codec: CodecKind,
        is_offer: bool,
    ) -> Result<Negotiated, MediaError> {
        let offered = match &self.state {
            State::LocalOffer { kind, .. } => *kind,
            _ => self.settings.kind,
        };
        let ours = Ours {
            settings: &self.settings,
            offered,
            wish: self.wish,
            is_dtls_client: self.is_dtls_client,
            payload_types: ours,
        };
        let theirs = Theirs {
            description,
            media,
            payload_types: theirs,
            is_offer,
        };
        negotiate(&ours, &theirs, codec)
    }

    fn remember(
        &mut self,
        negotiated: Negotiated,
        is_other_fork: bool,
    ) -> Result<Applied, MediaError> {
        let role = negotiated.transport.is_dtls_client();
        self.is_dtls_client = role.or(self.is_dtls_client);
        self.settings.kind = negotiated.transport.kind();
        self.negotiated = Some(negotiated.clone());
        Ok(Applied {
            negotiated,
            is_other_fork,
        })
    }

    /// Writes the answer to the peer's offer.
    pub fn create_answer(&mut self, local: &LocalMedia) -> Result<String, MediaError> {
        let (State::RemoteOffer, Some(remote), Some(index)) =
            (&self.state, &self.remote, self.index)
        else {
            return Err(MediaError::State("there is no offer to answer".to_owned()));
        };
        let Some(negotiated) = &mut self.negotiated else {
            return Err(MediaError::State("there is no offer to answer".to_owned()));
        };
        let media = &remote.media[index];
        let offered = offered_direction(remote, media, self.settings.kind);
        negotiated.direction = self.wish.and(offered.reversed());
        let is_held = !self.wish.receives();
        self.further.settle(is_held);
        let body = write_answer(&Answering {
            settings: &self.settings,
            local,
            remote,
            index,
            negotiated,
            further: &self.further,
            is_held,
        });
        self.state = State::Stable;
        self.keep_agreed();
        Ok(self.stamped(local, body))
    }

    fn keep_agreed(&mut self) {
        self.agreed = Some((self.wish, self.payload_types.clone(), self.further.clone()));
    }

    /// Puts the first lines before a body; the version grows when the body differs.
    fn stamped(&mut self, local: &LocalMedia, body: String) -> String {
        if body != self.last_body {
            self.version += 1;
            self.last_body = body;
        }
        let family = if local.address.is_ipv4() {
            "IP4"
        } else {
            "IP6"
        };
        format!(
            "v=0\r\no=- {} {} IN {family} {}\r\n{}",
            // Browsers read it as a signed number (RFC 8829 §5.2.1).
            self.settings.session_id & (u64::MAX >> 1),
            self.version,
            local.address,
            self.last_body
        )
    }
}

pub(super) fn refused(reason: &str) -> MediaError {
    MediaError::Negotiation(reason.to_owned())
}
