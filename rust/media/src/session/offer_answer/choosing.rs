//! Which m-line and which codec of an offer are taken.

use super::super::payload::PayloadTypes;
use super::super::profile::{kind_of_offer, wanted};
use super::super::sdp::{Description, Media};
use super::{OfferAnswer, refused};
use crate::MediaError;
use crate::codec::CodecKind;

impl OfferAnswer {
    /// The m-line of an offer that is the call's.
    pub(super) fn index_in_offer(&self, description: &Description) -> Result<usize, MediaError> {
        let fits = |media: &Media| {
            !media.is_refused()
                && media.kind == "audio"
                && kind_of_offer(&self.settings, description, media).is_some()
        };
        if let Some(index) = self.index {
            let media = description.media.get(index);
            return media
                .filter(|media| fits(media))
                .map(|_| index)
                .ok_or_else(|| refused("the new offer takes the audio stream away"));
        }
        let has_codec = |media: &&(usize, &Media)| {
            let theirs = PayloadTypes::read(media.1);
            self.choose(&theirs).is_ok()
        };
        let audio: Vec<(usize, &Media)> = description
            .media
            .iter()
            .enumerate()
            .filter(|(_, media)| fits(media))
            .collect();
        let chosen = audio.iter().find(has_codec).or(audio.first());
        chosen.map(|(index, _)| *index).ok_or_else(|| {
            let wanted = wanted(&self.settings);
            refused(&format!("the offer has no audio stream over {wanted}"))
        })
    }

    pub(super) fn choose(&self, theirs: &PayloadTypes) -> Result<CodecKind, MediaError> {
        let mut wanted = self.settings.codecs.iter().copied();
        wanted
            .find(|codec| theirs.of_codec(*codec).is_some())
            .ok_or_else(|| refused("the offer has none of our codecs"))
    }
}
