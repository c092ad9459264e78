//! The formats of a video m-line: codec, parameters, retransmission and feedback.

use crate::session::payload::{PayloadTypes, format_parameter, rtpmap};
use crate::session::sdp::Media;
use crate::video::VideoCodec;

/// Formats of one m-line that are looked at; a browser names some forty.
const MOST_FORMATS: usize = 64;
/// What H.264 is offered as: constrained baseline, level 3.1, which every far end decodes.
const OWN_PROFILE: &str = "42e01f";

/// What a far end may send back about a stream (RFC 4585, RFC 5104).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Feedback {
    /// Generic NACK.
    pub nack: bool,
    /// Picture loss indication.
    pub pli: bool,
    /// Full intra request.
    pub fir: bool,
    /// Receiver estimated maximum bit rate.
    pub remb: bool,
    /// Transport-wide congestion control.
    pub transport_wide: bool,
}

impl Feedback {
    const ALL: Self = Self {
        nack: true,
        pli: true,
        fir: true,
        remb: true,
        transport_wide: true,
    };

    /// What both sides know.
    fn and(self, other: Self) -> Self {
        Self {
            nack: self.nack && other.nack,
            pli: self.pli && other.pli,
            fir: self.fir && other.fir,
            remb: self.remb && other.remb,
            transport_wide: self.transport_wide && other.transport_wide,
        }
    }

    /// The values of `a=rtcp-fb`, without the payload type.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.remb, "goog-remb"),
            (self.transport_wide, "transport-cc"),
            (self.fir, "ccm fir"),
            (self.nack, "nack"),
            (self.pli, "nack pli"),
        ];
        all.into_iter()
            .filter(|(is_set, _)| *is_set)
            .map(|(_, name)| name)
    }

    fn read(media: &Media, payload_type: u8) -> Self {
        let mut found = Self::default();
        for value in media.section.attributes("rtcp-fb") {
            let Some((number, what)) = value.split_once(' ') else {
                continue;
            };
            if number != "*" && number.parse() != Ok(payload_type) {
                continue;
            }
            match what.trim() {
                "nack" => found.nack = true,
                "nack pli" => found.pli = true,
                "ccm fir" => found.fir = true,
                "goog-remb" => found.remb = true,
                "transport-cc" => found.transport_wide = true,
                _ => {}
            }
        }
        found
    }
}

/// One payload type that means a video codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The number.
    pub payload_type: u8,
    /// The codec.
    pub codec: VideoCodec,
    /// `a=fmtp`, as written by whoever named the format.
    pub parameters: String,
    /// What lost packets are sent again with (RFC 4588).
    pub retransmission: Option<u8>,
    /// What may be fed back.
    pub feedback: Feedback,
}

/// Formats in the order of their author's wish.
pub(crate) type Formats = Vec<Format>;

/// Reads the video formats of an m-line.
pub(super) fn read(media: &Media) -> Formats {
    let numbers = media.formats.iter().take(MOST_FORMATS);
    let numbers: Vec<u8> = numbers
        .filter_map(|format| format.parse().ok().filter(|n| *n < 128))
        .collect();
    let retransmits = |payload_type: u8| {
        let mut others = numbers.iter().copied();
        others.find(|number| {
            rtpmap(media, *number).is_some_and(|map| name_of(map).eq_ignore_ascii_case("rtx"))
                && format_parameter(media, *number, "apt").and_then(|apt| apt.parse().ok())
                    == Some(payload_type)
        })
    };
    let known = numbers.iter().filter_map(|&payload_type| {
        let encoding = rtpmap(media, payload_type)?;
        let (name, clock) = encoding.split_once('/')?;
        let codec = VideoCodec::from_name(name.trim())?;
        (clock.trim() == "90000").then(|| Format {
            payload_type,
            codec,
            parameters: parameters(media, payload_type)
                .unwrap_or_default()
                .to_owned(),
            retransmission: retransmits(payload_type),
            feedback: Feedback::read(media, payload_type),
        })
    });
    known.collect()
}

fn name_of(encoding: &str) -> &str {
    encoding.split('/').next().unwrap_or(encoding).trim()
}

fn parameters(media: &Media, payload_type: u8) -> Option<&str> {
    media.section.attributes("fmtp").find_map(|value| {
        let (number, parameters) = value.split_once(' ')?;
        (number.parse() == Ok(payload_type)).then_some(parameters.trim())
    })
}

/// Our formats for an offer, with numbers that mean nothing else in the call.
pub(super) fn offering(codecs: &[VideoCodec], audio: &PayloadTypes) -> Formats {
    let mut taken: Vec<u8> = Vec::new();
    let mut number = |wanted: u8| {
        let mut candidates = (wanted..=127).chain(96..wanted);
        let found = candidates.find(|n| !audio.has(*n) && !taken.contains(n))?;
        taken.push(found);
        Some(found)
    };
    let mut formats = Formats::new();
    for codec in codecs {
        let wanted = match codec {
            VideoCodec::Vp8 => 102,
            VideoCodec::H264 => 104,
            VideoCodec::Vp9 => 106,
            VideoCodec::Av1 => 108,
        };
        let (Some(payload_type), retransmission) = (number(wanted), number(wanted + 1)) else {
            continue;
        };
        formats.push(Format {
            payload_type,
            codec: *codec,
            parameters: own_parameters(*codec),
            retransmission,
            feedback: Feedback::ALL,
        });
    }
    formats
}

fn own_parameters(codec: VideoCodec) -> String {
    match codec {
        VideoCodec::H264 => {
            format!("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={OWN_PROFILE}")
        }
        VideoCodec::Vp9 => "profile-id=0".to_owned(),
        VideoCodec::Vp8 | VideoCodec::Av1 => String::new(),
    }
}

/// What we take of an offer, best first: for each codec of ours the entry that suits it most.
pub(super) fn choose(wanted: &[VideoCodec], theirs: &Formats) -> Formats {
    let best = wanted.iter().filter_map(|codec| {
        let mut entries: Vec<&Format> = theirs
            .iter()
            .filter(|format| format.codec == *codec && rank(format).is_some())
            .collect();
        entries.sort_by_key(|format| rank(format));
        entries.first().map(|format| Format {
            feedback: format.feedback.and(Feedback::ALL),
            ..(*format).clone()
        })
    });
    best.collect()
}

/// How well an entry suits; None if not at all. Packets are passed on as they come, so what is
/// agreed with one far end must be what any other one can decode.
fn rank(format: &Format) -> Option<u8> {
    match format.codec {
        VideoCodec::Vp8 => Some(0),
        VideoCodec::Vp9 => (parameter(format, "profile-id").unwrap_or("0") == "0").then_some(0),
        VideoCodec::Av1 => (parameter(format, "profile").unwrap_or("0") == "0").then_some(0),
        VideoCodec::H264 => {
            let is_fragmenting = parameter(format, "packetization-mode") == Some("1");
            let profile = parameter(format, "profile-level-id").unwrap_or("42000a");
            let profile = profile.to_ascii_lowercase();
            let distance = match profile.get(..4) {
                Some("42e0" | "42c0") => 0,
                Some(baseline) if baseline.starts_with("42") => 1,
                _ => 2,
            };
            Some(distance + if is_fragmenting { 0 } else { 3 })
        }
    }
}

fn parameter<'a>(format: &'a Format, name: &str) -> Option<&'a str> {
    format.parameters.split(';').find_map(|one| {
        let (key, value) = one.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Of our offered formats those an answer took, in the answer's order, with its numbers (to send
/// with) and with ours (to receive).
pub(super) fn taken(ours: &Formats, theirs: &Formats) -> (Formats, Formats) {
    let pairs = theirs.iter().filter_map(|their| {
        let same_number = |own: &&Format| own.payload_type == their.payload_type;
        let of_codec = |own: &&Format| own.codec == their.codec;
        let mut own = ours.iter().filter(of_codec);
        let own = own.clone().find(same_number).or_else(|| own.next())?;
        let feedback = own.feedback.and(their.feedback);
        let has_rtx = own.retransmission.is_some() && their.retransmission.is_some();
        let with = |format: &Format| Format {
            feedback,
            retransmission: format.retransmission.filter(|_| has_rtx),
            ..format.clone()
        };
        Some((with(their), with(own)))
    });
    pairs.unzip()
}
