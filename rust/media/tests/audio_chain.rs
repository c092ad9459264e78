//! The whole audio path in virtual time: file, player, encoder, a line with faults, jitter
//! buffer, recorder, and the comparison of what was recorded with what was sent.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;
use std::time::{Duration, Instant};
use trivox_media::codec::{CodecKind, Decoder, Encoder, OpusSettings};
use trivox_media::compare::{Comparison, compare_files};
use trivox_media::jitter::{JitterBuffer, JitterSettings, JitterStatistics};
use trivox_media::player::{FileSource, Player, Source};
use trivox_media::recorder::{Format, Recorder, Side, Writer};

const FRAME: Duration = Duration::from_millis(20);

struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The speech that ships with the demo.
fn shipped(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../python/trivox/cli/data")
        .join(name)
}

#[derive(Clone, Copy)]
struct Line {
    kind: CodecKind,
    jitter: f64,
    loss: f64,
    is_muted: bool,
    sends_another_file: bool,
    seed: u64,
}

impl Line {
    fn clean(kind: CodecKind) -> Self {
        let (is_muted, sends_another_file) = (false, false);
        Self {
            kind,
            jitter: 0.005,
            loss: 0.0,
            is_muted,
            sends_another_file,
            seed: 1,
        }
    }
}

struct Paths {
    sent: PathBuf,
    played: PathBuf,
    recorded: PathBuf,
}

fn paths(name: &str, line: &Line) -> Paths {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chain-{name}"));
    std::fs::create_dir_all(&directory).unwrap();
    let sent = shipped("caller.wav");
    let played = if line.sends_another_file {
        shipped("reply.wav")
    } else {
        sent.clone()
    };
    Paths {
        sent,
        played,
        recorded: directory.join("recorded.wav"),
    }
}

/// What is on its way: when it arrives, its number and its payload.
fn send(line: &Line, played: PathBuf, frames: u16) -> Vec<(f64, u16, Vec<u8>)> {
    let mut random = Random(line.seed);
    let mut player = Player::new();
    player
        .play(Source::File(Box::new(
            FileSource::open(&played, false, 0.0).unwrap(),
        )))
        .unwrap();
    let rate_hz = line.kind.sample_rate_hz();
    let mut encoder = Encoder::new(line.kind, &OpusSettings::default()).unwrap();
    let mut frame = vec![0; (rate_hz / 50) as usize];
    let mut arrivals = Vec::new();
    for number in 0..frames {
        player.pull(rate_hz, false, &mut frame);
        if line.is_muted {
            frame.fill(0);
        }
        let mut payload = Vec::new();
        encoder.encode(&frame, &mut payload).unwrap();
        if random.unit() >= line.loss {
            let arrival = f64::from(number) * 0.02 + 0.03 + random.unit() * line.jitter;
            arrivals.push((arrival, number, payload));
        }
    }
    arrivals.sort_by(|a, b| a.0.total_cmp(&b.0));
    arrivals
}

#[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
fn run(name: &str, line: Line) -> (Comparison, JitterStatistics) {
    let paths = paths(name, &line);
    let rate_hz = line.kind.sample_rate_hz();
    let start = Instant::now();
    let frames = 450_u16;
    let mut arrivals = send(&line, paths.played, frames).into_iter().peekable();
    let mut buffer = JitterBuffer::new(Decoder::new(line.kind).unwrap(), JitterSettings::default());
    let writer = Writer::inline();
    let mut recorder =
        Recorder::start(&paths.recorded, Side::Both, Format::Wav, start, &writer).unwrap();
    let mut heard = Vec::new();
    for pull in 0..u32::from(frames) {
        let now = start + FRAME * pull;
        let seconds = f64::from(pull) * 0.02;
        while let Some((arrival, number, payload)) = arrivals.next_if(|a| a.0 <= seconds) {
            let at = start + Duration::from_secs_f64(arrival);
            let timestamp = u32::from(number) * (rate_hz / 50);
            buffer.push(at, 1, number, timestamp, &payload);
        }
        heard.clear();
        buffer.pull(now, &mut heard);
        recorder.push_received(now, rate_hz, &heard);
        recorder.push_sent(now, rate_hz, &vec![0; heard.len()]);
    }
    recorder.stop(start + FRAME * u32::from(frames));
    assert_eq!(writer.poll_finished().unwrap().error, None);
    let found = compare_files(&paths.sent, &paths.recorded, Some(0)).unwrap();
    (found, buffer.statistics())
}

#[test]
fn g711_is_heard_as_sent() {
    for kind in [CodecKind::Pcmu, CodecKind::Pcma] {
        let (found, statistics) = run(kind.name(), Line::clean(kind));

        assert!(found.correlation >= 0.97, "{found:?}");
        assert!(found.longest_gap_ms < 40.0, "{found:?}");
        assert!((60.0..130.0).contains(&found.delay_ms), "{found:?}");
        assert_eq!(statistics.concealed_samples, 0);
    }
}

#[test]
fn opus_is_heard_as_sent() {
    let (found, statistics) = run("opus", Line::clean(CodecKind::Opus));

    assert!(found.correlation >= 0.94, "{found:?}");
    assert!(found.longest_gap_ms < 40.0, "{found:?}");
    assert!((60.0..130.0).contains(&found.delay_ms), "{found:?}");
    assert_eq!(statistics.concealed_samples, 0);
}

#[test]
fn a_jittery_line_is_heard_as_sent() {
    for (kind, least) in [(CodecKind::Pcmu, 0.95), (CodecKind::Opus, 0.90)] {
        let line = Line {
            jitter: 0.040,
            ..Line::clean(kind)
        };

        let (found, _) = run(&format!("jitter-{}", kind.name()), line);

        assert!(found.correlation >= least, "{kind:?} {found:?}");
    }
}

#[test]
fn a_muted_sender_is_found() {
    for kind in [CodecKind::Pcmu, CodecKind::Opus] {
        let line = Line {
            is_muted: true,
            ..Line::clean(kind)
        };

        let (found, _) = run(&format!("muted-{}", kind.name()), line);

        assert!(found.correlation < 0.05, "{found:?}");
        assert!(found.longest_gap_ms > 200.0, "{found:?}");
    }
}

#[test]
fn another_file_is_found() {
    for kind in [CodecKind::Pcmu, CodecKind::Opus] {
        let line = Line {
            sends_another_file: true,
            ..Line::clean(kind)
        };

        let (found, _) = run(&format!("another-{}", kind.name()), line);

        assert!(found.correlation < 0.6, "{found:?}");
    }
}

#[test]
fn thirty_percent_loss_is_found() {
    for seed in 1..6 {
        for kind in [CodecKind::Pcmu, CodecKind::Opus] {
            let line = Line {
                loss: 0.30,
                seed,
                ..Line::clean(kind)
            };

            let (found, statistics) = run(&format!("loss-{}-{seed}", kind.name()), line);

            assert!(found.correlation < 0.90, "{kind:?} {found:?}");
            assert!(statistics.missing > 80, "{statistics:?}");
        }
    }
}
