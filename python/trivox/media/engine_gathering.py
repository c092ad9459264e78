"""How a session finds addresses that far ends can reach, as the engine takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class GatheringSessions(Protocol):
    """Sessions that can ask STUN servers and relays for addresses."""

    def use_relays_only(self, session: int) -> None:
        """Send and receive by relays only, and tell no address of ours; before any description.

        Raises EngineError once the session has sockets.
        """
        ...

    def answer_as_lite(self, session: int) -> None:
        """Answer an offer by ICE as a lite agent; before any description.

        Raises EngineError once the session has sockets.
        """
        ...

    def negotiate_rtcp_mux(self, session: int) -> None:
        """Offer RTCP a component of its own beside rtcp-mux, over ICE; before any description.

        Raises EngineError once the session has sockets.
        """
        ...

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
        """Begin to gather; GATHERED ends it, after `limit` seconds at the latest.

        Relays are (name, IP address, port, user name, password, way, name in its certificate), the
        way "udp", "tcp" or "tls"; those in use are kept. Of `stun`, (IP address, port), the first
        of each family is asked. `trusted` are certificates in DER that relays over TLS are proved
        by. Raises EngineError without ICE, InvalidArgumentsError for too many relays, an unknown
        way, and TLS without a certificate that could prove it.
        """
        ...

    def gather_lines(self, session: int) -> bool:
        """Ask the same servers for lines that the next description gives a path of their own.

        Whether anything is being asked: GATHERED ends it.
        """
        ...

    def trickle(self, session: int, *, is_gathering: bool) -> None:
        """Note that the far end takes candidates after a description (RFC 8838).

        LOCAL_CANDIDATES tells of those no description has had. With `is_gathering`, descriptions
        do not end the candidates before the next GATHERED.
        """
        ...

    def fragment(self, session: int) -> str:
        """Return all candidates so far as RFC 8840 has them; empty once their end was told."""
        ...

    def take_fragment_untrusted(self, session: int, text: str) -> str:
        """Take candidates of the far end.

        Returns "taken"; "old" for those of a description that another has replaced; "unknown" for
        those whose description is not here. Raises MediaNegotiationError for what is no fragment.
        """
        ...
