use super::*;
use std::f64::consts::TAU;
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("trivox-ogg-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

/// A tone that rises, so that every place in it sounds different.
fn sweep(count: usize, rate_hz: f64) -> Vec<i16> {
    (0..count)
        .map(|n| {
            let t = n as f64 / rate_hz;
            ((TAU * (300.0 + 200.0 * t) * t).sin() * 8_000.0) as i16
        })
        .collect()
}

fn write(path: &std::path::Path, samples: &[i16], channels: u16) {
    let mut writer = OggOpusWriter::create(path, channels).unwrap();
    for block in samples.chunks(7_000) {
        writer.write(block).unwrap();
    }
    writer.finish().unwrap();
}

fn correlation(one: &[i16], other: &[i16]) -> f64 {
    let dot = |a: &[i16], b: &[i16]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum()
    };
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}

#[test]
fn what_is_written_is_read_in_its_place_and_to_the_sample() {
    let path = path("sweep.ogg");
    write(&path, &sweep(16_000 * 3 + 123, 16_000.0), 1);
    let mut reader = OggOpusReader::open(&path).unwrap();

    let mut heard = Vec::new();
    while reader.read_mono(1_000, &mut heard).unwrap() == 1_000 {}

    assert_eq!(heard.len(), 3 * (16_000 * 3 + 123));
    assert!((reader.seconds() - heard.len() as f64 / 48_000.0).abs() < 1e-9);
    let said = sweep(heard.len(), 48_000.0);
    for start in [4_800, 48_000, 96_000] {
        let found = correlation(&said[start..start + 9_600], &heard[start..start + 9_600]);
        assert!(found > 0.97, "{start}: {found}");
    }
}

#[test]
fn seeking_finds_the_place() {
    let path = path("seek.ogg");
    write(&path, &sweep(16_000 * 4, 16_000.0), 1);
    let mut reader = OggOpusReader::open(&path).unwrap();
    let said = sweep(48_000 * 4, 48_000.0);

    for seconds in [2.5_f64, 0.0, 1.013] {
        reader.seek(seconds);
        let mut heard = Vec::new();
        reader.read_mono(9_600, &mut heard).unwrap();
        let start = (seconds * 48_000.0) as usize;
        // The first 100 ms of a file are the encoder's own start.
        let found = correlation(&said[start + 4_800..start + 9_600], &heard[4_800..]);
        assert!(found > 0.97, "{seconds}: {found}");
    }
    reader.seek(100.0);
    assert_eq!(reader.read_mono(10, &mut Vec::new()).unwrap(), 0);
}

#[test]
fn a_place_in_a_long_file_is_found_without_reading_what_lies_before() {
    let path = path("long.ogg");
    let rising = |count: usize, rate_hz: f64| -> Vec<i16> {
        let times = (0..count).map(|n| n as f64 / rate_hz);
        times
            .map(|t| ((TAU * (300.0 + 20.0 * t) * t).sin() * 8_000.0) as i16)
            .collect()
    };
    write(&path, &rising(16_000 * 90, 16_000.0), 1);
    let data = std::fs::read(&path).unwrap();
    assert!(data.len() > 200_000, "{}", data.len());
    // Whoever reads this page finds it damaged.
    let mut broken = data.clone();
    broken[20_000..40_000].fill(0x55);
    std::fs::write(&path, broken).unwrap();
    let mut whole = OggOpusReader::open(&path).unwrap();
    assert!(whole.read_mono(usize::MAX, &mut Vec::new()).is_err());
    let mut reader = OggOpusReader::open(&path).unwrap();
    let said = rising(48_000 * 90, 48_000.0);

    for seconds in [60.0_f64, 45.337, 89.0, 75.02] {
        reader.seek(seconds);
        let mut heard = Vec::new();
        reader.read_mono(9_600, &mut heard).unwrap();
        let start = (seconds * 48_000.0) as usize;
        let found = correlation(&said[start..start + 9_600], &heard);
        assert!(found > 0.97, "{seconds}: {found}");
    }
    reader.seek(90.5);
    assert_eq!(reader.read_mono(10, &mut Vec::new()).unwrap(), 0);
}

#[test]
fn what_lies_before_damage_is_given_with_the_error() {
    let path = path("damaged.ogg");
    write(&path, &sweep(16_000 * 4, 16_000.0), 1);
    let mut data = std::fs::read(&path).unwrap();
    let end = data.len();
    data[end - 100] ^= 0x55;
    std::fs::write(&path, data).unwrap();
    let mut reader = OggOpusReader::open(&path).unwrap();

    let mut heard = Vec::new();
    let read = reader.read_mono(usize::MAX, &mut heard);

    assert!(read.is_err());
    assert!(heard.len() >= 2 * 48_000, "{}", heard.len());
}

#[test]
fn two_channels_are_mixed_down() {
    let path = path("stereo.ogg");
    let tone = sweep(16_000, 16_000.0);
    let pairs: Vec<i16> = tone.iter().flat_map(|s| [*s, 0]).collect();
    write(&path, &pairs, 2);
    let mut reader = OggOpusReader::open(&path).unwrap();

    let mut heard = Vec::new();
    reader.read_mono(usize::MAX, &mut heard).unwrap();

    assert_eq!(heard.len(), 48_000);
    let level = crate::level::level_dbov(&heard[9_600..]) - crate::level::level_dbov(&tone);
    assert!((level + 6.0).abs() < 1.0, "{level}");
}

#[test]
fn pages_and_headers_are_as_the_rfc_has_them() {
    let path = path("pages.ogg");
    write(&path, &sweep(16_000 * 2, 16_000.0), 1);
    let data = std::fs::read(&path).unwrap();

    let starts: Vec<usize> = data
        .windows(4)
        .enumerate()
        .filter_map(|(at, four)| (four == b"OggS").then_some(at))
        .collect();
    let granule = |at: usize| u64::from_le_bytes(data[at + 6..at + 14].try_into().unwrap());
    let granules: Vec<u64> = starts.iter().map(|at| granule(*at)).collect();

    assert_eq!(&data[28..36], b"OpusHead");
    let pre_skip = u64::from(u16::from_le_bytes([data[38], data[39]]));
    assert!(pre_skip > 0);
    assert_eq!(granules, [0, 0, 48_000, 96_000 + pre_skip]);
    assert_eq!(data[starts[0] + 5], 2, "begin of stream");
    assert_eq!(data[starts[3] + 5], 4, "end of stream");
}

#[test]
fn what_is_no_opus_is_refused_by_type() {
    let path = path("none.ogg");
    std::fs::write(&path, b"OggS and no more").unwrap();
    assert!(matches!(
        OggOpusReader::open(&path),
        Err(OggError::Damaged(_) | OggError::Cut | OggError::NotOpus)
    ));
    assert_eq!(Head::parse_untrusted(b"OpusHead\x01\x03"), None);
    let four = [b"OpusHead".as_slice(), &[1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(Head::parse_untrusted(&four), None);
}

#[test]
fn a_file_of_another_stream_is_not_read_through_for_a_sound() {
    let mut data = Vec::new();
    let mut writer = ogg::PacketWriter::new(&mut data);
    let head = [
        b"OpusHead\x01\x01\0\0".as_slice(),
        &[0x80, 0x3e, 0, 0, 0, 0, 0],
    ]
    .concat();
    let page = ogg::PacketWriteEndInfo::EndPage;
    writer.write_packet(head, 1, page, 0).unwrap();
    let tags = b"OpusTags".as_slice();
    writer.write_packet(tags, 1, page, 0).unwrap();
    for _ in 0..100 {
        writer.write_packet(vec![0; 60_000], 2, page, 0).unwrap();
    }
    drop(writer);
    let path = path("other.ogg");
    std::fs::write(&path, data).unwrap();
    let mut reader = OggOpusReader::open(&path).unwrap();

    let error = reader.read_mono(100, &mut Vec::new()).unwrap_err();

    assert!(
        error.to_string().ends_with("more octets than sound"),
        "{error}"
    );
}

/// RFC 7845 §3: streams one behind the other, each with a pre-skip and an end of its own.
#[test]
fn one_stream_may_follow_another() {
    let (long, short, both) = (path("first.ogg"), path("second.ogg"), path("joined.ogg"));
    write(&long, &sweep(16_000 * 3 + 123, 16_000.0), 1);
    write(&short, &sweep(16_000, 16_000.0), 1);
    let data = [&long, &short].map(|path| std::fs::read(path).unwrap());
    std::fs::write(&both, data.concat()).unwrap();
    let mut reader = OggOpusReader::open(&both).unwrap();

    let mut heard = Vec::new();
    while reader.read_mono(1_000, &mut heard).unwrap() == 1_000 {}

    let first = 3 * (16_000 * 3 + 123);
    assert_eq!(heard.len(), first + 48_000);
    let said = sweep(48_000, 48_000.0);
    for begin in [0, first] {
        let found = correlation(&said[4_800..14_400], &heard[begin + 4_800..begin + 14_400]);
        assert!(found > 0.97, "{begin}: {found}");
    }
    // A place in the second, and the first again.
    for seconds in [first as f64 / 48_000.0 + 0.5, 0.25] {
        reader.seek(seconds);
        let mut found = Vec::new();
        reader.read_mono(9_600, &mut found).unwrap();
        let begin = (seconds * 48_000.0) as usize;
        let found = correlation(&heard[begin..begin + 9_600], &found);
        assert!(found > 0.97, "{seconds}: {found}");
    }
    reader.seek(4.5);
    assert_eq!(reader.read_mono(10, &mut Vec::new()).unwrap(), 0);
}

#[test]
fn a_file_that_is_cut_off_is_heard_so_far_and_says_so() {
    let path = path("cut.ogg");
    write(&path, &sweep(16_000 * 4, 16_000.0), 1);
    let data = std::fs::read(&path).unwrap();
    std::fs::write(&path, &data[..data.len() - 100]).unwrap();
    let mut reader = OggOpusReader::open(&path).unwrap();

    let mut heard = Vec::new();
    let read = reader.read_mono(usize::MAX, &mut heard);

    assert!(matches!(read, Err(OggError::Cut)), "{read:?}");
    assert!((2 * 48_000..4 * 48_000).contains(&heard.len()));
}
