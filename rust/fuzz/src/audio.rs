//! Targets of the codecs and of the jitter buffer.

use std::time::Duration;

use trivox_media::codec::{CodecKind, Decoder, LONGEST_PACKET_MS};
use trivox_media::jitter::{JitterBuffer, JitterSettings};

use crate::cut::Pieces;
use crate::world::ORIGIN;

/// The codec the first octet names.
fn decoder(data: &[u8]) -> Decoder {
    let choice = usize::from(data.first().copied().unwrap_or(0));
    let kind = CodecKind::ALL[choice % CodecKind::ALL.len()];
    Decoder::new(kind).expect("a decoder")
}

/// Any order of sequence numbers, timestamps and times, of any codec: every pull gives 20 ms, and
/// what waits is bounded.
pub fn jitter(data: &[u8]) {
    let decoder = decoder(data);
    let frame = decoder.sample_rate_hz() as usize / 50;
    let mut buffer = JitterBuffer::new(decoder, JitterSettings::default());
    let mut now = *ORIGIN;
    let mut samples = Vec::new();
    for (pace, piece) in Pieces::new(data).take(256) {
        now += Duration::from_millis(u64::from(pace));
        let number = |at: usize| piece.get(at).copied().map_or(0, u32::from);
        let sequence = (number(0) << 8 | number(1)) as u16;
        let timestamp = number(2) << 24 | number(3) << 16 | number(4) << 8 | number(5);
        let payload = piece.get(6..).unwrap_or_default();
        match pace & 7 {
            0 => buffer.push_other(now, number(6), sequence, timestamp),
            1 => buffer.push_noise(now, 1, sequence, timestamp, payload),
            3 => buffer.push(now, number(6), sequence, timestamp, payload),
            _ => buffer.push(now, 1, sequence, timestamp, &[0xff; 160]),
        }
        samples.clear();
        buffer.pull(now, &mut samples);
        assert_eq!(samples.len(), frame);
        assert!(buffer.waiting() <= 64);
        let statistics = buffer.statistics();
        assert!(statistics.delay.is_finite() && statistics.target_delay <= 0.5);
        assert!((0.0..=1.0).contains(&statistics.last_second_concealed));
    }
}

/// Any payloads of any codec, whole, missing and repaired: no more audio than a packet may hold,
/// and always as much as was asked for.
pub fn decoder_input(data: &[u8]) {
    let mut decoder = decoder(data);
    let frame = decoder.sample_rate_hz() as usize / 50;
    let longest = (decoder.sample_rate_hz() * LONGEST_PACKET_MS / 1000) as usize;
    let mut samples = Vec::new();
    for (pace, piece) in Pieces::new(data).take(128) {
        samples.clear();
        match pace & 7 {
            0 => {
                let made = decoder.conceal(frame, &mut samples);
                assert!(made.is_err() || samples.len() == frame);
            }
            1 => {
                let made = decoder.recover(piece, frame, &mut samples);
                assert!(made.is_err() || samples.len() <= frame);
            }
            2 => {
                decoder.describe_silence(piece);
                decoder.comfort(frame, &mut samples);
                assert_eq!(samples.len(), frame);
            }
            _ => {
                let duration = decoder.duration_samples(piece);
                if decoder.decode(piece, &mut samples).is_ok() {
                    assert_eq!(duration, Ok(samples.len()));
                }
                assert!(samples.len() <= longest);
            }
        }
    }
}
