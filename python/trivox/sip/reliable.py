"""Provisional responses sent and taken reliably, each acknowledged by a PRACK (RFC 3262)."""

from __future__ import annotations

import re
import zlib
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

from trivox.errors import NotSupportedError
from trivox.sip.bodies import description_of, is_description
from trivox.sip.capabilities import OPTION_TAGS, SUPPORTED
from trivox.sip.offer_answer import OfferAnswer, OfferEvent, OfferState
from trivox.sip.table import Go, Ignored, Table

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.sip.invite_leg import Given
    from trivox.sip.outputs import Headers

TAG: Final = "100rel"
_MOST_WAITING: Final = 16
"""Responses of ours that wait for the PRACK of one before; the oldest gives way."""
_MOST_GAPS: Final = 8
"""Responses of theirs kept until the one before them is here (RFC 3262 §4 allows it)."""
_RACK: Final = re.compile(r"\s*([0-9]{1,10})\s+([0-9]{1,10})\s+INVITE\s*")
_SERIAL: Final = re.compile(r"\s*([0-9]{1,10})\s*")


class Reliability(StrEnum):
    """Whether provisional responses are to be sent reliably."""

    NEVER = "never"
    """Not offered and not used, unless the far end requires it."""
    SUPPORTED = "supported"
    """Offered; used for responses that carry a description, where the far end supports it."""
    REQUIRED = "required"
    """Required of the far end, and used for every one."""

    def wants(self, request: Message, wish: bool | None, *, has_body: bool) -> bool:  # noqa: FBT001
        """Return whether a response to an INVITE is sent reliably; `wish`: the program's, if any.

        Raises:
            NotSupportedError: It is wished, and the far end does not know the extension.
        """
        is_known, is_required = takes_reliable(request)
        if wish and not is_known:
            raise NotSupportedError("the far end knows no reliable provisional responses (100rel)")
        if wish is None and self is not Reliability.NEVER:
            wish = is_known and (has_body or self is Reliability.REQUIRED)
        return bool(wish) or is_required


# Ours


class SenderState(StrEnum):
    """Where the sending of reliable responses stands."""

    IDLE = "idle"
    AWAITING_PRACK = "awaiting_prack"
    """One is out: the next ones wait."""


class SenderEvent(StrEnum):
    """What can happen to it."""

    PROVISIONAL = "provisional"
    """One to be sent once."""
    RELIABLE = "reliable"
    """One to be sent until its PRACK is here."""
    ACCEPT = "accept"
    PRACK = "prack"


class SenderAction(StrEnum):
    """What is done with it."""

    SEND = "send"
    QUEUE = "queue"


S, E, A = SenderState, SenderEvent, SenderAction

# RFC 3262 §3. A 2xx waits only while a description is not acknowledged; so it is asked for apart.
SENDER_TABLE: Final[Table[SenderState, SenderEvent, SenderAction]] = {
    S.IDLE: {
        E.PROVISIONAL: Go(S.IDLE, (A.SEND,)),
        E.RELIABLE: Go(S.AWAITING_PRACK, (A.SEND,)),
        E.ACCEPT: Go(S.IDLE, (A.SEND,)),
    },
    S.AWAITING_PRACK: {
        E.PROVISIONAL: Go(S.AWAITING_PRACK, (A.QUEUE,)),
        E.RELIABLE: Go(S.AWAITING_PRACK, (A.QUEUE,)),
        E.ACCEPT: Go(S.AWAITING_PRACK, (A.QUEUE,)),
        E.PRACK: Go(S.IDLE),
    },
}

SENDER_IGNORED: Final[Ignored[SenderEvent, SenderState]] = {
    "RFC 3262 §3: a PRACK that matches no response is answered 481": {
        E.PRACK: frozenset({S.IDLE}),
    },
}


@final
class ReliableSender:
    """Number our reliable responses and send them one after the other.

    A part of `InviteSession`. What it gives back is to be sent now; the rest waits inside until
    `acknowledge` brings it out. The core repeats what is out.
    """

    __slots__ = ("_has_description", "_serial", "_waiting", "is_acknowledged", "state")

    def __init__(self, seed: str) -> None:
        self.state = SenderState.IDLE
        # RFC 3262 §3: the first number is chosen at random between 1 and 2^31 - 1.
        self._serial = zlib.crc32(seed.encode("utf-8", "surrogateescape")) % (2**31 - 2) + 1
        self._waiting: deque[Given] = deque(maxlen=_MOST_WAITING)
        self._has_description = False
        self.is_acknowledged = False
        """Whether a PRACK has come."""

    def provisional(self, given: Given) -> bool:
        """Take one of ours; True: send it now."""
        return self._step(E.RELIABLE if given.is_reliable else E.PROVISIONAL, given)

    def accept(self, given: Given) -> bool:
        """Take our 2xx; True: send it now.

        It waits for the PRACK of a response that holds a description, and then goes before all
        that waits; provisional responses have no sense after it.
        """
        if not self._has_description:
            self._waiting.clear()
            return True
        return self._step(E.ACCEPT, given)

    def headers(self) -> Headers:
        """Return the headers of the response that goes out now."""
        return (("Require", TAG), ("RSeq", str(self._serial)))

    def acknowledge(self, prack: Message, cseq: int) -> bool:
        """Take a PRACK; False: it is for none of ours, and answered 481."""
        found = _RACK.fullmatch(prack.header("RAck") or "")
        expected = (self._serial, cseq)
        is_ours = found is not None and (int(found[1]), int(found[2])) == expected
        if not is_ours or self.state is S.IDLE:
            return False
        self.state = SENDER_TABLE[self.state][E.PRACK].state
        self._serial += 1
        self._has_description = False
        self.is_acknowledged = True
        return True

    @property
    def is_ready(self) -> bool:
        """Whether something has waited and may be sent now."""
        return self.state is S.IDLE and bool(self._waiting)

    def next(self) -> Given | None:
        """Return what has waited and may be sent now; None when nothing may."""
        if not self.is_ready:
            return None
        given = self._waiting.popleft()
        self._step(E.RELIABLE if given.is_reliable else E.PROVISIONAL, given)
        return given

    def _step(self, event: SenderEvent, given: Given) -> bool:
        go = SENDER_TABLE[self.state][event]
        if A.QUEUE in go.actions:
            if event is E.ACCEPT:
                self._waiting.clear()
            self._waiting.append(given)
            return False
        self.state = go.state
        if event is E.RELIABLE:
            self._has_description = is_description(given.body, given.content_type)
        return True


# Theirs


@final
@dataclass(slots=True, repr=False)
class EarlyExchange:
    """What is agreed in one early dialog of our INVITE, by responses sent reliably."""

    offer_answer: OfferAnswer
    serial: int = 0
    """RSeq of the last one taken; 0 before the first."""
    gaps: dict[int, Message] = field(default_factory=dict)
    """Responses that came before one that is still missing."""
    prack_awaited: int = 0
    """RSeq of a response whose offer we still have to answer in its PRACK; 0 for none."""
    description: bytes = b""
    """The answer they gave, which stands for the one of the 2xx."""
    is_agreed: bool = False
    """Whether offer and answer were complete before the 2xx."""

    @classmethod
    def after(cls, state: OfferState) -> EarlyExchange:
        """Begin where the INVITE has left it."""
        return cls(OfferAnswer(state))

    def arrange(self, message: Message, serial: int) -> list[Message]:
        """Take a response and return those whose turn it is, in order (RFC 3262 §4)."""
        if self.serial and serial != self.serial + 1:
            if serial > self.serial and len(self.gaps) < _MOST_GAPS:
                self.gaps[serial] = message
            return []
        ready = [message]
        self.serial = serial
        while (following := self.gaps.pop(self.serial + 1, None)) is not None:
            self.serial += 1
            ready.append(following)
        return ready

    def take(self, message: Message) -> bool:
        """Take a description in its turn; True: it is an offer that our PRACK answers."""
        body = description_of(message)
        if not body:
            return False
        was_awaited = self.offer_answer.state is OfferState.OFFER_AWAITED
        if self.offer_answer.state is OfferState.LOCAL_OFFER:
            self.description, self.is_agreed = body, True
        self.offer_answer.step(OfferEvent.RECEIVED_2XX_SDP)
        return was_awaited


def invite_headers(policy: Reliability) -> Headers:
    """Return what our INVITE says of extensions: what we support, and what we require."""
    if policy is Reliability.NEVER:
        tags = ", ".join(tag for tag in OPTION_TAGS if tag != TAG)
        return (("Supported", tags),)
    if policy is Reliability.REQUIRED:
        return (SUPPORTED, ("Require", TAG))
    return (SUPPORTED,)


def serial_untrusted(message: Message) -> int | None:
    """Return the RSeq of a provisional response that is to be acknowledged; None for others."""
    found = _SERIAL.fullmatch(message.header("RSeq") or "")
    if found is None or not any(tag.lower() == TAG for tag in message.values("Require")):
        return None
    serial = int(found[1])
    return serial if 0 < serial < 2**32 else None


def takes_reliable(message: Message) -> tuple[bool, bool]:
    """Return whether the sender supports, and whether it requires, reliable responses."""
    is_required = any(tag.lower() == TAG for tag in message.values("Require"))
    is_supported = any(tag.lower() == TAG for tag in message.values("Supported"))
    return is_supported or is_required, is_required
