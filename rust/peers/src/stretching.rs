//! The `neteq` crate: adapts by stretching, has neither error correction nor a decoder's own
//! concealment, and reads the clock.

use std::thread::sleep;
use std::time::{Duration, Instant};

use neteq::codec::AudioDecoder;
use neteq::{AudioPacket, NetEq, NetEqConfig, RtpHeader};
use trivox_media::codec::{CodecKind, Decoder};

use crate::impaired::{FRAME, Line, Recording, arrivals};
use crate::{Heard, WARM_UP};

const PULL: Duration = Duration::from_millis(10);
const RATE_HZ: u32 = 48_000;

/// Our decoder in its place, so that only the buffers differ.
struct Opus(Decoder);

impl AudioDecoder for Opus {
    fn sample_rate(&self) -> u32 {
        RATE_HZ
    }

    fn channels(&self) -> u8 {
        1
    }

    fn decode(&mut self, encoded: &[u8]) -> neteq::Result<Vec<f32>> {
        let mut samples = Vec::new();
        self.0
            .decode(encoded, &mut samples)
            .expect("it was encoded here");
        Ok(samples
            .iter()
            .map(|sample| f32::from(*sample) / 32_768.0)
            .collect())
    }
}

/// Plays a line in real time.
pub(crate) fn hear(line: &Line, recording: &Recording) -> Heard {
    let config = NetEqConfig {
        sample_rate: RATE_HZ,
        ..NetEqConfig::default()
    };
    let mut buffer = NetEq::new(config).expect("its own settings");
    let decoder = Decoder::new(CodecKind::Opus).expect("Opus is there");
    buffer.register_decoder(111, Box::new(Opus(decoder)));
    let (arrivals, ..) = arrivals(line);
    let mut arrivals = arrivals.into_iter().peekable();
    let start = Instant::now();
    let (mut delays, mut judged, mut before) = (Vec::new(), 0, 0);
    for pull in 0..(line.seconds / PULL.as_secs_f64()) as u32 {
        let due = start + PULL * pull;
        sleep(due.saturating_duration_since(Instant::now()));
        let now = start.elapsed().as_secs_f64();
        while let Some((_, number)) = arrivals.next_if(|(at, _)| *at <= now) {
            let (sequence, timestamp) = (number as u16, (number * 960) as u32);
            let header = RtpHeader::new(sequence, timestamp, 7, 111, false);
            let payload = recording.payload(number).to_vec();
            let packet = AudioPacket::new(header, payload, RATE_HZ, 1, (FRAME * 1000.0) as u32);
            buffer.insert_packet(packet).expect("it is taken");
        }
        let frame = buffer.get_audio().expect("there is always a frame");
        if now < WARM_UP {
            before = buffer.get_statistics().lifetime.concealed_samples;
        } else {
            judged += frame.samples_per_channel as u64;
            // What waits at a pull, which is what a packet that comes now will wait for.
            delays.push(f64::from(buffer.current_buffer_size_ms()) / 1000.0);
        }
    }
    let concealed = buffer.get_statistics().lifetime.concealed_samples - before;
    Heard::new(concealed, judged, delays)
}
