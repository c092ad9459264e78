//! Mutations from a seed: what a fuzzer without feedback can do, the same on every machine.

use trivox_media::random::Random;

/// Inputs are cut off here: what is longer only costs time.
const LONGEST: usize = 4096;

/// Makes new inputs out of known ones and of words that mean something to the parsers.
pub struct Mutator<'a> {
    random: Random,
    seeds: &'a [Vec<u8>],
    words: &'a [Vec<u8>],
}

impl<'a> Mutator<'a> {
    /// Starts a sequence of inputs.
    #[must_use]
    pub fn new(seed: u64, seeds: &'a [Vec<u8>], words: &'a [Vec<u8>]) -> Self {
        Self {
            random: Random::new(seed),
            seeds,
            words,
        }
    }

    /// The next input: a seed, changed in one to eight places.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut data = self.pick(self.seeds);
        data.truncate(LONGEST);
        for _ in 0..=self.below(8) {
            self.change(&mut data);
        }
        data.truncate(LONGEST);
        data
    }

    fn change(&mut self, data: &mut Vec<u8>) {
        let at = self.below(data.len() + 1);
        let end = (at + self.below(32)).min(data.len());
        match self.below(8) {
            0 => drop(data.drain(at..end)),
            1 => {
                let word = self.pick(self.words);
                data.splice(at..at, word);
            }
            2 => {
                let word = self.pick(self.words);
                data.splice(at..end, word);
            }
            3 => {
                let again = data[at..end].to_vec();
                data.splice(at..at, again);
            }
            4 => {
                let other = self.pick(self.seeds);
                let from = self.below(other.len() + 1);
                data.splice(at.., other[from..].iter().copied());
            }
            5 => {
                let byte = self.random.bits() as u8;
                data.splice(at..at, [byte]);
            }
            _ => {
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= 1 << (self.random.bits() % 8);
                }
            }
        }
    }

    fn pick(&mut self, among: &[Vec<u8>]) -> Vec<u8> {
        let index = self.below(among.len().max(1));
        among.get(index).cloned().unwrap_or_default()
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.random.bits() % limit.max(1) as u64) as usize
    }
}

/// The words of a libFuzzer dictionary: one quoted string a line, `\xNN`, `\\` and `\"` in it.
#[must_use]
pub fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let quoted = |line: &str| Some(line.split_once('"')?.1.rsplit_once('"')?.0.to_owned());
    let lines = dictionary.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(quoted)
        .map(|text| unescaped(&text))
        .collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        match (first, more) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0) as u8;
                out.push(digit(high) << 4 | digit(low));
                rest = after;
            }
            (b'\\', [escaped, after @ ..]) => {
                out.push(*escaped);
                rest = after;
            }
            _ => out.push(*first),
        }
    }
    out
}
