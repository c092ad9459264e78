//! WAV as it comes, without an end that is known.

use super::{SampleFormat, WavError, read_format};
use crate::octets::Step;

/// Frames that are made into samples in one step.
const FRAMES: usize = 16_384;

/// Reads WAV from octets in their order.
#[derive(Debug, Default)]
pub(crate) struct WavOctets {
    has_begun: bool,
    format: Option<(SampleFormat, u32, u16)>,
    /// Octets of sound that are to come; None before the sound.
    left: Option<u64>,
}

impl WavOctets {
    /// The rate, once it is known.
    pub(crate) fn rate_hz(&self) -> Option<u32> {
        self.format.map(|(_, rate_hz, _)| rate_hz)
    }

    /// Takes the first octets.
    pub(crate) fn step_untrusted(
        &mut self,
        octets: &[u8],
        samples: &mut Vec<i16>,
    ) -> Result<Step, WavError> {
        if !self.has_begun {
            let Some(riff) = octets.first_chunk::<12>() else {
                return Ok(Step::More);
            };
            if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
                return Err(WavError::NotWav);
            }
            self.has_begun = true;
            return Ok(Step::Pass(12));
        }
        let Some(left) = self.left else {
            return self.chunk_untrusted(octets);
        };
        let (format, _, channels) = self.format.ok_or(WavError::Truncated)?;
        let frame = format.bytes() * usize::from(channels);
        if left < frame as u64 {
            return Ok(Step::Over);
        }
        let there = octets
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = (there / frame).min(FRAMES);
        if count == 0 {
            return Ok(Step::More);
        }
        let frames = octets[..count * frame].chunks_exact(frame);
        samples.extend(frames.map(|one| format.mean(one)));
        self.left = Some(left - (count * frame) as u64);
        Ok(Step::Pass((count * frame) as u64))
    }

    fn chunk_untrusted(&mut self, octets: &[u8]) -> Result<Step, WavError> {
        let Some((head, body)) = octets.split_first_chunk::<8>() else {
            return Ok(Step::More);
        };
        let size = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        let whole = 8 + size + size % 2;
        match &head[..4] {
            b"fmt " if (body.len() as u64) < size + size % 2 && size <= 4_096 => {
                return Ok(Step::More);
            }
            b"fmt " => self.format = Some(read_format(&mut &*body, size)?),
            b"data" => {
                self.format.ok_or(WavError::Truncated)?;
                // Who writes to a pipe does not know, and leaves 0 or the most.
                let is_known = size != 0 && size < u64::from(u32::MAX) - 64;
                self.left = Some(if is_known { size } else { u64::MAX });
                return Ok(Step::Pass(8));
            }
            _ => {}
        }
        Ok(Step::Pass(whole))
    }
}
