//! Lines with a path of their own, towards a far end that does not bundle: one peer connection of
//! the `rtc` crate for each.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::time::Duration;

use peer::{Lines, World};
use trivox_media::event::EventKind;
use trivox_media::session::lines::LineKind;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::transport::Trickled;
use trivox_media::video::VideoCodec;

const SECOND: &str = "10.0.0.1:1002";
const PUSH: u64 = 42;

/// A session that offers audio and video, with a peer for each; the line of the video.
fn unbundled() -> (World, u64) {
    let mut world = World::at(&[peer::LOCAL, SECOND], &[Lines::AUDIO, Lines::NONE]);
    world.take_video();
    let line = world.session.open_line(LineKind::Video).unwrap();
    world
        .session
        .attach_line(line, vec![SECOND.parse().unwrap()]);
    (world, line)
}

/// The offer as each of the peers gets it: a bundle of one line.
fn halves(offer: &str) -> [String; 2] {
    let (head, media) = offer.split_at(offer.find("m=audio").unwrap());
    let (audio, video) = media.split_at(media.find("m=video").unwrap());
    let head: String = lines(head, |line| !line.starts_with("a=group"));
    [(audio, "0"), (video, "1")]
        .map(|(media, mid)| format!("{head}a=group:BUNDLE {mid}\r\n{media}"))
}

fn lines(sdp: &str, is_kept: impl Fn(&str) -> bool) -> String {
    sdp.split_inclusive('\n')
        .filter(|line| is_kept(line))
        .collect()
}

/// One description of those of both peers: nothing is bundled, each line has its fingerprint.
fn joined(answers: &[String; 2]) -> String {
    let parts = answers.each_ref().map(|sdp| {
        let (head, media) = sdp.split_at(sdp.find("m=").unwrap());
        let of_line = |line: &str| line.starts_with("a=fingerprint");
        let rest = lines(head, |line| !of_line(line) && !line.starts_with("a=group"));
        (rest, format!("{media}{}", lines(head, of_line)))
    });
    format!("{}{}{}", parts[0].0, parts[0].1, parts[1].1)
}

/// Has the peers answer an offer of ours; what they answer together.
fn answered(world: &mut World, is_restart: bool) -> String {
    let now = world.now;
    let offer = world.session.create_offer(now, is_restart).unwrap();
    let [audio, video] = halves(&offer);
    joined(&[
        world.peers[0].answer(now, &audio),
        world.peers[1].answer(now, &video),
    ])
}

fn take_answer(world: &mut World, answer: &str) {
    let now = world.now;
    world
        .session
        .set_remote(now, answer, DescriptionKind::Answer, "tag")
        .unwrap();
}

fn connected() -> (World, u64) {
    let (mut world, line) = unbundled();
    let answer = answered(&mut world, false);
    take_answer(&mut world, &answer);
    world.connect();
    let now = world.now;
    world.session.open_frame_push(now, line, PUSH).unwrap();
    (world, line)
}

/// Pictures of ours that the far end has seen, of so many that we show.
fn seen(world: &mut World, line: u64, count: usize) -> usize {
    let before = world.peers[1].received.len();
    for number in 0..count {
        let (now, pts) = (world.now, number as f64 / 25.0);
        let data = [&[0x10u8][..], &[0x55; 400]].concat();
        let target = (line, PUSH);
        world
            .session
            .push_frame(now, target, VideoCodec::Vp8, pts, Default::default(), &data)
            .unwrap();
        world.run(Duration::from_millis(40));
    }
    world.peers[1].received.len() - before
}

fn states(world: &World) -> Vec<&str> {
    let of_ice = |kind| move |event: &&trivox_media::event::Event| event.kind == kind;
    let told = world.events.iter().filter(of_ice(EventKind::IceState));
    told.map(|event| event.text.as_str()).collect()
}

#[test]
fn a_line_that_does_not_answer_is_a_path_that_is_lost_until_it_does() {
    let (mut world, line) = connected();
    assert_eq!(seen(&mut world, line, 10), 10);

    world.peers[1].is_silent = true;
    world.events.clear();
    world.run(Duration::from_secs(12));
    assert_eq!(states(&world), ["disconnected"]);
    let (ours, theirs) = world.talk(25);
    assert!(ours >= 24 && theirs >= 24, "{ours} {theirs}");

    world.peers[1].is_silent = false;
    world.run(Duration::from_secs(6));

    assert_eq!(states(&world), ["disconnected", "connected"]);
    assert_eq!(world.count(EventKind::LineFailed), 0);
    assert_eq!(seen(&mut world, line, 10), 10);
}

#[test]
fn a_line_whose_path_is_dead_is_told_and_the_call_goes_on_without_it() {
    let (mut world, line) = connected();
    world.peers[1].is_silent = true;
    world.events.clear();
    world.run(Duration::from_secs(40));

    let failed = world.events.iter();
    let failed: Vec<_> = failed
        .filter(|event| event.kind == EventKind::LineFailed)
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].number, line as f64);
    assert!(failed[0].text.contains("consent"), "{}", failed[0].text);
    assert_eq!(states(&world), ["disconnected", "connected"]);
    assert_eq!(world.count(EventKind::Failed), 0);
    assert_eq!(seen(&mut world, line, 5), 0);
    let (ours, theirs) = world.talk(25);
    assert!(ours >= 24 && theirs >= 24, "{ours} {theirs}");
}

/// RFC 8445 §2.4: a restart may find what was not found before; the keys of the association before are used on (RFC 8842 §4).
#[test]
fn a_restart_brings_a_dead_line_back() {
    let (mut world, line) = connected();
    world.peers[1].is_silent = true;
    world.run(Duration::from_secs(40));
    assert_eq!(world.count(EventKind::LineFailed), 1);
    // An offer that restarts nothing leaves it as it is, and breaks nothing.
    let answer = answered(&mut world, false);
    take_answer(&mut world, &answer);
    assert_eq!(seen(&mut world, line, 5), 0);

    world.peers[1].is_silent = false;
    let answer = answered(&mut world, true);
    take_answer(&mut world, &answer);
    world.run(Duration::from_secs(2));

    let restored = world.events.iter();
    let restored: Vec<_> = restored
        .filter(|event| event.kind == EventKind::LineRestored)
        .map(|event| event.number)
        .collect();
    assert_eq!(restored, [line as f64]);
    assert_eq!(seen(&mut world, line, 10), 10);
    let (ours, theirs) = world.talk(25);
    assert!(ours >= 24 && theirs >= 24, "{ours} {theirs}");
}

#[test]
fn a_restart_looks_for_the_paths_of_lines_too() {
    let (mut world, line) = connected();
    let ufrags = |sdp: &str| lines(sdp, |line| line.starts_with("a=ice-ufrag"));
    let now = world.now;
    let before = world.session.create_offer(now, false).unwrap();
    world.session.rollback();
    let after = world.session.create_offer(now, true).unwrap();
    world.session.rollback();
    let (before, after) = (ufrags(&before), ufrags(&after));
    assert_eq!(before.lines().count(), 2);
    assert!(after.lines().all(|line| !before.contains(line)));

    let answer = answered(&mut world, true);
    take_answer(&mut world, &answer);
    assert!(seen(&mut world, line, 25) >= 24);
    assert_eq!(world.count(EventKind::LineFailed), 0);
}

#[test]
fn a_line_that_nobody_ever_answers_is_told() {
    let (mut world, line) = unbundled();
    let answer = answered(&mut world, false);
    take_answer(&mut world, &answer);
    world.peers[1].is_silent = true;
    world.run(Duration::from_secs(60));

    let failed = world.events.iter();
    let failed: Vec<_> = failed
        .filter(|event| event.kind == EventKind::LineFailed)
        .map(|event| (event.number, event.text.as_str()))
        .collect();
    assert_eq!(failed, [(line as f64, "no ICE candidate pair works")]);
    assert_eq!(world.count(EventKind::Connected), 1);
}

/// The candidates of a description, each line's in a part of a fragment.
fn fragment_of(sdp: &str) -> String {
    let parts = sdp.split("m=").skip(1).map(|media| {
        let told = [
            "a=mid",
            "a=ice-ufrag",
            "a=ice-pwd",
            "a=candidate",
            "a=end-of",
        ];
        let told = lines(media, |line| told.iter().any(|name| line.starts_with(name)));
        let kind = media.split(' ').next().unwrap();
        format!("m={kind} 9 RTP/AVP 0\r\n{told}")
    });
    parts.collect()
}

fn without_candidates(sdp: &str) -> String {
    lines(sdp, |line| {
        !line.starts_with("a=candidate") && !line.starts_with("a=end-of")
    })
}

/// RFC 8840 §4.4: the parts of a fragment are about the lines they name.
#[test]
fn candidates_that_come_later_reach_the_line_they_name() {
    let (mut world, line) = unbundled();
    let answer = answered(&mut world, false);
    for peer in &mut world.peers {
        peer.is_silent = true;
    }
    let fragment = fragment_of(&answer);
    // What is about a line that nobody has described yet waits.
    let now = world.now;
    let early = world.session.take_fragment_untrusted(now, &fragment);
    assert_eq!(early.unwrap(), Trickled::Unknown);
    take_answer(&mut world, &without_candidates(&answer));
    world.run(Duration::from_secs(3));
    assert_eq!(world.count(EventKind::Connected), 0);

    let now = world.now;
    let taken = world.session.take_fragment_untrusted(now, &fragment);
    assert_eq!(taken.unwrap(), Trickled::Taken);
    for peer in &mut world.peers {
        peer.is_silent = false;
    }
    world.connect();

    let now = world.now;
    world.session.open_frame_push(now, line, PUSH).unwrap();
    assert_eq!(seen(&mut world, line, 10), 10);
    let stale = world.session.take_fragment_untrusted(now, &fragment);
    assert_eq!(stale.unwrap(), Trickled::Taken, "a copy changes nothing");
}

/// RFC 8838 §13: nothing follows the end.
#[test]
fn our_fragments_tell_the_candidates_of_each_line_and_their_end() {
    let (mut world, line) = unbundled();
    world.session.trickle(true);
    let now = world.now;
    let offer = world.session.create_offer(now, false).unwrap();
    assert!(!offer.contains("a=end-of-candidates"), "{offer}");
    let [audio, video] = halves(&without_candidates(&offer));
    let answers = [
        world.peers[0].answer(now, &audio),
        world.peers[1].answer(now, &video),
    ];
    take_answer(&mut world, &without_candidates(&joined(&answers)));
    world.run(Duration::from_secs(1));
    assert_eq!(world.count(EventKind::Connected), 0);

    let fragment = world.session.fragment();
    assert!(!fragment.contains("a=end-of-candidates"), "{fragment}");
    let parts: Vec<&str> = fragment.split("m=").skip(1).collect();
    assert!(parts[0].contains("a=mid:0\r\n") && parts[0].contains(" 1000 typ host"));
    assert!(parts[1].contains("a=mid:1\r\n") && parts[1].contains(" 1002 typ host"));
    let ufrag = |sdp: &str| lines(sdp, |line| line.starts_with("a=ice-ufrag"));
    assert!(offer.contains(&ufrag(parts[1])) && !ufrag(parts[1]).is_empty());
    for (peer, part) in world.peers.iter_mut().zip(parts) {
        let told = part
            .lines()
            .filter_map(|line| line.strip_prefix("a=candidate:"));
        told.for_each(|candidate| peer.take_candidate(candidate));
    }
    world.connect();
    let now = world.now;
    world.session.open_frame_push(now, line, PUSH).unwrap();
    assert_eq!(seen(&mut world, line, 10), 10);

    world.session.trickle(false);
    let last = world.session.fragment();
    assert_eq!(last.matches("a=end-of-candidates").count(), 2, "{last}");
    assert_eq!(world.session.fragment(), "");
}

/// RFC 5764 §3, RFC 8827 §6.5: who ends a DTLS association says so, on each path.
#[test]
fn the_far_end_of_each_line_is_told_of_the_end() {
    let (mut world, line) = connected();
    assert_eq!(seen(&mut world, line, 10), 10);

    let now = world.now;
    world.session.close(now);
    world.run(Duration::from_millis(100));

    let told = world.peers.iter().map(|peer| peer.alerts);
    assert_eq!(told.collect::<Vec<_>>(), [1, 1]);
    assert_eq!(world.session.next_deadline(), None, "nothing is left to do");
    assert_eq!(world.session.poll_transmit(), None);
    assert_eq!(world.astray, 0);
}

/// RFC 8843 §7.3.3: a line with port 0 is over, and so is its transport.
#[test]
fn a_line_that_is_taken_away_has_no_path_to_lose() {
    let (mut world, line) = connected();
    assert_eq!(seen(&mut world, line, 10), 10);

    let answer = answered(&mut world, false);
    let answer = answer.replace("m=video 9 ", "m=video 0 ");
    take_answer(&mut world, &answer);
    world.events.clear();
    world.run(Duration::from_millis(100));
    let told = world.peers.iter().map(|peer| peer.alerts);
    assert_eq!(told.collect::<Vec<_>>(), [0, 1], "it is told of the end");
    world.peers[1].is_silent = true;
    world.run(Duration::from_secs(40));

    assert_eq!(world.count(EventKind::LineFailed), 0);
    assert_eq!(states(&world), [""; 0]);
    let (ours, theirs) = world.talk(25);
    assert!(ours >= 24 && theirs >= 24, "{ours} {theirs}");
}

/// The credentials of each part, by the place in the fragment they stand at.
fn credentials(fragment: &str) -> Vec<Vec<&str>> {
    let is_told = |line: &&str| line.starts_with("a=ice-");
    let parts = fragment.split("m=");
    parts
        .map(|part| part.lines().filter(is_told).collect())
        .collect()
}

/// RFC 8840 §4.4: at the level they have in the descriptions, which is that of lines.
#[test]
fn credentials_stand_where_they_stand_in_the_description() {
    let (mut world, _) = unbundled();
    world.session.trickle(true);
    let now = world.now;
    let offer = world.session.create_offer(now, false).unwrap();

    let fragment = world.session.fragment();

    let of_lines = credentials(&fragment);
    assert!(of_lines[0].is_empty(), "none for all lines: {fragment}");
    assert_ne!(of_lines[1], of_lines[2]);
    let described = credentials(&offer);
    let bare = |lines: &Vec<&str>| -> Vec<String> {
        let lines = lines.iter().filter(|line| !line.contains("options"));
        lines.map(|line| (*line).to_owned()).collect()
    };
    assert_eq!(
        of_lines.iter().map(bare).collect::<Vec<_>>(),
        described.iter().map(bare).collect::<Vec<_>>()
    );
}

/// RFC 8840 §4.4: what a far end says of all lines at once goes before its first pseudo line.
#[test]
fn credentials_and_the_end_may_be_told_once_for_all_lines() {
    let (mut world, _) = unbundled();
    let answer = answered(&mut world, false);
    let of_lines = credentials(&answer);
    let shared: Vec<&str> = of_lines[1].clone();
    let replaced = |text: &str, from: &[&str]| {
        let pairs = from.iter().zip(&shared);
        pairs.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let answer = replaced(&answer, &of_lines[2]);
    let own = |line: &str| line.starts_with("a=ice-ufrag") || line.starts_with("a=ice-pwd");
    let session: String = shared
        .iter()
        .filter(|line| own(line))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let moved = |sdp: &str| {
        let sdp = lines(sdp, |line| !own(line));
        sdp.replacen("m=", &format!("{session}m="), 1)
    };
    for peer in &mut world.peers {
        peer.is_silent = true;
    }
    take_answer(&mut world, &moved(&without_candidates(&answer)));

    let fragment = moved(&fragment_of(&answer));
    assert!(fragment.starts_with("a=ice-ufrag"), "{fragment}");
    let before = world
        .peers
        .iter()
        .map(|peer| peer.asked)
        .collect::<Vec<_>>();
    let now = world.now;
    let taken = world.session.take_fragment_untrusted(now, &fragment);
    assert_eq!(taken.unwrap(), Trickled::Taken);
    world.run(Duration::from_secs(1));

    assert_eq!(before, [0, 0], "nobody knew where they are");
    assert!(world.peers.iter().all(|peer| peer.asked > 0));
}
