//! FLAC as it comes, without an end that is known.

use super::{FlacError, STREAM_INFO, StreamInfo, mean};
use crate::octets::Step;
use claxon::frame::FrameReader;
use std::io::{Cursor, ErrorKind};

/// Reads FLAC from octets in their order.
#[derive(Debug, Default)]
pub(crate) struct FlacOctets {
    info: Option<StreamInfo>,
    /// The frames have begun.
    has_begun: bool,
    position: u64,
}

impl FlacOctets {
    /// The rate, once it is known.
    pub(crate) fn rate_hz(&self) -> Option<u32> {
        self.info.map(|info| info.rate_hz)
    }

    /// Takes the first octets.
    pub(crate) fn step_untrusted(
        &mut self,
        octets: &[u8],
        samples: &mut Vec<i16>,
    ) -> Result<Step, FlacError> {
        match self.info {
            Some(info) if self.has_begun => self.frame_untrusted(info, octets, samples),
            Some(_) => {
                let Some(head) = octets.first_chunk::<4>() else {
                    return Ok(Step::More);
                };
                self.has_begun = head[0] & 0x80 != 0;
                let length = u32::from_be_bytes([0, head[1], head[2], head[3]]);
                Ok(Step::Pass(4 + u64::from(length)))
            }
            None => self.begin_untrusted(octets),
        }
    }

    /// The mark of the format and what the stream says of itself (RFC 9639 §8).
    fn begin_untrusted(&mut self, octets: &[u8]) -> Result<Step, FlacError> {
        let Some(begin) = octets.first_chunk::<{ 8 + STREAM_INFO }>() else {
            return Ok(Step::More);
        };
        let length = u32::from_be_bytes([0, begin[5], begin[6], begin[7]]) as usize;
        if &begin[..4] != b"fLaC" || begin[4] & 0x7f != 0 || length != STREAM_INFO {
            return Err(FlacError::Damaged("it does not begin with its description"));
        }
        let block = begin[8..].try_into().map_err(|_| FlacError::Truncated)?;
        self.info = Some(StreamInfo::parse_untrusted(block)?);
        self.has_begun = begin[4] & 0x80 != 0;
        Ok(Step::Pass(begin.len() as u64))
    }

    fn frame_untrusted(
        &mut self,
        info: StreamInfo,
        octets: &[u8],
        samples: &mut Vec<i16>,
    ) -> Result<Step, FlacError> {
        if info.samples.is_some_and(|end| self.position >= end) {
            return Ok(Step::Over);
        }
        let mut frames = FrameReader::new(Cursor::new(octets));
        let block = match frames.read_next_or_eof(Vec::new()) {
            Ok(Some(block)) => block,
            Ok(None) => return Ok(Step::More),
            Err(claxon::Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                return Ok(Step::More);
            }
            Err(error) => return Err(error.into()),
        };
        let left = info.samples.map_or(u64::MAX, |end| end - self.position);
        let heard = u64::from(block.duration()).min(left);
        samples.extend((0..heard as u32).map(|index| mean(&block, index, info.bits)));
        self.position += heard;
        Ok(Step::Pass(frames.into_inner().position()))
    }
}
