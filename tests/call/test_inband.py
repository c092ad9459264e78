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


def test_another_phone_behind_the_call_may_tell_of_its_keys_by_info() -> None:
    digits = Digits()
    presses = (("1", RFC4733, 0.0), ("5", INFO, 9.0), ("5", INFO, 9.1), ("6", RFC4733, 20.0))

    assert _told(digits, *presses) == [True, True, True, True]
    assert digits.take_all() == "1556"


def test_who_tells_by_info_and_events_tells_each_key_once_however_late() -> None:
    digits = Digits()
    digits.take("1", RFC4733, 0.0)
    digits.take("1", INFO, 0.1)
    digits.note_key_down(RFC4733)
    digits.take("2", INFO, 3.0)
    digits.take("2", RFC4733, 5.0, 2.1)
    digits.take("2", INFO, 7.0)

    assert digits.take_all() == "12"


def test_a_key_held_for_long_is_one_though_info_came_as_it_went_down() -> None:
    assert _told(Digits(), ("3", INFO, 0.0)) == [True]
    digits = Digits()
    digits.take("3", INFO, 0.0)
    digits.note_key_down(RFC4733)

    assert not digits.take("3", RFC4733, 4.0, 3.9)
    assert digits.take("3", RFC4733, 4.5, 0.1)


def test_without_events_agreed_keys_are_told_by_sound_again() -> None:
    digits = Digits()
    digits.take("1", RFC4733, 0.0)
    digits.note_key_down(RFC4733)
    digits.lose_events()

    assert not digits.is_empty
    assert digits.take_all() == "1"
    assert digits.is_empty, "a key that went down before is not down for ever"
    assert digits.take("1", INBAND, 5.0)


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


async def test_keys_by_sound_count_when_a_change_leaves_events_out(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        engine, leg = pair.world.media.sessions, call._leg

        async def heard_of(kind: Kind, tone: str) -> str:
            engine.hear(leg.session, kind, 0.1, tone)
            await trio.sleep(2.0)
            return leg.digits.take_all()

        assert await heard_of(Kind.DTMF, "1") == "1"
        # The engine's double writes no formats.
        leg.local_sdp = leg.remote_sdp = "a=rtpmap:101 telephone-event/8000\r\n"
        leg.note_events_agreed()
        assert await heard_of(Kind.INBAND_DTMF, "2") == ""

        await far.hold(True)

        assert await heard_of(Kind.INBAND_DTMF, "3") == "3"

    await pair.run(body, detection=LISTENS)
