//! Two ends that negotiate in any order: offers of both, refused, crossing, repeated, with
//! restarts of ICE, holds of all dialects and video that comes and goes. After each exchange the
//! descriptions are held against RFC 3264, and sound flows where both ends want it, and only there.
//!
//! `ANY_ORDER_SEED` plays one sequence again, `ANY_ORDER_COUNT` another number of them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may fail, and says how"
)]

mod descriptions;

use descriptions::{Author, Description, check_answer};
use trivox_media::codec::CodecKind;
use trivox_media::engine::{Counts, Engine, EngineSettings, PortRange};
use trivox_media::event::{Event, EventKind};
use trivox_media::player::Place;
use trivox_media::random::Random;
use trivox_media::session::lines::LineKind;
use trivox_media::session::offer_answer::DescriptionKind::{self, Answer, Offer, Provisional};
use trivox_media::session::{Direction, Session, SessionSettings, TransportKind, Value};
use trivox_media::video::VideoCodec;

const SEQUENCES: u64 = 60;
const STEPS: usize = 24;
/// Within so long of an exchange sound flows as was agreed.
const SETTLED: f64 = 1.0;
const LOOKED_AT: f64 = 1.0;

const DIRECTIONS: [Direction; 4] = [
    Direction::SendReceive,
    Direction::SendOnly,
    Direction::ReceiveOnly,
    Direction::Inactive,
];

struct End {
    session: u64,
    author: Author,
    /// What it wants, and what it wanted when it last agreed.
    wish: Direction,
    agreed: Direction,
    lines: Vec<u64>,
}

struct World {
    seed: u64,
    random: Random,
    engine: Engine,
    now: f64,
    kind: TransportKind,
    ends: [End; 2],
    /// Whether sound flows from each end.
    flows: [bool; 2],
    events: Vec<Event>,
    log: Vec<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let engine = Engine::new(&EngineSettings {
            seed: seed.to_be_bytes().to_vec(),
            threads: 1,
            is_driven: true,
            now: 0.0,
            ports: PortRange { first: 0, last: 0 },
        });
        let engine = engine.unwrap();
        let mut random = Random::new(seed);
        let kinds = [
            TransportKind::Plain,
            TransportKind::Sdes,
            TransportKind::Dtls,
            TransportKind::Ice,
            TransportKind::Ice,
        ];
        let kind = *one_of(&mut random, &kinds);
        let ends = [1, 2].map(|last| End {
            session: open(&engine, &mut random, kind, last),
            author: Author::default(),
            wish: Direction::SendReceive,
            agreed: Direction::SendReceive,
            lines: Vec::new(),
        });
        Self {
            seed,
            random,
            engine,
            now: 0.0,
            kind,
            ends,
            flows: [false; 2],
            events: Vec::new(),
            log: vec![format!("{kind:?}")],
        }
    }

    fn chance(&mut self, share: f64) -> bool {
        self.random.unit() < share
    }

    fn command<R>(&self, end: usize, run: impl FnOnce(&mut Session) -> R) -> R {
        let session = self.ends[end].session;
        self.engine
            .command(session, |open, _| Ok(run(open)))
            .unwrap()
    }

    fn number(&self, end: usize, name: &str) -> f64 {
        let report = self.engine.statistics(self.ends[end].session).unwrap();
        match report.iter().find(|(known, _)| *known == name) {
            Some((_, Value::Number(value))) => *value,
            other => panic!("{name} is {other:?}"),
        }
    }

    fn run(&mut self, seconds: f64) {
        self.now += seconds;
        self.engine.advance(self.now);
        self.events.extend(self.engine.drain(10_000));
    }

    // What the ends do.

    fn offer(&mut self, end: usize, restart: bool) -> String {
        let offer = self
            .engine
            .create_offer(self.ends[end].session, restart)
            .unwrap();
        self.ends[end].author.check(&offer);
        offer
    }

    fn take(&self, end: usize, text: &str, kind: DescriptionKind) {
        let session = self.ends[end].session;
        self.engine.set_remote(session, text, kind, "tag").unwrap();
    }

    fn answer(&mut self, end: usize, offer: &str) -> String {
        let answer = self.engine.create_answer(self.ends[end].session).unwrap();
        self.ends[end].author.check(&answer);
        check_answer(offer, &answer);
        answer
    }

    fn roll_back(&mut self, end: usize) {
        self.command(end, Session::rollback);
        self.ends[end].wish = self.ends[end].agreed;
    }

    /// A whole exchange: `from` offers, as a dialect of hold or not, with a restart or not.
    fn exchange(&mut self, from: usize, restart: bool, dialect: &str) {
        let offer = self.offer(from, restart);
        self.finish(from, &offer, dialect);
    }

    /// What follows an offer that is taken.
    fn finish(&mut self, from: usize, offer: &str, dialect: &str) {
        let to = 1 - from;
        let offered = match dialect {
            "" => self.ends[from].wish,
            "zero" => Direction::of(self.ends[from].wish.sends(), false),
            name => Direction::from_name(name)
                .unwrap()
                .and(self.ends[from].wish),
        };
        let offer = in_dialect(offer, dialect, offered);
        self.take(to, &offer, Offer);
        let answer = self.answer(to, &offer);
        let early = self.random.bits() % 3;
        for _ in 0..early {
            self.take(from, &answer, Provisional);
            if self.chance(0.5) {
                self.run(0.3);
            }
        }
        self.take(from, &answer, Answer);
        for end in &mut self.ends {
            end.agreed = end.wish;
        }
        let answering = self.ends[to].wish;
        self.flows[from] = offered.sends() && answering.receives();
        self.flows[to] = offered.receives() && answering.sends();
        let [given, asked] = [&answer, &offer].map(|text| Description::read(text).lines.len());
        assert_eq!(given, asked);
    }

    fn wish(&mut self, end: usize) {
        let is_whole = self.chance(0.5);
        let some = *one_of(&mut self.random, &DIRECTIONS);
        let wish = if is_whole {
            Direction::SendReceive
        } else {
            some
        };
        self.ends[end].wish = wish;
        self.command(end, |open| open.set_direction(wish));
    }

    /// Opens a line of video, or closes one.
    fn change_lines(&mut self, end: usize) {
        let is_opened = self.chance(0.6);
        if is_opened {
            let kind = if self.chance(0.5) {
                LineKind::Video
            } else {
                LineKind::Screen
            };
            let number = self.command(end, |open| open.open_line(kind).unwrap());
            self.ends[end].lines.push(number);
        } else if let Some(number) = self.ends[end].lines.pop() {
            self.command(end, |open| open.close_line(number));
        }
    }

    fn step(&mut self) {
        let from = (self.random.bits() % 2) as usize;
        let to = 1 - from;
        let restart = self.kind == TransportKind::Ice && self.chance(0.3);
        let which = self.random.bits() % 12;
        self.log.push(format!(
            "{:.2}: {which} from {from}, restart {restart}",
            self.now
        ));
        match which {
            0..=2 => {
                self.wish(from);
                if self.chance(0.3) {
                    self.wish(to);
                }
                self.exchange(from, restart, "");
            }
            3 => self.exchange(from, restart, ""),
            4 => {
                self.change_lines(from);
                self.exchange(from, restart, "");
            }
            5 => {
                let dialects = ["zero", "sendonly", "inactive", "recvonly"];
                let dialect = *one_of(&mut self.random, &dialects);
                // Over ICE the address of the c-line says nothing.
                let is_known = dialect != "zero" || self.kind != TransportKind::Ice;
                self.log.push(format!("  {dialect}"));
                self.exchange(from, false, if is_known { dialect } else { "sendonly" });
            }
            6 => self.refuse(from, restart),
            7 => self.cross(from),
            8 => {
                // The first offer is given up for another (RFC 3261 §14.1, an INVITE sent again).
                self.offer(from, restart);
                self.exchange(from, restart, "");
            }
            9 => self.give_way(from),
            10 => self.send_nonsense(from),
            _ => {
                let seconds = self.random.unit() * 6.0;
                self.run(seconds);
            }
        }
    }

    /// The far end refuses an offer, at once or after it was taken.
    fn refuse(&mut self, from: usize, restart: bool) {
        self.wish(from);
        let offer = self.offer(from, restart);
        if self.chance(0.7) {
            self.take(1 - from, &offer, Offer);
            if self.chance(0.5) {
                self.run(0.2);
            }
            self.roll_back(1 - from);
        }
        self.roll_back(from);
    }

    /// Both offer at once, both are refused, and one offers again (RFC 3261 §14.1).
    fn cross(&mut self, from: usize) {
        for end in [0, 1] {
            if self.chance(0.5) {
                self.wish(end);
            }
            let restart = self.kind == TransportKind::Ice && self.chance(0.3);
            self.offer(end, restart);
        }
        for end in [0, 1] {
            self.roll_back(end);
        }
        if self.chance(0.5) {
            self.exchange(from, false, "");
        }
    }

    /// Both offer; the one that came first is answered, and takes the place of the other.
    fn give_way(&mut self, from: usize) {
        self.offer(1 - from, false);
        let offer = self.offer(from, false);
        self.finish(from, &offer, "");
    }

    /// What no call can be made of changes nothing.
    fn send_nonsense(&mut self, from: usize) {
        let offer = self.offer(from, false);
        let session = self.ends[1 - from].session;
        let audio = offer
            .lines()
            .find(|line| line.starts_with("m=audio"))
            .unwrap();
        let port = audio.split(' ').nth(1).unwrap();
        let refused = offer.replace(audio, &audio.replace(port, "0"));
        let unknown = offer
            .replace("rtpmap:", "rtpmap:1")
            .replace(audio, "m=audio 4000 RTP/AVP 3");
        for text in [refused, unknown, offer.replace("m=audio", "m=text")] {
            assert!(
                self.engine
                    .set_remote(session, &text, Offer, "tag")
                    .is_err(),
                "{text}"
            );
        }
        self.roll_back(1 - from);
        let is_refused = self.chance(0.5);
        if is_refused {
            self.roll_back(from);
        } else {
            self.finish(from, &offer, "");
        }
    }

    // What must be true.

    fn look(&mut self) {
        self.run(SETTLED);
        let before = [0, 1].map(|end| self.number(end, "packets_received"));
        self.run(LOOKED_AT);
        for end in [0, 1] {
            let count = self.number(end, "packets_received") - before[end];
            let flows = self.flows[1 - end];
            let expected = if flows { LOOKED_AT * 50.0 } else { 0.0 };
            // Packets of two frames, and one on the way at each end of the second.
            assert!(
                (count - expected).abs() <= 2.0,
                "{end} got {count} of {expected}"
            );
            let level = self.number(end, "level_received_dbov");
            assert_eq!(level > -40.0, flows, "{end} hears {level} dBov");
            for name in ["packets_lost", "refused_srtp", "packets_malformed"] {
                assert_eq!(self.number(end, name), 0.0, "{name} of {end}");
            }
            if flows {
                let score = self.number(end, "mos");
                assert!((4.0..=4.5).contains(&score), "{end} has MOS {score}");
            }
        }
        self.look_at_events();
    }

    fn look_at_events(&mut self) {
        for event in std::mem::take(&mut self.events) {
            let is_fault = match event.kind {
                EventKind::Failed | EventKind::LineFailed | EventKind::MediaTimeout => true,
                EventKind::QualityRaised => !event.text.starts_with("no_audio_"),
                _ => false,
            };
            assert!(!is_fault, "{event:?}");
        }
    }

    fn close(&mut self) {
        for end in &self.ends {
            self.engine.close_session(end.session);
        }
        self.run(40.0);
        let left = self.engine.counts();
        let unrouted = left.datagrams_unrouted;
        let none = Counts {
            datagrams_unrouted: unrouted,
            ..Counts::default()
        };
        assert_eq!(left, none);
        assert_eq!(self.engine.next_deadline(), None);
    }
}

fn one_of<'a, T>(random: &mut Random, all: &'a [T]) -> &'a T {
    &all[(random.bits() % all.len() as u64) as usize]
}

fn open(engine: &Engine, random: &mut Random, transport: TransportKind, last: u8) -> u64 {
    let mut codecs = vec![CodecKind::Pcmu];
    for codec in [
        CodecKind::Pcma,
        CodecKind::G722,
        CodecKind::Opus,
        CodecKind::L16,
    ] {
        if random.unit() < 0.4 {
            let place = (random.bits() % (codecs.len() as u64 + 1)) as usize;
            codecs.insert(place, codec);
        }
    }
    let settings = SessionSettings {
        transport,
        accepts: Vec::new(),
        codecs,
        dtmf: random.unit() < 0.8,
        ptime_ms: 20,
        advertised: None,
    };
    let host = std::net::IpAddr::from([10, 0, 0, last]);
    let session = engine.open_session(settings, vec![host]).unwrap();
    let receives = random.unit() < 0.7;
    let prepare = |open: &mut Session, _| {
        open.prepare_video(vec![VideoCodec::Vp8, VideoCodec::H264], receives);
        open.play_tone(Place::Queue, &[440.0], &[], f64::INFINITY, -15.0)
    };
    engine.command(session, prepare).unwrap();
    session
}

/// An offer as another phone would write its hold: in the address, or for the session.
fn in_dialect(offer: &str, dialect: &str, direction: Direction) -> String {
    let (head, media) = offer.split_once("m=").unwrap();
    match dialect {
        "" => offer.to_owned(),
        "zero" => {
            let end = media.find("\r\nm=").map_or(media.len(), |end| end + 2);
            let audio = format!("{}c=IN IP4 0.0.0.0\r\n", &media[..end]);
            format!("{head}m={audio}{}", &media[end..])
        }
        _ => {
            let names = DIRECTIONS.map(|one| format!("a={}\r\n", one.as_str()));
            let mut media = media.to_owned();
            for name in names {
                media = media.replace(&name, "");
            }
            format!("{head}a={}\r\nm={media}", direction.as_str())
        }
    }
}

fn play(seed: u64) {
    let mut world = World::new(seed);
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        world.exchange(0, false, "");
        for _ in 0..STEPS {
            world.look();
            world.step();
        }
        world.look();
        world.close();
    }));
    if let Err(fault) = played {
        eprintln!("ANY_ORDER_SEED={}\n{}", world.seed, world.log.join("\n"));
        std::panic::resume_unwind(fault);
    }
}

/// RFC 3264 §8.
#[test]
fn whatever_two_ends_negotiate_sound_flows_where_both_want_it() {
    let read = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = read("ANY_ORDER_SEED") {
        return play(seed);
    }
    for seed in 0..read("ANY_ORDER_COUNT").unwrap_or(SEQUENCES) {
        play(seed);
    }
}
