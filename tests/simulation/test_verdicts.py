"""The judge of simulations finds what is wrong: a good run, spoiled in one place each time.

One section for each invariant: (1) one end, agreed; (2) timers; (3) INVITE and ACK; (4) CSeq and
ended dialogs; (5) nothing left; (6) form; (7) offers; (8) queues; (9) order of events; (10) the same
trace, which `test_simulation` shows with two processes. Then transfers, and that a weather has its storm.
"""

from __future__ import annotations

import dataclasses
import logging

import pytest

from trivox._native import Message as SipMessage
from trivox.call.events import EndReason

from .happenings import wanted
from .plan import REFERRED, Behaviour, Transfer
from .shape import WEATHER, Shape
from .trace import Message
from .verdicts import judge
from .world import simulate


@pytest.fixture
def outcome():
    logging.getLogger("trivox.serve").setLevel(logging.CRITICAL)
    yield simulate(5, Shape(calls=25, watches=2, letters=10, registered=60))
    logging.getLogger("trivox.serve").setLevel(logging.NOTSET)


def _talked(outcome):
    """Return a side that was connected."""
    return next(side for side in outcome.trace.sides if "Connected" in side.names)


def _found(outcome, start, *, direction="out", party="caller"):
    """Return a message that starts so."""
    return next(
        message
        for message in outcome.trace.messages
        if message.direction == direction
        and message.party.startswith(party)
        and message.data.startswith(start)
    )


def _add(outcome, message, **changes):
    outcome.trace.messages.append(Message(*message)._replace(**changes))


def _renewed(data):
    """The same request in a transaction of its own."""
    return data.replace(b"branch=z9hG4bK", b"branch=z9hG4bKother")


def _with_cseq(data, number):
    parsed = SipMessage.parse(data)
    method, cseq = parsed.method, parsed.key()[7]
    return data.replace(b"CSeq: %d " % cseq, b"CSeq: %d " % number) if method else data


def _judged(outcome, words):
    faults = judge(outcome)
    assert any(words in fault for fault in faults), faults


def test_a_good_run_has_no_fault(outcome):
    assert judge(outcome) == []


# (1)


def test_a_call_without_terminal_event_is_found(outcome):
    _talked(outcome).events.pop()

    assert "not exactly one terminal event" in judge(outcome)[0]


def test_a_second_terminal_event_is_found(outcome):
    side = _talked(outcome)
    side.events.append(side.events[-1])

    assert "not exactly one terminal event" in judge(outcome)[0]


def test_ends_that_no_behaviour_explains_are_found(outcome):
    plans = [dataclasses.replace(plan, behaviour=Behaviour.BUSY) for plan in outcome.plans]

    _judged(dataclasses.replace(outcome, plans=plans), "busy may not end so")


def test_a_callee_nobody_called_is_found(outcome):
    side = next(each for each in outcome.trace.sides if each.call.direction == "incoming")
    outcome.trace.sides.append(side)

    _judged(outcome, "rang twice")


def test_a_side_that_went_on_alone_is_found(outcome):
    side = next(
        each
        for each in outcome.trace.sides
        if each.call.direction == "incoming" and "Connected" in each.names
    )
    side.call.end = dataclasses.replace(side.call.end, at=side.call.end.at + 100.0)

    _judged(outcome, "one side went on for")


# (2)


def test_a_request_repeated_too_late_or_too_often_is_found(outcome):
    sent = _found(outcome, b"BYE")
    data = _renewed(_with_cseq(sent.data, 900))
    for seconds in (0.0, 0.5, 1.5, 40.0):
        _add(outcome, sent, at=9000.0 + seconds, data=data)

    faults = judge(outcome)

    assert any("sent a request for 40.0 s" in fault for fault in faults), faults


def test_a_request_repeated_at_another_time_than_its_timer_is_found(outcome):
    sent = _found(outcome, b"BYE")
    data = _renewed(_with_cseq(sent.data, 900))
    for seconds in (0.0, 0.7):
        _add(outcome, sent, at=9000.0 + seconds, data=data)

    _judged(outcome, "repeated a request after 0.7")


def test_a_request_repeated_over_a_stream_is_found(outcome):
    sent = _found(outcome, b"BYE")
    data = _renewed(_with_cseq(sent.data, 900))
    for seconds in (0.0, 0.5):
        _add(outcome, sent, at=9000.0 + seconds, data=data)
    shape = dataclasses.replace(outcome.shape, transport="tcp")

    _judged(dataclasses.replace(outcome, shape=shape), "over a stream")


# (3)


def test_an_invite_repeated_after_its_response_is_found(outcome):
    _add(outcome, _found(outcome, b"INVITE"))

    _judged(outcome, "repeated an INVITE")


def test_a_2xx_without_ack_and_an_ack_without_2xx_are_found(outcome):
    ack = next(
        message
        for message in outcome.trace.messages
        if message.data.startswith(b"ACK")
        and message.party.startswith("caller")
        and SipMessage.parse(message.data).header("Contact") is None
    )
    of_success = [
        message
        for message in outcome.trace.messages
        if message.party.startswith("caller")
        and message.direction == "in"
        and message.data.startswith(b"SIP/2.0 200")
        and b" INVITE\r\n" in message.data
    ]
    assert of_success, "somebody was answered"
    _add(outcome, of_success[0])
    _judged(outcome, "did not acknowledge a 2xx")

    for _ in range(50):
        _add(outcome, ack, data=_renewed(ack.data))
    _judged(outcome, "acknowledged a 2xx that did not come")


def _rung(outcome):
    """Return a PRACK of a caller, and the response of the callee that it is for."""
    prack = _found(outcome, b"PRACK")
    parsed = SipMessage.parse(prack.data)
    rang = next(
        message
        for message in outcome.trace.messages
        if message.direction == "out"
        and message.party.startswith("callee")
        and b"\r\nRSeq: " in message.data
        and parsed.key()[2].encode() in message.data
    )
    return prack, rang


def test_a_provisional_response_acknowledged_twice_or_unheard_is_found(handed):
    prack, _ = _rung(handed[0])
    _add(handed[0], prack, data=_renewed(_with_cseq(prack.data, 900)))
    _judged(handed[0], "acknowledged a provisional response twice")

    number = SipMessage.parse(prack.data).header("RAck").split()[0].encode()
    data = prack.data.replace(b"RAck: " + number, b"RAck: 77")
    _add(handed[0], prack, data=_renewed(_with_cseq(data, 901)))
    _judged(handed[0], "a provisional response that did not come")


def test_a_prack_that_was_challenged_may_be_said_again(handed):
    prack, _ = _rung(handed[0])
    names = (b"Via", b"From", b"To", b"Call-ID", b"CSeq")
    lines = [line for line in prack.data.split(b"\r\n") if line.startswith(names)]
    challenge = b"\r\n".join([b"SIP/2.0 407 Who", *lines, b"Content-Length: 0", b"", b""])
    _add(handed[0], prack, data=challenge, direction="in")
    _add(handed[0], prack, data=_renewed(_with_cseq(prack.data, 900)))

    assert not any("acknowledged a provisional" in fault for fault in map(str, judge(handed[0])))


def test_a_provisional_response_repeated_after_its_prack_or_misnumbered_is_found(handed):
    _, rang = _rung(handed[0])
    _add(handed[0], rang)
    _judged(handed[0], "after its PRACK")

    number = SipMessage.parse(rang.data).header("RSeq").encode()
    skipped = b"RSeq: %d" % (int(number) + 5)
    _add(handed[0], rang, data=rang.data.replace(b"RSeq: " + number, skipped))
    _judged(handed[0], "went from RSeq")


def test_a_late_copy_of_an_invite_is_answered_after_the_prack_once(handed):
    _, rang = _rung(handed[0])
    branch = SipMessage.parse(rang.data).key()[5]
    invite = next(
        message
        for message in handed[0].trace.messages
        if message.party == rang.party
        and message.direction == "in"
        and message.data.startswith(b"INVITE")
        and SipMessage.parse(message.data).key()[5] == branch
    )
    _add(handed[0], invite)
    _add(handed[0], rang)
    assert judge(handed[0]) == []

    _add(handed[0], rang)
    _judged(handed[0], "after its PRACK")


# (4)


def test_a_cseq_that_goes_back_is_found(outcome):
    bye = _found(outcome, b"BYE")
    _add(outcome, bye, data=_renewed(bye.data))

    _judged(outcome, "went back in CSeq")


def test_a_request_in_a_dialog_that_is_over_answered_with_200_is_found(outcome):
    bye = _found(outcome, b"BYE", direction="in", party="callee")
    again = _renewed(bye.data)
    answer = _found(outcome, b"SIP/2.0 200", party="callee")
    parsed = SipMessage.parse(again)
    lines = [f"{name}: {value}" for name, value in parsed.items() if name in _COPIED]
    text = "\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0", "", ""])
    _add(outcome, bye, data=again)
    _add(outcome, answer, party=bye.party, data=text.encode())

    _judged(outcome, "answered a request in a dialog that is over with 200")


_COPIED = ("Via", "From", "To", "Call-ID", "CSeq")

# (5)


def test_what_is_left_is_found(outcome):
    more = tuple(dataclasses.replace(look, tasks=look.tasks + 1) for look in outcome.after)

    faults = judge(dataclasses.replace(outcome, after=more, calls_left=2, sockets_left=1))

    assert faults[:2] == ["2 calls are left", "1 sockets are left"]
    assert "tasks: " in faults[2]


def test_what_comes_and_goes_is_not_left(outcome):
    *others, last = outcome.after
    more = dataclasses.replace(last, tasks=last.tasks + 1)

    assert judge(dataclasses.replace(outcome, after=(*others, more))) == []


def test_what_is_gone_that_should_stay_is_found(outcome):
    fewer = tuple(dataclasses.replace(look, tasks=look.tasks - 1) for look in outcome.after)

    assert "tasks: " in judge(dataclasses.replace(outcome, after=fewer))[0]


# (6)


def test_a_message_that_does_not_parse_is_found(outcome):
    _add(outcome, _found(outcome, b"INVITE"), data=b"INVITE sip:a SIP/2.0\r\nVia\r\n\r\n")

    _judged(outcome, "does not parse")


def test_a_request_that_is_answered_400_is_found(outcome):
    bye = _found(outcome, b"BYE")
    _add(outcome, bye, data=_renewed(bye.data).replace(b"Max-Forwards: 70", b"Max-Forwards: x"))

    _judged(outcome, "sent what is answered (400")


# (7)


def test_an_offer_made_while_one_is_open_is_found(outcome):
    invite = _found(outcome, b"INVITE")
    inside = invite.data.replace(b"\r\nCall-ID", b";tag=theirs\r\nCall-ID", 1)
    assert SipMessage.parse(inside).key()[4] == "theirs"
    for number in (800, 801):
        data = _with_cseq(inside.replace(b"z9hG4bK", b"z9hG4bK%d" % number), number)
        _add(outcome, invite, at=9000.0 + number, data=data)

    _judged(outcome, "made an offer while")


# (8)


def test_a_queue_beyond_its_limit_is_found(outcome):
    assert outcome.queues["caller0 tokens"][0] > 0
    queues = outcome.queues | {"a queue": (11, 10)}

    _judged(dataclasses.replace(outcome, queues=queues), "a queue: 11 at one time")


# (9)


def test_an_event_after_the_terminal_one_is_found(outcome):
    side = _talked(outcome)
    side.events.append(side.events[0])

    assert "an event after the terminal one" in judge(outcome)[0]


def test_events_out_of_order_are_found(outcome):
    side = _talked(outcome)
    side.events[:2] = reversed(side.events[:2])

    _judged(outcome, "events out of order")


# Transfers.


@pytest.fixture
def handed():
    """A run with a transfer that was done, and how it was told."""
    logging.getLogger("trivox.serve").setLevel(logging.CRITICAL)
    outcome = simulate(5, Shape(calls=60, loss=0.0))
    logging.getLogger("trivox.serve").setLevel(logging.NOTSET)
    done = next(each for each in outcome.trace.handovers if each.told == "done")
    return outcome, done


def _as_transfer(outcome, number, transfer):
    plans = list(outcome.plans)
    plans[number] = dataclasses.replace(plans[number], transfer=transfer)
    return dataclasses.replace(outcome, plans=plans)


def test_a_run_with_transfers_has_no_fault(handed):
    assert judge(handed[0]) == []


def test_a_transfer_to_nobody_told_as_done_is_found(handed):
    outcome, done = handed

    _judged(_as_transfer(outcome, done.number, Transfer.BUSY), "to nobody is told as done")


def test_a_transfer_that_reached_no_third_party_is_found(handed):
    outcome, done = handed
    sides = outcome.trace.sides
    sides[:] = [side for side in sides if side.number != done.number + REFERRED]

    _judged(outcome, "transferred to nobody")


def test_who_stays_in_a_call_that_was_handed_over_is_found(handed):
    outcome, done = handed
    side = next(
        each
        for each in outcome.trace.sides
        if (each.party, each.number) == (done.party, done.number)
    )
    side.call.end = dataclasses.replace(side.call.end, reason=EndReason.CONNECTION_LOST)

    _judged(outcome, "was transferred and stayed")


def test_two_outcomes_of_one_transfer_are_found(handed):
    outcome, done = handed
    outcome.trace.handovers.append(done)

    _judged(outcome, "had two outcomes")


def test_an_unforeseen_outcome_of_a_transfer_is_found(handed):
    outcome, done = handed
    outcome.trace.handovers[:] = [done._replace(told="ValueError")]

    _judged(outcome, "a transfer may not end so")


def test_a_refusal_with_another_status_is_found(handed):
    outcome, done = handed
    sides = outcome.trace.sides
    sides[:] = [side for side in sides if side.number != done.number + REFERRED]
    refused = done._replace(told="CallTransferFailedError", code=500)
    outcome.trace.handovers[:] = [refused]

    _judged(_as_transfer(outcome, done.number, Transfer.BUSY), "refused with 500")


# The weather.


def test_a_weather_without_its_storm_is_found(outcome):
    assert outcome.happened["lost"] > 0
    for name in ("lost", "doubled", "held back"):
        calm = outcome.happened.copy()
        del calm[name]
        _judged(dataclasses.replace(outcome, happened=calm), f"this weather is without {name}")


@pytest.mark.parametrize("name", WEATHER)
def test_every_weather_claims_what_it_sets(name):
    claimed = wanted(WEATHER[name])

    assert set(claimed) >= _CLAIMS.get(name, set())
    assert len(claimed) > 1


_CLAIMS = {
    "resets": {"reset", "connect", "open", "accept", "pieces"},
    "outage": {"cut off"},
    "restarts": {"restarts"},
    "reboots": {"board restarts"},
    "cancellations": {"cancelled dial", "cancelled handler", "cancelled transfer"},
    "dns": {"dns silent", "dns broken", "dns missing", "dns late"},
    "refreshers": {"other refresher", "refresh", "attended transfer", "PRACK"},
    "widows": {"other refresher", "refresh", "restarts"},
    "names": {"resolve"},
    "panics": {"panics"},
    "corrupt": {"corrupt"},
    "sockets": {"send"},
    "spikes": {"spike"},
    "listeners": {"ListenerFailed", "HandlerFailed"},
}


def test_who_talks_on_to_somebody_who_died_is_found(outcome):
    side = next(
        each
        for each in outcome.trace.sides
        if each.call.direction == "incoming"
        and "Connected" in each.names
        and each.number < len(outcome.plans)
        and not outcome.plans[each.number].transfer
        and not outcome.plans[each.number].is_forked
    )
    plans = [dataclasses.replace(plan, is_forked=False) for plan in outcome.plans]
    caller = next(
        each
        for each in outcome.trace.sides
        if each.number == side.number and each.call.direction == "outgoing"
    )
    at = max(side.call.timings.connected, caller.call.timings.connected) + 0.01
    for each in (side, caller):
        each.call.end = dataclasses.replace(each.call.end, at=at + 500.0)
    shape = dataclasses.replace(outcome.shape, session_expires=90, talk=(1.0, 100.0))
    changed = dataclasses.replace(outcome, plans=plans, shape=shape, restarted=((at, side.party),))

    _judged(changed, f"s after {side.party} had died")


# Beside calls


def _watch(outcome):
    return next(watch for watch in outcome.post.watches if watch.told)


def test_a_watcher_that_did_not_hear_the_last_state_is_found(outcome):
    _watch(outcome).told.pop()

    _judged(outcome, "did not hear the last state")


def test_a_state_that_goes_back_and_one_nobody_said_are_found(outcome):
    told = _watch(outcome).told
    told += [told[-1] + 1, told[-1]]

    _judged(outcome, "went back")
    told.sort()
    _judged(outcome, f"was told {told[-1]} of {told[-1] - 1}")


def test_a_subscription_that_was_lost_or_never_ended_is_found(outcome):
    watch = _watch(outcome)
    watch.failure = "SubscriptionError"
    _judged(outcome, "was lost: SubscriptionError")

    watch.failure, watch.subscription.end = "", None
    _judged(outcome, "has no end")


def test_a_letter_that_came_twice_or_never_or_was_refused_is_found(outcome):
    first, second, third, *_ = outcome.post.letters
    outcome.post.received[first.mailbox].append(first.number)
    outcome.post.received[second.mailbox].remove(second.number)
    third.status = 404

    _judged(outcome, f"letter {first.number} came 2 times")
    _judged(outcome, f"letter {second.number} was answered by nobody who has it")
    _judged(outcome, f"letter {third.number} was answered 404")


def test_a_registration_that_ran_out_or_is_refreshed_too_often_is_found(outcome):
    answers = [
        message
        for message in outcome.trace.messages
        if message.direction == "in"
        and message.party == "callee0"
        and message.data.startswith(b"SIP/2.0 200")
        and b" REGISTER" in message.data
    ]
    one = answers[0].data.partition(b"Call-ID: ")[2].partition(b"\r\n")[0]
    later = [each for each in answers if one in each.data][1:]
    often = dataclasses.replace(outcome.shape, registered=6000)
    _judged(dataclasses.replace(outcome, shape=often), "was registered")

    for message in later:
        outcome.trace.messages.remove(message)

    _judged(outcome, "callee0 was not registered for")
