//! How many answered calls may wait for their ACK: whoever sends INVITEs and no ACK, from addresses
//! that are perhaps not its own, would have each of them kept, and its answer repeated, for 64·T1.
use super::SipCore;
use crate::timers::Slot;

impl SipCore {
    /// Wait for the ACK of a 2xx that made a dialog. Beyond the bound the one that has waited longest
    /// is given up, as if its 64·T1 were over: newcomers are not kept out by those who never come back.
    pub(super) fn await_ack(&mut self, id: u64, now: f64) {
        self.unacknowledged.insert(id);
        if self.unacknowledged.len() <= self.door.most_unacknowledged() {
            return;
        }
        if let Some(oldest) = self.unacknowledged.pop_first() {
            self.counters.given_up += 1;
            self.arm(oldest, Slot::Limit, 0.0, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Address, DoorSettings, Event, EventKind, Origin, Reply, Settings};
    use super::*;

    fn peer() -> Address {
        Address {
            host: "192.0.2.2".into(),
            port: 5060,
        }
    }

    fn core(unacknowledged: usize) -> SipCore {
        let mut core = SipCore::new(b"seed", Settings::default());
        core.open_flow(1, "udp");
        core.set_door(DoorSettings {
            unacknowledged,
            ..DoorSettings::default()
        });
        core
    }

    fn receive(core: &mut SipCore, method: &str, number: u64, tag: &str, now: f64) -> Vec<Event> {
        let mut events = Vec::new();
        let text = format!(
            "{method} sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{method}{number}\r\n\
             From: <sip:b@b>;tag=r\r\nTo: <sip:a@a>{tag}\r\nCall-ID: {number}\r\n\
             CSeq: 1 {method}\r\nContact: <sip:b@192.0.2.2>\r\nMax-Forwards: 70\r\n\r\n"
        );
        let source = peer();
        core.receive_datagram(1, text.as_bytes(), Origin::Known(&source), now, &mut events);
        events
    }

    /// Take a call and answer it; returns its transaction.
    fn answer(core: &mut SipCore, number: u64, tag: &str, now: f64) -> u64 {
        let id = receive(core, "INVITE", number, tag, now)[0].transaction;
        let reply = Reply {
            status: 200,
            reason: b"OK",
            headers: Vec::new(),
            body: b"",
            to_tag: "us",
            token: 9,
        };
        assert_eq!(core.respond(id, &reply, now), Ok(true));
        id
    }

    fn figure(core: &SipCore, name: &str) -> u64 {
        let all = core.statistics();
        all.iter()
            .find(|(one, _)| *one == name)
            .map_or(0, |one| one.1)
    }

    #[test]
    fn beyond_the_bound_the_oldest_is_given_up_and_its_answer_not_repeated() {
        let mut core = core(3);
        let calls: Vec<_> = (0..5).map(|n| answer(&mut core, n, "", 0.1)).collect();
        core.take_output();

        let told: Vec<_> = core
            .handle_timeout(0.1)
            .iter()
            .map(|event| (event.kind, event.transaction))
            .collect();

        let lost = |id| (EventKind::AckTimeout, id);
        assert_eq!(told, [lost(calls[0]), lost(calls[1])]);
        assert_eq!(
            (figure(&core, "unacknowledged"), figure(&core, "given_up")),
            (3, 2)
        );
        core.handle_timeout(0.7);
        assert_eq!(
            core.take_output().len(),
            3,
            "T1 later the others are repeated"
        );
    }

    #[test]
    fn who_acknowledges_is_not_counted() {
        let mut core = core(1);
        for number in 0..5 {
            answer(&mut core, number, "", 0.0);
            let acknowledged = receive(&mut core, "ACK", number, ";tag=us", 0.0);
            assert_eq!(acknowledged[0].kind, EventKind::Ack);
        }

        assert!(core.handle_timeout(40.0).is_empty());
        assert_eq!(
            (figure(&core, "unacknowledged"), figure(&core, "given_up")),
            (0, 0)
        );
    }

    #[test]
    fn a_change_of_a_call_that_is_up_is_not_counted() {
        let mut core = core(1);
        answer(&mut core, 1, ";tag=us", 0.0);
        answer(&mut core, 2, ";tag=us", 0.0);

        assert_eq!(figure(&core, "unacknowledged"), 0);
    }

    #[test]
    fn what_was_never_acknowledged_is_forgotten_with_its_transaction() {
        let mut core = core(9);
        answer(&mut core, 1, "", 0.0);

        core.handle_timeout(32.0);

        assert_eq!(figure(&core, "unacknowledged"), 0);
        assert_eq!(figure(&core, "transactions"), 0);
    }
}
