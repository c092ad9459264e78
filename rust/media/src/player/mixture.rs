//! Several sources heard at once as one.

use super::playback::Playback;
use super::{Source, mix};

/// Plays all its parts from the start, and ends with the last of them.
#[derive(Debug)]
pub struct MixSource {
    parts: Vec<Playback>,
    scratch: Vec<i16>,
}

impl MixSource {
    /// Takes the parts.
    #[must_use]
    pub fn new(parts: Vec<Source>) -> Self {
        let parts = parts.into_iter().map(|part| Playback::new(0, part));
        Self {
            parts: parts.collect(),
            scratch: Vec::new(),
        }
    }

    pub(super) fn read(&mut self, rate_hz: u32, count: usize, samples: &mut Vec<i16>) {
        let begin = samples.len();
        samples.resize(begin + count, 0);
        let mut longest = 0;
        for part in &mut self.parts {
            self.scratch.clear();
            self.scratch.resize(count, 0);
            longest = longest.max(part.fill(rate_hz, &mut self.scratch));
            mix(&mut samples[begin..], &self.scratch);
        }
        self.parts.retain(|part| !part.is_over());
        samples.truncate(begin + longest);
    }
}
