use super::*;
use crate::player::{FileSource, MixSource, Player, Share, Source, ToneSource};
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("trivox-flac-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

/// A cyclic redundancy check, most significant bit first.
fn check(data: &[u8], polynomial: u32, width: u32) -> u32 {
    let top = 1 << (width - 1);
    data.iter().fold(0, |state, octet| {
        (0..8).fold(state ^ u32::from(*octet) << (width - 8), |state: u32, _| {
            let next = state << 1;
            (if state & top == 0 {
                next
            } else {
                next ^ polynomial
            }) & ((top << 1) - 1)
        })
    })
}

/// One frame of 24-bit samples as they are, `channels` of them (RFC 9639 §9).
fn frame(number: u32, samples: &[i32], channels: usize) -> Vec<u8> {
    let count = samples.len() / channels - 1;
    let kind = (channels - 1) as u8;
    // 16 bits of block size follow; the rate is that of the stream; 24 bits a sample.
    let mut data = vec![0xff, 0xf8, 0x70, kind << 4 | 6 << 1];
    let coded = char::from_u32(number).unwrap(); // they are coded alike
    data.extend(coded.encode_utf8(&mut [0; 4]).bytes());
    data.extend((count as u16).to_be_bytes());
    data.push(check(&data, 0x07, 8) as u8);
    for channel in 0..channels {
        data.push(1 << 1);
        let own = samples.iter().skip(channel).step_by(channels);
        data.extend(own.flat_map(|sample| sample.to_be_bytes()[1..].to_vec()));
    }
    let sum = check(&data, 0x8005, 16) as u16;
    data.extend(sum.to_be_bytes());
    data
}

/// A file of two further blocks before frames of 1000 samples.
fn flac(samples: &[i32], channels: usize, rate_hz: u64, length: u64) -> Vec<u8> {
    let mut data = b"fLaC\0\0\0\x22".to_vec();
    data.extend([0x03, 0xe8, 0x03, 0xe8, 0, 0, 0, 0, 0, 0]);
    let packed = rate_hz << 44 | (channels as u64 - 1) << 41 | 23 << 36 | length;
    data.extend(packed.to_be_bytes());
    data.extend([0; 16]);
    data.extend(b"\x01\0\0\x03pad\x86\0\0\x05image");
    for (number, block) in samples.chunks(1_000 * channels).enumerate() {
        data.extend(frame(number as u32, block, channels));
    }
    data
}

fn opened(name: &str, data: &[u8]) -> Result<FlacReader, FlacError> {
    let path = path(name);
    std::fs::write(&path, data).unwrap();
    FlacReader::open(&path)
}

fn heard(reader: &mut FlacReader) -> Result<Vec<i16>, FlacError> {
    let mut samples = Vec::new();
    while reader.read_mono(700, &mut samples)? == 700 {}
    Ok(samples)
}

fn ramp(count: i32) -> Vec<i32> {
    (0..count).map(|n| (n * 3 - 4_000) << 8).collect()
}

fn in_16_bits(samples: &[i32]) -> Vec<i16> {
    samples.iter().map(|sample| (sample >> 8) as i16).collect()
}

#[test]
fn every_sample_is_read_and_the_blocks_before_them_passed_over() {
    let said = ramp(2_500);

    let mut reader = opened("whole.flac", &flac(&said, 1, 8_000, 2_500)).unwrap();

    assert_eq!((reader.rate_hz(), reader.seconds()), (8_000, 0.3125));
    assert_eq!(heard(&mut reader).unwrap(), in_16_bits(&said));
}

#[test]
fn channels_are_mixed_down() {
    let pairs: Vec<i32> = ramp(1_200)
        .into_iter()
        .flat_map(|s| [s, -s + 512])
        .collect();

    let mut reader = opened("stereo.flac", &flac(&pairs, 2, 44_100, 1_200)).unwrap();

    assert_eq!(heard(&mut reader).unwrap(), vec![1; 1_200]);
}

#[test]
fn a_mean_of_channels_of_few_bits_keeps_its_half() {
    assert_eq!(to_16_bits(1, 2, 8), 128);
    assert_eq!(to_16_bits(-3, 2, 8), -384);
    assert_eq!(to_16_bits(-128 * 2, 2, 8), i16::MIN);
    assert_eq!(to_16_bits(5 << 8, 1, 24), 5);
}

#[test]
fn seeking_finds_the_sample_forwards_and_back() {
    let said = ramp(3_000);
    let mut reader = opened("seek.flac", &flac(&said, 1, 8_000, 3_000)).unwrap();

    for (seconds, first) in [(0.3, 2_400), (0.0, 0), (0.125, 1_000), (9.0, 3_000)] {
        reader.seek(seconds);
        assert_eq!(heard(&mut reader).unwrap(), in_16_bits(&said[first..]));
    }
}

#[test]
fn a_stream_of_unknown_length_is_read_to_its_end() {
    let said = ramp(1_500);

    let mut reader = opened("pipe.flac", &flac(&said, 1, 16_000, 0)).unwrap();

    assert_eq!(reader.seconds(), 0.0);
    assert_eq!(heard(&mut reader).unwrap(), in_16_bits(&said));
}

#[test]
fn a_loop_over_a_stream_of_unknown_length_goes_on_where_a_read_ends_with_it() {
    let said = ramp(1_500);
    opened("loop.flac", &flac(&said, 1, 16_000, 0)).unwrap();
    let mut source = FileSource::open(&path("loop.flac"), true, 0.0).unwrap();

    let mut samples = Vec::new();
    (0..3).for_each(|_| source.read(1_500, &mut samples).unwrap());

    assert_eq!(samples, in_16_bits(&said).repeat(3));
}

#[test]
fn a_file_cut_within_a_frame_ends_before_it() {
    let said = ramp(2_000);
    let data = flac(&said, 1, 8_000, 2_000);

    let mut reader = opened("cut.flac", &data[..data.len() - 700]).unwrap();

    assert_eq!(heard(&mut reader).unwrap(), in_16_bits(&said[..1_000]));
}

#[test]
fn notes_behind_the_sound_are_not_read() {
    let said = ramp(1_000);
    let data = [
        flac(&said, 1, 8_000, 1_000),
        b"TAG of another kind".to_vec(),
    ]
    .concat();

    let mut reader = opened("notes.flac", &data).unwrap();

    assert_eq!(heard(&mut reader).unwrap(), in_16_bits(&said));
}

#[test]
fn a_damaged_frame_is_an_error_and_not_noise() {
    let mut data = flac(&ramp(2_000), 1, 8_000, 2_000);
    let last = data.len() - 100;
    data[last] ^= 0x55;

    let mut reader = opened("damaged.flac", &data).unwrap();

    let mut samples = Vec::new();
    let error = reader.read_mono(1_500, &mut samples);

    assert!(matches!(error, Err(FlacError::Damaged(_))));
    assert_eq!(samples, in_16_bits(&ramp(1_000)), "what is good is given");
}

#[test]
fn a_place_in_a_long_file_is_found_without_decoding_what_lies_before() {
    let said: Vec<i32> = (0..300_400).map(|n| (n % 30_011) << 8).collect();
    let mut data = flac(&said, 1, 8_000, 300_400);
    let damaged = data.len() / 5;
    data[damaged] ^= 0x55;
    let mut reader = opened("long.flac", &data).unwrap();
    assert!(heard(&mut reader).is_err());

    // The last frame is a short one.
    for first in [200_000, 123_457, 299_999, 300_100, 100_000] {
        reader.seek(first as f64 / 8_000.0);
        let mut samples = Vec::new();
        reader.read_mono(300, &mut samples).unwrap();
        assert_eq!(samples, in_16_bits(&said[first..first + 300]));
    }
    reader.seek(0.0);
    assert!(heard(&mut reader).is_err());
}

#[test]
fn headers_that_are_none_are_refused_by_type() {
    let whole = flac(&ramp(1_000), 1, 8_000, 1_000);
    let header = whole.windows(5).position(|five| five == b"image").unwrap() + 5;
    let mut endless = whole[..42].to_vec();
    endless.extend(b"\x01\0\0\0".repeat(2_000));
    let slow = flac(&ramp(1_000), 1, 3_999, 1_000);

    for (name, data) in [
        ("short.flac", &whole[..20]),
        ("empty.flac", &whole[..header]),
    ] {
        assert!(matches!(opened(name, data), Err(FlacError::Truncated)));
    }
    for (name, data) in [
        ("endless.flac", &endless[..]),
        ("none.flac", b"fLaC\x04\0\0\x22    "),
    ] {
        assert!(matches!(opened(name, data), Err(FlacError::Damaged(_))));
    }
    assert!(matches!(
        opened("slow.flac", &slow),
        Err(FlacError::Format(_))
    ));
    let missing = FlacReader::open(&path("missing.flac"));
    assert!(matches!(missing, Err(FlacError::System(_))));
}

#[test]
fn those_who_mix_or_share_a_damaged_file_are_told_too() {
    let mut data = flac(&ramp(2_000), 1, 8_000, 2_000);
    let last = data.len() - 100;
    data[last] ^= 0x55;
    opened("parts.flac", &data).unwrap();
    let file = || {
        let source = FileSource::open(&path("parts.flac"), false, 0.0).unwrap();
        Source::File(Box::new(source))
    };
    let tone = ToneSource::new(&[440.0], &[], Some(0.5), -12.0).unwrap();
    let mix = MixSource::new(vec![file(), Source::Tone(tone)]);
    let share = Share::new(file());
    let mut player = Player::new();

    for source in [
        file(),
        Source::Mix(mix),
        Source::Shared(share.reader()),
        Source::Shared(share.reader()),
    ] {
        player.play(source);
    }
    let mut frame = [0; 160];
    (0..60).for_each(|_| {
        player.pull(8_000, false, &mut frame);
    });

    let ended: Vec<_> = std::iter::from_fn(|| player.poll_ended()).collect();
    let heard: Vec<_> = ended
        .iter()
        .map(|one| (one.seconds * 1e3).round())
        .collect();
    assert_eq!(heard, [125.0, 500.0, 125.0, 0.0]);
    for one in ended {
        let error = one.error.unwrap();
        assert!(error.starts_with("the FLAC file is damaged"), "{error}");
    }
}

/// A sample may be told in unary, as long as the file.
#[test]
fn a_sample_that_takes_the_whole_file_ends_it_soon() {
    let whole = flac(&ramp(1_000), 1, 8_000, 1_000);
    let begin = whole.windows(5).position(|five| five == b"image").unwrap() + 5;
    let mut data = whole[..begin].to_vec();
    let head = [0xff, 0xf8, 0xc0, 0x08, 0];
    let check = head.iter().fold(0_u8, |crc, octet| {
        (0..8).fold(crc ^ octet, |crc, _| (crc << 1) ^ ((crc >> 7) * 0x07))
    });
    data.extend(head);
    // No predictor, and a residual whose zeros do not end.
    data.extend([check, 0x10]);
    let mut reader = opened("unary.flac", &data).unwrap();
    let file = File::options()
        .write(true)
        .open(path("unary.flac"))
        .unwrap();
    file.set_len(1 << 40).unwrap();

    for start in [None, Some(0.1)] {
        start.into_iter().for_each(|start| reader.seek(start));
        let error = reader.read_mono(100, &mut Vec::new()).unwrap_err();
        assert!(
            error.to_string().ends_with("more octets than sound"),
            "{error}"
        );
    }
}
