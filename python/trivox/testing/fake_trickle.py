"""Candidates of the fake engine's sessions that travel apart from descriptions."""

from __future__ import annotations

from typing import Final

from trivox.errors import MediaNegotiationError
from trivox.testing.fake_core import FakeCore

_UFRAG: Final = "a=ice-ufrag:"


class FakeTrickle(FakeCore):
    """The part of `FakeEngine` that exchanges fragments."""

    def trickle(self, session: int, *, is_gathering: bool) -> None:
        """Note that the far end takes fragments."""
        own = self._session(session)
        own.trickles, own.is_gathering = True, is_gathering

    def fragment(self, session: int) -> str:
        """Return the one candidate there is, until its end was told."""
        own = self._session(session)
        if own.transport != "ice" or own.told_end == own.ufrag:
            return ""
        own.note_told()
        end = "" if own.is_gathering else "a=end-of-candidates\r\n"
        return (
            f"m=audio 9 RTP/AVP 0\r\na=mid:0\r\n{_UFRAG}{own.ufrag}\r\na=ice-pwd:{'p' * 24}\r\n"
            f"a=candidate:1 1 udp 2130706431 10.0.0.1 {own.port} typ host\r\n{end}"
        )

    def take_fragment_untrusted(self, session: int, text: str) -> str:
        """Tell whose candidates these are."""
        own = self._session(session)
        found = ufrag_in(text)
        if not found:
            raise MediaNegotiationError("the fragment has no ICE credentials")
        if own.remote_ufrags[-1:] == [found]:
            own.fragments.append(text)
            return "taken"
        return "old" if found in own.remote_ufrags else "unknown"


def ufrag_in(sdp: str) -> str:
    """Return the user name fragment of a description; empty without one."""
    lines = (line for line in sdp.splitlines() if line.startswith(_UFRAG))
    return next(lines, "").removeprefix(_UFRAG)
