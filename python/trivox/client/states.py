"""The states of a client."""

from __future__ import annotations

from enum import StrEnum


class ClientState(StrEnum):
    """Where a client is in its life."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    DISCONNECTING = "disconnecting"
