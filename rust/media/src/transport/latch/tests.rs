use super::*;

const SIGNALLED: SocketAddr = address(1);
const OTHER: SocketAddr = address(2);
const ATTACKER: SocketAddr = address(3);

const fn address(last: u8) -> SocketAddr {
    SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, last)),
        4000,
    )
}

fn packet(ssrc: u32, sequence_number: u16) -> Stream {
    Stream {
        ssrc,
        sequence_number,
        payload_type: 96,
    }
}

fn repeat(ssrc: u32, sequence_number: u16) -> Stream {
    Stream {
        payload_type: 97,
        ..packet(ssrc, sequence_number)
    }
}

/// One that has latched to source 1, with source 2 announced and 97 for repeats.
fn expecting_latch() -> (Latch, Instant) {
    let (mut latch, now) = signalled_latch();
    latch.expect(Expected {
        sources: vec![1, 2],
        repeats: vec![97],
    });
    assert!(latch.accepts(now, SIGNALLED, packet(1, 10)));
    (latch, now)
}

#[allow(clippy::disallowed_methods)] // The origin of virtual time.
fn signalled_latch() -> (Latch, Instant) {
    let now = Instant::now();
    let mut latch = Latch::default();
    latch.signal(now, Some(SIGNALLED));
    (latch, now)
}

#[test]
fn the_signalled_address_is_believed_at_once() {
    let (mut latch, now) = signalled_latch();

    assert!(latch.accepts(now, SIGNALLED, packet(1, 65_535)));
    assert!(latch.accepts(now, SIGNALLED, packet(1, 0)));
}

#[test]
fn a_latched_stream_cannot_be_stolen() {
    let (mut latch, now) = signalled_latch();
    latch.accepts(now, SIGNALLED, packet(1, 10));

    let taken = (0..1000).any(|n| latch.accepts(now, ATTACKER, packet(1, 11 + n)));

    assert!(!taken);
    assert_eq!(latch.destination(), Some(SIGNALLED));
}

#[test]
fn another_source_is_learnt_after_three_packets_in_sequence() {
    let (mut latch, now) = signalled_latch();

    let accepted: Vec<bool> = (0..4)
        .map(|n| latch.accepts(now, OTHER, packet(1, n)))
        .collect();

    assert_eq!(accepted, [false, false, true, true]);
    assert_eq!(latch.destination(), Some(OTHER));
}

#[test]
fn the_signalled_address_takes_the_stream_back() {
    let (mut latch, now) = signalled_latch();
    (0..5).for_each(|n| {
        latch.accepts(now, ATTACKER, packet(9, n));
    });

    assert!(latch.accepts(now, SIGNALLED, packet(1, 0)));
    assert!(!latch.accepts(now, ATTACKER, packet(9, 6)));
    assert_eq!(latch.destination(), Some(SIGNALLED));
}

#[test]
fn nothing_is_learnt_after_the_window() {
    let (mut latch, now) = signalled_latch();
    let late = now + WINDOW;

    assert!(!(0..10).any(|n| latch.accepts(late, OTHER, packet(1, n))));
}

#[test]
fn a_changed_ssrc_needs_three_packets_in_sequence() {
    let (mut latch, now) = signalled_latch();
    latch.accepts(now, SIGNALLED, packet(1, 10));

    let accepted: Vec<bool> = (0..3)
        .map(|n| latch.accepts(now, SIGNALLED, packet(2, n)))
        .collect();

    assert_eq!(accepted, [false, false, true]);
}

#[test]
fn announced_sources_and_repeats_are_taken_beside_the_first_stream() {
    let (mut latch, now) = expecting_latch();

    for number in 0..5 {
        assert!(latch.accepts(now, SIGNALLED, packet(1, 11 + number)));
        assert!(latch.accepts(now, SIGNALLED, packet(2, 700 + number)));
        assert!(latch.accepts(now, SIGNALLED, repeat(3, 9 + number)));
    }
    assert!(
        !latch.accepts(now, SIGNALLED, packet(2, 30_000)),
        "it jumps"
    );
    assert!(
        !latch.accepts(now, SIGNALLED, packet(4, 1)),
        "nobody said so"
    );
}

#[test]
fn what_is_expected_is_taken_from_the_latched_source_alone() {
    let (mut latch, now) = expecting_latch();

    let is_taken = (0..100).any(|n| {
        latch.accepts(now, ATTACKER, packet(2, n)) || latch.accepts(now, ATTACKER, repeat(3, n))
    });

    assert!(!is_taken);
    assert_eq!(latch.destination(), Some(SIGNALLED));
    let (mut fresh, now) = signalled_latch();
    fresh.expect(Expected {
        sources: vec![2],
        repeats: vec![97],
    });
    assert!(!fresh.accepts(now, ATTACKER, packet(2, 1)));
}

#[test]
fn invented_repeats_push_out_neither_what_is_announced_nor_the_first_stream() {
    let (mut latch, now) = expecting_latch();
    latch.accepts(now, SIGNALLED, packet(2, 5));

    for ssrc in 100..1100 {
        latch.accepts(now, SIGNALLED, repeat(ssrc, 1));
    }

    assert_eq!(latch.others.len(), 1 + MOST_REPEATS);
    assert!(latch.accepts(now, SIGNALLED, packet(1, 11)));
    assert!(latch.accepts(now, SIGNALLED, packet(2, 6)));
    assert!(!latch.accepts(now, SIGNALLED, packet(2, 20_000)));
}

/// RFC 3264 §8.4. Music on hold comes from where speech came, and nobody else is let in by a hold.
#[test]
fn a_hold_address_stops_sending_and_leaves_the_source_where_it_is() {
    for from in [SIGNALLED, OTHER] {
        let (mut latch, now) = signalled_latch();
        (10..13).for_each(|n| {
            latch.accepts(now, from, packet(1, n));
        });

        latch.signal(now, None);
        assert_eq!(latch.destination(), None);
        assert!(latch.accepts(now, from, packet(1, 13)));
        assert!(!(0..10).any(|n| latch.accepts(now, ATTACKER, packet(9, n))));

        latch.signal(now, Some(SIGNALLED));
        assert_eq!(latch.destination(), Some(from));
        assert!(latch.accepts(now, from, packet(1, 14)));
    }
}
