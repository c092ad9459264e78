"""Engines on threads and in virtual time, their events handed out, closed at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from trivox.media.native_engine import LiveMedia, driven_media

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

    from trivox.media.driven import DrivenMedia


@pytest.fixture
async def live() -> AsyncIterator[LiveMedia]:
    media = LiveMedia(seed=b"tests")
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        with trio.fail_after(30):
            yield media
        nursery.cancel_scope.cancel()
    media.close()


@pytest.fixture
async def media(
    autojump_clock: MockClock, request: pytest.FixtureRequest
) -> AsyncIterator[DrivenMedia]:
    seed = request.path.stem.removeprefix("test_").encode()
    made = driven_media(seed=seed, now=trio.current_time())
    async with trio.open_nursery() as nursery:
        await nursery.start(made.run)
        yield made
        nursery.cancel_scope.cancel()
    made.close()
