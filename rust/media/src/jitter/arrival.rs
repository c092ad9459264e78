//! How late packets are, relative to the fastest path, and what delay that asks for.

/// Relative delays are counted in steps of 5 ms up to a second.
const STEP: f64 = 0.005;
const STEPS: usize = 200;
/// Packets the counts cover: 10 s at 50 a second.
const WINDOW: usize = 500;
/// The part of packets that must be in time.
const QUANTILE: f64 = 0.99;
/// So few late packets say nothing, where there are not many yet.
const ODD_ONES: usize = 3;
/// The fastest path is looked for over this time, so that clock skew is followed: 100 ppm move
/// 1 ms in it.
const PATH_WINDOW: f64 = 10.0;
/// When this many packets in a row are later than the fastest path by more than `SHIFT`, the
/// path, or the sender's clock, is another one.
const SHIFT_PACKETS: usize = 25;
const SHIFT: f64 = 0.1;
/// A difference this large is a new clock at once.
const JUMP: f64 = 2.0;

/// A packet that comes this soon after the one before it, in parts of its length, and is less late,
/// was held up with it: what is late is the queue, and its first packet says by how much.
const IN_A_QUEUE: f64 = 0.25;

#[derive(Debug)]
pub(super) struct Arrivals {
    counts: [u16; STEPS],
    recent: Vec<u8>,
    next_slot: usize,
    /// Least transit of the running and of the last window, and when the running one began.
    running: f64,
    last: f64,
    window_start: f64,
    since_shift: usize,
    least_since_shift: f64,
    /// Arrival, media time and lateness of the packet before.
    before: Option<(f64, f64, f64)>,
}

impl Arrivals {
    pub(super) fn new() -> Self {
        Self {
            counts: [0; STEPS],
            recent: Vec::new(),
            next_slot: 0,
            running: f64::INFINITY,
            last: f64::INFINITY,
            window_start: 0.0,
            since_shift: 0,
            least_since_shift: f64::INFINITY,
            before: None,
        }
    }

    /// Arrival time minus media time on the fastest path; none before the first packet.
    pub(super) fn fastest(&self) -> Option<f64> {
        let least = self.running.min(self.last);
        least.is_finite().then_some(least)
    }

    /// Tells whether packets are late by so much that the path may be another one.
    pub(super) fn is_unsettled(&self) -> bool {
        self.since_shift > 0
    }

    /// Takes the arrival of a packet: when it came and its media time, both in seconds.
    ///
    /// True when the path is taken for another one, so that older delays say nothing.
    pub(super) fn push(&mut self, arrival: f64, media_time: f64) -> bool {
        let transit = arrival - media_time;
        let before = self.recent.len();
        match self.fastest() {
            Some(fastest) if (transit - fastest).abs() > JUMP => self.begin(arrival, transit),
            None => self.begin(arrival, transit),
            Some(fastest) => self.watch_shift(arrival, transit, fastest),
        }
        if arrival - self.window_start > PATH_WINDOW {
            self.turn_window(arrival, transit);
        }
        self.running = self.running.min(transit);
        let late = transit - self.fastest().unwrap_or(transit);
        if !self.is_in_queue(arrival, media_time, late) {
            self.count(late);
        }
        self.before = Some((arrival, media_time, late));
        self.recent.len() < before
    }

    fn turn_window(&mut self, arrival: f64, transit: f64) {
        let earlier = self.fastest();
        self.last = self.running;
        self.running = transit;
        self.window_start = arrival;
        // On a path that has become longer, what was late is so no more.
        let longer = |before| self.fastest().is_some_and(|now| now - before > STEP);
        if earlier.is_some_and(longer) {
            self.counts = [0; STEPS];
            self.recent.clear();
            self.next_slot = 0;
        }
    }

    fn is_in_queue(&self, arrival: f64, media_time: f64, late: f64) -> bool {
        self.before.is_some_and(|(then, earlier, as_late)| {
            let step = media_time - earlier;
            step > 0.0 && arrival - then < IN_A_QUEUE * step && late < as_late - step / 2.0
        })
    }

    /// The delay that holds nearly all packets, in seconds beyond the fastest path.
    pub(super) fn quantile(&self) -> f64 {
        let count = self.recent.len();
        let wanted =
            ((count as f64 * QUANTILE).ceil() as usize).min(count - ODD_ONES.min(count / 20));
        let mut covered = 0;
        for (step, &count) in self.counts.iter().enumerate() {
            covered += usize::from(count);
            if covered >= wanted {
                return step as f64 * STEP;
            }
        }
        STEPS as f64 * STEP
    }

    fn begin(&mut self, arrival: f64, transit: f64) {
        *self = Self::new();
        self.running = transit;
        self.window_start = arrival;
    }

    fn watch_shift(&mut self, arrival: f64, transit: f64, fastest: f64) {
        if transit - fastest <= SHIFT {
            self.since_shift = 0;
            self.least_since_shift = f64::INFINITY;
            return;
        }
        self.since_shift += 1;
        self.least_since_shift = self.least_since_shift.min(transit);
        if self.since_shift >= SHIFT_PACKETS {
            let transit = self.least_since_shift;
            self.begin(arrival, transit);
        }
    }

    fn count(&mut self, late: f64) {
        let step = ((late / STEP) as usize).min(STEPS - 1);
        // STEPS is below 256, so that a step fits an octet.
        let slot = step as u8;
        if self.recent.len() < WINDOW {
            self.recent.push(slot);
        } else {
            let old = std::mem::replace(&mut self.recent[self.next_slot], slot);
            self.counts[old as usize] -= 1;
            self.next_slot = (self.next_slot + 1) % WINDOW;
        }
        self.counts[step] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_line_asks_for_nothing() {
        let mut arrivals = Arrivals::new();
        for n in 0..1_000 {
            arrivals.push(5.0 + f64::from(n) * 0.02, f64::from(n) * 0.02);
        }

        assert!(arrivals.quantile() < STEP);
        assert!((arrivals.fastest().unwrap() - 5.0).abs() < 1e-9);
    }

    #[test]
    fn rare_outliers_do_not_count_and_frequent_ones_do() {
        let (mut rare, mut frequent) = (Arrivals::new(), Arrivals::new());
        for n in 0..1_000 {
            let time = f64::from(n) * 0.02;
            rare.push(time + if n % 200 == 0 { 0.2 } else { 0.0 }, time);
            frequent.push(time + if n % 10 == 0 { 0.08 } else { 0.0 }, time);
        }

        assert!(rare.quantile() < STEP);
        assert!((frequent.quantile() - 0.08).abs() <= STEP);
    }

    #[test]
    fn the_fastest_path_follows_a_skewed_clock() {
        let mut arrivals = Arrivals::new();
        for n in 0..30_000 {
            let time = f64::from(n) * 0.02;
            arrivals.push(time * 1.000_1, time);
        }

        let transit = 600.0 * 0.000_1;
        assert!((arrivals.fastest().unwrap() - transit).abs() < 0.003);
        assert!(arrivals.quantile() <= STEP);
    }

    #[test]
    fn a_longer_path_is_accepted_after_half_a_second() {
        let mut arrivals = Arrivals::new();
        for n in 0..300 {
            let time = f64::from(n) * 0.02;
            arrivals.push(time + if n >= 200 { 0.3 } else { 0.0 }, time);
        }

        assert!((arrivals.fastest().unwrap() - 0.3).abs() < 1e-9);
        assert!(arrivals.quantile() < STEP);
    }
}
