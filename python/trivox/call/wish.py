"""What this end wants of a call's media, and the changes a program can ask of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias, final

from trivox.actor.receipt import OpenReceipt
from trivox.errors import (
    CallNotOnHoldError,
    CallOnHoldError,
    InactiveStreamError,
    StreamAlreadySendingError,
    StreamNotSendingError,
    StreamTypeMismatchError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.call.local_audio import LocalAudio
    from trivox.call.streams import LocalStream
    from trivox.media.sources import AudioSource
    from trivox.sip.identity import LocalIdentity


Asked: TypeAlias = tuple[str, frozenset[str]]


@final
@dataclass(frozen=True, slots=True)
class MediaWish:
    """What is sent, whether it is heard, and whether it is held."""

    streams: frozenset[LocalStream]
    receives: bool = True
    """Whether the far end's audio is wanted at all."""
    is_held: bool = False
    has_music: bool = False
    ice_restarts: int = 0
    """How many times ICE was to begin anew."""
    data_lines: int = 0
    """How many times a line for data channels was to be offered."""

    @property
    def direction(self) -> str:
        """The direction attribute that says so; a held party hears music or silence (RFC 3264 §8.4)."""
        sends = self.has_music or any(not stream.is_video for stream in self.streams)
        if self.is_held or not self.receives:
            return "sendonly" if sends else "inactive"
        return "sendrecv" if sends else "recvonly"

    @property
    def asked(self) -> Asked:
        """What the far end has to be asked for: the direction of audio, and each line beside it."""
        lines = frozenset(stream.id for stream in self.streams if stream.is_video)
        if self.data_lines:
            lines |= {f"data {self.data_lines}"}
        return self.direction, lines


@final
@dataclass(frozen=True, slots=True)
class Introduction:
    """Who is to be told of: From, or empty where it stays, and what a trusted peer is told."""

    party: str
    identity: LocalIdentity


class Change(Protocol):
    """One thing asked of a call's media."""

    receipt: OpenReceipt[None]

    @property
    def is_alone(self) -> bool:
        """Whether it goes into an offer of its own."""
        ...

    @property
    def mends_path(self) -> bool:
        """Whether it goes before others, also while the media have no path."""
        ...

    def check(self, wish: MediaWish) -> None:
        """Raise what forbids it, where the wish is so far."""
        ...

    def prepare(self, audio: LocalAudio) -> None:
        """Open what it needs. Raises EngineError."""
        ...

    def apply(self, wish: MediaWish) -> MediaWish:
        """Return the wish with it."""
        ...

    def discard(self, audio: LocalAudio) -> None:
        """Close what it needed: it did not come about."""
        ...


@final
class Hold:
    """Put the far end on hold, with music or without."""

    is_alone = True
    mends_path = False

    def __init__(self, call_id: str, music: AudioSource | None) -> None:
        self.receipt: OpenReceipt[None] = OpenReceipt()
        self._call_id = call_id
        self._music = music

    def check(self, wish: MediaWish) -> None:
        """Refuse a second hold."""
        refuse_on_hold(wish, self._call_id)

    def prepare(self, audio: LocalAudio) -> None:
        """Open the music."""
        if self._music is not None:
            audio.open_music(self._music)

    def apply(self, wish: MediaWish) -> MediaWish:
        """Return the wish on hold."""
        return replace(wish, is_held=True, has_music=self._music is not None)

    def discard(self, audio: LocalAudio) -> None:
        """Close the music."""
        audio.close_music()


@final
class Resume:
    """Take the far end off hold."""

    is_alone = True
    mends_path = False

    def __init__(self, call_id: str) -> None:
        self.receipt: OpenReceipt[None] = OpenReceipt()
        self._call_id = call_id

    def check(self, wish: MediaWish) -> None:
        """Refuse what is not on hold."""
        if not wish.is_held:
            raise CallNotOnHoldError("the call is not on hold", call_id=self._call_id)

    def prepare(self, audio: LocalAudio) -> None:
        """Need nothing."""

    def apply(self, wish: MediaWish) -> MediaWish:
        """Return the wish off hold."""
        return replace(wish, is_held=False, has_music=False)

    def discard(self, audio: LocalAudio) -> None:
        """Need nothing."""


@final
class Add:
    """Send a stream too."""

    is_alone = False
    mends_path = False

    def __init__(self, call_id: str, stream: LocalStream, *, is_of_screen: bool = False) -> None:
        self.receipt: OpenReceipt[None] = OpenReceipt()
        self._call_id = call_id
        self._stream = stream
        self._is_of_screen = is_of_screen

    @property
    def stream(self) -> LocalStream:
        """What is to be sent too."""
        return self._stream

    def check(self, wish: MediaWish) -> None:
        """Refuse a stream that cannot be added."""
        if not self._is_of_screen:
            refuse_screen(self._stream, self._call_id)
        refuse_on_hold(wish, self._call_id)
        refuse_unsendable(self._stream, wish, self._call_id)

    def prepare(self, audio: LocalAudio) -> None:
        """Begin to play it, unheard until it is agreed on."""
        audio.open(self._stream)

    def apply(self, wish: MediaWish) -> MediaWish:
        """Return the wish with the stream."""
        return replace(wish, streams=wish.streams | {self._stream})

    def discard(self, audio: LocalAudio) -> None:
        """Stop playing it."""
        audio.close(self._stream)


@final
class Remove:
    """Send a stream no longer."""

    is_alone = False
    mends_path = False

    def __init__(self, call_id: str, stream: LocalStream, *, is_closed: bool = False) -> None:
        self.receipt: OpenReceipt[None] = OpenReceipt()
        self._call_id = call_id
        self._stream = stream
        self._is_closed = is_closed

    def check(self, wish: MediaWish) -> None:
        """Refuse a stream that is not sent; a closed one goes in any case."""
        if not self._is_closed:
            refuse_on_hold(wish, self._call_id)
            refuse_unsent(self._stream, wish, self._call_id)

    def prepare(self, audio: LocalAudio) -> None:
        """Take video out of the next offer."""
        audio.retire(self._stream)

    def apply(self, wish: MediaWish) -> MediaWish:
        """Return the wish without the stream."""
        return replace(wish, streams=wish.streams - {self._stream})

    def discard(self, audio: LocalAudio) -> None:
        """Go on sending it."""
        audio.go_on(self._stream)


@final
class RestartIce:
    """Look for a media path anew; what flows goes on meanwhile."""

    is_alone = True
    mends_path = True

    def __init__(self) -> None:
        self.receipt: OpenReceipt[None] = OpenReceipt()

    def check(self, wish: MediaWish) -> None:
        """Refuse nothing."""

    def prepare(self, audio: LocalAudio) -> None:
        """Need nothing."""

    def apply(self, wish: MediaWish) -> MediaWish:
        """Return the wish with another generation of ICE."""
        return replace(wish, ice_restarts=wish.ice_restarts + 1)

    def discard(self, audio: LocalAudio) -> None:
        """Need nothing."""


@final
class OfferData:
    """Offer a line for the data channels that wait for one; the engine knows which those are."""

    is_alone = False
    mends_path = False

    def __init__(self, note: Callable[[bool], None]) -> None:
        self.receipt: OpenReceipt[None] = OpenReceipt()
        self._note = note

    def check(self, wish: MediaWish) -> None:
        """Refuse nothing."""

    def prepare(self, audio: LocalAudio) -> None:
        """Note that the next offer has the line."""
        del audio
        self._note(True)  # noqa: FBT003 (what is noted)

    def apply(self, wish: MediaWish) -> MediaWish:
        """Return the wish with another offer of the line."""
        return replace(wish, data_lines=wish.data_lines + 1)

    def discard(self, audio: LocalAudio) -> None:
        """Note that nothing came of it."""
        del audio
        self._note(False)  # noqa: FBT003 (as above)


@final
class Introduce:
    """Say who is here from now on; the media stay as they are."""

    is_alone = True
    mends_path = False

    def __init__(self, introduction: Introduction) -> None:
        self.receipt: OpenReceipt[None] = OpenReceipt()
        self.introduction = introduction

    def check(self, wish: MediaWish) -> None:
        """Refuse nothing."""

    def prepare(self, audio: LocalAudio) -> None:
        """Need nothing."""

    def apply(self, wish: MediaWish) -> MediaWish:
        """Return the wish."""
        return wish

    def discard(self, audio: LocalAudio) -> None:
        """Need nothing."""


@final
class Catch:
    """Change nothing: tell the far end what changed while it could not be told."""

    is_alone = False
    mends_path = False

    def __init__(self) -> None:
        self.receipt: OpenReceipt[None] = OpenReceipt()

    def check(self, wish: MediaWish) -> None:
        """Refuse nothing."""

    def prepare(self, audio: LocalAudio) -> None:
        """Need nothing."""

    def apply(self, wish: MediaWish) -> MediaWish:
        """Return the wish."""
        return wish

    def discard(self, audio: LocalAudio) -> None:
        """Need nothing."""


def refuse_on_hold(wish: MediaWish, call_id: str) -> None:
    """Raise CallOnHoldError while the far end is held."""
    if wish.is_held:
        raise CallOnHoldError("the call is on hold", call_id=call_id)


def refuse_screen(stream: LocalStream, call_id: str) -> None:
    """Raise StreamTypeMismatchError for a stream of a screen."""
    if stream.is_of_screen:
        raise StreamTypeMismatchError(
            f"{stream.id} is a {stream.type} stream: share it with start_screen_sharing()",
            call_id=call_id,
        )


def refuse_unsendable(stream: LocalStream, wish: MediaWish, call_id: str) -> None:
    """Raise for a stream that is closed, or sent already."""
    if not stream._is_sendable:  # noqa: SLF001 (shared by the package)
        raise InactiveStreamError(f"{stream.id} is closed", call_id=call_id)
    if stream in wish.streams:
        raise StreamAlreadySendingError(f"{stream.id} is being sent already", call_id=call_id)


def refuse_unsent(stream: LocalStream, wish: MediaWish, call_id: str) -> None:
    """Raise StreamNotSendingError for a stream that is not sent."""
    if stream not in wish.streams:
        raise StreamNotSendingError(f"{stream.id} is not being sent in this call", call_id=call_id)
