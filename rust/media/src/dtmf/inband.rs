//! DTMF in the audio itself, heard (ITU-T Q.23, Q.24).
//!
//! Eight Goertzel filters on Hann windows of 25.5 ms, one every 6.4 ms. Where one of each group
//! stands out, their true frequencies and levels are told from three filters around each.

use super::ReceivedDtmf;
use std::collections::VecDeque;
use std::f32::consts::{PI, TAU};

/// The rate it listens at.
pub const RATE_HZ: u32 = 8_000;
const WINDOW: usize = 204;
const HOP: usize = 51;
const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const KEYS: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];
/// Each tone has at least this power, as a share of full scale squared: -42 dBov, -36 dBm0.
const LEAST_POWER: f32 = 6.3e-5;
/// Power of the higher tone over that of the lower: at most +7 dB, at least -9 dB.
const MOST_TWIST: f32 = 5.0;
const LEAST_TWIST: f32 = 0.126;
/// How far a frequency may be off, as a share of it (Q.24: taken to 1.5 %, refused from 3.5 % on).
const MOST_DEVIATION: f32 = 0.02;
/// A tone stands this far above the others of its group: 8 dB.
const SELECTIVITY: f32 = 6.3;
/// The share of the window's power that both tones hold.
const LEAST_SHARE: f32 = 0.8;
/// While a key sounds, both tones stay within this of its strongest window: 9 dB.
const HELD_SHARE: f32 = 0.126;
/// Distance in Hz of the two filters beside a tone: half the width of a window's main lobe.
const BESIDE_HZ: f32 = 20.0;
/// Windows in a row with the same key that begin a press, and without it that end one.
const BEGIN: u32 = 3;
const END: u32 = 3;
/// Events kept for the reader; the oldest is dropped beyond.
const MOST_WAITING: usize = 64;

/// Returns the two frequencies of a key, in Hz; none for what is no key.
#[must_use]
pub fn frequencies_of(digit: char) -> Option<[f32; 2]> {
    let digit = digit.to_ascii_uppercase();
    let column = |row: &[char; 4]| row.iter().position(|key| *key == digit);
    let mut rows = KEYS.iter().enumerate();
    rows.find_map(|(row, keys)| column(keys).map(|column| [LOW[row], HIGH[column]]))
}

/// Coefficients of eight filters that run side by side.
#[derive(Debug, Clone, Copy)]
struct Filters([f32; 8]);

impl Filters {
    fn new(frequencies_hz: [f32; 8]) -> Self {
        Self(frequencies_hz.map(|hz| 2.0 * (TAU * hz / RATE_HZ as f32).cos()))
    }

    /// Powers of the eight frequencies in a window, as shares of full scale squared.
    fn powers(&self, window: &[f32; WINDOW]) -> [f32; 8] {
        let (mut one, mut two) = ([0.0_f32; 8], [0.0_f32; 8]);
        for &sample in window {
            for lane in 0..8 {
                let now = sample + self.0[lane] * one[lane] - two[lane];
                two[lane] = one[lane];
                one[lane] = now;
            }
        }
        // A Hann window weighs a half on average: a sine of power P gives P/2 (N/2)^2.
        let scale = 8.0 / (WINDOW * WINDOW) as f32;
        let mut powers = [0.0; 8];
        for lane in 0..8 {
            let (a, b) = (one[lane], two[lane]);
            powers[lane] = scale * (a * a + b * b - self.0[lane] * a * b);
        }
        powers
    }
}

/// A key that a window holds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Key {
    row: usize,
    column: usize,
}

/// A key press under way, or what may become one.
#[derive(Debug, Clone, Copy)]
struct Press {
    key: Key,
    /// The most that either tone had.
    low: f32,
    high: f32,
    windows: u32,
    missing: u32,
}

impl Press {
    /// Whether a window still holds both tones, whatever else it holds.
    fn is_in(&self, powers: &[f32; 8]) -> bool {
        powers[self.key.row] > HELD_SHARE * self.low
            && powers[4 + self.key.column] > HELD_SHARE * self.high
    }

    fn push(&mut self, powers: &[f32; 8]) {
        self.low = self.low.max(powers[self.key.row]);
        self.high = self.high.max(powers[4 + self.key.column]);
        self.windows += 1;
    }
}

/// Tells keys in audio of 8 kHz: after [`push`](Self::push), take from [`poll`](Self::poll).
#[derive(Debug)]
pub struct InbandReceiver {
    samples: Vec<f32>,
    hann: [f32; WINDOW],
    all: Filters,
    candidate: Option<Press>,
    sounding: Option<Press>,
    waiting: VecDeque<ReceivedDtmf>,
}

impl Default for InbandReceiver {
    fn default() -> Self {
        let [a, b, c, d] = LOW;
        let [e, f, g, h] = HIGH;
        let mut hann = [0.0; WINDOW];
        for (at, weight) in hann.iter_mut().enumerate() {
            *weight = (PI * (at as f32 + 0.5) / WINDOW as f32).sin().powi(2);
        }
        Self {
            samples: Vec::with_capacity(2 * WINDOW),
            hann,
            all: Filters::new([a, b, c, d, e, f, g, h]),
            candidate: None,
            sounding: None,
            waiting: VecDeque::new(),
        }
    }
}

impl InbandReceiver {
    /// Takes samples of 8 kHz.
    pub fn push(&mut self, samples: &[i16]) {
        let scaled = samples.iter().map(|&sample| f32::from(sample) / 32_768.0);
        self.samples.extend(scaled);
        let mut from = 0;
        while self.samples.len() >= from + WINDOW {
            let mut window = [0.0; WINDOW];
            let recent = &self.samples[from..from + WINDOW];
            for (at, weighted) in window.iter_mut().enumerate() {
                *weighted = recent[at] * self.hann[at];
            }
            self.step(&window);
            from += HOP;
        }
        self.samples.drain(..from);
    }

    /// Returns the next key that went down or up.
    pub fn poll(&mut self) -> Option<ReceivedDtmf> {
        self.waiting.pop_front()
    }

    fn step(&mut self, window: &[f32; WINDOW]) {
        let squares: f32 = window.iter().map(|weighted| weighted * weighted).sum();
        // The mean square of a Hann window is 3/8.
        let power = squares * 8.0 / (3.0 * WINDOW as f32);
        let is_loud = power > 2.0 * LEAST_POWER * LEAST_SHARE;
        if !is_loud && self.sounding.is_none() {
            self.candidate = None; // most windows of a call: nothing more is computed
            return;
        }
        let powers = self.all.powers(window);
        if let Some(press) = &mut self.sounding {
            if press.is_in(&powers) {
                press.missing = 0;
            } else {
                press.missing += 1;
            }
            press.push(&powers);
            if press.missing < END {
                return;
            }
            self.end();
        }
        let key = key_in(window, power, &powers);
        self.candidate = key.map(|key| {
            let known = self.candidate.filter(|press| press.key == key);
            let mut press = known.unwrap_or(Press {
                key,
                low: 0.0,
                high: 0.0,
                windows: 0,
                missing: 0,
            });
            press.push(&powers);
            press
        });
        if let Some(press) = self.candidate.filter(|press| press.windows >= BEGIN) {
            self.candidate = None;
            self.sounding = Some(press);
            let digit = KEYS[press.key.row][press.key.column];
            self.report(ReceivedDtmf::Started { digit });
        }
    }

    fn end(&mut self) {
        if let Some(press) = self.sounding.take() {
            let windows = press.windows.saturating_sub(press.missing);
            self.report(ReceivedDtmf::Ended {
                digit: KEYS[press.key.row][press.key.column],
                duration: f64::from(windows) * HOP as f64 / f64::from(RATE_HZ),
            });
        }
    }

    fn report(&mut self, event: ReceivedDtmf) {
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(event);
    }
}

/// The key that a window of that power holds.
fn key_in(window: &[f32; WINDOW], power: f32, powers: &[f32; 8]) -> Option<Key> {
    let [a, b, c, d, e, f, g, h] = *powers;
    let (row, column) = (strongest([a, b, c, d])?, strongest([e, f, g, h])?);
    let (low, high) = tuned(window, LOW[row], HIGH[column])?;
    let is_key = low > LEAST_POWER
        && high > LEAST_POWER
        && (LEAST_TWIST..=MOST_TWIST).contains(&(high / low))
        && low + high > LEAST_SHARE * power;
    is_key.then_some(Key { row, column })
}

/// The strongest of a group, unless another comes near.
fn strongest(powers: [f32; 4]) -> Option<usize> {
    let all = powers.iter().copied().enumerate();
    let (at, most) = all.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let mut others = powers.iter().enumerate();
    let is_alone = others.all(|(other, power)| other == at || power * SELECTIVITY < most);
    is_alone.then_some(at)
}

/// The powers of two tones at the frequencies they really have; none where one is too far off.
fn tuned(window: &[f32; WINDOW], low_hz: f32, high_hz: f32) -> Option<(f32, f32)> {
    let beside = [-BESIDE_HZ, 0.0, BESIDE_HZ];
    let [a, b, c] = beside.map(|off| low_hz + off);
    let [d, e, f] = beside.map(|off| high_hz + off);
    let [a, b, c, d, e, f, ..] = Filters::new([a, b, c, d, e, f, 0.0, 0.0]).powers(window);
    let low = peak([a, b, c], low_hz * MOST_DEVIATION)?;
    let high = peak([d, e, f], high_hz * MOST_DEVIATION)?;
    Some((low, high))
}

/// The top of the parabola through three levels: the main lobe of a Hann window is nearly one.
fn peak(powers: [f32; 3], most_hz: f32) -> Option<f32> {
    let [before, at, after] = powers.map(|power| power.max(1e-12).ln());
    let bend = 2.0 * at - before - after;
    if bend <= 0.0 {
        return None;
    }
    let off_hz = BESIDE_HZ * (after - before) / (2.0 * bend);
    let top = at + (after - before).powi(2) / (8.0 * bend);
    (off_hz.abs() <= most_hz).then(|| top.exp())
}

#[cfg(test)]
mod tests;
