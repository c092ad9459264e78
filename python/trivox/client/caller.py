"""As whom a call is placed: what stands in From, and what only a trusted peer is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trivox.sip.identity import LocalIdentity
from trivox.sip.party import ANONYMOUS_NAME, ANONYMOUS_URI, hides, identity_headers

if TYPE_CHECKING:
    from trivox.call.settings import CallSettings
    from trivox.client.config import AccountConfig
    from trivox.sip.outputs import Headers


@dataclass(frozen=True, slots=True)
class Caller:
    """From of a request, and the headers that go with it."""

    uri: str
    display_name: str
    headers: Headers = ()


def caller_of(
    fallback: str, config: AccountConfig | None, settings: CallSettings | None, *, is_trusted: bool
) -> Caller:
    """Return as whom a request is sent (RFC 3323 §4.1, RFC 3325 §9).

    Args:
        fallback: Address of who has no account.
        config: The account, if any.
        settings: Of the call; None for what is no call.
        is_trusted: Whether the next hop is in our trust domain.
    """
    caller = Caller(fallback, "")
    if config is not None:
        caller = Caller(config.uri, config.display_name)
    if settings is not None and (settings.caller_uri or settings.caller_name is not None):
        name = settings.caller_name if settings.caller_name is not None else caller.display_name
        caller = Caller(settings.caller_uri or caller.uri, name)
    privacy = settings.privacy if settings is not None else ()
    if is_trusted:
        known = LocalIdentity(caller.uri, "", caller.display_name).address
        # A trunk is a network of its own that vouches for its callers; a user only prefers.
        is_network = config is not None and config.registrar == ""
        headers = identity_headers(known, privacy, is_network=is_network)
        caller = replace(caller, headers=headers)
    if privacy and hides(privacy):
        return replace(caller, uri=ANONYMOUS_URI, display_name=ANONYMOUS_NAME)
    return caller
