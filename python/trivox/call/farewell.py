"""The last words of a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trivox.call.settings import RejectMode

if TYPE_CHECKING:
    from trivox.sip.outputs import Headers


@dataclass(slots=True)
class Farewell:
    """What an ending call tells the far end: a status where an INVITE waits, headers, a reason."""

    status: int = int(RejectMode.DECLINE)
    headers: Headers = ()
    reason: str = ""
