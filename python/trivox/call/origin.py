"""Where a call comes from and how it got here, as far as its headers tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trivox.sip.party import (
    ASSERTED,
    PRIVACY,
    AlertInfo,
    Diversion,
    HistoryEntry,
    Party,
    read_alert_info_untrusted,
    read_diversions_untrusted,
    read_history_untrusted,
    read_parties_untrusted,
    read_privacy_untrusted,
    values_untrusted,
)

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call.messages import Headers


@dataclass(frozen=True, slots=True)
class CallOrigin:
    """What the far end's first message tells of the call beside From and To.

    Attributes:
        asserted: Whom a trusted peer vouches for (P-Asserted-Identity, RFC 3325); empty from others.
        privacy: What that peer asks us to keep to ourselves (RFC 3323): "id", "user", …
        diversions: Who diverted the call, the latest first (Diversion, RFC 5806).
        history: The targets it has had (History-Info, RFC 7044).
        alert_info: How it asks to be rung (RFC 3261 §20.4, RFC 7462); never fetched.
        early_media: What a trusted network allows before the answer (P-Early-Media, RFC 5009):
            "sendrecv", "sendonly", "recvonly", "inactive", "supported", "gated"; empty for nothing.
    """

    asserted: tuple[Party, ...] = ()
    privacy: frozenset[str] = frozenset()
    diversions: tuple[Diversion, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    alert_info: tuple[AlertInfo, ...] = ()
    early_media: frozenset[str] = frozenset()


def origin_of(headers: Headers, *, is_trusted: bool) -> CallOrigin:
    """Read the headers of a request or response."""
    early = headers.all("P-Early-Media") if is_trusted else ()
    return CallOrigin(
        read_parties_untrusted(headers.all(ASSERTED)) if is_trusted else (),
        read_privacy_untrusted(headers.all(PRIVACY)) if is_trusted else frozenset(),
        read_diversions_untrusted(headers.all("Diversion")),
        read_history_untrusted(headers.all("History-Info")),
        read_alert_info_untrusted(headers.all("Alert-Info")),
        frozenset(word.strip().lower() for line in early for word in line.split(",")),
    )


def value_of_party(message: Message, value: str) -> str:
    """Return the name-addr of who sent a message: what a trusted peer asserts, else From or To.

    Args:
        message: Received from a trusted peer.
        value: Its From, or To of a response.
    """
    return next(values_untrusted(message.headers(ASSERTED)), value)
