"""What this user agent understands, as it tells others (RFC 3261 §20.5, §20.37)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.sip.refer import EXPLICITSUB, NOSUB

if TYPE_CHECKING:
    from trivox._native import Message

ALLOWED: Final = (
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, PRACK, UPDATE, REFER, NOTIFY, SUBSCRIBE"
)
ALLOW: Final = ("Allow", ALLOWED)
OPTION_TAGS: Final = (
    *("100rel", "timer", "replaces", "norefersub", "from-change", "ice", "join", "trickle-ice"),
    "tdialog",
)
"""Extensions a far end may require: RFC 3262, RFC 4028, RFC 3891, RFC 4488, RFC 4916, RFC 5768, RFC 3911, RFC 8840,
RFC 4538."""
SUPPORTED: Final = ("Supported", ", ".join(OPTION_TAGS))
_UNDERSTOOD: Final = frozenset(OPTION_TAGS)
_IN_REFER: Final = frozenset({*OPTION_TAGS, NOSUB, EXPLICITSUB})
"""Those two make sense in the Require of a REFER only (RFC 7614 §6)."""


def required_but_unknown(request: Message) -> tuple[str, ...]:
    """Return the option tags of Require that we do not know: to be answered 420 (§8.2.2.3)."""
    required = request.values("Require")
    if not required:
        return ()
    understood = _IN_REFER if request.method == "REFER" else _UNDERSTOOD
    return tuple(tag for tag in required if tag.lower() not in understood)
