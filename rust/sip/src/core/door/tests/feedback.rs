//! How much others are asked to leave out, and what they ask of us (RFC 7339).
use super::*;

/// RFC 7339 §5.
#[test]
fn who_listens_is_told_how_much_to_leave_out() {
    let mut gate = Gate::new(|settings| settings.waiting = 0);
    gate.invites(0..32);
    gate.sent();
    gate.now += 0.6;

    let listening = request("INVITE", 90, "").replace("branch=", "oc;oc-algo=\"loss\";branch=");
    gate.core.shut_door(true);
    gate.receive(&listening);
    gate.receive(&listening.replace("z9hG4bK90", "z9hG4bK90;x=\"y\""));
    gate.receive(&request("INVITE", 91, ""));
    gate.core.shut_door(false);
    gate.receive(&listening.replace("INVITE", "CANCEL"));
    let sent = gate.sent();

    for told in [&sent[0], &sent[1], &sent[3]] {
        assert!(told.contains(";oc=50;oc-algo=\"loss\";oc-validity=2000;oc-seq=100.600"));
        assert_eq!(told.matches("oc-algo").count(), 1);
    }
    assert!(!sent[2].contains(";oc"));
}

#[test]
fn feedback_is_obeyed_until_it_runs_out_or_is_taken_back() {
    let mut gate = Gate::new(|_| {});
    let lost = |gate: &mut Gate, via: &str, wait: f64| {
        gate.call();
        let invite = gate.sent().remove(0);
        let end = invite.find(";oc;").expect("our Via offers to listen");
        let branch = &invite[invite.find("branch=").expect("a branch")..end];
        gate.receive(&format!(
            "SIP/2.0 503 X\r\nVia: SIP/2.0/UDP 192.0.2.1;{branch}{via}\r\nFrom: <sip:a@a>;tag=f\r\n\
             To: <sip:b@b>;tag=t\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
        ));
        gate.sent();
        gate.now += wait;
        (0..100).for_each(|_| gate.call());
        100 - gate.sent().len()
    };

    let all = lost(&mut gate, ";oc=100;oc-validity=1000;oc-seq=5.5", 0.5);
    gate.now += 1.0;
    let half = lost(
        &mut gate,
        ";oc=50;oc-algo=\"loss\";oc-validity=500;oc-seq=6",
        0.1,
    );
    gate.now += 1.0;
    let over = lost(&mut gate, ";oc=100;oc-validity=500;oc-seq=7", 0.6);
    let none = lost(&mut gate, ";oc=100;oc-algo=\"rate\"", 0.0);
    let back = lost(&mut gate, ";oc=0;oc-seq=8", 0.0);

    assert_eq!((all, over, none, back), (100, 0, 0, 0));
    assert!(
        (25..75).contains(&half),
        "{half} of 100 are lost at 50 percent"
    );
}

#[test]
fn what_is_outside_of_dialogs_obeys_feedback_and_what_is_inside_does_not() {
    // RFC 7339 §5.10.1: requests within a dialog are the last to leave out.
    let mut gate = Gate::new(|_| {});
    gate.call();
    let invite = gate.sent().remove(0);
    let end = invite.find(";oc;").expect("our Via offers to listen");
    let branch = &invite[invite.find("branch=").expect("a branch")..end];
    gate.receive(&format!(
        "SIP/2.0 503 X\r\nVia: SIP/2.0/UDP 192.0.2.1;{branch};oc=100;oc-validity=9000;oc-seq=1\r\n\
         From: <sip:a@a>;tag=f\r\nTo: <sip:b@b>;tag=t\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
    ));
    gate.sent();

    let mut leaves = |method: &str, to_tag: &str| {
        gate.ask(method, to_tag);
        gate.sent().len()
    };

    for method in [
        "INVITE",
        "REGISTER",
        "MESSAGE",
        "SUBSCRIBE",
        "OPTIONS",
        "PUBLISH",
    ] {
        assert_eq!(leaves(method, ""), 0, "{method}");
    }
    for method in ["INVITE", "BYE", "INFO", "UPDATE", "NOTIFY", "REFER"] {
        assert_eq!(leaves(method, ";tag=t"), 1, "{method}");
    }
}
