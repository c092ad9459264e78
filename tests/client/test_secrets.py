"""Nothing secret is written down: canaries in passwords, keys, nonces and DTMF, looked for everywhere."""

from __future__ import annotations

import dataclasses
import logging
import traceback

import pytest
import trio

import trivox
from trivox import AccountConfig, CallSettings, Credentials
from trivox.client.opening import open_client
from trivox.switchboard.board import open_switchboard
from trivox.testing import Link
from trivox.testing.fake_engine import fake_media

PASSWORD = "canary-passw0rd"
ASKED_FOR = ("password", "ha1", "raw", "body")
SEED = b"canary-seed-" * 4
BOARD = "sip:10.0.0.5:5060;transport=udp"


def _reprs(value: object, depth: int = 3) -> list[str]:
    """Return what people see of an object, its public attributes and their attributes."""
    seen = [repr(value), str(value)]
    if depth == 0 or isinstance(value, str | bytes | int | float | type(None)):
        return seen
    # What a program asks for by its name it gets; nothing else may show it.
    names = [name for name in dir(value) if not name.startswith("_") and name not in ASKED_FOR]
    for name in names:
        try:
            part = getattr(value, name)
        except Exception as error:
            seen.append("".join(traceback.format_exception(error)))
            continue
        if callable(part):
            seen.append(repr(part))
        else:
            seen += _reprs(part, depth - 1)
    return seen


def _responses(trace: list[bytes]) -> set[str]:
    """Return the digest responses that went over the wire: who has one can try passwords on it."""
    found = set()
    for data in trace:
        for part in data.decode(errors="replace").split('response="')[1:]:
            found.add(part.split('"', 1)[0])
    return found


async def _digits(call) -> None:
    await call.answer()
    await call.wait_ended()


@pytest.fixture
def everything(caplog):
    caplog.set_level(logging.DEBUG)

    def text() -> str:
        logged = [record.getMessage() + str(record.__dict__) for record in caplog.records]
        return "\n".join(logged)

    return text


async def test_a_registration_and_a_call_leave_no_secret_behind(autojump_clock, everything) -> None:
    link, trace, seen = Link(3), [], []
    media, _ = fake_media(now=trio.current_time(), set_up=0.0)

    def keep(_time, _way, _flow, _local, _remote, data) -> None:
        trace.append(data)

    users = {"alice": PASSWORD, "bob": PASSWORD}
    async with open_switchboard(
        listen=[BOARD], users=users, domain="10.0.0.5", sockets=link.host("10.0.0.5")
    ) as board:
        account = AccountConfig(
            "sip:alice@10.0.0.5", password=PASSWORD, registrar=BOARD, proxy=BOARD
        )
        callee = AccountConfig("sip:bob@10.0.0.5", password=PASSWORD, registrar=BOARD, proxy=BOARD)
        wrong = AccountConfig("sip:alice@10.0.0.5", password=PASSWORD + "x", registrar=BOARD)
        async with (
            _client(
                link, media, "10.0.0.1", accounts=[account], keep_trace=True, trace=keep
            ) as near,
            _client(link, media, "10.0.0.2", accounts=[callee]) as far,
            _client(link, media, "10.0.0.3", accounts=[wrong]) as stranger,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(far.serve, _digits)
            await near.accounts["sip:alice@10.0.0.5"].register()
            with pytest.raises(trivox.RegistrationError) as refused:
                await stranger.accounts["sip:alice@10.0.0.5"].register()
            async with near.dial("bob") as call:
                seen += _reprs(call) + _reprs(near) + _reprs(board) + _reprs(far)
                await call.send_dtmf("739").wait()
            seen += _reprs(call.end)
            seen += ["".join(traceback.format_exception(refused.value)), *_reprs(refused.value)]
            seen += [*_reprs(account), *_reprs(near.config), *_reprs(near.statistics())]
            nursery.cancel_scope.cancel()

    digests = _responses(trace)
    text = everything() + "\n".join(seen)
    assert digests, "the registration was authenticated"
    assert PASSWORD not in text
    assert SEED.decode() not in text
    assert not [digest for digest in digests if digest in everything()]


def _client(link, media, host: str, *, trace=None, **settings):
    return open_client(
        listen=[f"sip:{host}:5060;transport=udp"],
        engine=media,
        sockets=link.host(host),
        seed=SEED,
        trace=trace,
        **settings,
    )


@pytest.mark.parametrize(
    "value",
    [
        AccountConfig("sip:a@b.example", password=PASSWORD),
        AccountConfig("sip:a@b.example", ha1={"MD5": PASSWORD.encode().hex()[:32].ljust(32, "0")}),
        Credentials(password=PASSWORD),
        trivox.ClientConfig(accounts=(AccountConfig("sip:a@b.example", password=PASSWORD),)),
        trivox._native.Uri.parse(f"sip:user:{PASSWORD}@b.example"),
    ],
    ids=["password", "hash", "credentials", "config", "uri"],
)
def test_a_value_that_holds_a_secret_does_not_show_it(value):
    shown = repr(value) + str(value) + f"{value}"

    assert PASSWORD not in shown
    assert PASSWORD.encode().hex()[:20] not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: AccountConfig("sip:a@b", password=PASSWORD, ha1={"MD5": PASSWORD}),
        lambda: AccountConfig("no uri", password=PASSWORD),
        lambda: trivox.ClientConfig.from_mapping(
            {"accounts": [{"uri": "sip:a@b", "password": PASSWORD, "passwort": PASSWORD}]}
        ),
        lambda: dataclasses.replace(AccountConfig("sip:a@b.example", password=PASSWORD), expires=0),
        lambda: CallSettings(extra_headers={"Authorization\n": PASSWORD}),
    ],
)
def test_an_error_does_not_repeat_the_secret(wrong):
    with pytest.raises(trivox.TrivoxError) as error:
        wrong()

    assert PASSWORD not in str(error.value)
    assert PASSWORD not in repr(error.value)
