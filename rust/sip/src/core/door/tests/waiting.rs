//! Who waits, how long, and how much a turn takes.
use super::*;

#[test]
fn what_no_turn_has_room_for_waits_and_comes_in_with_the_next_ones() {
    let mut gate = Gate::new(|_| {});

    let at_once = gate.invites(0..40);
    let later: Vec<usize> = (0..3)
        .map(|_| {
            gate.now += 0.01;
            gate.core.admit(gate.now).len()
        })
        .collect();

    assert_eq!((at_once, later), (16, vec![16, 8, 0]));
    assert_eq!((gate.count("waited"), gate.count("refused")), (24, 0));
    assert_eq!(gate.core.waiting(), 0);
}

#[test]
fn a_full_room_refuses_with_503_and_then_silently() {
    let mut gate = Gate::new(|settings| {
        settings.waiting = 4;
        settings.refusals_per_second = 3;
    });

    gate.invites(0..30);
    let sent = gate.sent();

    assert_eq!(sent.len(), 3);
    assert!(
        sent[0].starts_with("SIP/2.0 503 Service Unavailable\r\nVia: SIP/2.0/UDP 192.0.2.2:5062")
    );
    assert!(sent[0].contains("\r\nRetry-After: 5\r\n"));
    assert_eq!(gate.count("refusals_answered"), 3);
    assert_eq!(gate.count("refusals_dropped"), 7);
    assert_eq!(gate.count("refused_by_load"), 10);
}

#[test]
fn the_next_second_has_answers_again() {
    let mut gate = Gate::new(|settings| settings.refusals_per_second = 2);
    gate.core.shut_door(true);

    gate.invites(0..5);
    let first = gate.sent().len();
    gate.now += 1.0;
    gate.invites(5..10);

    assert_eq!((first, gate.sent().len()), (2, 2));
}

#[test]
fn a_refusal_has_what_a_response_must_have_and_its_ack_goes_no_further() {
    let mut gate = Gate::new(|_| {});
    gate.core.shut_door(true);

    gate.invites(7..8);
    let response = Message::parse(gate.sent()[0].as_bytes()).expect("our own message parses");
    let tag = String::from_utf8_lossy(response.tag(crate::HeaderName::To)).into_owned();
    let events = gate.receive(&request("ACK", 7, &format!(";tag={tag}")));

    assert!(response.validate().is_none());
    assert_eq!(response.status(), 503);
    assert_eq!(response.call_id(), b"c7");
    assert_eq!(response.cseq(), Some((1, &b"INVITE"[..])));
    assert_eq!(tag.len(), 24);
    assert_eq!((events, gate.count("refusals_acknowledged")), (0, 1));
}

#[test]
fn refusals_of_one_request_are_alike_and_of_two_differ_in_their_tag() {
    let mut gate = Gate::new(|_| {});
    gate.core.shut_door(true);

    for number in [1, 1, 2] {
        gate.invites(number..number + 1);
    }
    let sent = gate.sent();
    let tags: Vec<&str> = sent
        .iter()
        .filter_map(|one| one.split(";tag=").nth(2))
        .collect();

    assert_eq!(sent[0], sent[1]);
    assert_ne!(&tags[0][..24], &tags[2][..24]);
}

/// RFC 5390 §6.
#[test]
fn nothing_inside_a_dialog_and_no_question_is_ever_refused() {
    let mut gate = Gate::new(|settings| settings.waiting = 0);
    gate.core.shut_door(true);
    gate.invites(0..100);
    gate.sent();
    let refused = gate.count("refused");

    let inside = [
        "INVITE", "BYE", "INFO", "UPDATE", "PRACK", "REFER", "MESSAGE", "NOTIFY",
    ];
    let taken: usize = inside
        .iter()
        .enumerate()
        .map(|(number, method)| gate.receive(&request(method, 1000 + number, ";tag=ours")))
        .sum();
    let asked = gate.receive(&request("OPTIONS", 2000, ""));

    assert_eq!((taken, asked), (inside.len(), 1));
    assert_eq!(gate.count("refused"), refused);
}

#[test]
fn a_copy_of_an_invite_that_is_being_handled_is_never_refused() {
    let mut gate = Gate::new(|_| {});
    gate.invites(1..2);
    gate.core.shut_door(true);

    gate.invites(1..2);
    let without_cookie = request("INVITE", 3, "").replace("z9hG4bK", "x");
    gate.core.shut_door(false);
    let first = gate.receive(&without_cookie);
    gate.core.shut_door(true);
    gate.receive(&without_cookie);

    assert_eq!(first, 1);
    assert_eq!((gate.count("refused"), gate.count("absorbed")), (0, 2));
}

#[test]
fn a_copy_of_one_that_waits_waits_with_it() {
    let mut gate = Gate::new(|_| {});

    gate.invites(0..20);
    gate.invites(16..20);

    assert_eq!((gate.core.waiting(), gate.count("absorbed")), (4, 4));
}

#[test]
fn a_cancel_finds_the_invite_that_waits() {
    let mut gate = Gate::new(|_| {});
    gate.invites(0..20);
    gate.sent();

    let events = gate.receive(&request("CANCEL", 18, ""));

    assert_eq!((events, gate.core.waiting()), (2, 3));
    assert!(gate.sent()[0].starts_with("SIP/2.0 200 OK"));
}

#[test]
fn who_has_waited_too_long_is_refused() {
    let mut gate = Gate::new(|_| {});
    gate.invites(0..20);

    gate.now += 0.5;
    let events = gate.core.admit(gate.now);

    assert!(events.is_empty());
    assert_eq!((gate.sent().len(), gate.count("refused_by_load")), (4, 4));
}

#[test]
fn a_wait_above_the_target_for_a_while_makes_the_room_small() {
    let mut gate = Gate::new(|settings| {
        settings.waiting = 200;
        settings.target_delay = 0.02;
        settings.overload_seconds = 0.1;
    });
    let mut number = 0;
    for _ in 0..20 {
        gate.invites(number..number + 40);
        number += 40;
        gate.now += 0.015;
        gate.core.admit(gate.now);
    }

    assert!(gate.core.waiting() <= 32, "{} wait", gate.core.waiting());
    assert!(gate.count("refused_by_load") > 0);
    // A second without a crowd, and a burst is welcome again.
    while !gate.core.admit(gate.now).is_empty() {
        gate.now += 0.005;
    }
    gate.now += 1.1;
    let before = gate.count("refused");
    gate.invites(number..number + 200);
    assert_eq!(gate.count("refused"), before);
}

#[test]
fn long_turns_take_less_and_short_ones_more() {
    let mut gate = Gate::new(|_| {});
    gate.invites(0..200);

    let mut pace = |step: f64| {
        gate.now += step;
        gate.core.admit(gate.now).len()
    };
    let taken = [pace(0.03), pace(0.03), pace(0.03), pace(0.001), pace(0.001)];

    assert_eq!(taken, [16, 8, 4, 5, 6]);
}
