//! The video codecs that are passed through.

/// A codec whose packets are carried as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// RFC 7741.
    Vp8,
    /// RFC 6184.
    H264,
    /// RFC 9628.
    Vp9,
    /// The payload format of the Alliance for Open Media.
    Av1,
}

impl VideoCodec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Vp8, Self::H264, Self::Vp9, Self::Av1];

    /// Its encoding name in descriptions.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::H264 => "H264",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
        }
    }

    /// Finds one by its encoding name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|codec| codec.name().eq_ignore_ascii_case(name))
    }
}
