"""What an endpoint counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EndpointStatistics:
    """What went through the sockets, and what did not."""

    flows: int
    """Live sockets and connections."""
    messages_out: int
    """Messages handed to a flow."""
    datagrams_dropped: int
    """Messages a UDP socket would not take."""
    datagrams_lost: int
    """Datagrams that came while a UDP socket's receive buffer was full, if the system says so."""
    messages_unroutable: int
    """Messages for a connection that was gone."""
    connections_refused: int
    """Accepted connections over the limits, closed at once."""
    targets_refused: int
    """Addresses the network named that the target filter refused."""
    core: dict[str, int]
    """The SIP core's own counters."""
