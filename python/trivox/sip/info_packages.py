"""Packages that INFO requests carry (RFC 6086), and the one of ICE candidates (RFC 8840)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.sip.header_values import without_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox.sip.outputs import Headers

TRICKLE: Final = "trickle-ice"
"""Candidates that were not known when the description was sent."""
FRAGMENT: Final = "application/trickle-ice-sdpfrag"
"""The body of its requests."""
RECV_INFO: Final = "Recv-Info"
TAKES_TRICKLE: Final[Headers] = ((RECV_INFO, TRICKLE),)
"""Goes into an INVITE, its responses, and the refusal of another package."""
REQUIRES_TRICKLE: Final[Headers] = (("Require", TRICKLE),)
"""Goes into an INVITE whose offer lacks candidates (RFC 8840 §5.2)."""
FRAGMENT_HEADERS: Final[Headers] = (
    ("Info-Package", TRICKLE),
    ("Content-Disposition", "Info-Package"),
)
"""Of a request of ours (RFC 8840 §4.4)."""


def packages_untrusted(values: Iterable[str]) -> frozenset[str]:
    """Return the names in Recv-Info or Info-Package lines, in lower case."""
    parts = (without_parameters(part) for value in values for part in value.split(","))
    return frozenset(part for part in parts if part)
