"""The exception tree."""

from __future__ import annotations

import inspect
import pickle

import pytest

from trivox import errors
from trivox.call.events import CallEnd, EndReason, Originator
from trivox.errors.attempt import call_failed

ALL = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.TrivoxError) and not kind.__name__.startswith("_")
]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_is_documented_and_named_error(kind: type[errors.TrivoxError]) -> None:
    assert kind.__doc__
    assert kind.__name__.endswith("Error")
    assert not hasattr(__builtins__, kind.__name__)


@pytest.mark.parametrize("kind", ALL)
def test_every_error_survives_pickling_with_its_fields(kind: type[errors.TrivoxError]) -> None:
    error = kind("it did not work")
    error.call_id = "c1"

    again = pickle.loads(pickle.dumps(error))

    assert type(again) is kind
    assert again.__dict__ == error.__dict__
    assert str(again) == str(error)
    assert again.args == error.args


@pytest.mark.parametrize("kind", ALL)
def test_every_error_reads_as_a_sentence_even_without_a_message(
    kind: type[errors.TrivoxError],
) -> None:
    assert str(kind()).strip()
    assert str(kind("it did not work")).startswith("it did not work")


def test_codes_are_stable_names_and_unique() -> None:
    assert errors.BusyError.code == "busy"
    assert errors.InvalidMimeTypeError.code == "invalid_mime_type"
    assert len({kind.code for kind in ALL}) == len(ALL)


def test_advice_follows_the_message() -> None:
    assert str(errors.InvalidMimeTypeError("'text' is no MIME type")) == (
        "'text' is no MIME type: write it as type/subtype, for example text/plain"
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (486, errors.BusyError),
        (600, errors.BusyError),
        (603, errors.DeclinedError),
        (404, errors.NotFoundError),
        (604, errors.NotFoundError),
        (480, errors.UnavailableError),
        (408, errors.UnavailableError),
        (487, errors.CanceledError),
        (403, errors.ForbiddenError),
        (500, errors.CallFailedError),
        (0, errors.CallFailedError),
    ],
)
def test_the_status_chooses_the_class(status: int, kind: type[errors.CallFailedError]) -> None:
    error = call_failed(status, "Reason", headers={"X-Why": "so"}, call_id="c1")

    assert type(error) is kind
    assert (error.sip_code, error.reason, error.headers, error.call_id) == (
        status,
        "Reason",
        {"X-Why": "so"},
        "c1",
    )


def test_a_wrong_state_names_the_state_and_the_allowed_ones() -> None:
    error = errors.CallWrongStateError(
        "answer() is not possible", state="connected", allowed=("created", "reconnecting")
    )

    assert str(error) == (
        "answer() is not possible (the call is CONNECTED): "
        "it needs the state to be CREATED, RECONNECTING"
    )


def test_an_ended_call_says_how_it_ended() -> None:
    end = CallEnd(
        reason=EndReason.REMOTE_ENDED, originator=Originator.REMOTE, sip_code=200, sip_reason="OK"
    )

    assert str(errors.CallEndedError(end=end)) == "the call has ended: remote ended (200 OK)"
    assert pickle.loads(pickle.dumps(errors.CallEndedError(end=end))).end.reason is end.reason


def test_timeouts_and_network_errors_are_the_builtin_kinds_too() -> None:
    assert issubclass(errors.ConnectionTimeoutError, TimeoutError)
    assert issubclass(errors.ConnectionNetworkError, OSError)
    assert issubclass(errors.CallTransferTimeoutError, TimeoutError)
    assert issubclass(errors.InvalidArgumentsError, ValueError)
    assert issubclass(errors.ParseError, ValueError)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5", 5.0), (" 120 (a meeting)", 120.0), ("soon", None), ("9" * 20, None)],
)
def test_a_refusal_tells_when_to_come_back(value, seconds) -> None:
    error = call_failed(503, "Service Unavailable", headers={"Retry-After": value})

    assert error.retry_after == seconds
    assert ("asks to wait" in str(error)) == (seconds is not None)
