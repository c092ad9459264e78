use std::path::PathBuf;
use std::time::Duration;

use super::{MatroskaError, MatroskaWriter, seconds_of};
use crate::recorder::Picture;
use crate::video::{Orientation, VideoCodec};

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("trivox-{name}-{}.mkv", std::process::id()))
}

/// A frame of VP8 as far as its head goes: 320 by 240.
fn picture(at_ms: u64, is_key: bool) -> Picture {
    let head = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0];
    Picture {
        codec: VideoCodec::Vp8,
        at: Duration::from_millis(at_ms),
        is_key,
        orientation: Default::default(),
        data: if is_key {
            head.to_vec()
        } else {
            vec![0x31; 300]
        },
    }
}

fn count(bytes: &[u8], wanted: &[u8]) -> usize {
    let windows = bytes.windows(wanted.len());
    windows.filter(|window| *window == wanted).count()
}

#[test]
fn a_file_tells_its_size_codec_places_and_length_in_the_end() {
    let path = path("head");
    let mut writer = MatroskaWriter::create(&path, 2).unwrap();
    for block in 0..6 {
        for number in 0..12 {
            let at = block * 500 + number * 40;
            writer.write_picture(&picture(at, at % 1_000 == 0)).unwrap();
        }
        writer.write(&[100; 16_000]).unwrap();
    }
    writer.finish().unwrap();

    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(count(&bytes, b"V_VP8"), 1);
    assert_eq!(count(&bytes, b"A_OPUS"), 1);
    assert_eq!(
        count(&bytes, &[0xb0, 0x82, 0x01, 0x40, 0xba, 0x81, 0xf0]),
        1
    );
    // Three key frames begin clusters, and each is named at the end.
    assert_eq!(count(&bytes, &[0xf7, 0x81, 0x01, 0xf1]), 3);
    assert!(
        (writer.seconds() - 3.0).abs() < 1e-9,
        "{}",
        writer.seconds()
    );
}

#[test]
fn the_length_is_read_back_and_a_file_without_pictures_has_one_too() {
    let path = path("length");
    let mut writer = MatroskaWriter::create(&path, 0).unwrap();
    writer.write_picture(&picture(0, false)).unwrap();
    writer.write_picture(&picture(400, true)).unwrap();
    writer.write_picture(&picture(440, false)).unwrap();
    writer.finish().unwrap();
    assert_eq!(seconds_of(&path), Some(0.48));

    let mut writer = MatroskaWriter::create(&path, 1).unwrap();
    writer.write(&[0; 8_000]).unwrap();
    drop(writer);
    assert_eq!(seconds_of(&path), Some(0.5));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_codec_that_changes_and_a_disk_that_is_full_are_told() {
    let path = path("codec");
    let mut writer = MatroskaWriter::create(&path, 0).unwrap();
    writer.write_picture(&picture(0, true)).unwrap();
    let other = Picture {
        codec: VideoCodec::Vp9,
        ..picture(40, true)
    };
    let error = writer.write_picture(&other).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    assert!(error.to_string().contains("from VP8 to VP9"), "{error}");

    let full = MatroskaWriter::create(std::path::Path::new("/dev/full"), 1);
    assert!(matches!(full, Err(MatroskaError::System(_))));
}

#[test]
fn pictures_that_lie_on_their_side_say_so() {
    for (degrees, roll) in [
        (90, Some(-90.0_f64)),
        (180, Some(-180.0)),
        (270, Some(90.0)),
        (0, None),
    ] {
        let path = path(&format!("turned{degrees}"));
        let mut writer = MatroskaWriter::create(&path, 0).unwrap();
        let orientation = Orientation::from_degrees(degrees).unwrap();
        let turned = Picture {
            orientation,
            ..picture(0, true)
        };
        writer.write_picture(&turned).unwrap();
        writer.finish().unwrap();

        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let told = roll.map(|roll| [&[0x76, 0x75, 0x88][..], &roll.to_be_bytes()].concat());
        assert_eq!(
            count(&bytes, &[0x76, 0x75]),
            usize::from(told.is_some()),
            "{degrees}"
        );
        assert_eq!(
            told.map(|told| count(&bytes, &told)),
            roll.map(|_| 1),
            "{degrees}"
        );
    }
}
