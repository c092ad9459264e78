"""Which call the running code is about: bound for a program's code, and told with our log records."""

from __future__ import annotations

from contextvars import Context, ContextVar
from typing import Final

call_id: Final[ContextVar[str]] = ContextVar("trivox.call_id", default="")
"""The id of the call that this code runs for: `trivox.call_id.get()`, "" where there is none.

Bound in the handlers of `serve`, and in the listeners of a call unless they are `concurrent`. Tasks
started there inherit it. Every log record of trivox has it as `record.call_id`, so that
`%(call_id)s` works in a format for the logger "trivox".
"""


def bound(context: Context, call: str) -> Context:
    """Return a copy of a context in which `call_id` is that of a call."""
    copy = context.copy()
    copy.run(call_id.set, call)
    return copy


def log_fields(call: str | None = None) -> dict[str, str]:
    """Return the `extra` of a log record: about a call, or about the one bound here."""
    return {"call_id": call_id.get() if call is None else call}
