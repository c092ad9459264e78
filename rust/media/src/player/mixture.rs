//! Several sources heard at once as one.

use super::playback::Playback;
use super::{Source, SourceError, mix};

/// Plays all its parts from the start, and ends with the last of them; then it tells of the first
/// part that failed.
#[derive(Debug)]
pub struct MixSource {
    parts: Vec<Playback>,
    scratch: Vec<i16>,
    error: Option<String>,
}

impl MixSource {
    /// Takes the parts.
    #[must_use]
    pub fn new(parts: Vec<Source>) -> Self {
        let parts = parts.into_iter().map(|part| Playback::new(0, part));
        Self {
            parts: parts.collect(),
            scratch: Vec::new(),
            error: None,
        }
    }

    pub(super) fn read(
        &mut self,
        rate_hz: u32,
        count: usize,
        samples: &mut Vec<i16>,
    ) -> Result<(), SourceError> {
        let begin = samples.len();
        samples.resize(begin + count, 0);
        let mut longest = 0;
        for part in &mut self.parts {
            self.scratch.clear();
            self.scratch.resize(count, 0);
            longest = longest.max(part.fill(rate_hz, &mut self.scratch));
            mix(&mut samples[begin..], &self.scratch);
        }
        for part in &mut self.parts {
            self.error = self.error.take().or(part.error.take());
        }
        self.parts.retain(|part| !part.is_over());
        samples.truncate(begin + longest);
        match self.error.take_if(|_| longest < count) {
            Some(text) => Err(SourceError::Part(text)),
            None => Ok(()),
        }
    }
}
