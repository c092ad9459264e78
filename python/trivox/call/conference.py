"""A conference: calls that hear each other, mixed in the engine."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, final

import trio

from trivox.actor.emitter import Emitter
from trivox.actor.registry import event_class
from trivox.actor.watchable import ReadonlyWatchable, assign
from trivox.call.conference_events import (
    ActiveSpeakerChanged,
    ConferenceEnded,
    ConferenceEvent,
    ConferenceRecordingBehind,
    ConferenceRecordingFailed,
    MemberJoined,
    MemberLeft,
)
from trivox.call.conference_member import ConferenceMember
from trivox.call.conference_roster import roster
from trivox.call.joining import refuse_joined
from trivox.call.media_leg import MediaLeg, Pending
from trivox.call.room_recording import RoomRecording
from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from types import TracebackType

    from trivox.actor.isolation import Isolation
    from trivox.actor.listeners import StartSoon
    from trivox.actor.registry import ListenerHandle
    from trivox.actor.subscription import EventSubscription
    from trivox.call.call import Call
    from trivox.media.engine import Media
    from trivox.sip.conference_info import ConferenceInfo

E = TypeVar("E", bound=ConferenceEvent)


@final
class Conference:
    """Calls that hear each other and not themselves; made by `Client.create_conference`.

    It is open while inside `async with`; leaving parts the calls and ends none of them.

    Attributes:
        name: What the program calls it, or "".
    """

    def __init__(
        self, media: Media, name: str, *, isolation: Isolation, start_soon: StartSoon
    ) -> None:
        self.name: Final = name
        self._media: Final = media
        self._room: int | None = None
        self._is_over = False
        self._members: dict[MediaLeg, ConferenceMember] = {}
        self._recordings: dict[int, Pending] = {}
        self._emitter: Emitter[ConferenceEvent] = Emitter(
            isolation=isolation, start_soon=start_soon
        )
        self.members: Final = ReadonlyWatchable(frozenset[ConferenceMember](), isolation=isolation)
        """Who is there, a new set a change."""
        self.active_speaker: Final = ReadonlyWatchable[ConferenceMember | None](
            None, isolation=isolation
        )
        """Who speaks most; None when nobody has spoken for a second."""

    def __repr__(self) -> str:
        return f"<Conference {self.name or self._room} of {len(self._members)}>"

    @property
    def is_active(self) -> bool:
        """True from entering until it is left."""
        return self._room is not None and not self._is_over

    async def __aenter__(self) -> Conference:
        """Open it. Raises EngineError when there are too many."""
        # Open at once for those who share it; nobody would close what a cancelled one opened.
        await trio.lowlevel.checkpoint_if_cancelled()
        self._open()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Part the calls: each has its own sound again. All go on."""
        self._end("")
        if kind is None:
            await trio.lowlevel.checkpoint()

    def add(
        self, call: Call, *, send: bool = True, receive: bool = True, gain: float = 0.0
    ) -> ConferenceMember:
        """Let a call take part; it is heard and hears as soon as its media flows.

        Args:
            call: Started or answered, and in no bridge or conference.
            send: Let it be heard; `False` is a monitor's part. `ConferenceMember.unmute` changes it.
            receive: Let it hear.
            gain: Of what comes from it, in dB.

        Raises:
            CallJoinedError: It is in a bridge or conference.
            CallWrongStateError, CallEndedError: It has no media.
            InvalidArgumentsError: A call of another client, or a gain out of range.
            EngineError: The conference is not open, or has 1000 members.
        """
        leg, room = self._leg_of(call), self._open_room()
        if leg.sessions is not self._media.sessions:
            raise InvalidArgumentsError("the call is of another client than the conference")
        call._refuse_ended()  # noqa: SLF001 (as above)
        if not leg.is_open:
            raise call._wrong_state("a conference needs a started or answered call")  # noqa: SLF001
        refuse_joined(call)
        member = ConferenceMember(self, call, send=send, receive=receive, gain=gain)
        leg.sessions.add_member(room, leg.session, **member._settings)  # noqa: SLF001 (as above)
        self._members[leg] = member
        leg.joint = self
        self._tell_members()
        self._emit(MemberJoined, member=member)
        return member

    def remove(self, call: Call) -> None:
        """Let a call leave; it goes on with its own sound. One that is not there is ignored."""
        self._remove(self._leg_of(call))

    def get(self, call: Call) -> ConferenceMember | None:
        """Return the member that a call is, or None."""
        return self._members.get(self._leg_of(call))

    def info(self, entity: str, *, version: int = 0, subject: str = "") -> ConferenceInfo:
        """Return who is there, for subscribers of the event `conference` (RFC 4575).

        Args:
            entity: The conference's URI, as subscribers know it.
            version: To be one more in each document that they are told.
            subject: What it is about.
        """
        return roster(self.members.value, entity, version=version, subject=subject)

    def recording(
        self,
        path: str | PathLike[str],
        *,
        format: Literal["wav", "ogg"] | None = None,  # noqa: A002 (as others call it)
    ) -> RoomRecording:
        """Record all that is heard, 16 kHz, mono, into a WAV or Ogg Opus file while inside `async with`.

        The format goes by the name's end where none is given. Whispers are not in it.
        """
        return RoomRecording(self, self._media.sessions, path, format)

    def on(self, event: type[E], listener: Callable[[E], object]) -> ListenerHandle:
        """Call `listener` for each event of that class; as `Call.on`."""
        callback: Callable[[ConferenceEvent], object] = listener  # type: ignore[assignment]  # as registered
        return self._emitter.listeners.add(_class_of(event), callback, None)

    def events(
        self, *types: type[ConferenceEvent], max_waiting: int = 256
    ) -> EventSubscription[ConferenceEvent]:
        """Iterate over events of these classes, or all, from now on; ends with ConferenceEnded."""
        return self._emitter.subscribe(*map(_class_of, types), max_waiting=max_waiting)

    def handle_released(self, leg: MediaLeg) -> None:
        """Note that a member's call has ended."""
        self._remove(leg)

    def handle_engine_event(self, kind: int, number: float, text: str) -> None:
        """Take an event of the room; the engine's drain task calls it."""
        match kind:
            case EngineEventKind.ACTIVE_SPEAKER:
                self._note_speaker(int(number))
            case EngineEventKind.RECORDING_ENDED:
                pending = self._recordings.pop(int(number), None)
                if pending is not None:
                    pending.finish(text)
                if self._is_over and not self._recordings:
                    self._detach()
            case EngineEventKind.RECORDING_FAILED | EngineEventKind.RECORDING_BEHIND:
                self._tell_recording(kind, int(number), text)
            case EngineEventKind.FAILED:
                self._end(text)

    # For the other modules of this package, and for calls that join others.

    def _open(self) -> None:
        assert self._room is None, "a conference is entered once"
        self._room = self._media.sessions.open_room()
        self._media.attach(self._room, self)

    def _open_room(self) -> int:
        if self._room is None or self._is_over:
            raise EngineError("the conference is not open: use `async with` around it")
        return self._room

    def _change(self, member: ConferenceMember) -> None:
        assert self._room is not None, "it has members"
        leg = member.call._leg  # noqa: SLF001 (shared by the package)
        leg.sessions.set_member(self._room, leg.session, **member._settings)  # noqa: SLF001 (as above)

    def _expect(self, number: int) -> Pending:
        pending = self._recordings[number] = Pending()
        return pending

    def _remove(self, leg: MediaLeg) -> None:
        member = self._members.pop(leg, None)
        if member is None or self._room is None:
            return
        leg.joint = None
        self._media.sessions.remove_member(self._room, leg.session)
        for other in self._members.values():
            if other.whispers_to is member:
                with contextlib.suppress(EngineError):  # the room has failed, and nobody is heard
                    self._change(other)
        if self.active_speaker.value is member:
            assign(self.active_speaker, value=None)
            self._emit(ActiveSpeakerChanged, member=None)
        self._tell_members()
        self._emit(MemberLeft, member=member)

    def _note_speaker(self, session: int) -> None:
        found = (each for leg, each in self._members.items() if leg.session == session)
        member = next(found, None)
        if member is not self.active_speaker.value:
            assign(self.active_speaker, value=member)
            self._emit(ActiveSpeakerChanged, member=member)

    def _tell_recording(self, kind: int, number: int, text: str) -> None:
        """Take what a full or a slow disk has done to a recording."""
        recording = self._recordings.get(number)
        if recording is None:
            return
        path = recording.path
        if kind == EngineEventKind.RECORDING_FAILED:
            recording.error = text
            self._emit(ConferenceRecordingFailed, path=path, error=text)
        else:
            recording.lost_blocks = lost = int(text)
            self._emit(ConferenceRecordingBehind, path=path, lost_blocks=lost)

    def _tell_members(self) -> None:
        assign(self.members, value=frozenset(self._members.values()))

    def _emit(
        self,
        kind: type[ConferenceEvent],
        **payload: Any,  # noqa: ANN401 (the fields of that class)
    ) -> None:
        if self._emitter.wants(kind):
            self._emitter.emit(kind(at=trio.current_time(), conference=self, **payload))

    def _end(self, error: str) -> None:
        if self._room is None or self._is_over:
            return
        self._is_over = True  # first: what is told of who leaves must not bring anybody back
        for leg in tuple(self._members):
            self._remove(leg)
        self._media.sessions.close_room(self._room)
        if not self._recordings:
            self._detach()
        self._emitter.finish(ConferenceEnded(at=trio.current_time(), conference=self, error=error))

    @staticmethod
    def _leg_of(call: Call) -> MediaLeg:
        leg = getattr(call, "_leg", None)
        if not isinstance(leg, MediaLeg):
            raise InvalidArgumentsError(f"{call!r} is no call: give what dial or serve gave")
        return leg

    def _detach(self) -> None:
        with contextlib.suppress(KeyError):
            assert self._room is not None, "only what was opened ends"
            self._media.detach(self._room)


def _class_of(event: type[ConferenceEvent]) -> type[ConferenceEvent]:
    return event_class(event, ConferenceEvent, "trivox.MemberJoined")
