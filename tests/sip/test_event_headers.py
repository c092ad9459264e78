"""The small headers of extensions: Event, Subscription-State, Require (RFC 6665, RFC 3261)."""

from __future__ import annotations

import pytest

from trivox.sip.capabilities import required_but_unknown
from trivox.sip.event_headers import (
    EventName,
    StateHeader,
    read_event_untrusted,
    read_state_untrusted,
    seconds_untrusted,
)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("dialog", EventName("dialog")),
        ("refer ; id=7;id=8", EventName("refer", "7")),
        ("", None),
    ],
)
def test_an_event_is_a_package_and_an_id(far_end, value, read) -> None:
    message = far_end.request("NOTIFY", more=(("Event", value),))

    assert read_event_untrusted(message) == read


def test_an_event_is_written_as_it_is_read() -> None:
    assert str(EventName("refer", "7")) == "refer;id=7"
    assert str(EventName("dialog")) == "dialog"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("Active;expires=60", StateHeader("active", expires=60.0)),
        (
            'terminated;Reason=Probation;retry-after="5"',
            StateHeader("terminated", "probation", None, 5.0),
        ),
        ("pending;expires=soon", StateHeader("pending")),
        ("", None),
    ],
)
def test_the_state_of_a_subscription_is_read(far_end, value, read) -> None:
    message = far_end.request("NOTIFY", more=(("Subscription-State", value),))

    assert read_state_untrusted(message) == read


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        (" 5 (busy);x", 5.0),
        ("12345678901", None),
        ("٥", None),
        ("-1", None),
        (None, None),
    ],
)
def test_seconds_are_ascii_digits(text, seconds) -> None:
    assert seconds_untrusted(text) == seconds


def test_what_is_required_and_unknown_is_told(far_end) -> None:
    request = far_end.request("INVITE", more=(("Require", "Replaces, joint"), ("Require", "x")))

    assert required_but_unknown(request) == ("joint", "x")
