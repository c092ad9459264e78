"""Messages on the wire, sorted by Call-ID, for those clients that keep them."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, final

from trivox.call.trace import TraceRecord

if TYPE_CHECKING:
    from trivox.net.tracing import TraceHook
    from trivox.net.transport import Address

_CALL_ID: Final = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_MOST_CALLS: Final = 4096
_MOST_MESSAGES: Final = 256


@final
class Tracer:
    """Keeps the last messages of the last calls, and passes every message on to a hook."""

    def __init__(self, hook: TraceHook | None) -> None:
        self._hook = hook
        self._kept: OrderedDict[str, deque[TraceRecord]] = OrderedDict()

    def records(self, call_id: str) -> deque[TraceRecord]:
        """Return the messages of a Call-ID; they go on being added while it is known here."""
        records = self._kept.get(call_id)
        if records is None:
            records = self._kept[call_id] = deque(maxlen=_MOST_MESSAGES)
            if len(self._kept) > _MOST_CALLS:
                self._kept.popitem(last=False)
        return records

    def __call__(
        self, at: float, direction: str, flow: int, local: Address, remote: Address, data: bytes
    ) -> None:
        """Take one message from the endpoint."""
        found = _CALL_ID.search(data)
        if found is not None:
            record = TraceRecord(at, direction, flow, local, remote, data)
            self.records(found[1].decode(errors="surrogateescape")).append(record)
        if self._hook is not None:
            self._hook(at, direction, flow, local, remote, data)
