"""What a conference reports: one small frozen class for each kind of event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trivox.call.conference import Conference
    from trivox.call.conference_member import ConferenceMember


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceEvent:
    """What all events of a conference carry. `at` is the Trio clock, seconds."""

    at: float
    conference: Conference


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberJoined(ConferenceEvent):
    """A call was added."""

    member: ConferenceMember


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLeft(ConferenceEvent):
    """A call was removed, or has ended."""

    member: ConferenceMember


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveSpeakerChanged(ConferenceEvent):
    """Another member speaks most; None: nobody has spoken for a second."""

    member: ConferenceMember | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceRecordingFailed(ConferenceEvent):
    """A file takes nothing more, as `RecordingFailed` of a call."""

    path: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceRecordingBehind(ConferenceEvent):
    """The disk is too slow and some of the sound is lost, as `RecordingBehind` of a call."""

    path: str
    lost_blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceEnded(ConferenceEvent):
    """It was left, or the engine failed in it; `error` says how. Nothing follows."""

    error: str = ""
