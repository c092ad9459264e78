//! Prints what the jitter buffer makes of lines with faults, one JSON object a line; for
//! `python -m benches jitter`. Virtual time, from a seed: the same figures in every run.
#![allow(clippy::print_stdout, reason = "it is what it is for")]

#[path = "../tests/impaired/mod.rs"]
mod impaired;

use impaired::{Heard, Line, Recording, hear};
use trivox_media::codec::CodecKind;

fn print(name: &str, line: &Line, heard: &Heard) {
    println!(
        "{{\"line\": \"{name}\", \"codec\": \"{}\", \"loss_percent\": {:.2}, \
         \"concealed_percent\": {:.3}, \"recovered_percent\": {:.3}, \"late_percent\": {:.3}, \
         \"longest_lost\": {}, \"longest_concealed\": {}, \"delay_p50_ms\": {:.1}, \
         \"delay_p99_ms\": {:.1}, \"changed_ms\": {:.1}}}",
        line.kind.name(),
        heard.lost_percent,
        heard.concealed_percent,
        heard.recovered_percent,
        heard.late_percent,
        heard.longest_lost,
        heard.longest_concealed,
        heard.delay(0.5) * 1000.0,
        heard.delay(0.99) * 1000.0,
        heard.changed_ms,
    );
}

fn main() {
    for kind in [CodecKind::Opus, CodecKind::G722, CodecKind::Pcmu] {
        let recording = Recording::new(kind);
        let clean = Line::clean(kind);
        for loss in [0.0, 0.05, 0.10, 0.20] {
            for jitter in [0.0, 0.020, 0.040, 0.060] {
                let line = Line {
                    loss,
                    jitter,
                    ..clean
                };
                let name = format!("loss {loss:.2} jitter {:.0} ms", jitter * 1000.0);
                print(&name, &line, &hear(&line, &recording));
            }
        }
        for (loss, burst) in [(0.05, 3.0), (0.10, 3.0), (0.10, 6.0)] {
            let line = Line {
                loss,
                burst,
                ..clean
            };
            let name = format!("loss {loss:.2} in bursts of {burst:.0}");
            print(&name, &line, &hear(&line, &recording));
        }
        let line = Line {
            reorder: 0.05,
            duplicate: 0.05,
            ..clean
        };
        print(
            "reordered and doubled 0.05",
            &line,
            &hear(&line, &recording),
        );
        for skew in [100e-6, -100e-6] {
            let line = Line {
                skew,
                seconds: 3_600.0,
                ..clean
            };
            let name = format!("skew {:+.0} ppm, an hour", skew * 1e6);
            print(&name, &line, &hear(&line, &recording));
        }
    }
}
