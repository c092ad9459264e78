//! How audio is sent, as the program wants it and as the far end can take it (RFC 7587 §6.1).

use super::Session;
use super::payload::format_parameter;
use super::sdp::Media;
use crate::MediaError;
use crate::codec::OpusSettings;

/// Below this Opus has no voice to speak of (RFC 7587 §6.1 names the range).
const LEAST_BITRATE_BPS: u32 = 6_000;

/// What a program chooses for the audio it sends and receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AudioSettings {
    /// How Opus is encoded, and what the far end is asked for.
    pub opus: OpusSettings,
    /// Send comfort noise in place of silence with G.711, where the far end takes it (RFC 3389).
    pub has_comfort_noise: bool,
}

/// What the far end says of the Opus it wants to receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpusFormat {
    /// It can use in-band forward error correction.
    pub use_inband_fec: bool,
    /// It would rather have nothing than silence.
    pub use_dtx: bool,
    /// It would rather have two channels.
    pub is_stereo: bool,
    /// It wants packets of one length.
    pub is_constant_bitrate: bool,
    /// Its bound on the mean bit rate, bits per second.
    pub max_average_bitrate_bps: Option<u32>,
    /// The highest sample rate it can play, Hz.
    pub max_playback_rate_hz: Option<u32>,
}

impl OpusFormat {
    /// Reads the parameters of a payload type; unknown and unreadable ones are passed over.
    pub(super) fn read(media: &Media, payload_type: u8) -> Self {
        let text = |name| format_parameter(media, payload_type, name);
        let is_set = |name| text(name) == Some("1");
        let number = |name| text(name).and_then(|value| value.parse().ok());
        Self {
            use_inband_fec: is_set("useinbandfec"),
            use_dtx: is_set("usedtx"),
            is_stereo: is_set("stereo"),
            is_constant_bitrate: is_set("cbr"),
            max_average_bitrate_bps: number("maxaveragebitrate"),
            max_playback_rate_hz: number("maxplaybackrate"),
        }
    }

    /// How to encode for it: as the program chose, within what the far end asks for.
    #[must_use]
    pub fn settings(&self, own: &OpusSettings) -> OpusSettings {
        let greatest = self.max_average_bitrate_bps.unwrap_or(u32::MAX);
        let playback = self.max_playback_rate_hz.unwrap_or(u32::MAX).max(8_000);
        OpusSettings {
            bitrate_bps: own.bitrate_bps.min(greatest.max(LEAST_BITRATE_BPS)),
            has_forward_error_correction: own.has_forward_error_correction && self.use_inband_fec,
            has_discontinuous_transmission: own.has_discontinuous_transmission || self.use_dtx,
            is_stereo: own.is_stereo && self.is_stereo,
            greatest_playback_rate_hz: own.greatest_playback_rate_hz.min(playback),
            is_constant_bitrate: own.is_constant_bitrate || self.is_constant_bitrate,
            ..*own
        }
    }
}

/// Our `a=fmtp` parameters: what we want to receive. Only what differs from the RFC's default is
/// said.
pub(super) fn parameters(own: &OpusSettings) -> String {
    let plain = OpusSettings::default();
    let mut text = "minptime=10".to_owned();
    let mut add = |parameter: &str| {
        text.push(';');
        text.push_str(parameter);
    };
    if own.has_forward_error_correction {
        add("useinbandfec=1");
    }
    if own.has_discontinuous_transmission {
        add("usedtx=1");
    }
    if own.is_stereo {
        add("stereo=1;sprop-stereo=1");
    }
    if own.is_constant_bitrate {
        add("cbr=1");
    }
    if own.bitrate_bps != plain.bitrate_bps {
        add(&format!("maxaveragebitrate={}", own.bitrate_bps));
    }
    if own.greatest_playback_rate_hz < plain.greatest_playback_rate_hz {
        let rate_hz = own.greatest_playback_rate_hz;
        add(&format!(
            "maxplaybackrate={rate_hz};sprop-maxcapturerate={rate_hz}"
        ));
    }
    text
}

impl Session {
    /// Says how audio is sent and wanted; takes effect with the next description agreed on.
    ///
    /// # Errors
    /// `MediaError::Argument` for figures Opus does not know.
    pub fn set_audio(&mut self, audio: AudioSettings) -> Result<(), MediaError> {
        let opus = &audio.opus;
        let is_good = (6_000..=510_000).contains(&opus.bitrate_bps)
            && opus.complexity <= 10
            && (8_000..=48_000).contains(&opus.greatest_playback_rate_hz);
        if !is_good {
            return Err(MediaError::Argument(
                "Opus has 6000-510000 bit/s, a complexity of 0-10 and a playback rate of \
                 8000-48000 Hz"
                    .to_owned(),
            ));
        }
        self.offer_answer.set_audio(audio);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::sdp::Description;

    fn read(parameters: &str) -> OpusFormat {
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 {parameters}\r\n"
        );
        OpusFormat::read(&Description::parse_untrusted(&sdp).unwrap().media[0], 111)
    }

    #[test]
    fn what_one_side_says_the_other_reads() {
        let own = OpusSettings {
            bitrate_bps: 64_000,
            has_discontinuous_transmission: true,
            is_stereo: true,
            greatest_playback_rate_hz: 16_000,
            is_constant_bitrate: true,
            ..OpusSettings::default()
        };

        let heard = read(&parameters(&own));

        assert_eq!(
            heard,
            OpusFormat {
                use_inband_fec: true,
                use_dtx: true,
                is_stereo: true,
                is_constant_bitrate: true,
                max_average_bitrate_bps: Some(64_000),
                max_playback_rate_hz: Some(16_000),
            }
        );
        assert_eq!(
            parameters(&OpusSettings::default()),
            "minptime=10;useinbandfec=1"
        );
    }

    #[test]
    fn what_the_far_end_asks_for_is_kept_to() {
        let own = OpusSettings {
            bitrate_bps: 40_000,
            ..OpusSettings::default()
        };

        let asked =
            read("maxaveragebitrate=20000; maxplaybackrate=8000; usedtx=1; stereo=1; cbr=1")
                .settings(&own);
        let silent = read("minptime=10").settings(&own);
        let absurd = read("maxaveragebitrate=1;maxplaybackrate=0;usedtx=yes").settings(&own);

        assert_eq!(asked.bitrate_bps, 20_000);
        assert_eq!(asked.greatest_playback_rate_hz, 8_000);
        assert!(asked.has_discontinuous_transmission && asked.is_constant_bitrate);
        assert!(!asked.is_stereo, "the program did not want it");
        assert!(!asked.has_forward_error_correction);
        assert_eq!(silent.bitrate_bps, 40_000);
        assert!(!silent.has_discontinuous_transmission);
        assert_eq!(
            (absurd.bitrate_bps, absurd.greatest_playback_rate_hz),
            (LEAST_BITRATE_BPS, 8_000)
        );
    }
}
