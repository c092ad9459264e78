"""Recordings at the edges of a call."""

from __future__ import annotations

import pytest


async def test_an_error_inside_a_recording_comes_out_as_itself(
    autojump_clock, world, tmp_path
) -> None:
    async def answer(call) -> None:
        await call.answer()
        await call.wait_ended()

    error = ValueError("mine")
    async with world().with_server(answer) as (caller, uri):
        with pytest.raises(ValueError) as caught:
            async with caller.dial(uri) as call, call.recording(tmp_path / "call.wav"):
                raise error

    assert caught.value is error
