"""Keys by sound: one event for each press, whatever else tells of it."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

import trivox
from trivox.call._digits import INBAND, INFO, RFC4733, Digits
from trivox.call.settings import DtmfMethod
from trivox.media.engine import EngineEventKind as Kind
from trivox.media.sources import ToneSource

LISTENS = trivox.Detection(inband_dtmf=True)


def _told(digits: Digits, *presses: tuple[str, str, float]) -> list[bool]:
    return [digits.take(tone, method, at) for tone, method, at in presses]


def test_a_press_told_by_all_methods_is_one_in_any_order() -> None:
    methods = (INBAND, INFO, RFC4733)
    for first in methods:
        order = [first, *(method for method in methods if method != first)]
        told = _told(Digits(), *(("5", method, 0.02 * n) for n, method in enumerate(order)))
        assert told == [True, False, False], order


def test_the_same_key_twice_is_two_presses_though_the_worse_method_was_first() -> None:
    told = _told(
        Digits(),
        ("1", INBAND, 0.0), ("1", RFC4733, 0.03), ("1", INBAND, 0.2), ("1", RFC4733, 0.23),
    )  # fmt: skip

    assert told == [True, False, False, True]


def test_what_a_better_method_does_not_tell_of_is_not_a_key() -> None:
    digits = Digits()
    assert _told(digits, ("1", RFC4733, 0.0), ("7", INBAND, 5.0)) == [True, False]
    digits.flush()
    digits.note_key_down(INBAND)

    assert digits.is_empty, "speech that sounds like a key stops no prompt"


@given(st.lists(st.sampled_from("0123456789*#"), max_size=20))
def test_any_keys_told_by_sound_and_events_are_those_keys(keys: list[str]) -> None:
    digits = Digits()
    for at, key in enumerate(keys):
        digits.note_key_down(RFC4733)
        digits.note_key_down(INBAND)
        digits.take(key, RFC4733, at * 0.2)
        digits.take(key, INBAND, at * 0.2 + 0.03)

    assert digits.take_all() == "".join(keys)


async def test_keys_by_sound_are_events_and_count_in_an_entry(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        heard: list[tuple[str, str]] = []
        call.on(trivox.DtmfReceived, lambda event: heard.append((event.tone, event.method)))
        receipt = far.send_dtmf("42#", method=DtmfMethod.INBAND)
        entry = await call.collect_dtmf()
        await receipt.wait()

        assert entry == "42"
        assert heard == [("4", "inband"), ("2", "inband"), ("#", "inband")]

    await pair.run(body, detection=LISTENS)


async def test_a_key_by_sound_stops_the_prompt(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        began = trio.current_time()
        engine, session = pair.world.media.sessions, call._leg.session

        async def press() -> None:
            await trio.sleep(1.0)
            engine.hear(session, Kind.INBAND_DTMF_STARTED, 0.0, "1")
            await trio.sleep(0.1)
            engine.hear(session, Kind.INBAND_DTMF, 0.1, "1")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(press)
            assert await call.collect_dtmf(prompt=ToneSource(), max_digits=1) == "1"
        assert trio.current_time() - began == pytest.approx(1.1)
        assert pair.world.engine.counts()["playbacks"] == 0

    await pair.run(body, detection=LISTENS)


async def test_who_does_not_listen_hears_no_key(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        heard: list[object] = []
        call.on(trivox.DtmfReceived, heard.append)
        await far.send_dtmf("5", method=DtmfMethod.INBAND).wait()

        assert not heard

    await pair.run(body)
