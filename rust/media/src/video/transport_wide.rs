//! When packets arrived, told to a far end that adapts its bit rate by it
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two reports.
const INTERVAL: Duration = Duration::from_millis(100);
/// Packets of one report; what is older is left out.
const MOST_PACKETS: u64 = 1000;
/// Of a report: 250 µs.
const TICK_MICROSECONDS: u64 = 250;

/// Arrivals that have not been reported.
#[derive(Debug, Default)]
pub struct Arrivals {
    packets: BTreeMap<u64, Instant>,
    highest: Option<u64>,
    origin: Option<Instant>,
    next: Option<Instant>,
    count: u8,
}

impl Arrivals {
    /// Notes the arrival of a packet.
    pub fn add(&mut self, now: Instant, sequence: u16) {
        let highest = self.highest.unwrap_or(0x1_0000 + u64::from(sequence));
        let ahead = sequence.wrapping_sub(highest as u16);
        let number = if ahead < 0x8000 {
            highest + u64::from(ahead)
        } else {
            highest.saturating_sub(u64::from(ahead.wrapping_neg()))
        };
        self.highest = Some(highest.max(number));
        self.packets.insert(number, now);
        while self.packets.len() as u64 > MOST_PACKETS {
            self.packets.pop_first();
        }
        self.origin.get_or_insert(now);
        self.next.get_or_insert(now + INTERVAL);
    }

    /// When the next report is due; None while there is nothing to tell.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Adds a report to a compound packet if one is due.
    pub fn write(&mut self, now: Instant, packet: &mut Vec<u8>, sender: u32, media: u32) {
        if self.next.is_none_or(|due| due > now) {
            return;
        }
        self.next = None;
        let (Some((&last, _)), Some(origin)) = (self.packets.last_key_value(), self.origin) else {
            return;
        };
        let oldest = last.saturating_sub(MOST_PACKETS - 1);
        let arrived = self.packets.split_off(&oldest);
        self.packets.clear();
        let Some((&first, &begin)) = arrived.first_key_value() else {
            return;
        };
        let start = packet.len();
        packet.extend([0x8f, 205, 0, 0]);
        packet.extend(sender.to_be_bytes());
        packet.extend(media.to_be_bytes());
        packet.extend((first as u16).to_be_bytes());
        packet.extend(((last - first + 1) as u16).to_be_bytes());
        // A reference in units of 64 ms, and a tick for each arrival from there on. The time starts
        // at 1, since packets may arrive before what was taken for the first.
        let reference = ticks(begin.saturating_duration_since(origin)) / 256;
        packet.extend(&(reference as u32 & 0xff_ffff).to_be_bytes()[1..]);
        packet.push(self.count);
        self.count = self.count.wrapping_add(1);
        let mut before = reference * 256;
        let mut deltas = Vec::new();
        let symbols: Vec<u8> = (first..=last)
            .map(|number| {
                let Some(at) = arrived.get(&number) else {
                    return 0;
                };
                let tick = ticks(at.saturating_duration_since(origin));
                let delta = tick.cast_signed() - before.cast_signed();
                before = tick;
                push_delta(&mut deltas, delta)
            })
            .collect();
        for seven in symbols.chunks(7) {
            let place = |(index, symbol): (usize, &u8)| u16::from(*symbol) << (12 - 2 * index);
            let chunk = 0xc000 | seven.iter().enumerate().map(place).sum::<u16>();
            packet.extend(chunk.to_be_bytes());
        }
        packet.extend(deltas);
        packet.resize(start + (packet.len() - start).next_multiple_of(4), 0);
        let words = ((packet.len() - start) / 4 - 1) as u16;
        packet[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }
}

/// Adds a delta in ticks and returns its symbol: 1 for one byte, 2 for two.
fn push_delta(deltas: &mut Vec<u8>, delta: i64) -> u8 {
    if let Ok(small) = u8::try_from(delta) {
        deltas.push(small);
        return 1;
    }
    let large = delta.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16;
    deltas.extend(large.to_be_bytes());
    2
}

fn ticks(time: Duration) -> u64 {
    time.as_micros() as u64 / TICK_MICROSECONDS
}
