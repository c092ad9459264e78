"""What a REFER says and what is told of it: Refer-To, sipfrag (RFC 3515, 3420, 4488, 7614)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final
from urllib.parse import quote, unquote

from trivox._native import NameAddr, Uri
from trivox.errors import ParseError
from trivox.sip.replaces import DialogName

if TYPE_CHECKING:
    from trivox._native import Message

SIPFRAG: Final = "message/sipfrag"
NOSUB: Final = "nosub"
"""Nothing is to be told of this REFER (RFC 7614 §5)."""
EXPLICITSUB: Final = "explicitsub"
"""Who sends this REFER subscribes by itself to what is told of it (RFC 7614 §4)."""
REFER_EVENTS_AT: Final = "Refer-Events-At"
_STATUS_LINE: Final = re.compile(rb"\s{0,8}SIP/2\.0 +([1-6][0-9]{2})(?: +([^\r\n]{0,256}))?")
_SCHEMES: Final = frozenset({"sip", "sips"})


@final
@dataclass(frozen=True, slots=True)
class ReferTo:
    """Where a REFER wants a call placed.

    Attributes:
        uri: The target, without the headers and the method it came with.
        method: What is to be sent there; a call can be referred by INVITE only.
        replaces: The dialog at the target that the new call takes over (RFC 3891), or None. Any
            other header of the URI is passed over: it is the sender's, not ours (RFC 3261 §19.1.5).
        referred_by: The URI of Referred-By (RFC 3892), or None.
        wants_notifications: False with `Refer-Sub: false` (RFC 4488 §4) or `nosub` (RFC 7614 §5).
        is_explicit: The sender subscribes by itself, `explicitsub` (RFC 7614 §4): to what is told
            in any case, as Refer-Sub is about the subscription that a REFER makes.
    """

    uri: str
    method: str
    replaces: DialogName | None
    referred_by: str | None
    wants_notifications: bool
    is_explicit: bool = False


def read_refer_untrusted(request: Message) -> ReferTo:
    """Read a REFER.

    Raises:
        ParseError: It has not exactly one Refer-To, or one that is no SIP URI (RFC 3515 §2.4.2), or
            requires both `nosub` and `explicitsub`: to be answered 400.
    """
    values = request.headers("Refer-To")
    if len(values) != 1:
        raise ParseError("a REFER has one Refer-To")
    text = NameAddr.parse(values[0]).uri
    uri = Uri.parse(text)
    if uri.scheme not in _SCHEMES:
        raise ParseError(f"a call cannot be referred to {uri.scheme}:")
    headers = uri.headers
    base = text[: -len(headers) - 1] if headers else text
    parts = [part for part in base.split(";") if not part.lower().startswith("method=")]
    sub = request.header("Refer-Sub") or "true"
    required = {tag.lower() for tag in request.values("Require")}
    is_explicit = EXPLICITSUB in required
    if is_explicit and NOSUB in required:
        raise ParseError("a REFER makes no subscription or has one made, not both")
    is_silent = sub.strip().lower().startswith("false") or NOSUB in required
    return ReferTo(
        ";".join(parts),
        uri.parameters.get("method") or "INVITE",
        _replaces_untrusted(headers),
        _referrer_untrusted(request),
        not is_silent,
        is_explicit,
    )


def _replaces_untrusted(headers: str) -> DialogName | None:
    values = []
    for field in headers.split("&"):
        name, _, value = field.partition("=")
        if name.lower() == "replaces":
            values.append(unquote(value, errors="surrogateescape"))
    if len(values) > 1:
        raise ParseError("Replaces stands twice in Refer-To")
    return DialogName.parse_untrusted(values[0]) if values else None


def _referrer_untrusted(request: Message) -> str | None:
    value = request.header("Referred-By")
    return NameAddr.parse(value).uri if value else None


def events_at_untrusted(value: str) -> str | None:
    """Return where Refer-Events-At says that a REFER is told of; None if no SUBSCRIBE goes there.

    One URI in angle brackets, `sip` or `sips` (RFC 7614 §4.8), and no headers, which no request is
    sent to (RFC 3261 §19.1.1).
    """
    try:
        text = NameAddr.parse(value).uri
        uri = Uri.parse(text)
    except ParseError:
        return None
    return text if uri.scheme in _SCHEMES and not uri.headers else None


def is_gruu_untrusted(uri: str) -> bool:
    """Whether a Contact reaches just this device also out of its dialogs (RFC 5627 §3.1)."""
    try:
        return "gr" in Uri.parse(uri).parameters
    except ParseError:
        return False


def refer_to(uri: str, replaces: DialogName | None = None) -> str:
    """Return the value of Refer-To, with the dialog a new call is to replace (RFC 5589 §7)."""
    if replaces is None:
        return f"<{uri}>"
    # A Call-ID may hold any octets.
    escaped = quote(str(replaces), safe="", errors="surrogateescape")
    mark = "&" if Uri.parse(uri).headers else "?"
    return f"<{uri}{mark}Replaces={escaped}>"


def sipfrag(status: int, reason: str) -> bytes:
    """Return the body that tells how a referred call goes (RFC 3515 §2.4.5)."""
    return f"SIP/2.0 {status} {reason}\r\n".encode("utf-8", "replace")


def read_sipfrag_untrusted(body: bytes) -> tuple[int, str] | None:
    """Return (status, phrase) of a fragment; None for one without a status line."""
    found = _STATUS_LINE.match(body)
    if found is None:
        return None
    return int(found[1]), (found[2] or b"").decode(errors="replace").strip()
