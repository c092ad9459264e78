//! Whether an offer brings video that a call does not have yet.

use crate::session::sdp::{Description, Direction, Media};

/// Whether an offer brings video that is not there. `before` is what its author said last and
/// `ours` what we did.
///
/// A line that paused while one side held the other brings nothing when it goes on.
pub fn detect_video(sdp: &str, before: &str, ours: &str) -> bool {
    let Ok(offer) = Description::parse_untrusted(sdp) else {
        return false;
    };
    let sides = [before, ours].map(|text| Description::parse_untrusted(text).ok());
    let mut media = offer.media.iter().enumerate();
    media.any(|(place, media)| flows(&offer, media) && !was_there(&sides, place))
}

fn is_video(media: &Media) -> bool {
    media.kind == "video" && !media.is_refused()
}

fn flows(description: &Description, media: &Media) -> bool {
    is_video(media) && description.direction(media) != Direction::Inactive
}

fn was_there(sides: &[Option<Description>; 2], place: usize) -> bool {
    let [Some(theirs), Some(ours)] = sides else {
        return false;
    };
    let both = [theirs, ours];
    let all = |says: fn(&Description, &Media) -> bool| {
        both.iter().all(|side| {
            let media = side.media.get(place);
            media.is_some_and(|media| says(side, media))
        })
    };
    let is_held = both.iter().any(|side| holds(side));
    all(flows) || (is_held && all(|_, media| is_video(media)))
}

fn holds(description: &Description) -> bool {
    let mut media = description.media.iter();
    let audio = media.find(|media| media.kind == "audio" && !media.is_refused());
    audio.is_some_and(|audio| description.direction(audio) != Direction::SendReceive)
}
