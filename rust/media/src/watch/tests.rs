use super::*;

/// A stream of 50 packets a second, and what differs from a good one.
struct Line {
    watch: Watch,
    second: Second,
    level: f64,
}

impl Line {
    fn new() -> Self {
        let second = Second {
            is_expected: true,
            ..Second::default()
        };
        Self {
            watch: Watch::default(),
            second,
            level: -25.0,
        }
    }

    /// Plays seconds in which `lost` of 50 packets are lost; (second, name, level) of each change.
    fn run(&mut self, seconds: u32, lost: u64) -> Vec<(u32, &'static str, Level)> {
        let mut changes = Vec::new();
        for number in 1..=seconds {
            self.second.at += 1.0;
            self.second.received += 50 - lost;
            self.second.lost += lost;
            self.watch.hear(self.level);
            self.watch.push(&self.second);
            while let Some(change) = self.watch.poll() {
                changes.push((number, change.rule.name, change.level));
            }
        }
        changes
    }
}

#[test]
fn a_good_line_raises_nothing() {
    assert_eq!(Line::new().run(600, 0), []);
}

#[test]
fn loss_is_raised_gets_worse_and_is_cleared_once_each() {
    let mut line = Line::new();
    line.run(20, 0);

    let worse = line.run(30, 10);
    let over = line.run(30, 0);

    assert_eq!(
        worse,
        [
            (2, "packet_loss", Level::Warning),
            (4, "packet_loss", Level::Critical)
        ]
    );
    assert_eq!(over, [(9, "packet_loss", Level::Fine)]);
}

#[test]
fn one_bad_second_of_jitter_is_nothing() {
    let mut line = Line::new();
    line.second.jitter = 0.1;
    let first = line.run(1, 0);
    line.second.jitter = 0.001;
    assert_eq!((first, line.run(20, 0)), (vec![], vec![]));
}

#[test]
fn a_value_between_the_limits_changes_nothing() {
    let mut line = Line::new();
    line.second.round_trip = Some(0.35);
    assert_eq!(line.run(9, 0), [(2, "high_latency", Level::Warning)]);
    line.second.round_trip = Some(0.27);
    assert_eq!(line.run(60, 0), []);
    line.second.round_trip = None;
    assert_eq!(line.run(60, 0), []);
    line.second.round_trip = Some(0.1);
    assert_eq!(line.run(60, 0), [(5, "high_latency", Level::Fine)]);
}

#[test]
fn silence_in_packets_is_not_the_same_as_no_packets() {
    let mut line = Line::new();
    line.level = -127.0;
    let mute = line.run(12, 0);
    line.level = -20.0;
    let loud = line.run(12, 0);
    let gone = line.run(3, 50);

    assert_eq!(mute, [(10, "no_audio_signal", Level::Warning)]);
    assert_eq!(loud, [(1, "no_audio_signal", Level::Fine)]);
    assert!(gone.contains(&(3, "no_audio_received", Level::Warning)));
}

#[test]
fn a_quiet_speaker_is_told_after_ten_seconds() {
    let mut line = Line::new();
    line.level = -50.0;
    assert_eq!(line.run(30, 0), [(10, "low_level", Level::Warning)]);
    line.level = -60.0;
    assert_eq!(line.run(30, 0), [(10, "low_level", Level::Critical)]);
    line.level = -20.0;
    assert_eq!(line.run(30, 0), [(1, "low_level", Level::Fine)]);
}

#[test]
fn formats_nobody_agreed_on_and_a_lost_path_are_told() {
    let mut line = Line::new();
    let mut told = Vec::new();
    for _ in 0..3 {
        line.second.unagreed += 50;
        told.extend(line.run(1, 0));
    }
    line.second.is_ice_lost = true;
    told.extend(line.run(2, 0));

    let names: Vec<_> = told
        .iter()
        .map(|(_, name, level)| (*name, *level))
        .collect();
    assert_eq!(
        names,
        [
            ("codec_mismatch", Level::Critical),
            ("ice_lost", Level::Warning)
        ]
    );
}

#[test]
fn the_history_is_bounded_and_tells_each_second() {
    let mut line = Line::new();
    line.run(400, 1);
    let history: Vec<_> = line.watch.history().copied().collect();

    assert_eq!(history.len(), HISTORY);
    assert_eq!((history[0].at, history[HISTORY - 1].at), (101.0, 400.0));
    let last = history[HISTORY - 1];
    assert_eq!((last.packets, last.level), (49.0, -25.0));
    assert!((last.loss - 0.02).abs() < 1e-6 && last.round_trip.is_nan());
}
