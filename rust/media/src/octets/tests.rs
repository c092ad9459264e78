use super::*;
use crate::player::FileSource;
use crate::wav::WavWriter;
use std::path::PathBuf;

const FLAC: &[u8] = include_bytes!("../../../fuzz/seeds/flac/stereo");
const OGG: &[u8] = include_bytes!("../../../fuzz/seeds/ogg/long");

fn path(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("trivox-octets-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

fn wav() -> Vec<u8> {
    let path = path(&format!("tone-{:?}.wav", std::thread::current().id()));
    let samples: Vec<i16> = (0..9_000).map(|n| (n % 700) * 20).collect();
    let mut writer = WavWriter::create(&path, 16_000, 2).unwrap();
    writer.write(&samples).unwrap();
    drop(writer);
    std::fs::read(path).unwrap()
}

/// All that comes of octets which are pushed in pieces.
fn decoded(octets: &[u8], piece: usize, rate_hz: u32) -> Result<Vec<i16>, SourceError> {
    let mut decoder = SoundDecoder::new(rate_hz);
    let mut samples = Vec::new();
    for piece in octets.chunks(piece) {
        decoder.push(piece)?;
        loop {
            let some = decoder.take()?;
            if some.is_empty() {
                break;
            }
            samples.extend(some);
        }
    }
    decoder.close();
    loop {
        let some = decoder.take()?;
        samples.extend(&some);
        if decoder.is_over() {
            return Ok(samples);
        }
    }
}

#[test]
fn what_comes_in_pieces_is_what_the_file_has() {
    for (name, octets) in [
        ("some.wav", wav()),
        ("some.flac", FLAC.to_vec()),
        ("some.ogg", OGG.to_vec()),
    ] {
        std::fs::write(path(name), &octets).unwrap();
        let mut file = FileSource::open(&path(name), false, 0.0).unwrap();
        let mut said = Vec::new();
        file.read(usize::MAX, &mut said).unwrap();

        for piece in [1, 13, 1_000, usize::MAX] {
            let heard = decoded(&octets, piece, file.rate_hz()).unwrap();
            assert_eq!(heard.len(), said.len(), "{name} by {piece}");
            assert!(heard == said, "{name} by {piece}");
        }
    }
}

#[test]
fn another_rate_is_made() {
    let heard = decoded(&wav(), 100, 48_000).unwrap();
    assert!(heard.len().abs_diff(3 * 4_500) < 500, "{}", heard.len());
}

#[test]
fn a_second_stream_of_ogg_follows_the_first() {
    let once = decoded(OGG, 500, 48_000).unwrap();
    let twice = decoded(&OGG.repeat(2), 500, 48_000).unwrap();
    assert_eq!(twice.len(), 2 * once.len());
}

#[test]
fn wav_from_a_pipe_goes_on_to_its_end() {
    let mut octets = wav();
    for size in [0_u32, u32::MAX] {
        octets[40..44].copy_from_slice(&size.to_le_bytes());
        assert_eq!(decoded(&octets, 999, 16_000).unwrap().len(), 4_500);
    }
}

#[test]
fn what_is_no_sound_is_refused_and_what_is_damaged_told() {
    let mut cases = vec![
        (b"<html>no</html>".to_vec(), "neither WAV"),
        (b"RIFF".to_vec(), "before it has any sound"),
        (Vec::new(), "before it has any sound"),
        (b"RIFF....nope".to_vec(), "not a WAV file"),
        (b"fLaC....".repeat(20), "the FLAC file is damaged"),
        (b"OggS".repeat(20), "Ogg"),
    ];
    let mut broken = OGG.to_vec();
    broken[1_500] ^= 1;
    cases.push((broken, "the Ogg file is damaged"));
    let mut broken = FLAC.to_vec();
    let last = broken.len() - 20;
    broken[last] ^= 1;
    cases.push((broken, "the FLAC file is damaged"));

    for (octets, reason) in cases {
        let error = decoded(&octets, 64, 16_000).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_frame_without_end_is_bounded() {
    let mut decoder = SoundDecoder::new(8_000);
    let mut octets = wav();
    octets.truncate(12);
    octets.extend(b"fmt \x00\x10\0\0");
    decoder.push(&octets).unwrap();
    assert!(decoder.take().unwrap().is_empty());

    let full = (0..).find_map(|_| decoder.push(&[0; 65_536]).err());

    assert!(matches!(full, Some(SourceError::Octets(_))));
}

#[test]
fn a_frame_that_comes_octet_by_octet_is_tried_few_times() {
    let mut decoder = SoundDecoder::new(48_000);
    let mut tries = Vec::new();
    for octet in FLAC {
        decoder.push(&[*octet]).unwrap();
        let is_due = decoder.wanted <= decoder.kept.len();
        if decoder.take().unwrap().is_empty() && is_due && decoder.wanted > 64 {
            tries.push(decoder.wanted);
        }
    }

    assert!(!tries.is_empty());
    assert!(
        tries.len() < FLAC.len() / 16,
        "{} of {}",
        tries.len(),
        FLAC.len()
    );
}
