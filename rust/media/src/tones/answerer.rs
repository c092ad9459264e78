//! Who has answered a call, a person or a machine, from how long and in how many words it greets.

use super::Tone;
use crate::MediaError;
use crate::voice::VoiceDetector;

/// Seconds without a voice that divide two words.
const WORD_GAP: f64 = 0.05;
/// A time limit of all settings.
const LONGEST: f64 = 60.0;

/// When it is taken for what; all in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnswererSettings {
    /// Nobody speaks for so long: nobody knows.
    pub initial_silence: f64,
    /// A greeting as long as this is a machine's.
    pub greeting: f64,
    /// A shorter one, then silence for so long, is a person's.
    pub after_greeting: f64,
    /// A greeting of more words than these is a machine's.
    pub words: u32,
    /// A voice shorter than this is no word.
    pub word: f64,
    /// After so long nobody knows.
    pub limit: f64,
}

/// Who it was, and why it was taken for that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// "human", "machine" or "unknown".
    pub who: &'static str,
    /// "greeting", "words", "pause", "silence", "limit" or a tone.
    pub cause: &'static str,
    /// Seconds of the greeting.
    pub greeting: f64,
    /// Words of it.
    pub words: u32,
}

impl AnswererSettings {
    /// Refuses what is of no use.
    ///
    /// # Errors
    /// `MediaError::Argument` for figures out of range.
    pub fn check(&self) -> Result<(), MediaError> {
        let times = [
            self.initial_silence,
            self.greeting,
            self.after_greeting,
            self.word,
            self.limit,
        ];
        let is_good = times.iter().all(|time| (0.02..=LONGEST).contains(time));
        if is_good && (1..=1000).contains(&self.words) {
            return Ok(());
        }
        Err(MediaError::Argument(
            "who has answered is told by times of 0.02 to 60 s and 1 to 1000 words".to_owned(),
        ))
    }
}

/// Listens to an answered call until it knows, or its time is over.
#[derive(Debug)]
pub struct AnswererDetector {
    settings: AnswererSettings,
    voice: VoiceDetector,
    elapsed: f64,
    /// When the first word began, and the last one ended.
    began: Option<f64>,
    ended: f64,
    /// Seconds of the voice that goes on.
    voiced: f64,
    words: u32,
}

impl AnswererDetector {
    /// Begins to listen.
    #[must_use]
    pub fn new(settings: AnswererSettings) -> Self {
        Self {
            settings,
            voice: VoiceDetector::new(WORD_GAP),
            elapsed: 0.0,
            began: None,
            ended: 0.0,
            voiced: 0.0,
            words: 0,
        }
    }

    /// Takes a frame of what is heard, a tone or not; a verdict is the last word.
    pub fn push(&mut self, rate_hz: u32, samples: &[i16], is_tone: bool) -> Option<Verdict> {
        let length = samples.len() as f64 / f64::from(rate_hz.max(1));
        self.elapsed += length;
        // A tone that comes and goes passes for a voice with the network.
        if self.voice.push(rate_hz, samples).is_speech && !is_tone {
            let before = self.voiced;
            self.voiced += length;
            if before < self.settings.word && self.voiced >= self.settings.word {
                self.words += 1;
                self.began.get_or_insert(self.elapsed - self.voiced);
            }
            if self.voiced >= self.settings.word {
                self.ended = self.elapsed;
            }
        } else {
            self.voiced = 0.0;
        }
        self.judge()
    }

    /// Takes a tone that only machines make.
    pub fn hear(&self, tone: Tone) -> Option<Verdict> {
        let is_machine = matches!(
            tone,
            Tone::Beep | Tone::SpecialInformation | Tone::FaxAnswering | Tone::FaxCalling
        );
        is_machine.then(|| self.verdict("machine", tone.as_str()))
    }

    fn judge(&self) -> Option<Verdict> {
        let settings = &self.settings;
        let (who, cause) = if self.greeting() >= settings.greeting {
            ("machine", "greeting")
        } else if self.words > settings.words {
            ("machine", "words")
        } else if self.began.is_some() && self.elapsed - self.ended >= settings.after_greeting {
            ("human", "pause")
        } else if self.began.is_none() && self.elapsed >= settings.initial_silence {
            ("unknown", "silence")
        } else if self.elapsed >= settings.limit {
            ("unknown", "limit")
        } else {
            return None;
        };
        Some(self.verdict(who, cause))
    }

    fn greeting(&self) -> f64 {
        self.began.map_or(0.0, |began| self.ended - began)
    }

    fn verdict(&self, who: &'static str, cause: &'static str) -> Verdict {
        Verdict {
            who,
            cause,
            greeting: self.greeting(),
            words: self.words,
        }
    }
}
