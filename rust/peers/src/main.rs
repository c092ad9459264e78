//! Prints what other jitter buffers make of the lines that ours is judged on, one JSON object a
//! line; for `python -m benches jitter`.
//!
//! `neteq` reads the clock itself, so its lines are played in real time, all at once; the one of
//! `rtc-interceptor` is played in virtual time.

mod fixed;
#[path = "../../media/tests/impaired/mod.rs"]
mod impaired;
mod stretching;

use std::thread;

use impaired::{Line, Recording};
use trivox_media::codec::CodecKind;

/// Seconds of each line, as neteq takes as long.
const SECONDS: f64 = 25.0;
const WARM_UP: f64 = 3.0;

/// What was heard of a line after the warm-up.
struct Heard {
    concealed_percent: f64,
    delay_p50_ms: f64,
    delay_p99_ms: f64,
}

impl Heard {
    fn new(concealed: u64, judged: u64, mut delays: Vec<f64>) -> Self {
        delays.sort_by(f64::total_cmp);
        let at = |quantile: f64| delays[((delays.len() - 1) as f64 * quantile) as usize] * 1000.0;
        Self {
            concealed_percent: concealed as f64 / judged as f64 * 100.0,
            delay_p50_ms: at(0.5),
            delay_p99_ms: at(0.99),
        }
    }

    fn print(&self, buffer: &str, line: &Line) {
        println!(
            "{{\"line\": \"loss {:.2} jitter {:.0} ms\", \"codec\": \"{} {buffer}\", \
             \"concealed_percent\": {:.3}, \"delay_p50_ms\": {:.1}, \"delay_p99_ms\": {:.1}}}",
            line.loss,
            line.jitter * 1000.0,
            line.kind.name(),
            self.concealed_percent,
            self.delay_p50_ms,
            self.delay_p99_ms,
        );
    }
}

fn lines() -> Vec<Line> {
    let line = |loss, jitter| Line {
        seconds: SECONDS,
        loss,
        jitter,
        ..Line::clean(CodecKind::Opus)
    };
    let losses = [0.0, 0.05, 0.10].into_iter();
    losses
        .flat_map(|loss| [0.0, 0.020, 0.040, 0.060].map(|jitter| line(loss, jitter)))
        .collect()
}

fn main() {
    let recording = Recording::new(CodecKind::Opus);
    let lines = lines();
    for depth_ms in [60, 120] {
        for line in &lines {
            let heard = fixed::hear(line, depth_ms);
            heard.print(&format!("rtc-interceptor {depth_ms} ms"), line);
        }
    }
    let recording = &recording;
    let all: Vec<Heard> = thread::scope(|scope| {
        let hear = |line| scope.spawn(move || stretching::hear(line, recording));
        let running: Vec<_> = lines.iter().map(hear).collect();
        let joined = running.into_iter().map(|one| one.join());
        joined
            .map(|heard| heard.expect("a line is heard"))
            .collect()
    });
    for (heard, line) in all.iter().zip(&lines) {
        heard.print("neteq", line);
    }
}
