//! The four transaction machines as exhaustive matches: every pair of state and input has its row.
//! RFC 3261 §17 figures 5 to 8, amended by RFC 6026 (Accepted) and RFC 4320 (non-INVITE answers).

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "the names of RFC 3261 §17")]
pub(crate) enum Machine {
    ClientInvite,
    ClientNonInvite,
    ServerInvite,
    ServerNonInvite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Calling or Trying: nothing heard, or nothing said, yet.
    Trying,
    Proceeding,
    /// A provisional response was sent reliably and its PRACK is not here (RFC 3262 §3).
    Reliable,
    Accepted,
    Completed,
    Confirmed,
    /// An INVITE of ours that its user waits for no longer; its answer may still be on the way.
    GivenUp,
    /// A server's that is over and remembered: refused by a proxy, whose branches may yet succeed, or
    /// never answered, so that copies of it hear nothing either.
    Kept,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A response of that class: received by a client, given by the user to a server.
    Provisional,
    /// A provisional response to be sent until its PRACK is here.
    Reliable,
    Success,
    Failure,
    /// A proxy's final response to an INVITE that is not 2xx.
    ProxiedFailure,
    /// The user gives no answer, ever.
    Silence,
    /// The PRACK that a reliable response waits for.
    Prack,
    /// The request again.
    Request,
    Ack,
    /// The repeat timer.
    Repeat,
    /// The limit timer.
    Limit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send the response at hand and keep it.
    Send,
    /// Send the kept message again.
    Resend,
    /// Let the kept message go: it is never sent again.
    Release,
    /// Send 100 Trying.
    SendTrying,
    /// ACK a final response that is not 2xx.
    Acknowledge,
    Report,
    ReportAck,
    ReportTimeout,
    /// No ACK for a 2xx, or no PRACK for a reliable provisional response.
    ReportUnacknowledged,
    /// Timer G: repeat after T1 on unreliable transports, unless nothing was said before.
    StartRepeat,
    /// Repeat after T1 on any transport, unless proxied: a 2xx (RFC 3261 §13.3.1.4), a reliable
    /// provisional response (RFC 3262 §3).
    StartRepeatOfSuccess,
    /// Timer A, and a reliable provisional response.
    RepeatDoubled,
    /// Timers E and G: doubled up to T2.
    RepeatDoubledToT2,
    /// Timer E in Proceeding.
    RepeatAtT2,
    StopRepeat,
    StopLimit,
    /// 64·T1 on any transport: Timers B, D, F, H, L, M.
    Limit,
    /// 64·T1, over at once on reliable transports: Timer J.
    Linger,
    /// T4, over at once on reliable transports: Timers I, K.
    LingerShort,
    /// Count it among those that are kept, unless it is over.
    Keep,
}

pub(crate) type Step = Option<(State, &'static [Action])>;

const fn go(state: State, actions: &'static [Action]) -> Step {
    Some((state, actions))
}

/// The row for a pair; `None` where the RFC has the input ignored.
pub(crate) fn step(machine: Machine, state: State, input: Input) -> Step {
    match machine {
        Machine::ClientInvite => client_invite(state, input),
        Machine::ClientNonInvite => client_non_invite(state, input),
        Machine::ServerInvite => server_invite(state, input),
        Machine::ServerNonInvite => server_non_invite(state, input),
    }
}

/// RFC 3261 §17.1.1.2 fig. 5, amended by RFC 6026 §7.2 and §8.4.
///
/// DEVIATION: the figure forgets an INVITE with Timer B. Whoever answered it has its answers lost, and
/// goes on to send them for 64·T1: so long it is remembered, for the 2xx to be acknowledged and ended.
/// So it is after a failure, over any transport: a proxy that has said 408 forwards a 2xx that comes
/// after it (§16.7 step 5), and each 2xx is owed its ACK and its BYE (§13.2.2.4).
fn client_invite(state: State, input: Input) -> Step {
    use Action::*;
    match (state, input) {
        (State::Trying, Input::Repeat) => go(State::Trying, &[Resend, RepeatDoubled]),
        (State::Trying, Input::Provisional) => {
            // The limit timer goes too: Timer B is for Calling only.
            go(State::Proceeding, &[StopRepeat, StopLimit, Report])
        }
        (State::Proceeding, Input::Provisional) => go(State::Proceeding, &[Report]),
        (State::Trying | State::Proceeding, Input::Success) => {
            go(State::Accepted, &[StopRepeat, Limit, Report, Release])
        }
        (State::Trying | State::Proceeding, Input::Failure) => {
            go(State::Completed, &[StopRepeat, Acknowledge, Report, Limit])
        }
        // In Proceeding the limit runs only after a CANCEL (§9.1), and for a re-INVITE.
        (State::Trying | State::Proceeding, Input::Limit) => {
            go(State::GivenUp, &[StopRepeat, ReportTimeout, Limit])
        }
        (State::GivenUp, Input::Success) => {
            go(State::Accepted, &[StopRepeat, Limit, Report, Release])
        }
        (State::GivenUp, Input::Failure) => go(State::Completed, &[StopRepeat, Acknowledge, Limit]),
        (State::Completed, Input::Success) => {
            go(State::Accepted, &[StopRepeat, Limit, Report, Release])
        }
        (State::Accepted, Input::Success) => go(State::Accepted, &[Report]),
        (State::Completed, Input::Failure) => go(State::Completed, &[Acknowledge]),
        (State::Accepted | State::Completed | State::GivenUp, Input::Limit) => {
            go(State::Terminated, &[])
        }
        (State::Proceeding | State::GivenUp, Input::Repeat)
        | (State::GivenUp, Input::Provisional)
        | (State::Accepted, Input::Provisional | Input::Failure | Input::Repeat)
        | (State::Completed, Input::Provisional | Input::Repeat)
        | (_, Input::Request | Input::Ack | Input::Reliable | Input::Prack)
        | (_, Input::ProxiedFailure | Input::Silence)
        | (State::Reliable | State::Confirmed | State::Kept | State::Terminated, _) => None,
    }
}

/// RFC 3261 §17.1.2.2 fig. 6.
fn client_non_invite(state: State, input: Input) -> Step {
    use Action::*;
    match (state, input) {
        (State::Trying, Input::Repeat) => go(State::Trying, &[Resend, RepeatDoubledToT2]),
        (State::Proceeding, Input::Repeat) => go(State::Proceeding, &[Resend, RepeatAtT2]),
        (State::Trying | State::Proceeding, Input::Provisional) => go(State::Proceeding, &[Report]),
        (State::Trying | State::Proceeding, Input::Success | Input::Failure) => go(
            State::Completed,
            &[StopRepeat, Report, LingerShort, Release],
        ),
        (State::Trying | State::Proceeding, Input::Limit) => {
            go(State::Terminated, &[ReportTimeout])
        }
        (State::Completed, Input::Limit) => go(State::Terminated, &[]),
        (
            State::Completed,
            Input::Provisional | Input::Success | Input::Failure | Input::Repeat,
        )
        | (_, Input::Request | Input::Ack | Input::Reliable | Input::Prack)
        | (_, Input::ProxiedFailure | Input::Silence)
        | (
            State::Reliable
            | State::Accepted
            | State::Confirmed
            | State::GivenUp
            | State::Kept
            | State::Terminated,
            _,
        ) => None,
    }
}

/// RFC 3261 §17.2.1 fig. 7, amended by RFC 6026 §7.1; it starts in Proceeding.
///
/// DEVIATION: what a proxy has refused is not forgotten with Timer I, over streams at once. Each 2xx that
/// comes after is to be forwarded (RFC 3261 §16.7 step 5), and RFC 6026 §7.3 leaves no other way than the
/// transaction: so it is kept as long as its branches are.
fn server_invite(state: State, input: Input) -> Step {
    use Action::*;
    match (state, input) {
        (State::Proceeding, Input::Request) => go(State::Proceeding, &[Resend]),
        (State::Proceeding, Input::Repeat) => go(State::Proceeding, &[SendTrying]),
        (State::Proceeding, Input::Provisional) => go(State::Proceeding, &[StopRepeat, Send]),
        (State::Proceeding, Input::Reliable) => go(
            State::Reliable,
            &[StopRepeat, Send, StartRepeatOfSuccess, Limit],
        ),
        (State::Reliable, Input::Request) => go(State::Reliable, &[Resend]),
        (State::Reliable, Input::Repeat) => go(State::Reliable, &[Resend, RepeatDoubled]),
        (State::Reliable, Input::Prack) => go(State::Proceeding, &[StopRepeat, StopLimit]),
        (State::Reliable, Input::Limit) => {
            go(State::Proceeding, &[StopRepeat, ReportUnacknowledged])
        }
        (State::Proceeding | State::Reliable, Input::Success) => go(
            State::Accepted,
            &[StopRepeat, Send, StartRepeatOfSuccess, Limit],
        ),
        (State::Proceeding | State::Reliable, Input::Failure) => {
            go(State::Completed, &[StopRepeat, Send, StartRepeat, Limit])
        }
        (State::Proceeding | State::Reliable, Input::ProxiedFailure) => {
            go(State::Kept, &[StopRepeat, Send, StartRepeat, Limit, Keep])
        }
        (State::Proceeding, Input::Silence) => go(State::Kept, &[StopRepeat, Linger, Keep]),
        (State::Kept, Input::Request) => go(State::Kept, &[Resend]),
        (State::Kept, Input::Ack) => go(State::Kept, &[StopRepeat, Release]),
        (State::Accepted, Input::Success) => go(State::Accepted, &[Send]),
        (State::Accepted, Input::Ack) => go(State::Accepted, &[StopRepeat, ReportAck, Release]),
        (State::Accepted, Input::Limit) => go(State::Terminated, &[ReportUnacknowledged]),
        (State::Completed, Input::Request) => go(State::Completed, &[Resend]),
        (State::Completed, Input::Ack) => go(State::Confirmed, &[StopRepeat, LingerShort, Release]),
        (State::Accepted | State::Completed | State::Kept, Input::Repeat) => {
            go(state, &[Resend, RepeatDoubledToT2])
        }
        (State::Completed | State::Confirmed | State::Kept, Input::Limit) => {
            go(State::Terminated, &[])
        }
        (State::Proceeding, Input::Ack | Input::Limit | Input::Prack)
        // One after the other (RFC 3262 §3).
        | (State::Reliable, Input::Provisional | Input::Reliable | Input::Ack)
        | (State::Accepted, Input::Request | Input::Provisional | Input::Failure)
        | (State::Completed, Input::Provisional | Input::Success | Input::Failure)
        | (State::Accepted | State::Completed, Input::Reliable | Input::Prack)
        | (
            State::Confirmed,
            Input::Request
            | Input::Ack
            | Input::Repeat
            | Input::Provisional
            | Input::Reliable
            | Input::Prack
            | Input::Success
            | Input::Failure,
        )
        | (
            State::Kept,
            Input::Provisional | Input::Reliable | Input::Prack | Input::Success | Input::Failure,
        )
        | (
            State::Reliable | State::Accepted | State::Completed | State::Confirmed | State::Kept,
            Input::ProxiedFailure | Input::Silence,
        )
        | (State::Trying | State::GivenUp | State::Terminated, _) => None,
    }
}

/// RFC 3261 §17.2.2 fig. 8, amended by RFC 4320 §4 (a late 100, and no answer after 64·T1).
fn server_non_invite(state: State, input: Input) -> Step {
    use Action::*;
    match (state, input) {
        (State::Trying, Input::Repeat) => go(State::Proceeding, &[SendTrying]),
        (State::Trying | State::Proceeding, Input::Provisional) => {
            go(State::Proceeding, &[StopRepeat, Send])
        }
        (State::Trying | State::Proceeding, Input::Success | Input::Failure) => {
            go(State::Completed, &[StopRepeat, Send, Linger])
        }
        (State::Trying, Input::Silence) => go(State::Kept, &[StopRepeat, Linger, Keep]),
        (State::Proceeding | State::Completed, Input::Request) => go(state, &[Resend]),
        (State::Trying | State::Proceeding | State::Completed | State::Kept, Input::Limit) => {
            go(State::Terminated, &[])
        }
        (State::Trying | State::Kept, Input::Request)
        | (State::Proceeding, Input::Repeat)
        | (
            State::Completed | State::Kept,
            Input::Provisional | Input::Success | Input::Failure | Input::Repeat,
        )
        | (State::Proceeding | State::Completed | State::Kept, Input::Silence)
        | (_, Input::Ack | Input::Reliable | Input::Prack | Input::ProxiedFailure)
        | (
            State::Reliable
            | State::Accepted
            | State::Confirmed
            | State::GivenUp
            | State::Terminated,
            _,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINES: [Machine; 4] = [
        Machine::ClientInvite,
        Machine::ClientNonInvite,
        Machine::ServerInvite,
        Machine::ServerNonInvite,
    ];
    const STATES: [State; 9] = [
        State::Trying,
        State::Proceeding,
        State::Reliable,
        State::Accepted,
        State::Completed,
        State::Confirmed,
        State::GivenUp,
        State::Kept,
        State::Terminated,
    ];
    const INPUTS: [Input; 11] = [
        Input::Provisional,
        Input::Reliable,
        Input::Prack,
        Input::Success,
        Input::Failure,
        Input::ProxiedFailure,
        Input::Silence,
        Input::Request,
        Input::Ack,
        Input::Repeat,
        Input::Limit,
    ];

    fn rows() -> Vec<(Machine, State, Input, State, &'static [Action])> {
        let mut all = Vec::new();
        for machine in MACHINES {
            for state in STATES {
                for input in INPUTS {
                    if let Some((next, actions)) = step(machine, state, input) {
                        all.push((machine, state, input, next, actions));
                    }
                }
            }
        }
        all
    }

    #[test]
    fn a_terminated_transaction_has_no_rows() {
        assert!(rows().iter().all(|row| row.1 != State::Terminated));
    }

    #[test]
    fn whoever_waits_after_a_final_response_has_a_limit() {
        for (machine, state, _, next, actions) in rows() {
            let is_final = |s| {
                use State::{Accepted, Completed, Confirmed, GivenUp, Kept};
                matches!(s, Completed | Accepted | Confirmed | GivenUp | Kept)
            };
            if is_final(next) && state != next {
                let limits = [Action::Limit, Action::Linger, Action::LingerShort];
                let is_limited = actions.iter().any(|action| limits.contains(action));
                assert!(is_limited, "{machine:?} {state:?} to {next:?}");
                assert!(step(machine, next, Input::Limit).is_some());
            }
        }
    }

    #[test]
    fn leaving_a_state_by_a_message_stops_its_repetitions() {
        for (machine, state, input, next, actions) in rows() {
            // Timer E goes on in Proceeding (RFC 3261 §17.1.2.2).
            let goes_on = machine == Machine::ClientNonInvite && next == State::Proceeding;
            let is_message = !matches!(input, Input::Repeat | Input::Limit);
            if state != next && is_message && !goes_on {
                assert!(
                    actions.contains(&Action::StopRepeat),
                    "{machine:?} {state:?} {input:?}"
                );
            }
        }
    }
}
