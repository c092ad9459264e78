//! The jitter buffer of `rtc-interceptor`: a fixed depth, packets in order.
//!
//! It has no decoder. A player that takes a packet every 20 ms stands behind it, and conceals what
//! is not there: a number that never came, or a moment at which nothing was released. That happens
//! without a loss too: once a packet is 10 s of timestamps beyond the one the buffer began with, it
//! begins anew, and drops what it holds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rtc::interceptor::{
    Interceptor, JitterBufferBuilder, JitterBufferInterceptor, Packet, StreamInfo, TaggedPacket,
};
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::shared::{TransportContext, TransportMessage};

use crate::impaired::{FRAME, Line, arrivals};
use crate::{Heard, WARM_UP};

const SSRC: u32 = 7;

/// Plays a line through a buffer of that depth, in virtual time.
pub(crate) fn hear(line: &Line, depth_ms: u64) -> Heard {
    let start = Instant::now();
    let depth = Duration::from_millis(depth_ms);
    let mut buffer = JitterBufferBuilder::new().with_depth(depth).build();
    let stream = StreamInfo {
        ssrc: SSRC,
        payload_type: 111,
        mime_type: "audio/opus".to_owned(),
        clock_rate: 48_000,
        channels: 2,
        ..StreamInfo::default()
    };
    buffer.bind_remote_stream(&stream);
    let (arrivals, ..) = arrivals(line);
    let mut arrivals = arrivals.into_iter().peekable();
    let mut released = VecDeque::new();
    let mut starved = 0;
    let (mut wanted, mut concealed, mut judged, mut delays) = (None, 0, 0, Vec::new());
    // The grid of milliseconds on which packets come and go, and every twentieth a frame is played.
    for step in 0..(line.seconds * 1000.0) as u64 {
        let now = step as f64 / 1000.0;
        while let Some((_, number)) = arrivals.next_if(|(at, _)| *at <= now) {
            let at = start + Duration::from_millis(step);
            buffer.handle_read(packet(at, number)).expect("it is taken");
        }
        release(
            &mut buffer,
            start + Duration::from_millis(step),
            &mut released,
        );
        if !step.is_multiple_of(20) || (wanted.is_none() && released.is_empty()) {
            continue;
        }
        let mut next = *wanted.get_or_insert_with(|| released[0]);
        let is_judged = now > WARM_UP;
        judged += u64::from(is_judged);
        // What was concealed while nothing waited is not concealed again as a gap.
        while starved > 0 && released.front().is_some_and(|&number| number > next) {
            next += 1;
            starved -= 1;
        }
        match released.front() {
            Some(&number) if number <= next => {
                released.pop_front();
                wanted = Some(next + 1);
                if is_judged {
                    delays.push(now - number as f64 * FRAME);
                }
            }
            missing => {
                concealed += u64::from(is_judged);
                starved += u64::from(missing.is_none());
                wanted = Some(next + u64::from(missing.is_some()));
            }
        }
    }
    Heard::new(concealed, judged, delays)
}

fn packet(at: Instant, number: u64) -> TaggedPacket {
    let mut packet = rtp::Packet::default();
    packet.header.version = 2;
    packet.header.ssrc = SSRC;
    packet.header.payload_type = 111;
    packet.header.sequence_number = number as u16;
    packet.header.timestamp = (number * 960) as u32;
    TransportMessage {
        now: at,
        transport: TransportContext::default(),
        message: Packet::Rtp(packet).into(),
    }
}

fn release(buffer: &mut JitterBufferInterceptor, now: Instant, released: &mut VecDeque<u64>) {
    buffer.handle_timeout(now).expect("time passes");
    while let Some(message) = buffer.poll_read() {
        if let Packet::Rtp(packet) = message.message.packet {
            released.push_back(u64::from(packet.header.timestamp) / 960);
        }
    }
}
