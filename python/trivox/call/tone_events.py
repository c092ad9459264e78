"""Tones of networks and machines in a call's audio, and who has answered, told as events."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trivox.call.events import Event


class CallTone(StrEnum):
    """What a tone stands for."""

    DIAL = "dial"
    """A line that waits for digits."""
    RINGBACK = "ringback"
    """The far end rings."""
    BUSY = "busy"
    """The far end is busy, or has hung up where the network says so by a tone."""
    CONGESTION = "congestion"
    """The network has no way (reorder)."""
    SPECIAL_INFORMATION = "special-information"
    """Three rising tones before an announcement (SIT, ITU-T E.180)."""
    FAX_CALLING = "fax-calling"
    """A fax machine calls (CNG, ITU-T T.30)."""
    FAX_ANSWERING = "fax-answering"
    """A fax machine or modem answers (CED, ANSam)."""
    BEEP = "beep"
    """An answering machine begins to record."""


class Answerer(StrEnum):
    """Who has answered a call."""

    HUMAN = "human"
    MACHINE = "machine"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneDetected(Event):
    """A tone was recognised; once for as long as it goes on, a beep when it is over.

    `frequencies` are one or two, in Hz, the lower first.
    """

    tone: CallTone
    frequencies: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswererDetected(Event):
    """It is known who has answered, or that it will not be known; once a call.

    `cause` is "greeting" or "words" (too long for a person), "pause" (short, then silence),
    "silence" (nobody spoke), "limit", or the name of a tone. `greeting` is seconds, `words` how many.
    """

    answerer: Answerer
    cause: str
    greeting: float
    words: int


def read_tone(text: str) -> tuple[CallTone, tuple[float, ...]]:
    """Read what the engine says of a tone: its name and frequencies in Hz, 0 for none."""
    name, *frequencies = text.split()
    return CallTone(name), tuple(hz for hz in map(float, frequencies) if hz)


def read_answerer(text: str) -> tuple[Answerer, str, int]:
    """Read what the engine says of who has answered: who, why, and how many words."""
    who, cause, words = text.split()
    return Answerer(who), cause, int(words)
