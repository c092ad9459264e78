//! Calls with far ends on a driven engine, and which tones are heard where.
#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::net::IpAddr;

use trivox_media::codec::CodecKind;
use trivox_media::engine::{Engine, EngineSettings, PortRange};
use trivox_media::event::Event;
use trivox_media::player::Place;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::{SessionSettings, TransportKind};

const RATE_HZ: u32 = 8000;

/// A call: our session, and the far end's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) ours: u64,
    pub(crate) far: u64,
    port: u64,
}

/// A driven engine with calls on it.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: f64,
    pub(crate) events: Vec<Event>,
    heard: HashMap<u64, Vec<i16>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let engine = Engine::new(&EngineSettings {
            seed: b"tones".to_vec(),
            threads: 1,
            is_driven: true,
            now: 0.0,
            ports: PortRange { first: 0, last: 0 },
        });
        Self {
            engine: engine.unwrap(),
            now: 0.0,
            events: Vec::new(),
            heard: HashMap::new(),
        }
    }

    fn open(&self, transport: TransportKind, codecs: &[CodecKind], host: &str) -> u64 {
        let settings = SessionSettings {
            transport,
            accepts: Vec::new(),
            codecs: codecs.to_vec(),
            dtmf: true,
            ptime_ms: 20,
            advertised: None,
        };
        let host: IpAddr = host.parse().unwrap();
        self.engine.open_session(settings, vec![host]).unwrap()
    }

    /// Offers from one session to the other.
    pub(crate) fn exchange(&self, from: u64, to: u64) {
        let offer = self.engine.create_offer(from, false).unwrap();
        self.answer(&offer, from, to);
    }

    /// Gives an offer to the other session, and its answer back.
    pub(crate) fn answer(&self, offer: &str, from: u64, to: u64) {
        let engine = &self.engine;
        engine
            .set_remote(to, offer, DescriptionKind::Offer, "")
            .unwrap();
        let answer = engine.create_answer(to).unwrap();
        engine
            .set_remote(from, &answer, DescriptionKind::Answer, "tag")
            .unwrap();
    }

    /// A connected call whose far end takes `codec`.
    pub(crate) fn call(&mut self, transport: TransportKind, codec: CodecKind) -> Call {
        self.call_of(transport, &[codec])
    }

    pub(crate) fn call_of(&mut self, transport: TransportKind, codecs: &[CodecKind]) -> Call {
        let all = [
            CodecKind::Opus,
            CodecKind::Pcmu,
            CodecKind::Pcma,
            CodecKind::L16,
        ];
        let ours = self.open(transport, &all, "10.0.0.1");
        let far = self.open(transport, codecs, "10.0.0.2");
        self.exchange(far, ours);
        let port = self.engine.open_audio(far, RATE_HZ, 20, 50, 0.2).unwrap();
        Call { ours, far, port }
    }

    pub(crate) fn plain(&mut self, codec: CodecKind) -> Call {
        self.call(TransportKind::Plain, codec)
    }

    /// Lets the far end of a call sound, for good.
    pub(crate) fn sound(&self, call: Call, hz: f64, dbov: f64) -> u64 {
        self.play(call.far, hz, dbov)
    }

    /// Plays a tone on a session.
    pub(crate) fn play(&self, session: u64, hz: f64, dbov: f64) -> u64 {
        let command = self.engine.command(session, |open, _| {
            open.play_tone(Place::Beside, &[hz], &[], f64::INFINITY, dbov)
        });
        command.unwrap()
    }

    pub(crate) fn stop(&self, session: u64, playback: u64) {
        let stop = self
            .engine
            .command(session, |open, _| Ok(open.stop_playback(playback)));
        stop.unwrap();
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, seconds: f64) {
        let until = self.now + seconds;
        while self.now < until - 1e-9 {
            self.now = (self.now + 0.1).min(until);
            self.engine.advance(self.now);
            self.events.extend(self.engine.drain(10_000));
            for (port, heard) in &mut self.heard {
                for frame in self.engine.take_frames(*port, 1000).1 {
                    heard.extend(frame.samples);
                }
            }
        }
    }

    /// What the far end of each call hears in so many seconds.
    pub(crate) fn listen(&mut self, calls: &[Call], seconds: f64) -> Vec<Vec<i16>> {
        for call in calls {
            self.engine.take_frames(call.port, 1000);
            self.heard.insert(call.port, Vec::new());
        }
        self.run(seconds);
        let heard = calls.iter().map(|call| self.heard.remove(&call.port));
        heard.map(Option::unwrap_or_default).collect()
    }

    /// The level of one tone at the far end of a call, in dBov, over 0.4 s.
    pub(crate) fn level(&mut self, call: Call, hz: f64) -> f64 {
        self.levels(&[call], &[hz])[0][0]
    }

    /// The levels of tones, a row a call.
    pub(crate) fn levels(&mut self, calls: &[Call], tones: &[f64]) -> Vec<Vec<f64>> {
        let heard = self.listen(calls, 0.4);
        let row = |samples: &Vec<i16>| tones.iter().map(|hz| tone_dbov(samples, *hz)).collect();
        heard.iter().map(row).collect()
    }
}

/// The level of one tone in samples at 8 kHz, in dBov.
pub(crate) fn tone_dbov(samples: &[i16], hz: f64) -> f64 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (index, &sample) in samples.iter().enumerate() {
        let angle = TAU * hz * index as f64 / f64::from(RATE_HZ);
        // A Hann window keeps one tone out of another's figure.
        let window = 1.0 - (TAU * index as f64 / samples.len() as f64).cos();
        real += f64::from(sample) * window * angle.cos();
        imaginary += f64::from(sample) * window * angle.sin();
    }
    let amplitude = 2.0 * real.hypot(imaginary) / samples.len().max(1) as f64;
    let power = amplitude * amplitude / 2.0 / (32_768.0 * 32_768.0);
    (10.0 * power.max(1e-13).log10()).max(-127.0)
}
