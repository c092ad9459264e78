"""Recordings at the edges of a call."""

from __future__ import annotations

import wave

import pytest
import trio


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


async def test_a_recording_that_the_call_ended_first_has_its_length_too(
    autojump_clock, world, tmp_path
) -> None:
    async def answer(call) -> None:
        await call.answer()
        await call.wait_connected()
        await trio.sleep(0.5)

    path = tmp_path / "call.wav"
    async with world().with_server(answer) as (caller, uri), caller.dial(uri) as call:
        async with call.recording(path) as recording:
            await call.wait_ended()

    with wave.open(str(path), "rb") as file:
        assert recording.seconds == file.getnframes() / file.getframerate()
    assert recording.seconds == pytest.approx(0.5, abs=0.1)
