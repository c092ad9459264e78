use super::*;

fn tone(rate_hz: u32, seconds: f32, frequency_hz: f32) -> Vec<i16> {
    let count = (rate_hz as f32 * seconds) as usize;
    (0..count)
        .map(|n| {
            let phase = n as f32 * frequency_hz * std::f32::consts::TAU / rate_hz as f32;
            (phase.sin() * 10_000.0) as i16
        })
        .collect()
}

fn correlation(a: &[i16], b: &[i16]) -> f64 {
    let (mut ab, mut aa, mut bb) = (0.0, 1e-9, 1e-9);
    for (&x, &y) in a.iter().zip(b) {
        let (x, y) = (f64::from(x), f64::from(y));
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    ab / (aa * bb).sqrt()
}

#[test]
fn g711_codes_survive_a_round_trip() {
    for code in 0..=255_u8 {
        assert_eq!(g711::encode_alaw(g711::decode_alaw(code)), code);
        let again = g711::encode_ulaw(g711::decode_ulaw(code));
        // µ-law has two codes for zero and only one is sent.
        assert!(
            again == code || (code == 0x7f && again == 0xff),
            "{code:#x}"
        );
    }
}

#[test]
fn g711_values_match_the_recommendation() {
    assert_eq!(g711::decode_ulaw(0x00), -32_124);
    assert_eq!(g711::decode_ulaw(0x80), 32_124);
    assert_eq!(g711::decode_ulaw(0xff), 0);
    assert_eq!(g711::decode_alaw(0xd5), 8);
    assert_eq!(g711::decode_alaw(0x55), -8);
    assert_eq!(g711::decode_alaw(0xaa), 32_256);
}

#[test]
fn g711_error_is_under_a_step_for_every_sample() {
    for sample in i16::MIN..=i16::MAX {
        let bound = 16.max(i32::from(sample).abs() / 16);
        let near = |value: i16| (i32::from(value) - i32::from(sample)).abs() <= bound;
        assert!(
            near(g711::decode_alaw(g711::encode_alaw(sample))),
            "A-law {sample}"
        );
        let clipped = sample.clamp(-32_635, 32_635);
        let ulaw = i32::from(g711::decode_ulaw(g711::encode_ulaw(sample)));
        assert!(
            (ulaw - i32::from(clipped)).abs() <= bound + 512 / 16,
            "µ-law {sample}"
        );
    }
}

#[test]
fn names_are_found_whatever_their_case() {
    assert_eq!(CodecKind::from_name("OPUS"), Some(CodecKind::Opus));
    assert_eq!(CodecKind::from_name("pcmu"), Some(CodecKind::Pcmu));
    assert_eq!(CodecKind::from_name("G729"), None);
}

#[test]
fn opus_keeps_a_tone_and_conceals_its_absence() {
    let mut encoder = Encoder::new(CodecKind::Opus, &OpusSettings::default()).unwrap();
    let mut decoder = Decoder::new(CodecKind::Opus).unwrap();
    let (mut payload, mut heard) = (Vec::new(), Vec::new());
    let sent = tone(48_000, 1.0, 440.0);
    for frame in sent.chunks_exact(960) {
        encoder.encode(frame, &mut payload).unwrap();
        decoder.decode(&payload, &mut heard).unwrap();
    }
    // libopus looks 6.5 ms ahead, 312 samples, and its high-pass shifts the phase by a few more.
    let best = (260..360)
        .map(|lag| correlation(&sent[9_600..40_000], &heard[9_600 + lag..]))
        .fold(0.0, f64::max);
    assert!(best > 0.97, "{best}");
    let before = heard.len();

    decoder.conceal(960, &mut heard).unwrap();

    assert_eq!(heard.len() - before, 960);
    assert!(heard[before..].iter().any(|&s| s.unsigned_abs() > 1_000));
}

#[test]
fn opus_recovers_a_lost_frame_from_the_next_packet() {
    let settings = OpusSettings {
        expected_loss_percent: 20,
        ..OpusSettings::default()
    };
    let mut encoder = Encoder::new(CodecKind::Opus, &settings).unwrap();
    let sweep: Vec<i16> = (0..48_000_u32)
        .map(|n| {
            let t = n as f32 / 48_000.0;
            ((std::f32::consts::TAU * (200.0 * t + 300.0 * t * t)).sin() * 9_000.0) as i16
        })
        .collect();
    let payloads: Vec<Vec<u8>> = sweep
        .chunks_exact(960)
        .map(|frame| {
            let mut payload = Vec::new();
            encoder.encode(frame, &mut payload).unwrap();
            payload
        })
        .collect();
    let (mut whole, mut recovered, mut concealed) = (Vec::new(), Vec::new(), Vec::new());
    let mut decoders = [(); 3].map(|()| Decoder::new(CodecKind::Opus).unwrap());
    for (index, payload) in payloads.iter().enumerate() {
        decoders[0].decode(payload, &mut whole).unwrap();
        if index % 5 == 3 {
            decoders[1]
                .recover(&payloads[index + 1], 960, &mut recovered)
                .unwrap();
            decoders[2].conceal(960, &mut concealed).unwrap();
        } else {
            decoders[1].decode(payload, &mut recovered).unwrap();
            decoders[2].decode(payload, &mut concealed).unwrap();
        }
    }

    assert_eq!(whole.len(), recovered.len());
    let with_copy = correlation(&whole, &recovered);
    assert!(with_copy > 0.9, "{with_copy}");
    assert!(with_copy > correlation(&whole, &concealed));
}

#[test]
fn waveform_concealment_continues_the_tone_then_falls_silent() {
    let mut decoder = Decoder::new(CodecKind::Pcmu).unwrap();
    let mut encoder = Encoder::new(CodecKind::Pcmu, &OpusSettings::default()).unwrap();
    let sent = tone(8_000, 0.1, 200.0);
    let (mut payload, mut heard) = (Vec::new(), Vec::new());
    for frame in sent[..640].chunks_exact(160) {
        encoder.encode(frame, &mut payload).unwrap();
        decoder.decode(&payload, &mut heard).unwrap();
    }

    decoder.conceal(1_600, &mut heard).unwrap();

    assert!(correlation(&sent[640..720], &heard[640..720]) > 0.98);
    assert!(heard[640 + 480..].iter().all(|&s| s == 0));
}

#[test]
fn bad_payloads_are_errors_and_never_panics() {
    for kind in [
        CodecKind::Pcmu,
        CodecKind::Pcma,
        CodecKind::Opus,
        CodecKind::L16,
    ] {
        let mut decoder = Decoder::new(kind).unwrap();
        let mut samples = Vec::new();
        assert!(decoder.decode(&[], &mut samples).is_err());
        assert!(decoder.decode(&vec![0xff; 8_000], &mut samples).is_err());
        for length in 1..200_usize {
            let noise: Vec<u8> = (0..length).map(|n| (n * 37 + length * 11) as u8).collect();
            let _ = decoder.decode(&noise, &mut samples);
            samples.clear();
        }
    }
}

#[test]
fn a_frame_opus_does_not_know_is_refused() {
    let mut encoder = Encoder::new(CodecKind::Opus, &OpusSettings::default()).unwrap();

    let refused = encoder.encode(&[0; 777], &mut Vec::new());

    assert_eq!(
        refused,
        Err(CodecError::FrameSize {
            codec: "opus",
            samples: 777
        })
    );
}

/// How much louder the signal is than what a codec added, in dB, at the best shift up to `most`.
fn signal_to_noise(sent: &[i16], heard: &[i16], most: usize) -> f64 {
    let body = 2_000..sent.len() - most - 200;
    (0..most)
        .map(|lag| {
            let (mut signal, mut noise) = (0.0, 1e-9);
            for index in body.clone() {
                let (a, b) = (f64::from(sent[index]), f64::from(heard[index + lag]));
                signal += a * a;
                noise += (a - b) * (a - b);
            }
            10.0 * (signal / noise).log10()
        })
        .fold(f64::MIN, f64::max)
}

#[test]
fn g722_carries_wideband_audio() {
    for frequency_hz in [300.0, 1_000.0, 3_000.0, 6_000.0] {
        let mut encoder = Encoder::new(CodecKind::G722, &OpusSettings::default()).unwrap();
        let mut decoder = Decoder::new(CodecKind::G722).unwrap();
        let sent = tone(16_000, 1.0, frequency_hz);
        let (mut payload, mut heard) = (Vec::new(), Vec::new());
        for frame in sent.chunks_exact(320) {
            encoder.encode(frame, &mut payload).unwrap();
            assert_eq!(payload.len(), 160);
            assert_eq!(decoder.duration_samples(&payload), Ok(320));
            decoder.decode(&payload, &mut heard).unwrap();
        }

        // The two bands are joined by a filter of 24 taps, 22 samples late.
        let found = signal_to_noise(&sent, &heard, 40);
        let least = if frequency_hz < 4_000.0 { 20.0 } else { 10.0 };
        assert!(found > least, "{frequency_hz} Hz: {found:.1} dB");
    }
}

#[test]
fn g722_refuses_what_is_no_pair_of_samples() {
    let mut encoder = Encoder::new(CodecKind::G722, &OpusSettings::default()).unwrap();
    assert!(encoder.encode(&[0; 321], &mut Vec::new()).is_err());
    assert!(encoder.encode(&[], &mut Vec::new()).is_err());
}

#[test]
fn opus_takes_every_setting() {
    let sent = tone(48_000, 0.5, 440.0);
    for (is_stereo, is_constant_bitrate, greatest_playback_rate_hz) in [
        (true, false, 48_000),
        (false, true, 16_000),
        (true, true, 8_000),
    ] {
        let settings = OpusSettings {
            is_stereo,
            is_constant_bitrate,
            greatest_playback_rate_hz,
            has_discontinuous_transmission: true,
            complexity: 0,
            ..OpusSettings::default()
        };
        let mut encoder = Encoder::new(CodecKind::Opus, &settings).unwrap();
        let mut decoder = Decoder::new(CodecKind::Opus).unwrap();
        let (mut payload, mut heard) = (Vec::new(), Vec::new());
        let mut lengths = Vec::new();
        for frame in sent.chunks_exact(960) {
            encoder.encode(frame, &mut payload).unwrap();
            lengths.push(payload.len());
            decoder.decode(&payload, &mut heard).unwrap();
        }
        assert_eq!(heard.len(), sent.len(), "stereo is mixed to one channel");
        // RFC 6716 §3.1: bit 2 of the first octet says stereo.
        assert_eq!(payload[0] & 0x04 != 0, is_stereo);
        let is_constant = lengths.windows(2).all(|two| two[0] == two[1]);
        assert_eq!(is_constant, is_constant_bitrate, "{lengths:?}");
        assert!(crate::level::level_dbov(&heard[9_600..]) > -20.0);
    }
}
