"""The servers of the fake engine: every one of them answers, all at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind
from trivox.testing.fake_core import FakeCore

if TYPE_CHECKING:
    from collections.abc import Sequence


_MOST_RELAYS: Final = 4


class FakeGathering(FakeCore):
    """The part of `FakeEngine` that gathers addresses."""

    _gathering: float

    def use_relays_only(self, session: int) -> None:
        """Refuse what the native engine refuses."""
        if self._session(session).has_local:
            raise EngineError("a session that has sockets cannot go by relays only any more")

    def answer_as_lite(self, session: int) -> None:
        """Refuse what the native engine refuses."""
        if self._session(session).has_local:
            raise EngineError("a session that has sockets cannot become a lite agent any more")

    def negotiate_rtcp_mux(self, session: int) -> None:
        """Refuse what the native engine refuses."""
        if self._session(session).has_local:
            raise EngineError("a session that has sockets offers what they are for")

    def gather(
        self,
        session: int,
        *,
        relays: Sequence[tuple[str, str, int, str, str, str, str]],
        stun: Sequence[tuple[str, int]],
        is_offer: bool,
        limit: float,
        trusted: Sequence[bytes] = (),
    ) -> None:
        """Tell that every relay gave an address."""
        del stun, is_offer, limit
        ways = {relay[5] for relay in relays}
        if not ways <= {"udp", "tcp", "tls"} or ("tls" in ways and not trusted):
            raise InvalidArgumentsError("a way to a relay is udp, tcp or tls with authorities")
        if self._session(session).transport != "ice":
            raise EngineError("addresses are gathered for sessions with ICE only")
        if len(relays) > _MOST_RELAYS:
            raise InvalidArgumentsError(f"a call uses {_MOST_RELAYS} relays at most")
        own = self._session(session)
        if self._gathering:
            own.is_gathering = True
            self._at(self._now + self._gathering, lambda: self._gathered(session, len(relays)))
        else:
            self._gathered(session, len(relays))

    def gather_lines(self, session: int) -> bool:
        """Tell whether servers are being asked; lines share a path here."""
        return self._session(session).is_gathering

    def _gathered(self, session: int, relays: int) -> None:
        own = self._sessions.get(session)
        if own is None:
            return
        own.is_gathering = False
        if own.trickles:
            for _ in range(relays):
                self._emit(session, EngineEventKind.LOCAL_CANDIDATES, 0.0, "")
        self._emit(session, EngineEventKind.GATHERED, 0.0, f"{relays} ")
