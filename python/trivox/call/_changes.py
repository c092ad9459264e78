"""The face of a call for what its media are to be: hold, streams, offers of ours."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import trio

from trivox.call._far_changes import CallFarChanges
from trivox.call._identity import adopt, introduce
from trivox.call._listening import CallListening
from trivox.call._media import ICE
from trivox.call.events import HoldChanged, Originator, StreamEnded
from trivox.call.local_audio import LocalAudio
from trivox.call.messages import headers_of
from trivox.call.renegotiation import Renegotiation, is_changed_early
from trivox.call.source_events import HoldMusicFailed
from trivox.call.states import CallState, Phase
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
from trivox.errors import (
    CallInternalError,
    EngineError,
    InvalidArgumentsError,
    StreamError,
    StreamTypeMismatchError,
    StreamUpdateFailedError,
)
from trivox.errors.checks import checked_kind
from trivox.media.sources import source_of
from trivox.sip import events as facts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from trivox.call.leg_video import LegVideo
    from trivox.call.wish import Change, Introduction, MediaWish
    from trivox.media.sources import AudioSource

_SOON: Final = "renegotiation"


class CallChanges(CallFarChanges):
    """What a program asks of a call's media, and how it becomes an offer."""

    _audio: LocalAudio | None
    _changes: Renegotiation | None

    async def hold(
        self,
        enable: bool = True,  # noqa: FBT001, FBT002 (the reference's signature)
        *,
        music: AudioSource | str | PathLike[str] | None = None,
    ) -> None:
        """Put the far end on hold, or take it off; returns when it has agreed.

        A held party hears `music`, or silence, and is not heard. What else plays in the call runs
        on unheard. RTCP goes on both ways. Cancelling it unsends nothing: it is completed in the
        background, and `is_on_hold` shows what came of it.

        Args:
            enable: False takes the call off hold.
            music: What the held party hears; a file is repeated.

        Raises:
            CallOnHoldError, CallNotOnHoldError: It is so already.
            CallWrongStateError: The call is not connected; CallReconnectingError: not now.
            StreamUpdateFailedError: The far end refused; all is as before.
            EngineError: The music cannot be read.
        """
        if music is not None and not enable:
            raise InvalidArgumentsError("music is played on hold: leave it out of hold(False)")
        self._refuse_unconnected("hold()")
        wanted = None if music is None else source_of(music)
        change = Hold(self.id, wanted) if enable else Resume(self.id)
        change.check(self._local_audio().wish)
        await self._renegotiation().ask(change).wait()

    async def add_stream(self, stream: LocalStream) -> None:
        """Send a stream too; returns when it is sent.

        Audio is mixed with what is sent already, and the far end asked only if that was nothing.
        Video has a line of its own; adding it turns on receiving video too. Before the call is connected the
        stream is only noted. Cancelling it unsends nothing: it is completed in the background.

        Raises:
            StreamTypeMismatchError: It is of a screen: start_screen_sharing() sends those.
            CallOnHoldError: The far end is on hold.
            InactiveStreamError: The stream is closed.
            StreamAlreadySendingError: The call sends it already.
            StreamUpdateFailedError: The far end refused; all is as before.
            CallEndedError, CallReconnectingError: The call is not in a state for it.
        """
        self._refuse_no_stream(stream, "add_stream()")
        await self._change(Add(self.id, stream))

    async def remove_stream(self, stream: LocalStream) -> None:
        """Send a stream no longer; it stays open. Returns when it is no longer sent.

        The far end is asked only if nothing else is sent. Cancelling it unsends nothing.

        Raises:
            StreamNotSendingError: The call does not send it.
            CallOnHoldError, StreamUpdateFailedError, CallEndedError, CallReconnectingError: As for
                `add_stream`.
        """
        self._refuse_no_stream(stream, "remove_stream()")
        await self._change(Remove(self.id, stream))

    async def replace_stream(self, stream: LocalStream, old_stream: LocalStream) -> None:
        """Send `stream` in place of `old_stream`, without asking the far end.

        Args:
            stream: The new one. It comes first.
            old_stream: The one that is sent; it stays open.

        Raises:
            StreamTypeMismatchError: They are not of one kind.
            StreamNotSendingError: The call does not send `old_stream`.
            CallOnHoldError, InactiveStreamError, StreamAlreadySendingError, CallEndedError,
                CallReconnectingError: As for `add_stream`.
            EngineError: What the new stream plays cannot be read.
        """
        self._refuse_no_stream(stream, "replace_stream()")
        self._refuse_no_stream(old_stream, "replace_stream()")
        audio = self._local_audio()
        if stream.type is not old_stream.type:
            raise StreamTypeMismatchError(
                f"{stream.id} is {stream.type}, {old_stream.id} is {old_stream.type}: replace a "
                "stream by one of its kind",
                call_id=self.id,
            )
        refuse_screen(stream, self.id)
        refuse_on_hold(audio.wish, self.id)
        refuse_unsent(old_stream, audio.wish, self.id)
        refuse_unsendable(stream, audio.wish, self.id)
        before = audio.wish
        audio.swap(stream, old_stream)
        audio.agree(replace(before, streams=before.streams - {old_stream} | {stream}))
        self._publish(before, audio.wish)
        await trio.lowlevel.checkpoint()

    async def _change(self, change: Change) -> None:
        """Make a change of streams: at once if the far end need not know, else by an offer."""
        audio = self._local_audio()
        change.check(audio.wish)
        is_known = self._phase is not Phase.CONNECTED and not is_changed_early(self._session)
        if not is_known and self._renegotiation().is_idle:
            is_known = change.apply(audio.wish).asked == audio.told
        if not is_known:
            await self._renegotiation().ask(change).wait()
            return
        self._change_now(change)
        await trio.lowlevel.checkpoint()

    def _take_settings(self) -> None:
        """Do what the settings say before the first description is made."""
        settings = self.settings
        if not settings.receive_audio or (
            self._audio is not None and not self._audio.wish.receives
        ):
            audio = self._local_audio()
            audio.wish = replace(audio.wish, receives=settings.receive_audio)
        if settings.streams:
            self._add_now(settings.streams)

    def _add_now(self, streams: Iterable[LocalStream]) -> None:
        """Send streams too, in a call that is not connected yet."""
        audio = self._local_audio()
        for stream in streams:
            change = Add(self.id, stream)
            change.check(audio.wish)
            self._change_now(change)

    def _change_now(self, change: Change) -> None:
        audio = self._local_audio()
        change.prepare(audio)
        before = audio.wish
        audio.agree(change.apply(before))
        self._publish(before, audio.wish)

    def _refuse_unconnected(self, what: str) -> None:
        self._refuse_ended()
        if self._state_now() is CallState.RECONNECTING:
            raise self._reconnecting(what)
        if self._phase is not Phase.CONNECTED:
            raise self._wrong_state(f"{what} needs a connected call", CallState.CONNECTED)
        if self._session is None:
            raise CallInternalError("a connected call has no session", call_id=self.id)

    def _refuse_no_stream(self, stream: LocalStream, what: str) -> None:
        checked_kind(stream, LocalStream, "stream")
        self._refuse_ended()
        self._refuse_reconnecting(what)

    def _local_audio(self) -> LocalAudio:
        if self._audio is None:
            self._audio = self._leg.audio = LocalAudio(
                self._leg,
                self._own_stream(),
                self._end_stream,
                self._tell_music_failed,
                self._video,
                receives=self.settings.receive_audio,
            )
        return self._audio

    def _renegotiation(self) -> Renegotiation:
        if self._changes is None:
            self._changes = Renegotiation(self, self._local_audio())
        return self._changes

    def _tell_music_failed(self, error: EngineError) -> None:
        self._emit(HoldMusicFailed, Originator.LOCAL, error=error)

    def _end_stream(self, stream: LocalStream, error: EngineError | None = None) -> None:
        """Let go of a stream that was closed or has come to its end, or broke."""
        if self._state_now().is_terminal:
            return
        self._tell_ended(stream, error)
        if self._phase is Phase.CONNECTED and not self._renegotiation().is_idle:
            # What is under way goes by the streams that are left.
            self._renegotiation().ask(Remove(self.id, stream, is_closed=True))
            self._local_audio().close(stream)
            return
        self._change_now(Remove(self.id, stream, is_closed=True))
        self._catch_up()

    def _tell_ended(self, stream: LocalStream, error: EngineError | None) -> None:
        """Tell those who listen to the call, and those who listen to the stream."""
        is_heard = self._hears(StreamEnded)
        if is_heard or stream._is_read:
            common = self._common(Originator.LOCAL, headers_of(None))
            event = StreamEnded(**common, stream=stream, error=error)
            if is_heard:
                self._emitting().emit(event)
            stream._tell(event)

    def _catch_up(self) -> None:
        """Tell the far end of what changed while it could not be told."""
        audio = self._audio
        if audio is not None and self._phase is Phase.CONNECTED and audio.wish.asked != audio.told:
            self._renegotiation().ask(Catch())

    # What the renegotiation asks of its call.

    def _may_offer(self, *, mends_path: bool) -> bool:
        """Whether a change may go out now: agreed on, no path is lost but one, none is out."""
        session = self._session
        if session is None or session.is_modifying:
            return False
        lost = self._lost_paths - {ICE} if mends_path else self._lost_paths
        return not lost and (self._phase is Phase.CONNECTED or session.early_tag is not None)

    def _go_on_soon(self) -> None:
        """Go on with the changes when this turn is over."""
        self._after(_SOON, 0.0, self._go_on)

    def _go_on(self) -> None:
        if self._changes is not None:
            self._changes.go_on()

    def _send_offer(self, direction: str, *, restarts_ice: bool) -> None:
        """Send a re-INVITE that offers this direction, and a new ICE generation if asked for."""
        assert self._session is not None, "a connected call has its session"
        leg = self._leg
        try:
            leg.sessions.set_direction(leg.session, direction)
            offer = leg.offer(restarts_ice=restarts_ice)
        except (StreamError, EngineError) as error:
            self._refuse_change(error)
            return
        is_early = self._phase is not Phase.CONNECTED
        self._carry_out(self._session.modify(offer, method="UPDATE" if is_early else "INVITE"))

    def _publish(self, before: MediaWish, after: MediaWish) -> None:
        """Tell everybody what this end sends now."""
        if after.streams != before.streams:
            self._tell(local_streams=after.streams)
        if after.is_held != before.is_held:
            self._tell(is_on_hold=after.is_held)
            self._emit_hold(Originator.LOCAL)

    def _emit_hold(self, originator: Originator) -> None:
        self._emit(
            HoldChanged,
            originator,
            local=CallListening.is_on_hold.of(self),
            remote=CallListening.is_remotely_held.of(self),
        )

    # What signalling tells of offers, ours and theirs.

    def _take_change(self, fact: facts.SessionFact) -> None:
        is_ours = self._changes is not None and self._changes.is_running
        match fact:
            case facts.ReinviteReceived(tx, message, body):
                self._take_reinvite(tx, message, body)
            case facts.ReinviteCancelled():
                self._withdraw_upgrade()
            case facts.ModificationAnswered(_, body, _) if is_ours:
                self._take_modified(body)
            case facts.ModificationAnswered():
                self._take_upkeep(fact)
                self._go_on()
            case facts.ModificationRefused(status, reason, _):
                text = f"the far end refused the change: {status} {reason}".rstrip()
                error = StreamUpdateFailedError(text, sip_code=status, call_id=self.id)
                self._refuse_change(error)
            case facts.ModificationDeferred():
                self._leg.rollback()
                if is_ours and self._changes is not None:
                    self._changes.back_off()
            case facts.ModificationDue() if self._changes is not None and not self._changes.is_idle:
                self._changes.is_backing_off = False
                self._changes.go_on()
            case _:
                self._take_upkeep(fact)

    def _take_modified(self, body: bytes) -> None:
        assert self._changes is not None, "one of its changes was answered"
        introduction = self._changes.introduction
        if introduction is not None:
            adopt(self._face, introduction)
        try:
            if body or introduction is None:
                self._leg.take_answer(body, "")
        except (StreamError, EngineError) as error:
            self._refuse_change(StreamUpdateFailedError(str(error), call_id=self.id))
            return
        self._changes.accept()
        self._note_negotiated()
        self._catch_up()

    def _refuse_change(self, error: Exception) -> None:
        self._leg.rollback()
        if self._changes is not None:
            self._changes.refuse(error)

    def _introduce(self, introduction: Introduction) -> None:
        introduce(self._face, introduction)

    @abstractmethod
    def _video(self) -> LegVideo: ...
