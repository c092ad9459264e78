"""The embedded switchboard: registrar, forking proxy and page server."""

from trivox.switchboard.board import (
    BoardAccount,
    Switchboard,
    SwitchboardManager,
    SwitchboardStatistics,
    open_switchboard,
)

__all__ = [
    "BoardAccount",
    "Switchboard",
    "SwitchboardManager",
    "SwitchboardStatistics",
    "open_switchboard",
]
