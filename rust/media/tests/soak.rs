//! Calls that last, in virtual time: no glitch, memory flat, nothing left of them.
//!
//! Twenty calls of G.711 and two of Opus over WebRTC, three minutes in every run of the tests and
//! an hour by `make soak`. The numbers of all streams begin just below their wraps, so the sequence
//! number, the timestamp and the rollover counter of SRTP turn over while it is listened to.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::print_stdout, reason = "figures of a long run")]

mod purity;

use std::alloc::System;
use std::collections::BTreeMap;
use std::net::IpAddr;

use cap::Cap;
use purity::{Purity, TONE_HZ};
use trivox_media::codec::CodecKind;
use trivox_media::engine::{Counts, Engine, EngineSettings, PortRange};
use trivox_media::event::EventKind;
use trivox_media::link::LinkSettings;
use trivox_media::player::Place;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::{SessionSettings, TransportKind, Value};
use trivox_media::watch::HISTORY;

/// Counts what lives on the heap; C libraries have their own.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const SHORT: u64 = 180;
/// Seconds before the tone is listened to: handshakes, and the jitter buffer's finding its depth.
const SETTLED: u64 = 3;
/// Packets before the sequence number wraps: five seconds.
const BELOW_SEQUENCE: u16 = 250;
/// Seconds before the timestamp wraps.
const BELOW_TIMESTAMP: u32 = 7;
/// What the seconds kept of a call may take, and all else that is bounded and still fills.
const BYTES_A_SECOND: usize = 64;
const LEEWAY: usize = 64 * 1024;

struct Call {
    sessions: [u64; 2],
    /// What each side hears: its port.
    ports: [u64; 2],
    heard: [Purity; 2],
}

struct Soak {
    engine: Engine,
    calls: Vec<Call>,
    events: BTreeMap<String, u64>,
}

/// What lived at a moment.
#[derive(Debug, Clone, Copy)]
struct Mark {
    second: u64,
    heap: usize,
    resident: usize,
}

impl Mark {
    fn new(second: u64) -> Self {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let resident = pages.split(' ').nth(1).and_then(|text| text.parse().ok());
        Self {
            second,
            heap: HEAP.allocated(),
            resident: resident.unwrap_or(0) * 4096,
        }
    }
}

impl Soak {
    fn begin() -> Self {
        let engine = Engine::new(&EngineSettings {
            seed: b"soak".to_vec(),
            threads: 1,
            is_driven: true,
            now: 0.0,
            ports: PortRange { first: 0, last: 0 },
        });
        let engine = engine.unwrap();
        engine.set_link(LinkSettings {
            delay: std::time::Duration::from_millis(20),
            ..LinkSettings::default()
        });
        let plain = [
            (TransportKind::Plain, 8),
            (TransportKind::Sdes, 6),
            (TransportKind::Dtls, 6),
        ];
        let kinds = plain.iter().flat_map(|(kind, count)| vec![*kind; *count]);
        let mut calls: Vec<_> = kinds
            .enumerate()
            .map(|(index, kind)| {
                let codec = [CodecKind::Pcmu, CodecKind::Pcma][index % 2];
                call(&engine, kind, codec, index)
            })
            .collect();
        calls.extend(
            (20..22).map(|index| call(&engine, TransportKind::Ice, CodecKind::Opus, index)),
        );
        Self {
            engine,
            calls,
            events: BTreeMap::new(),
        }
    }

    /// Lets a second pass and listens to what came in it.
    fn second(&mut self, second: u64) {
        self.engine.advance(second as f64);
        loop {
            let events = self.engine.drain(1000);
            if events.is_empty() {
                break;
            }
            for event in events {
                *self.events.entry(format!("{:?}", event.kind)).or_default() += 1;
                assert!(is_welcome(event.kind), "after {second} s: {event:?}");
            }
        }
        for call in &mut self.calls {
            for (port, heard) in call.ports.iter().zip(&mut call.heard) {
                for frame in self.engine.take_frames(*port, 100).1 {
                    if second > SETTLED {
                        heard.push(frame.pts, &frame.samples);
                    }
                }
            }
        }
    }

    /// Ends all calls and returns what is alive then.
    fn end(&mut self, second: u64) -> Counts {
        for call in &self.calls {
            for session in call.sessions {
                self.engine.close_session(session);
            }
        }
        self.engine.advance(second as f64 + 1.0);
        while !self.engine.drain(1000).is_empty() {}
        self.engine.counts()
    }
}

fn is_welcome(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Connected | EventKind::FirstRtp | EventKind::FramesReady | EventKind::IceState
    )
}

fn call(engine: &Engine, transport: TransportKind, codec: CodecKind, index: usize) -> Call {
    let sessions = [1, 2].map(|side| {
        let settings = SessionSettings {
            transport,
            accepts: Vec::new(),
            codecs: vec![codec],
            dtmf: true,
            ptime_ms: 20,
            advertised: None,
        };
        let host: IpAddr = format!("10.0.{index}.{side}").parse().unwrap();
        engine.open_session(settings, vec![host]).unwrap()
    });
    let [caller, callee] = sessions;
    let timestamp = 0_u32.wrapping_sub(codec.rtp_clock_hz() * BELOW_TIMESTAMP);
    for session in sessions {
        let begun = engine.command(session, |open, _| {
            open.begin_at(0_u16.wrapping_sub(BELOW_SEQUENCE), timestamp);
            open.play_tone(Place::Queue, &[TONE_HZ], &[], f64::INFINITY, -12.0)
        });
        begun.unwrap();
    }
    let offer = engine.create_offer(caller, false).unwrap();
    engine
        .set_remote(callee, &offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = engine.create_answer(callee).unwrap();
    engine
        .set_remote(caller, &answer, DescriptionKind::Answer, "tag")
        .unwrap();
    let rate_hz = codec.sample_rate_hz();
    Call {
        sessions,
        ports: sessions.map(|session| engine.open_audio(session, rate_hz, 20, 50, 0.2).unwrap()),
        heard: sessions.map(|_| Purity::new(rate_hz)),
    }
}

/// Nothing was lost, late, made up or refused, and the far end says so too.
fn assert_whole(engine: &Engine, session: u64, seconds: u64) {
    let figures: BTreeMap<_, _> = engine.statistics(session).unwrap().into_iter().collect();
    let number = |name: &str| match figures.get(name) {
        Some(Value::Number(value)) => *value,
        other => panic!("{name} is {other:?}"),
    };
    for name in [
        "packets_lost",
        "packets_late",
        "packets_malformed",
        "concealed",
        "concealed_seconds",
        "remote_packets_lost",
        "remote_loss",
        "refused_source",
        "refused_srtp",
        "refused_stun",
        "datagrams_malformed",
    ] {
        assert_eq!(number(name), 0.0, "{name} of {session}");
    }
    let expected = (seconds - 1) as f64 * 50.0;
    for name in ["packets_sent", "packets_received"] {
        let is_all = (expected - 5.0..=expected + 55.0).contains(&number(name));
        assert!(is_all, "{name} is {} of {expected}", number(name));
    }
    assert!(
        number("packets_sent") > f64::from(BELOW_SEQUENCE),
        "it wrapped"
    );
    let trip = number("round_trip");
    assert!((trip - 0.040).abs() < 0.002, "the round trip is {trip} s");
}

/// Plays the calls for so many seconds; what lived meanwhile, and what is alive at the end.
fn play(seconds: u64) -> (Vec<Mark>, Counts, Soak) {
    let mut soak = Soak::begin();
    let mut marks = Vec::with_capacity(seconds as usize);
    for second in 1..=seconds {
        soak.second(second);
        marks.push(Mark::new(second));
    }
    if seconds >= SHORT {
        for session in soak.calls.iter().flat_map(|call| call.sessions) {
            assert_whole(&soak.engine, session, seconds);
        }
    }
    let counts = soak.end(seconds);
    (marks, counts, soak)
}

/// The least that lived in ten seconds, so that no moment counts.
fn floor(marks: &[Mark], until: u64) -> usize {
    let near = marks
        .iter()
        .filter(|mark| mark.second + 10 > until && mark.second <= until);
    near.map(|mark| mark.heap).min().unwrap()
}

#[test]
fn calls_that_last_have_no_glitch_and_leave_nothing() {
    let seconds = std::env::var("SOAK_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let seconds: u64 = seconds.unwrap_or(SHORT).max(SHORT);
    // What is made once for the whole process is not the calls'.
    drop(play(5));
    let before = HEAP.allocated();

    let (marks, counts, soak) = play(seconds);
    let heard: Vec<_> = soak.calls.iter().flat_map(|call| &call.heard).collect();
    let frames: u64 = heard.iter().map(|one| one.frames).sum();
    let glitches: u64 = heard.iter().map(|one| one.glitches).sum();
    let worst = heard
        .iter()
        .map(|one| one.worst)
        .fold((0.0_f64, 0.0_f64), |all, one| {
            (all.0.max(one.0), all.1.max(one.1))
        });
    let first = heard
        .iter()
        .filter_map(|one| one.first_glitch)
        .reduce(f64::min);
    drop(heard);
    let sessions = soak.calls.len() * 2;
    let kept = marks.len() * std::mem::size_of::<Mark>();
    drop(soak);
    let after = HEAP.allocated() - kept;

    // From when what is kept of each second has come to its bound, if the run is that long.
    let from = if seconds > HISTORY as u64 + 60 {
        HISTORY as u64 + 20
    } else {
        60
    };
    let (early, late) = (floor(&marks, from), floor(&marks, seconds));
    let fills =
        sessions * BYTES_A_SECOND * (HISTORY.min(seconds as usize) - (from as usize).min(HISTORY));
    let resident = |second: u64| marks[second as usize - 1].resident / 1024;
    println!(
        "{seconds} s of {} calls: {frames} frames, {glitches} glitches (worst {worst:.4?}); heap {} KiB at {from} s, \
         {} KiB at the end, {} bytes left; resident {} and {} KiB",
        sessions / 2,
        early / 1024,
        late / 1024,
        after.abs_diff(before),
        resident(from),
        resident(seconds),
    );
    assert_eq!(glitches, 0, "the first after {first:?} s, worst {worst:?}");
    assert!(
        frames + 200 >= sessions as u64 * (seconds - SETTLED) * 50,
        "{frames} frames"
    );
    assert!(
        late <= early + fills + LEEWAY,
        "{early} bytes became {late}"
    );
    assert_eq!(
        counts,
        Counts {
            datagrams_unrouted: counts.datagrams_unrouted,
            ..Counts::default()
        }
    );
    assert_eq!(after, before, "bytes left behind");
}
