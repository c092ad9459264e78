"""The media streams of a call as values to look at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, final


class StreamType(StrEnum):
    """What a stream carries."""

    AUDIO = "audio"


@final
@dataclass(frozen=True, slots=True)
class LocalStream:
    """A stream this end sends: a call's own audio, fed by `play` and `audio().send`."""

    id: str
    type: StreamType = StreamType.AUDIO
    source: Literal["local"] = "local"


@final
@dataclass(frozen=True, slots=True)
class RemoteStream:
    """A stream the far end sends."""

    id: str
    type: StreamType = StreamType.AUDIO
    source: Literal["remote"] = "remote"
