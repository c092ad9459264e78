use super::*;
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("trivox-wav-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

fn file(name: &str, tag: u16, channels: u16, bits: u16, data: &[u8]) -> PathBuf {
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    bytes.extend(tag.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(8_000_u32.to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(bits.to_le_bytes());
    bytes.extend(b"LIST\x03\0\0\0abc\0data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    let path = path(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn read(path: &Path) -> Vec<i16> {
    let mut samples = Vec::new();
    let mut reader = WavReader::open(path).unwrap();
    while reader.read_mono(3, &mut samples).unwrap() > 0 {}
    samples
}

#[test]
fn what_is_written_is_read_back() {
    let path = path("round-trip.wav");
    let mut writer = WavWriter::create(&path, 16_000, 2).unwrap();
    writer.write(&[1, 3, -5, -7]).unwrap();
    writer.write(&[100, 200]).unwrap();

    let mut reader = WavReader::open(&path).unwrap();
    let (mut left, mut mixed) = (Vec::new(), Vec::new());
    reader.read_channel(10, 0, &mut left).unwrap();
    reader.seek(0.0).unwrap();
    reader.read_mono(10, &mut mixed).unwrap();

    assert_eq!((reader.rate_hz(), reader.channels()), (16_000, 2));
    assert_eq!(left, [1, -5, 100]);
    assert_eq!(mixed, [2, -6, 150]);
    assert!((writer.seconds() - 3.0 / 16_000.0).abs() < 1e-12);
}

#[test]
fn a_file_is_readable_before_its_writer_is_done() {
    let path = path("unfinished.wav");
    let mut writer = WavWriter::create(&path, 8_000, 1).unwrap();
    writer.write(&[7; 800]).unwrap();

    assert_eq!(read(&path), [7; 800]);
    drop(writer);
}

#[test]
fn every_sample_format_is_read_at_the_same_scale() {
    assert_eq!(
        read(&file("u8.wav", 1, 1, 8, &[128, 192, 0])),
        [0, 16_384, -32_768]
    );
    assert_eq!(
        read(&file("s24.wav", 1, 1, 24, &[0, 0, 0x40, 0, 0, 0xc0])),
        [16_384, -16_384]
    );
    assert_eq!(read(&file("s32.wav", 1, 1, 32, &[0, 0, 0, 0x40])), [16_384]);
    assert_eq!(
        read(&file("f32.wav", 3, 1, 32, &0.5_f32.to_le_bytes())),
        [16_383]
    );
    assert_eq!(read(&file("ulaw.wav", 7, 1, 8, &[0xff, 0x80])), [0, 32_124]);
    assert_eq!(read(&file("alaw.wav", 6, 1, 8, &[0xd5])), [8]);
    assert_eq!(read(&file("stereo.wav", 1, 2, 16, &[10, 0, 20, 0])), [15]);
}

#[test]
fn bad_files_are_typed_errors() {
    let text = path("text.wav");
    std::fs::write(&text, "this is not audio, whatever its name says").unwrap();
    let short = path("short.wav");
    std::fs::write(&short, "RIFF").unwrap();

    assert!(matches!(WavReader::open(&text), Err(WavError::NotWav)));
    assert!(matches!(WavReader::open(&short), Err(WavError::NotWav)));
    assert!(matches!(
        WavReader::open(Path::new("/nowhere.wav")),
        Err(WavError::System(_))
    ));
    let endless = path("endless.wav");
    let chunks = b"junk\0\0\0\0".repeat(2_000);
    std::fs::write(&endless, [b"RIFF\0\0\0\0WAVE", &chunks[..]].concat()).unwrap();
    assert!(matches!(
        WavReader::open(&endless),
        Err(WavError::Truncated)
    ));
    let empty = file("empty.wav", 1, 1, 16, &[]);
    assert!(matches!(WavReader::open(&empty), Err(WavError::Truncated)));
    let adpcm = file("adpcm.wav", 2, 1, 4, &[0; 8]);
    assert!(matches!(WavReader::open(&adpcm), Err(WavError::Format(_))));
    let channels = file("channels.wav", 1, 0, 16, &[0; 8]);
    assert!(matches!(
        WavReader::open(&channels),
        Err(WavError::Format(_))
    ));
}

#[test]
fn seeking_starts_in_the_middle_and_stops_at_the_end() {
    let path = path("seek.wav");
    let samples: Vec<i16> = (0..8_000).collect();
    WavWriter::create(&path, 8_000, 1)
        .unwrap()
        .write(&samples)
        .unwrap();
    let mut reader = WavReader::open(&path).unwrap();
    let mut heard = Vec::new();

    reader.seek(0.5).unwrap();
    reader.read_mono(2, &mut heard).unwrap();
    reader.seek(99.0).unwrap();

    assert_eq!(heard, [4_000, 4_001]);
    assert_eq!(reader.read_mono(2, &mut heard).unwrap(), 0);
}

#[test]
fn any_octets_are_a_file_or_an_error() {
    let whole = std::fs::read(file("fuzz-seed.wav", 1, 2, 16, &[1; 64])).unwrap();
    let path = path("fuzz.wav");
    for index in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[index] = value;
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(mut reader) = WavReader::open(&path) {
                let _ = reader.read_mono(1_000, &mut Vec::new());
            }
        }
        std::fs::write(&path, &whole[..index]).unwrap();
        if let Ok(mut reader) = WavReader::open(&path) {
            let _ = reader.read_mono(1_000, &mut Vec::new());
        }
    }
}

#[test]
fn samples_without_a_header_are_read_as_they_are_said_to_be() {
    let cases: [(&str, u16, &[u8], &[i16]); 5] = [
        ("s16", 2, &[1, 0, 3, 0, 0xfb, 0xff, 0xf9, 0xff, 9], &[2, -6]),
        ("u8", 1, &[128, 129], &[0, 256]),
        ("ulaw", 1, &[0xff, 0x7f], &[0, 0]),
        ("f32", 1, &[0, 0, 0x80, 0x3f], &[32_767]),
        ("s24", 1, &[0xaa, 2, 0], &[2]),
    ];
    for (encoding, channels, data, expected) in cases {
        let path = path(&format!("bare-{encoding}.raw"));
        std::fs::write(&path, data).unwrap();
        let raw = RawFormat::new(encoding, 8_000, channels).unwrap();
        let mut reader = WavReader::open_raw(&path, raw).unwrap();
        let mut samples = Vec::new();
        reader.read_mono(10, &mut samples).unwrap();
        assert_eq!(samples, expected, "{encoding}");
        reader.seek(0.0).unwrap();
        samples.clear();
        reader.read_mono(1, &mut samples).unwrap();
        assert_eq!(samples, expected[..1], "{encoding}");
    }
}

#[test]
fn raw_samples_of_no_sense_are_refused() {
    for (encoding, rate_hz, channels) in [("g722", 8_000, 1), ("s16", 1, 1), ("s16", 8_000, 0)] {
        assert!(RawFormat::new(encoding, rate_hz, channels).is_err());
    }
    let path = path("half.raw");
    std::fs::write(&path, [1]).unwrap();
    let raw = RawFormat::new("s16", 8_000, 1).unwrap();
    assert!(matches!(
        WavReader::open_raw(&path, raw),
        Err(WavError::Truncated)
    ));
}
