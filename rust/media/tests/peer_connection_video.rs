//! Video with the peer connection of the `rtc` crate: lines that come and go, losses, no bundle.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::time::Duration;

use peer::{Heard, Lines, World};
use trivox_media::event::EventKind;
use trivox_media::session::lines::LineKind;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::video::VideoCodec;

const TAP: u64 = 41;
const PUSH: u64 = 42;

fn pictures(world: &World) -> usize {
    world.peers.iter().map(shown).sum()
}

fn shown(peer: &peer::Peer) -> usize {
    // A picture of ours ends with the packet that has the marker.
    let is_last = |packet: &&Heard| packet.is_video() && packet.marker;
    peer.received.iter().filter(is_last).count()
}

/// A frame of VP8 that nobody decodes.
fn frame(number: usize, is_key: bool) -> Vec<u8> {
    let mut data = vec![if is_key { 0x10 } else { 0x31 }];
    data.extend((number as u16).to_be_bytes());
    data.resize(2000, 0x55);
    data
}

/// Both show so many pictures, 25 a second; returns how many each side has seen.
fn show(world: &mut World, line: u64, count: usize) -> (usize, usize) {
    let before = pictures(world);
    let mut taken = 0;
    let mut wishes = world.count(EventKind::KeyFrameWanted);
    for number in 0..count {
        let now = world.now;
        let last = world.peers.len() - 1;
        world.peers[last].show(now, number % 10 == 0);
        let wanted = world.count(EventKind::KeyFrameWanted);
        let data = frame(number, number == 0 || wanted > wishes);
        wishes = wanted;
        let pts = number as f64 / 25.0;
        world
            .session
            .push_frame(
                now,
                (line, PUSH),
                VideoCodec::Vp8,
                pts,
                Default::default(),
                &data,
            )
            .unwrap();
        world.run(Duration::from_millis(40));
        taken += world.session.take_encoded(TAP, 1000).0.len();
    }
    world.run(Duration::from_millis(400));
    taken += world.session.take_encoded(TAP, 1000).0.len();
    (taken, pictures(world) - before)
}

/// The peer has audio and video, we send video too; returns the line.
fn connected() -> (World, u64) {
    let mut world = World::new(Lines::BOTH);
    world.take_video();
    world.peer_offers(|offer| offer);
    world.connect();
    let line = open(&mut world);
    (world, line)
}

/// Sends on the line of the peer's video, and reads it.
fn open(world: &mut World) -> u64 {
    let line = world.session.open_line(LineKind::Video).unwrap();
    world.we_offer();
    world.run(Duration::from_millis(200));
    let now = world.now;
    world.session.open_frame_push(now, line, PUSH).unwrap();
    world.session.open_tap(now, line, TAP).unwrap();
    line
}

#[test]
fn pictures_cross_and_a_wish_for_a_key_frame_arrives() {
    let (mut world, line) = connected();
    let (ours, theirs) = show(&mut world, line, 50);
    assert!(ours >= 45 && theirs == 50, "{ours} {theirs}");

    let wished = world.count(EventKind::KeyFrameWanted);
    let ssrc = world.session.video_figures()[0].ssrcs.0;
    let now = world.now;
    world.peer().wish_for_a_key_frame(now, ssrc);
    world.run(Duration::from_millis(600));
    assert_eq!(world.count(EventKind::KeyFrameWanted), wished + 1);
}

#[test]
fn losses_are_repaired_by_the_other_side_both_ways() {
    let (mut world, line) = connected();
    show(&mut world, line, 10);
    world.loss = 0.05;
    let (ours, theirs) = show(&mut world, line, 200);

    let figures = world.session.video_figures();
    let (received, sent) = (figures[0].received, figures[0].sent);
    assert!(received.asked > 3 && received.repaired > 3, "{received:?}");
    assert!(sent.repeated > 3, "{sent:?}");
    // 5 % of 200 would be 10; a picture of ours is of two packets, so of those it would be 20.
    assert!(ours >= 198, "{ours}");
    assert!(theirs >= 196, "{theirs}");
}

#[test]
fn the_peer_adds_video_takes_it_away_and_adds_it_again() {
    let mut world = World::new(Lines::AUDIO);
    world.take_video();
    world.peer_offers(|offer| offer);
    world.connect();
    for round in 1..=3 {
        world.peer().add_video();
        let answer = world.peer_offers(|offer| offer);
        assert!(answer.contains("a=recvonly\r\n"), "{round}: {answer}");
        world.run(Duration::from_millis(200));
        for _ in 0..5 {
            let now = world.now;
            world.peer().show(now, true);
            world.run(Duration::from_millis(40));
        }
        assert_eq!(world.count(EventKind::VideoAdded), round);
        assert!(world.session.video_figures()[0].received.packets >= 5);

        world.peer().remove_video();
        world.peer_offers(|offer| offer);
        world.run(Duration::from_millis(200));
        assert_eq!(world.count(EventKind::VideoRemoved), round);
        let (ours, _) = world.talk(25);
        assert!(ours >= 24, "{ours}");
    }
}

#[test]
fn a_line_the_peer_refuses_is_not_sent_on() {
    let mut world = World::new(Lines::AUDIO);
    world.take_video();
    world.peer_offers(|offer| offer);
    world.connect();
    let line = world.session.open_line(LineKind::Video).unwrap();
    let now = world.now;
    let offer = world.session.create_offer(now, false).unwrap();
    world.peer().take_offer(now, &offer);
    world.peer().direct(1, "inactive");
    let answer = world.peer().give_answer(now);
    world
        .session
        .set_remote(now, &answer, DescriptionKind::Answer, "tag")
        .unwrap();
    world.run(Duration::from_millis(200));

    let now = world.now;
    world.session.open_frame_push(now, line, PUSH).unwrap();
    let sent = world.session.push_frame(
        now,
        (line, PUSH),
        VideoCodec::Vp8,
        0.0,
        Default::default(),
        &frame(0, true),
    );
    assert!(!sent.unwrap());
    world.run(Duration::from_millis(200));
    assert_eq!(pictures(&world), 0);
    let (ours, theirs) = world.talk(25);
    assert!(ours >= 24 && theirs >= 24, "{ours} {theirs}");
}

#[test]
fn adding_and_taking_away_for_ever_is_taken_by_the_peer_and_does_not_grow() {
    let mut world = World::new(Lines::AUDIO);
    world.take_video();
    world.peer_offers(|offer| offer);
    world.connect();
    let mut sizes = Vec::new();
    for _ in 0..6 {
        let line = world.session.open_line(LineKind::Video).unwrap();
        world.we_offer();
        world.run(Duration::from_millis(100));
        world.session.close_line(line);
        let now = world.now;
        let offer = world.session.create_offer(now, false).unwrap();
        sizes.push(offer.matches("m=").count());
        // The peer connection stops a line for ever at an offer that says inactive.
        let answer = world
            .peer()
            .answer(now, &offer.replace("a=inactive", "a=sendonly"));
        world
            .session
            .set_remote(now, &answer, DescriptionKind::Answer, "tag")
            .unwrap();
        world.run(Duration::from_millis(100));
        let (ours, _) = world.talk(10);
        assert!(ours >= 9, "{ours}");
    }
    assert_eq!(sizes, [2; 6]);
}

/// The lines of a description before its media, and those of its one medium, which names its
/// fingerprint itself.
fn halves(sdp: &str) -> (String, String) {
    let (session, media) = sdp.split_at(sdp.find("m=").unwrap());
    let (own, rest): (Vec<&str>, Vec<&str>) = session
        .lines()
        .filter(|line| !line.starts_with("a=group"))
        .partition(|line| line.starts_with("a=fingerprint"));
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\r\n")).collect();
    let fingerprint: String = joined(&own);
    (joined(&rest), format!("{media}{fingerprint}"))
}

#[test]
fn without_a_bundle_each_line_has_a_path_of_its_own() {
    let mut world = World::at(
        &[peer::LOCAL, "10.0.0.1:1002"],
        &[Lines::AUDIO, Lines::VIDEO],
    );
    world.take_video();
    let now = world.now;
    let (session, audio) = halves(&world.peers[0].offer(now));
    let (_, video) = halves(&world.peers[1].offer(now));
    let offer = format!("{session}{audio}{}", video.replace("a=mid:0", "a=mid:seen"));
    world
        .session
        .set_remote(now, &offer, DescriptionKind::Offer, "")
        .unwrap();
    let line = world.session.line_directions()[0].0;
    let second = "10.0.0.1:1002".parse().unwrap();
    world.session.attach_line(line, vec![second]);
    let answer = world.session.create_answer(now).unwrap();
    assert!(!answer.contains("a=group:BUNDLE"), "{answer}");
    assert_eq!(answer.matches("a=ice-ufrag").count(), 2, "{answer}");

    let (head, media) = answer.split_at(answer.find("m=audio").unwrap());
    let (audio, video) = media.split_at(media.find("m=video").unwrap());
    let group = "a=group:BUNDLE 0\r\n";
    world.peers[0].take_answer(now, format!("{head}{group}{audio}"));
    let video = video.replace("a=mid:seen", "a=mid:0");
    world.peers[1].take_answer(now, format!("{head}{group}{video}"));
    world.connect();

    let now = world.now;
    world.session.open_tap(now, line, TAP).unwrap();
    for number in 0..25 {
        let now = world.now;
        world.peers[1].show(now, number == 0);
        let (ours, theirs) = world.talk(2);
        assert!(ours >= 1 && theirs >= 1, "{number}: {ours} {theirs}");
    }
    assert_eq!(world.session.take_encoded(TAP, 100).0.len(), 25);
    assert_eq!(world.astray, 0);
}

#[test]
fn an_answer_without_a_bundle_to_our_offer_gives_each_line_its_path() {
    let second = "10.0.0.1:1002";
    let mut world = World::at(&[peer::LOCAL, second], &[Lines::AUDIO, Lines::NONE]);
    world.take_video();
    let line = world.session.open_line(LineKind::Video).unwrap();
    let sockets = vec![second.parse().unwrap()];
    world.session.attach_line(line, sockets);
    let now = world.now;
    let offer = world.session.create_offer(now, false).unwrap();
    assert!(offer.contains("a=group:BUNDLE 0 1\r\n"), "{offer}");
    let (head, media) = offer.split_at(offer.find("m=audio").unwrap());
    let (audio, video) = media.split_at(media.find("m=video").unwrap());
    let alone = |mid: &str| head.replace("BUNDLE 0 1", &format!("BUNDLE {mid}"));

    let audio = world.peers[0].answer(now, &format!("{}{audio}", alone("0")));
    let video = world.peers[1].answer(now, &format!("{}{video}", alone("1")));
    let ((session, audio), (_, video)) = (halves(&audio), halves(&video));
    let answer = format!("{session}{audio}{video}");
    world
        .session
        .set_remote(now, &answer, DescriptionKind::Answer, "tag")
        .unwrap();
    world.connect();

    let now = world.now;
    world.session.open_frame_push(now, line, PUSH).unwrap();
    for number in 0..25 {
        let (now, pts) = (world.now, number as f64 / 25.0);
        let data = frame(number, number == 0);
        let target = (line, PUSH);
        let sent =
            world
                .session
                .push_frame(now, target, VideoCodec::Vp8, pts, Default::default(), &data);
        assert!(sent.unwrap());
        world.run(Duration::from_millis(40));
    }
    let whole = |peer: &peer::Peer| peer.received.iter().filter(|one| one.marker).count();
    assert_eq!(whole(&world.peers[1]), 25);
    assert_eq!(shown(&world.peers[0]), 0);
    let (ours, theirs) = world.talk(25);
    assert!(ours >= 24 && theirs >= 24, "{ours} {theirs}");
    assert_eq!(world.astray, 0);
}
