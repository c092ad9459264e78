"""What every engine keeps about tones, the native one and the fake, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from tests.contract.conftest import HOSTS, Made
from tests.media.pairs import connect_pair

from trivox.errors import InvalidArgumentsError
from trivox.media.engine import EngineEventKind as Kind

if TYPE_CHECKING:
    from trio.testing import MockClock


async def test_keys_by_sound_arrive_once_in_order_where_somebody_listens(
    made: Made, autojump_clock: MockClock
) -> None:
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    sessions = made.media.sessions
    sessions.set_tones(callee.session, dtmf=True, tones=False)

    sending = sessions.send_inband(caller.session, "4,2#", 0.1, 0.05)
    await caller.wait_for(Kind.DTMF_SENT, sending)
    await trio.sleep(1)

    tones = [(text, number) for kind, number, text in callee.events if kind is Kind.INBAND_DTMF]
    assert [text for text, _ in tones] == ["4", "2", "#"]
    assert [number for _, number in tones] == pytest.approx([0.1] * 3, abs=0.021)
    assert Kind.DTMF not in {kind for kind, _, _ in callee.events}


async def test_what_is_no_key_is_refused(made: Made, autojump_clock: MockClock) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)

    with pytest.raises(InvalidArgumentsError):
        made.media.sessions.send_inband(caller.session, "12x", 0.1, 0.1)


async def test_nobody_who_speaks_is_nobody_known(made: Made, autojump_clock: MockClock) -> None:
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    del caller
    began = trio.current_time()
    wish = {"greeting": 1.5, "after_greeting": 0.8, "words": 3, "word": 0.1, "limit": 5.0}
    with pytest.raises(InvalidArgumentsError):
        made.media.sessions.begin_answerer(callee.session, initial_silence=0.0, **wish)
    made.media.sessions.begin_answerer(callee.session, initial_silence=1.0, **wish)

    told = await callee.wait_for(Kind.ANSWERER_TOLD)

    assert told[2] == "unknown silence 0"
    assert trio.current_time() - began == pytest.approx(1.0, abs=0.06)
