//! Which formats are received: those agreed on, and for a moment those of the agreement before.

use crate::codec::CodecKind;

/// What we expect to receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceiveSettings {
    /// All that may arrive, the most likely first; never empty.
    pub(crate) formats: Vec<(u8, CodecKind)>,
    /// Payload type and clock rate of telephone-events.
    pub(crate) telephone_event: Option<(u8, u32)>,
    /// Payload type of comfort noise.
    pub(crate) comfort_noise: Option<u8>,
}

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Audio(CodecKind),
    Event,
    Noise,
}

impl ReceiveSettings {
    fn format(&self, payload_type: u8) -> Option<Format> {
        if self.telephone_event.map(|(event, _)| event) == Some(payload_type) {
            return Some(Format::Event);
        }
        if self.comfort_noise == Some(payload_type) {
            return Some(Format::Noise);
        }
        codec_of(&self.formats, payload_type).map(Format::Audio)
    }
}

fn codec_of(formats: &[(u8, CodecKind)], payload_type: u8) -> Option<CodecKind> {
    let mut formats = formats.iter();
    let audio = formats.find(|(known, _)| *known == payload_type);
    audio.map(|(_, codec)| *codec)
}

/// What a session receives.
#[derive(Debug, Default)]
pub(super) struct Formats {
    agreed: Option<ReceiveSettings>,
    /// What is agreed no more and on its way yet: taken until something that is has come
    /// (RFC 3264 §8.3.2).
    former: Vec<(u8, CodecKind)>,
}

impl Formats {
    /// Puts an agreement in the place of the one before.
    pub(super) fn agree(&mut self, settings: ReceiveSettings) {
        if self.agreed.as_ref() == Some(&settings) {
            return; // a provisional answer and the final one
        }
        if let Some(before) = self.agreed.take() {
            self.former = before.formats;
            self.former
                .retain(|(number, _)| settings.format(*number).is_none());
        }
        self.agreed = Some(settings);
    }

    /// Notes that audio of this payload type has come.
    pub(super) fn note_heard(&mut self, payload_type: u8) {
        if !self.former.is_empty() && codec_of(&self.former, payload_type).is_none() {
            self.former = Vec::new();
        }
    }

    /// What a payload type stands for; None where it means nothing.
    pub(super) fn format(&self, payload_type: u8) -> Option<Format> {
        let agreed = self.agreed.as_ref()?.format(payload_type);
        agreed.or_else(|| codec_of(&self.former, payload_type).map(Format::Audio))
    }

    /// Payload type and clock rate of the telephone-events that are agreed.
    pub(super) fn telephone_event(&self) -> Option<(u8, u32)> {
        self.agreed.as_ref()?.telephone_event
    }
}
