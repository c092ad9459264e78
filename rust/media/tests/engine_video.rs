//! Video between sessions of an engine in virtual time: pushed, played, relayed, lost and repaired.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use trivox_media::MediaError;
use trivox_media::codec::CodecKind;
use trivox_media::engine::{Engine, EngineSettings, PortRange};
use trivox_media::event::{Event, EventKind};
use trivox_media::link::LinkSettings;
use trivox_media::session::lines::LineKind;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::video::TappedFrame;
use trivox_media::session::{Direction, SessionSettings, TransportKind, Value};
use trivox_media::video::VideoCodec;

const KINDS: [TransportKind; 4] = [
    TransportKind::Plain,
    TransportKind::Sdes,
    TransportKind::Dtls,
    TransportKind::Ice,
];

struct World {
    engine: Engine,
    now: f64,
    events: Vec<Event>,
}

impl World {
    fn new(loss: f64) -> Self {
        let ports = PortRange { first: 0, last: 0 };
        let (seed, threads) = (b"video".to_vec(), 1);
        let settings = EngineSettings {
            seed,
            threads,
            is_driven: true,
            now: 0.0,
            ports,
        };
        let engine = Engine::new(&settings).unwrap();
        let world = Self {
            engine,
            now: 0.0,
            events: Vec::new(),
        };
        world.lose(loss);
        world
    }

    /// From now on the network loses this share.
    fn lose(&self, loss: f64) {
        self.engine.set_link(LinkSettings {
            loss,
            delay: std::time::Duration::from_millis(10),
            ..LinkSettings::default()
        });
    }

    fn open(&self, kind: TransportKind, host: &str) -> u64 {
        let settings = SessionSettings {
            transport: kind,
            accepts: Vec::new(),
            codecs: vec![CodecKind::Pcmu],
            dtmf: true,
            ptime_ms: 20,
            advertised: None,
        };
        let host: IpAddr = host.parse().unwrap();
        let session = self.engine.open_session(settings, vec![host]).unwrap();
        self.command(session, |open| {
            open.prepare_video(vec![VideoCodec::Vp8, VideoCodec::H264], true);
        });
        session
    }

    fn command<R>(
        &self,
        session: u64,
        run: impl FnOnce(&mut trivox_media::session::Session) -> R,
    ) -> R {
        self.engine
            .command(session, |open, _| Ok(run(open)))
            .unwrap()
    }

    fn exchange(&self, from: u64, to: u64) {
        let engine = &self.engine;
        let offer = engine.create_offer(from, false).unwrap();
        engine
            .set_remote(to, &offer, DescriptionKind::Offer, "")
            .unwrap();
        let answer = engine.create_answer(to).unwrap();
        engine
            .set_remote(from, &answer, DescriptionKind::Answer, "t")
            .unwrap();
    }

    /// A call in which the first sends video; its line at both ends.
    fn call(&mut self, kind: TransportKind, hosts: [&str; 2]) -> [(u64, u64); 2] {
        let [caller, callee] = hosts.map(|host| self.open(kind, host));
        let line = self.command(caller, |open| open.open_line(LineKind::Video).unwrap());
        self.exchange(caller, callee);
        self.run(1.0);
        let far = self.command(callee, |open| open.line_directions()[0].0);
        [(caller, line), (callee, far)]
    }

    fn run(&mut self, seconds: f64) {
        let until = self.now + seconds;
        while let Some(next) = self.engine.next_deadline().filter(|next| *next <= until) {
            self.engine.advance(next);
            self.events.extend(self.engine.drain(10_000));
        }
        self.engine.advance(until);
        self.now = until;
        self.events.extend(self.engine.drain(10_000));
    }

    fn count(&self, kind: EventKind) -> usize {
        self.events
            .iter()
            .filter(|event| event.kind == kind)
            .count()
    }

    fn number(&self, session: u64, name: &str) -> f64 {
        let report = self.command(session, |open| open.statistics());
        match report.iter().find(|(known, _)| *known == name) {
            Some((_, Value::Number(value))) => *value,
            other => panic!("{name} is {other:?}"),
        }
    }

    fn tap(&self, (session, line): (u64, u64)) -> u64 {
        self.engine.open_video_tap(session, line).unwrap()
    }

    fn taken(&self, tap: u64) -> Vec<TappedFrame> {
        self.engine.take_encoded(tap, 1000).0
    }
}

fn frame(number: u16, is_key: bool, length: usize) -> Vec<u8> {
    let mut data = vec![if is_key { 0x10 } else { 0x31 }];
    data.extend(number.to_be_bytes());
    data.resize(length, number as u8);
    data
}

fn picture(number: u16, is_key: bool) -> Vec<u8> {
    let unit = |header: u8, length: usize| {
        let mut unit = vec![0, 0, 0, 1, header, 0x80];
        unit.extend([1 + (number >> 8) as u8 % 200, 7, 1 + number as u8 % 200]);
        unit.resize(4 + length, 0x55);
        unit
    };
    if is_key {
        [unit(0x67, 12), unit(0x68, 8), unit(0x65, 5000)].concat()
    } else {
        unit(0x41, 1500)
    }
}

/// Sends 25 frames a second, a key frame first and whenever one is wanted.
fn send(
    world: &mut World,
    (line, push): (u64, u64),
    codec: VideoCodec,
    frames: u16,
) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    let mut seen = world.count(EventKind::KeyFrameWanted);
    let mut is_key = true;
    for number in 0..frames {
        let data = match codec {
            VideoCodec::H264 => picture(number, is_key),
            _ => frame(number, is_key, if is_key { 9000 } else { 2000 }),
        };
        let pts = f64::from(number) / 25.0;
        let target = (line, push);
        assert!(
            world
                .engine
                .push_video_frame(target, codec, pts, Default::default(), &data)
                .unwrap()
        );
        sent.push(data);
        world.run(0.04);
        let wanted = world.count(EventKind::KeyFrameWanted);
        is_key = std::mem::replace(&mut seen, wanted) < wanted;
    }
    sent
}

#[test]
fn pushed_frames_come_out_as_they_went_in_over_every_transport() {
    for kind in KINDS {
        for codec in [VideoCodec::Vp8, VideoCodec::H264] {
            let mut world = World::new(0.0);
            let [near, far] = world.call(kind, ["10.0.0.1", "10.0.0.2"]);
            let tap = world.tap(far);
            let push = world.engine.open_video_push(near.0, near.1).unwrap();
            let sent = send(&mut world, (near.1, push), codec, 30);
            world.run(0.2);

            let taken = world.taken(tap);
            let data: Vec<_> = taken.iter().map(|frame| frame.data.clone()).collect();
            assert_eq!(data.len(), sent.len(), "{kind:?} {codec:?}");
            assert_eq!(data, sent, "{kind:?} {codec:?}");
            assert!((taken[29].pts - 29.0 / 25.0).abs() < 1e-6);
            assert!(taken[0].is_key && !taken[5].is_key);
            assert_eq!(world.count(EventKind::VideoAdded), 1);
        }
    }
}

#[test]
fn losses_are_asked_for_and_repaired_both_in_and_out_of_a_relay() {
    let mut world = World::new(0.0);
    let [near, middle] = world.call(TransportKind::Ice, ["10.0.0.1", "10.0.0.2"]);
    let [out, end] = world.call(TransportKind::Ice, ["10.0.0.3", "10.0.0.4"]);
    world.lose(0.05);
    world.engine.relay_video(out, middle).unwrap();
    let tap = world.tap(end);
    let push = world.engine.open_video_push(near.0, near.1).unwrap();
    let sent = send(&mut world, (near.1, push), VideoCodec::Vp8, 60);
    world.run(1.0);

    let taken: BTreeSet<_> = world
        .taken(tap)
        .into_iter()
        .map(|frame| frame.data)
        .collect();
    let first = sent.iter().position(|frame| taken.contains(frame)).unwrap();
    // A loss in the last picture shows only by the next one, which does not come.
    let missing: Vec<_> = (first..sent.len() - 1)
        .filter(|number| !taken.contains(&sent[*number]))
        .collect();
    assert!(first <= 13, "the first picture was number {first}");
    assert!(missing.is_empty(), "{missing:?}");
    let figures = world.command(middle.0, |open| open.video_figures());
    let received = figures[0].received;
    assert!(received.repaired > 3 && received.asked > 3, "{received:?}");
    let figures = world.command(out.0, |open| open.video_figures());
    assert!(figures[0].sent.repeated > 3, "{:?}", figures[0].sent);
}

/// Repeats come from a source of their own, beside the one that was latched.
#[test]
fn losses_are_repaired_over_bare_rtp_too() {
    let mut world = World::new(0.0);
    let [near, far] = world.call(TransportKind::Plain, ["10.0.0.1", "10.0.0.2"]);
    let tap = world.tap(far);
    let push = world.engine.open_video_push(near.0, near.1).unwrap();
    world.lose(0.05);
    let sent = send(&mut world, (near.1, push), VideoCodec::Vp8, 60);
    world.run(1.0);

    let taken = world.taken(tap);
    let whole = |number: &usize| taken.iter().any(|frame| frame.data == sent[*number]);
    let missing: Vec<usize> = (1..59).filter(|number| !whole(number)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let figures = world.command(far.0, |open| open.video_figures());
    assert!(figures[0].received.repaired > 3, "{figures:?}");
}

#[test]
fn a_late_joiner_sees_a_picture_within_a_second_and_wishes_are_bounded() {
    let mut world = World::new(0.0);
    let [near, middle] = world.call(TransportKind::Ice, ["10.0.0.1", "10.0.0.2"]);
    let push = world.engine.open_video_push(near.0, near.1).unwrap();
    send(&mut world, (near.1, push), VideoCodec::Vp8, 50);
    let ends: Vec<_> = (0..5)
        .map(|number| {
            let hosts = [format!("10.0.1.{number}"), format!("10.0.2.{number}")];
            let [out, end] = world.call(TransportKind::Ice, [&hosts[0], &hosts[1]]);
            world.engine.relay_video(out, middle).unwrap();
            world.tap(end)
        })
        .collect();
    let before = world.count(EventKind::KeyFrameWanted);
    send(&mut world, (near.1, push), VideoCodec::Vp8, 25);

    for tap in ends {
        let taken = world.taken(tap);
        assert!(taken.len() >= 10, "{}", taken.len());
        assert!(taken[0].is_key);
    }
    let wishes = world.count(EventKind::KeyFrameWanted) - before;
    assert!(
        (1..=3).contains(&wishes),
        "{wishes} key frames were wanted in a second"
    );
}

#[test]
fn a_file_is_sent_at_its_pace_and_its_end_is_told() {
    let mut world = World::new(0.0);
    let [near, far] = world.call(TransportKind::Plain, ["10.0.0.1", "10.0.0.2"]);
    let mut file = b"DKIF\0\0\x20\0VP80\x40\x01\xf0\0\x14\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    for number in 0..10_u16 {
        let data = frame(number, number == 0, 500);
        file.extend((data.len() as u32).to_le_bytes());
        file.extend(u64::from(number).to_le_bytes());
        file.extend(data);
    }
    let path = std::env::temp_dir().join(format!("trivox-clip-{}.ivf", std::process::id()));
    std::fs::write(&path, file).unwrap();
    let tap = world.tap(far);
    world
        .engine
        .play_clip(near.0, near.1, &path, false, 30.0)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    world.run(0.4);
    assert_eq!(world.count(EventKind::VideoEnded), 0);
    world.run(0.2);

    assert_eq!(world.count(EventKind::VideoEnded), 1);
    let taken = world.taken(tap);
    assert_eq!(taken.len(), 10);
    assert!((taken[9].pts - 0.45).abs() < 0.001, "{}", taken[9].pts);
}

#[test]
fn a_line_that_is_closed_is_told_and_opens_again() {
    let mut world = World::new(0.0);
    let [near, far] = world.call(TransportKind::Ice, ["10.0.0.1", "10.0.0.2"]);
    for round in 1..4 {
        world.command(near.0, |open| open.close_line(near.1));
        world.exchange(near.0, far.0);
        world.run(0.1);
        assert_eq!(world.count(EventKind::VideoRemoved), round);
        let line = world.command(near.0, |open| open.open_line(LineKind::Video).unwrap());
        assert_eq!(line, near.1);
        world.exchange(far.0, near.0);
        world.run(0.1);
        assert_eq!(world.count(EventKind::VideoAdded), 1 + round);
    }
    let directions = world.command(near.0, |open| open.line_directions());
    assert_eq!(
        directions,
        [(near.1, LineKind::Video, Some(Direction::SendOnly))]
    );
}

#[test]
fn what_cannot_be_sent_is_told_at_once() {
    let mut world = World::new(0.0);
    let [near, far] = world.call(TransportKind::Ice, ["10.0.0.1", "10.0.0.2"]);
    let push = world.engine.open_video_push(near.0, near.1).unwrap();
    let try_codec = |codec, data: &[u8]| {
        world
            .engine
            .push_video_frame((near.1, push), codec, 0.0, Default::default(), data)
    };
    assert!(matches!(
        try_codec(VideoCodec::Vp9, &[0]),
        Err(MediaError::State(_))
    ));
    assert!(matches!(
        try_codec(VideoCodec::Vp8, &[]),
        Err(MediaError::Argument(_))
    ));
    assert!(matches!(
        world.engine.relay_video(near, (far.0, 99)),
        Err(MediaError::Unknown { .. })
    ));
    assert!(matches!(
        world.engine.play_clip(
            near.0,
            near.1,
            std::path::Path::new("/nowhere"),
            false,
            30.0
        ),
        Err(MediaError::File(_))
    ));
}

#[test]
fn the_audio_beside_video_flows_as_ever() {
    let mut world = World::new(0.0);
    let [near, far] = world.call(TransportKind::Ice, ["10.0.0.1", "10.0.0.2"]);
    let push = world.engine.open_video_push(near.0, near.1).unwrap();
    send(&mut world, (near.1, push), VideoCodec::Vp8, 50);
    let report = world.engine.statistics(far.0).unwrap();
    let text = format!("{report:?}");
    assert!(text.contains("(\"packets_lost\", Number(0.0))"), "{text}");
}

#[test]
fn a_line_sleeps_until_the_call_is_connected() {
    let mut world = World::new(1.0);
    world.call(TransportKind::Ice, ["10.0.0.1", "10.0.0.2"]);

    let (mut turns, until) = (0, world.now + 1.0);
    while let Some(next) = world.engine.next_deadline().filter(|next| *next <= until) {
        world.engine.advance(next);
        turns += 1;
    }

    assert!(turns < 200, "{turns}");
}

#[test]
fn a_far_end_may_add_and_take_away_video_for_ever() {
    for kind in KINDS {
        let mut world = World::new(0.0);
        let [caller, callee] = ["10.0.0.1", "10.0.0.2"].map(|host| world.open(kind, host));
        world.exchange(caller, callee);
        for round in 1..=12 {
            let line = world.command(caller, |open| open.open_line(LineKind::Video).unwrap());
            world.exchange(caller, callee);
            world.run(0.2);
            assert_eq!(
                world.count(EventKind::VideoAdded),
                round,
                "{kind:?} {round}"
            );
            world.command(caller, |open| open.close_line(line));
            // Its m-line is refused, as a phone does that knows no idle one.
            let offer = world.engine.create_offer(caller, false).unwrap();
            let offer = refused(&offer);
            let set = |session, sdp: &str, kind| world.engine.set_remote(session, sdp, kind, "t");
            set(callee, &offer, DescriptionKind::Offer).unwrap();
            let answer = world.engine.create_answer(callee).unwrap();
            set(caller, &answer, DescriptionKind::Answer).unwrap();
            world.run(0.2);
        }

        let facts = world.command(callee, |open| open.line_directions());
        assert_eq!(facts.len(), 1, "{kind:?}");
        let sockets = world.engine.counts().sockets;
        assert!(sockets <= 8, "{kind:?} holds {sockets} sockets");
    }
}

/// The description without its video.
fn refused(sdp: &str) -> String {
    let at = sdp.find("m=video ").unwrap() + "m=video ".len();
    let rest = sdp[at..].split_once(' ').unwrap().1;
    let text = format!("{}0 {rest}", &sdp[..at]);
    text.replace("a=bundle-only\r\n", "")
        .replace("BUNDLE 0 1", "BUNDLE 0")
}

#[test]
fn video_under_keys_needs_the_far_ends_key() {
    let mut world = World::new(0.0);
    let [near, far] = world.call(TransportKind::Sdes, ["10.0.0.1", "10.0.0.2"]);
    let tap = world.tap(far);
    let push = world.engine.open_video_push(near.0, near.1).unwrap();
    let offer = world.engine.create_offer(near.0, false).unwrap();
    let audio = offer.split("m=video").next().unwrap();
    let keys = |sdp: &str| -> Vec<String> {
        let lines = sdp.lines().filter(|line| line.starts_with("a=crypto"));
        lines.map(str::to_owned).collect()
    };
    let video = keys(offer.split("m=video").nth(1).unwrap());
    assert!(!video.is_empty());
    assert!(keys(audio).iter().all(|key| !video.contains(key)));
    world
        .engine
        .set_remote(far.0, &offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = world.engine.create_answer(far.0).unwrap();
    world
        .engine
        .set_remote(near.0, &answer, DescriptionKind::Answer, "t")
        .unwrap();
    let sent = send(&mut world, (near.1, push), VideoCodec::Vp8, 20);
    world.run(0.2);

    assert_eq!(world.taken(tap).len(), sent.len());
}

/// Moves the fingerprints of the media to the session as well, as baresip does once it answers.
fn with_fingerprints_twice(sdp: &str) -> String {
    let found = sdp.lines().find(|line| line.starts_with("a=fingerprint"));
    let session = format!("t=0 0\r\n{}\r\na=setup:actpass\r\n", found.unwrap());
    let answer = sdp.replace("t=0 0\r\n", &session);
    let roles = ["a=setup:active\r\n", "a=setup:passive\r\n"];
    let body = roles.iter().fold(answer, |sdp, role| sdp.replace(role, ""));
    assert_eq!(body.matches("a=fingerprint").count(), 3);
    body
}

#[test]
fn each_dtls_line_keeps_its_keys_when_the_far_end_repeats_its_fingerprint() {
    let mut world = World::new(0.0);
    let [near, far] = world.call(TransportKind::Dtls, ["10.0.0.1", "10.0.0.2"]);
    let tap = world.tap(far);
    let push = world.engine.open_video_push(near.0, near.1).unwrap();
    send(&mut world, (near.1, push), VideoCodec::Vp8, 10);
    let engine = &world.engine;
    let offer = engine.create_offer(near.0, false).unwrap();
    assert!(!offer.contains("BUNDLE"));
    engine
        .set_remote(far.0, &offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = with_fingerprints_twice(&engine.create_answer(far.0).unwrap());
    engine
        .set_remote(near.0, &answer, DescriptionKind::Answer, "t")
        .unwrap();
    world.lose(1.0);
    world.run(0.1);
    world.lose(0.0);

    let sent = send(&mut world, (near.1, push), VideoCodec::Vp8, 20);
    world.run(0.2);

    let taken = world.taken(tap);
    assert_eq!(taken.len(), 30);
    assert_eq!(taken[29].data, sent[19]);
    for session in [near.0, far.0] {
        assert_eq!(world.number(session, "refused_srtp"), 0.0);
        assert!(world.number(session, "packets_received") > 90.0);
    }
}

#[test]
fn the_fingerprint_of_each_line_is_checked_by_itself() {
    let mut world = World::new(0.0);
    let [caller, callee] =
        ["10.0.0.1", "10.0.0.2"].map(|host| world.open(TransportKind::Dtls, host));
    let line = world.command(caller, |open| open.open_line(LineKind::Video).unwrap());
    let engine = &world.engine;
    let offer = engine.create_offer(caller, false).unwrap();
    engine
        .set_remote(callee, &offer, DescriptionKind::Offer, "")
        .unwrap();
    let answer = engine.create_answer(callee).unwrap();
    let (audio, video) = answer.split_at(answer.find("m=video").unwrap());
    let at = video.find("sha-256 ").unwrap() + "sha-256 ".len();
    let other = format!(
        "{}{}{}",
        &video[..at],
        "AB:".repeat(31) + "AB",
        &video[at + 95..]
    );
    let forged = format!("{audio}{other}");
    engine
        .set_remote(caller, &forged, DescriptionKind::Answer, "t")
        .unwrap();
    let push = world.engine.open_video_push(caller, line).unwrap();
    world.run(2.0);

    let frame = frame(1, true, 100);
    let (codec, target) = (VideoCodec::Vp8, (line, push));
    let is_taken = world
        .engine
        .push_video_frame(target, codec, 0.0, Default::default(), &frame);
    assert!(!is_taken.unwrap(), "nothing leaves on that line");
    assert!(world.number(callee, "packets_received") > 50.0);
}

#[test]
fn over_ice_a_line_keeps_sockets_of_its_own_only_where_nothing_is_bundled() {
    for has_bundle in [true, false] {
        let mut world = World::new(0.0);
        let [caller, callee] =
            ["10.0.0.1", "10.0.0.2"].map(|host| world.open(TransportKind::Ice, host));
        let line = world.command(caller, |open| open.open_line(LineKind::Video).unwrap());
        let engine = &world.engine;
        let offer = engine.create_offer(caller, false).unwrap();
        let read = if has_bundle {
            offer
        } else {
            offer.replace("a=group:BUNDLE", "a=group:LS")
        };
        let set = |session, sdp: &str, kind| engine.set_remote(session, sdp, kind, "t").unwrap();
        set(callee, &read, DescriptionKind::Offer);
        let answer = engine.create_answer(callee).unwrap();
        set(caller, &answer, DescriptionKind::Answer);
        world.run(1.0);
        let far = world.command(callee, |open| open.line_directions()[0].0);
        let tap = world.tap((callee, far));
        let push = world.engine.open_video_push(caller, line).unwrap();

        let sent = send(&mut world, (line, push), VideoCodec::Vp8, 20);
        world.run(0.2);

        assert_eq!(answer.contains("BUNDLE"), has_bundle, "{answer}");
        assert_eq!(world.taken(tap).len(), sent.len(), "{answer}");
        let sockets = world.engine.counts().sockets;
        assert_eq!(sockets, if has_bundle { 2 } else { 4 });
        assert!(world.number(callee, "packets_received") > 50.0);
    }
}
