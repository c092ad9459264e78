"""An engine on threads, its events handed out, closed at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from trivox.media.native_engine import LiveMedia

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def live() -> AsyncIterator[LiveMedia]:
    media = LiveMedia(seed=b"tests")
    async with trio.open_nursery() as nursery:
        await nursery.start(media.run)
        with trio.fail_after(30):
            yield media
        nursery.cancel_scope.cancel()
    media.close()
