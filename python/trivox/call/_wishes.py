"""What a program wants of a call's media: hold, and streams; how that comes into force."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from trivox.call._values import CallValues
from trivox.call.events import HoldChanged, Originator, StreamEnded
from trivox.call.messages import headers_of
from trivox.call.renegotiation import is_changed_early
from trivox.call.source_events import HoldMusicFailed
from trivox.call.states import Phase
from trivox.call.streams import LocalStream
from trivox.call.wish import (
    Add,
    Catch,
    Hold,
    Remove,
    Resume,
    refuse_on_hold,
    refuse_screen,
    refuse_unsendable,
    refuse_unsent,
)
from trivox.errors import StreamTypeMismatchError
from trivox.errors.checks import checked_kind
from trivox.media.sources import source_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from trivox.call._core import CallCore
    from trivox.call.wish import Change, MediaWish
    from trivox.errors import EngineError
    from trivox.media.sources import AudioSource


async def hold(call: CallCore, music: AudioSource | str | PathLike[str] | None) -> None:
    """Put the far end on hold: see `Call.hold`."""
    call._refuse_unconnected("hold()")
    await _ask(call, Hold(call.id, None if music is None else source_of(music)))


async def resume(call: CallCore) -> None:
    """Take the far end off hold: see `Call.hold`."""
    call._refuse_unconnected("hold()")
    await _ask(call, Resume(call.id))


async def _ask(call: CallCore, change: Change) -> None:
    change.check(call._local_audio().wish)
    await call._renegotiation().ask(change).wait()


async def add_stream(call: CallCore, stream: LocalStream) -> None:
    """Send a stream too: see `Call.add_stream`."""
    _refuse_no_stream(call, stream, "add_stream()")
    await _change(call, Add(call.id, stream))


async def remove_stream(call: CallCore, stream: LocalStream) -> None:
    """Send a stream no longer: see `Call.remove_stream`."""
    _refuse_no_stream(call, stream, "remove_stream()")
    await _change(call, Remove(call.id, stream))


async def replace_stream(call: CallCore, stream: LocalStream, old_stream: LocalStream) -> None:
    """Send a stream in place of another: see `Call.replace_stream`."""
    _refuse_no_stream(call, stream, "replace_stream()")
    _refuse_no_stream(call, old_stream, "replace_stream()")
    audio = call._local_audio()
    if stream.type is not old_stream.type:
        raise StreamTypeMismatchError(
            f"{stream.id} is {stream.type}, {old_stream.id} is {old_stream.type}: replace a "
            "stream by one of its kind",
            call_id=call.id,
        )
    refuse_screen(stream, call.id)
    refuse_on_hold(audio.wish, call.id)
    refuse_unsent(old_stream, audio.wish, call.id)
    refuse_unsendable(stream, audio.wish, call.id)
    before = audio.wish
    audio.swap(stream, old_stream)
    audio.agree(replace(before, streams=before.streams - {old_stream} | {stream}))
    publish(call, before, audio.wish)
    await trio.lowlevel.checkpoint()


async def _change(call: CallCore, change: Change) -> None:
    """Make a change of streams: at once if the far end need not know, else by an offer."""
    audio = call._local_audio()
    change.check(audio.wish)
    is_known = call._phase is not Phase.CONNECTED and not is_changed_early(call._session)
    if not is_known and call._renegotiation().is_idle:
        is_known = change.apply(audio.wish).asked == audio.told
    if not is_known:
        await call._renegotiation().ask(change).wait()
        return
    _change_now(call, change)
    await trio.lowlevel.checkpoint()


def take_settings(call: CallCore) -> None:
    """Do what the settings say before the first description is made."""
    settings = call.settings
    if not settings.receive_audio or (call._audio is not None and not call._audio.wish.receives):
        audio = call._local_audio()
        audio.wish = replace(audio.wish, receives=settings.receive_audio)
    if settings.streams:
        add_now(call, settings.streams)


def add_now(call: CallCore, streams: Iterable[LocalStream]) -> None:
    """Send streams too, in a call that is not connected yet."""
    audio = call._local_audio()
    for stream in streams:
        change = Add(call.id, stream)
        change.check(audio.wish)
        _change_now(call, change)


def _change_now(call: CallCore, change: Change) -> None:
    audio = call._local_audio()
    change.prepare(audio)
    before = audio.wish
    audio.agree(change.apply(before))
    publish(call, before, audio.wish)


def _refuse_no_stream(call: CallCore, stream: LocalStream, what: str) -> None:
    checked_kind(stream, LocalStream, "stream")
    call._refuse_ended()
    call._refuse_reconnecting(what)


def tell_music_failed(call: CallCore, error: EngineError) -> None:
    """Tell that what a held party heard is heard no longer."""
    call._emit(HoldMusicFailed, Originator.LOCAL, error=error)


def end_stream(call: CallCore, stream: LocalStream, error: EngineError | None = None) -> None:
    """Let go of a stream that was closed or has come to its end, or broke."""
    if call._state_now().is_terminal:
        return
    _tell_ended(call, stream, error)
    if call._phase is Phase.CONNECTED and not call._renegotiation().is_idle:
        # What is under way goes by the streams that are left.
        call._renegotiation().ask(Remove(call.id, stream, is_closed=True))
        call._local_audio().close(stream)
        return
    _change_now(call, Remove(call.id, stream, is_closed=True))
    catch_up(call)


def _tell_ended(call: CallCore, stream: LocalStream, error: EngineError | None) -> None:
    """Tell those who listen to the call, and those who listen to the stream."""
    is_heard = call._hears(StreamEnded)
    if is_heard or stream._is_read:
        common = call._common(Originator.LOCAL, headers_of(None))
        event = StreamEnded(**common, stream=stream, error=error)
        if is_heard:
            call._emitting().emit(event)
        stream._tell(event)


def catch_up(call: CallCore) -> None:
    """Tell the far end of what changed while it could not be told."""
    audio = call._audio
    if audio is not None and call._phase is Phase.CONNECTED and audio.wish.asked != audio.told:
        call._renegotiation().ask(Catch())


def publish(call: CallCore, before: MediaWish, after: MediaWish) -> None:
    """Tell everybody what this end sends now."""
    if after.streams != before.streams:
        call._tell(local_streams=after.streams)
    if after.is_held != before.is_held:
        call._tell(is_on_hold=after.is_held)
        emit_hold(call, Originator.LOCAL)
    is_shared = any(stream.is_of_screen for stream in after.streams)
    if is_shared != any(stream.is_of_screen for stream in before.streams):
        call._tell(has_screen_sharing=is_shared)


def emit_hold(call: CallCore, originator: Originator) -> None:
    """Tell of a hold, ours or theirs."""
    call._emit(
        HoldChanged,
        originator,
        local=CallValues.is_on_hold.of(call),
        remote=CallValues.is_remotely_held.of(call),
    )
