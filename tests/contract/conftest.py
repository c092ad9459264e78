"""Every engine there is, driven in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
import trio

from trivox.media.native_engine import driven_media
from trivox.testing.fake_engine import fake_media

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from trio.testing import MockClock

    from trivox.media.driven import DrivenMedia

HOSTS = ("10.0.0.1", "10.0.0.2")


class Made(NamedTuple):
    media: DrivenMedia
    transport: str


def _native() -> DrivenMedia:
    return driven_media(seed=b"contract", now=trio.current_time())


def _fake() -> DrivenMedia:
    return fake_media(now=trio.current_time())[0]


KINDS = (
    "native plain",
    "native sdes",
    "native dtls",
    "native ice",
    "fake plain",
    "fake sdes",
    "fake ice",
)


@pytest.fixture(params=KINDS)
async def made(request: pytest.FixtureRequest, autojump_clock: MockClock) -> AsyncIterator[Made]:
    kind, transport = request.param.split()
    make: Callable[[], DrivenMedia] = {"native": _native, "fake": _fake}[kind]
    media = make()
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        with trio.fail_after(60):
            yield Made(media, transport)
        nursery.cancel_scope.cancel()
    media.close()
