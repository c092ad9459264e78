use super::*;
use crate::wav::WavReader;
use std::path::PathBuf;

const FRAME: Duration = Duration::from_millis(20);

fn path(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("trivox-recorder-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

#[expect(clippy::disallowed_methods, reason = "an origin for virtual time")]
fn origin() -> Instant {
    Instant::now()
}

fn channel(path: &Path, channel: u16) -> Vec<i16> {
    let mut samples = Vec::new();
    WavReader::open(path)
        .unwrap()
        .read_channel(usize::MAX, channel, &mut samples)
        .unwrap();
    samples
}

#[test]
fn both_sides_are_two_channels_in_step() {
    let (path, writer, start) = (path("both.wav"), Writer::inline(), origin());
    let mut recorder = Recorder::start(&path, Side::Both, Format::Wav, start, &writer).unwrap();
    let mut now = start;
    for _ in 0..100 {
        now += FRAME;
        recorder.push_received(now, 16_000, &[100; 320]);
        recorder.push_sent(now, 16_000, &[-200; 320]);
    }

    let seconds = recorder.stop(now);

    assert!((seconds - 2.0).abs() < 1e-9);
    assert_eq!(channel(&path, 0), [100; 32_000]);
    assert_eq!(channel(&path, 1), [-200; 32_000]);
    assert_eq!(writer.poll_finished().unwrap().error, None);
}

#[test]
fn silence_stands_where_nothing_arrived() {
    let (path, writer, start) = (path("gap.wav"), Writer::inline(), origin());
    let mut recorder = Recorder::start(&path, Side::Both, Format::Wav, start, &writer).unwrap();
    for n in 1..=200_u32 {
        let now = start + FRAME * n;
        recorder.push_sent(now, 16_000, &[5; 320]);
        if !(50..100).contains(&n) && n > 10 {
            recorder.push_received(now, 16_000, &[7; 320]);
        }
    }

    recorder.stop(start + FRAME * 200);

    let heard = channel(&path, 0);
    assert_eq!(heard.len(), 64_000);
    assert!(heard[..3_200].iter().all(|&s| s == 0));
    assert!(heard[3_200..15_680].iter().all(|&s| s == 7));
    assert!(heard[15_680..31_680].iter().all(|&s| s == 0));
    assert!(heard[31_680..].iter().all(|&s| s == 7));
    assert_eq!(channel(&path, 1), [5; 64_000]);
}

#[test]
fn a_stall_and_its_burst_leave_no_hole() {
    let (path, writer, start) = (path("stall.wav"), Writer::inline(), origin());
    let mut recorder = Recorder::start(&path, Side::Received, Format::Wav, start, &writer).unwrap();
    for n in 1..=100_u32 {
        // The frames of 20 to 24 all come 100 ms late, together with the one of 25.
        let late = if (20..25).contains(&n) { 25 - n } else { 0 };
        recorder.push_received(start + FRAME * (n + late), 16_000, &[9; 320]);
    }

    recorder.stop(start + FRAME * 100);

    assert_eq!(channel(&path, 0), [9; 32_000]);
}

#[test]
fn a_threaded_writer_writes_the_same_file() {
    let (inline, threaded) = (path("inline.wav"), path("threaded.wav"));
    let start = origin();
    for (path, writer) in [
        (&inline, Writer::inline()),
        (&threaded, Writer::threaded().unwrap()),
    ] {
        let mut recorder = Recorder::start(path, Side::Sent, Format::Wav, start, &writer).unwrap();
        for n in 1..=333_u32 {
            recorder.push_sent(start + FRAME * n, 48_000, &[(n * 13) as i16; 960]);
        }
        recorder.stop(start + FRAME * 333);
        drop(writer);
    }

    assert_eq!(
        std::fs::read(inline).unwrap(),
        std::fs::read(threaded).unwrap()
    );
}

#[test]
fn a_side_that_never_speaks_is_silence_as_long_as_the_other() {
    let (path, writer, start) = (path("one-sided.wav"), Writer::inline(), origin());
    let mut recorder = Recorder::start(&path, Side::Both, Format::Wav, start, &writer).unwrap();
    for n in 1..=500_u32 {
        recorder.push_sent(start + FRAME * n, 8_000, &[50; 160]);
    }
    recorder.stop(start + FRAME * 500);

    assert_eq!(channel(&path, 0), [0; 160_000]);
    assert!(channel(&path, 1)[100..].iter().all(|&s| s == 50));
}

#[test]
fn a_path_that_cannot_be_is_told_at_once() {
    let writer = Writer::inline();

    let refused = Recorder::start(
        Path::new("/no/such/a.wav"),
        Side::Both,
        Format::Wav,
        origin(),
        &writer,
    );

    assert!(matches!(
        refused,
        Err(RecorderError::Wav(WavError::System(_)))
    ));
}

#[test]
fn a_writer_dropped_before_its_recorders_does_not_wait_for_them() {
    let (path, writer, start) = (path("orphan.wav"), Writer::threaded().unwrap(), origin());
    let mut recorder = Recorder::start(&path, Side::Sent, Format::Wav, start, &writer).unwrap();
    for n in 1..=50_u32 {
        recorder.push_sent(start + FRAME * n, 16_000, &[3; 320]);
    }

    drop(writer);
    recorder.stop(start + FRAME * 50);

    assert_eq!(channel(&path, 0), [3; 16_000]);
}

#[test]
fn ogg_is_as_true_to_wall_time_as_wav() {
    let (path, writer, start) = (path("gap.ogg"), Writer::inline(), origin());
    let mut recorder = Recorder::start(&path, Side::Received, Format::Ogg, start, &writer).unwrap();
    for n in 1..=200_u32 {
        if !(50..100).contains(&n) {
            let tone: Vec<i16> = (0..320_u32)
                .map(|at| (f64::from(at * 440) * std::f64::consts::TAU / 16_000.0).sin() * 8e3)
                .map(|sample| sample as i16)
                .collect();
            recorder.push_received(start + FRAME * n, 16_000, &tone);
        }
    }

    let seconds = recorder.stop(start + FRAME * 200);

    let finished = writer.poll_finished().unwrap();
    assert_eq!(finished.error, None);
    assert!((finished.seconds - seconds).abs() < 1e-9);
    let mut heard = Vec::new();
    let mut reader = crate::ogg_opus::OggOpusReader::open(&path).unwrap();
    reader.read_mono(usize::MAX, &mut heard).unwrap();
    assert_eq!(heard.len(), 4 * 48_000);
    let level = |from: usize| crate::level::level_dbov(&heard[from * 480..from * 480 + 4_800]);
    assert!(level(80) > -20.0 && level(210) > -20.0);
    assert!(level(110) < -45.0 && level(180) < -45.0, "{}", level(110));
}

/// Whoever ends a call holds its lock, and may be the thread of all calls.
#[test]
fn a_recording_ends_at_once_though_the_disk_stands_still_and_no_block_has_room() {
    let (path, writer) = (path("end.wav"), Writer::threaded().unwrap());
    let mut file = writer.create(&path, Format::Wav, 1).unwrap();
    let disk = file.disk();
    let held = disk.lock().unwrap();
    while writer.poll_behind().is_none() {
        file.write(vec![1; 8]);
    }

    file.finish();
    assert!(writer.poll_finished().is_none());
    drop(held);
    drop(disk);
    drop(writer);
    let seconds = WavReader::open(&path).unwrap().seconds();
    std::fs::remove_file(&path).unwrap();

    let blocks = (seconds * 2000.0).round() as usize;
    assert_eq!(blocks, super::waiting::MOST_WAITING);
}
