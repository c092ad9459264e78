"""The sound of a call as a program has it: playing, listening, keys collected, mute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from trivox.call._digits import checked_entry
from trivox.call._values import CallValues
from trivox.call.playback import Played, begin_playback, failure_of, play_out
from trivox.call.states import Phase
from trivox.media.engine import EngineEventKind
from trivox.media.port import AudioPort
from trivox.media.sources import FileSource

if TYPE_CHECKING:
    from os import PathLike

    from trivox.call._core import CallCore
    from trivox.media.sources import AudioSource


async def play(call: CallCore, source: AudioSource | str | PathLike[str], *, loop: bool) -> Played:
    """Play a source and wait for its end: see `Call.play`."""
    if loop:
        path = source.path if isinstance(source, FileSource) else source
        if isinstance(path, str) or hasattr(path, "__fspath__"):
            source = FileSource(path, loop=True)
    await wait_flowing(call)
    return await play_out(call._leg, source, call._ended_error)


def open_audio(call: CallCore, *, rate: int, frame: float, batch: int, ahead: float) -> AudioPort:
    """Open the audio to the program: see `Call.audio`."""
    call._refuse_ended()
    call._refuse_reconnecting("audio()")
    if not call._leg.is_open:
        raise call._wrong_state(
            "audio() needs a started or answered call: start() or answer() first"
        )
    leg = call._leg
    port = AudioPort(leg.sessions, leg.session, rate=rate, frame=frame, batch=batch, ahead=ahead)
    leg.add_port(port)
    return port


async def collect_dtmf(
    call: CallCore,
    *,
    max_digits: int | None,
    terminators: str,
    first_timeout: float,
    inter_digit_timeout: float,
    prompt: AudioSource | str | PathLike[str] | None,
    flush: bool,
) -> str:
    """Collect keys: see `Call.collect_dtmf`."""
    checked_entry(max_digits, terminators, first_timeout, inter_digit_timeout)
    await wait_flowing(call)
    digits = call._leg.digits
    if flush:
        digits.flush()
    if prompt is not None and digits.is_empty:
        await _prompt(call, prompt)
    while True:
        entry = digits.complete(max_digits, terminators)
        if entry is not None:
            return entry
        call._refuse_ended()
        with trio.move_on_after(first_timeout if digits.is_empty else inter_digit_timeout) as limit:
            await digits.wait_moved()
        if limit.cancelled_caught:
            return digits.take_all()


async def _prompt(call: CallCore, source: AudioSource | str | PathLike[str]) -> None:
    """Play until played out or a key goes down."""
    leg = call._leg
    number = begin_playback(leg, source)
    pending = leg.expect(EngineEventKind.PLAYBACK_ENDED, number)
    pending.on_done = leg.digits.wake
    try:
        while leg.digits.is_empty and not pending.is_done:
            await leg.digits.wait_moved()
    finally:
        if not pending.is_done and leg.is_open:
            leg.sessions.stop_playback(leg.session, number)
    failure = failure_of(pending.text, source)
    if failure is not None and leg.digits.is_empty:
        raise failure


async def wait_flowing(call: CallCore) -> None:
    """Wait until media flows, then let the operation begin."""
    if call._phase in (Phase.OUT_CREATED, Phase.IN_CREATED) and not call._leg.is_open:
        raise call._wrong_state("media needs a started or answered call: start() or answer() first")
    call._refuse_ended()
    call._refuse_reconnecting("media")
    await trio.lowlevel.checkpoint()
    while not call._leg.is_flowing:
        call._refuse_ended()
        await call._leg.wait_moved()
    call._refuse_ended()


def mute(call: CallCore, *, is_muted: bool) -> None:
    """Silence what is sent, or no longer."""
    call._refuse_ended()
    call._leg.mute(is_muted=is_muted)
    CallValues.is_microphone_muted.set(call, to=is_muted)
