"""The judge of simulations finds what is wrong: a good run, spoiled in one place each time."""

from __future__ import annotations

import dataclasses
import logging

import pytest

from .plan import Behaviour
from .trace import Message
from .verdicts import judge
from .world import Shape, simulate


@pytest.fixture
def outcome():
    logging.getLogger("trivox.serve").setLevel(logging.CRITICAL)
    yield simulate(5, Shape(calls=25))
    logging.getLogger("trivox.serve").setLevel(logging.NOTSET)


def _talked(outcome):
    """Return a side that was connected."""
    return next(side for side in outcome.trace.sides if "Connected" in side.names)


def _sent(outcome, start):
    """Return a message that a caller sent and that starts so."""
    return next(
        message
        for message in outcome.trace.messages
        if message.direction == "out"
        and message.party.startswith("caller")
        and message.data.startswith(start)
    )


def _add(outcome, message, **changes):
    outcome.trace.messages.append(Message(*message)._replace(**changes))


def test_a_good_run_has_no_fault(outcome):
    assert judge(outcome) == []


def test_a_call_without_terminal_event_is_found(outcome):
    _talked(outcome).events.pop()

    assert "not exactly one terminal event" in judge(outcome)[0]


def test_a_second_terminal_event_is_found(outcome):
    side = _talked(outcome)
    side.events.append(side.events[-1])

    assert "not exactly one terminal event" in judge(outcome)[0]


def test_an_event_after_the_terminal_one_is_found(outcome):
    side = _talked(outcome)
    side.events.append(side.events[0])

    assert "an event after the terminal one" in judge(outcome)[0]


def test_ends_that_no_behaviour_explains_are_found(outcome):
    plans = [dataclasses.replace(plan, behaviour=Behaviour.BUSY) for plan in outcome.plans]

    faults = judge(dataclasses.replace(outcome, plans=plans))

    assert any("busy may not end so" in fault for fault in faults)


def test_a_callee_nobody_called_is_found(outcome):
    side = next(each for each in outcome.trace.sides if each.call.direction == "incoming")
    outcome.trace.sides.append(side)

    assert any("rang twice" in fault for fault in judge(outcome))


def test_a_message_that_does_not_parse_is_found(outcome):
    _add(outcome, _sent(outcome, b"INVITE"), data=b"INVITE sip:a SIP/2.0\r\nVia\r\n\r\n")

    assert any("does not parse" in fault for fault in judge(outcome))


def test_a_cseq_that_goes_back_is_found(outcome):
    bye = _sent(outcome, b"BYE")
    lower = bye.data.replace(b"branch=z9hG4bK", b"branch=z9hG4bKother")
    _add(outcome, bye, data=lower)

    assert any("went back in CSeq" in fault for fault in judge(outcome))


def test_an_invite_repeated_after_its_response_is_found(outcome):
    _add(outcome, _sent(outcome, b"INVITE"))

    assert any("repeated an INVITE" in fault for fault in judge(outcome))


def test_what_is_left_is_found(outcome):
    more = dataclasses.replace(outcome.after, tasks=outcome.after.tasks + 1)

    faults = judge(dataclasses.replace(outcome, after=more, calls_left=2, sockets_left=1))

    assert faults[:2] == ["2 calls are left", "1 sockets are left"]
    assert "tasks: " in faults[2]
