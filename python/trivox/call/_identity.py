"""Whom the far end talks to, as this end tells it: connected identity, sent (RFC 4916)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from trivox.call.argument_rules import checked_uri
from trivox.call.header_rules import checked_text
from trivox.call.states import Phase
from trivox.call.wish import Introduce, Introduction
from trivox.errors import NotSupportedError, RequiredParameterError
from trivox.sip.identity import LocalIdentity
from trivox.sip.party import ASSERTED, PREFERRED, hides

if TYPE_CHECKING:
    from trivox.call._core import CallCore
    from trivox.sip.outputs import Headers


async def change_identity(call: CallCore, display_name: str | None, uri: str | None) -> None:
    """Tell the far end who is here, and wait for its answer: see `Call.change_identity`."""
    if display_name is None and uri is None:
        raise RequiredParameterError("change_identity() takes a display_name, a uri, or both")
    name = None if display_name is None else checked_text(display_name, "display_name")
    if uri is not None:
        checked_uri(uri, "uri")
    call._refuse_ended()
    call._refuse_reconnecting("change_identity()")
    introduction = _introduction(call, name, uri)
    await call._renegotiation().ask(Introduce(introduction)).wait()


def _introduction(call: CallCore, name: str | None, uri: str | None) -> Introduction:
    session, route = call._session, call._route
    if session is None or route is None or not _can_introduce(call):
        raise call._wrong_state(
            "change_identity() needs a connected call, or an early dialog that takes UPDATE"
        )
    before = route.identity
    own = LocalIdentity(before.uri, "", before.display_name)
    known = LocalIdentity(
        before.uri if uri is None else uri,
        "",
        before.display_name if name is None else name,
    )
    is_hidden = hides(call.settings.privacy)
    is_told = session.can_rename and not is_hidden
    if not is_told and not before.is_trusted:
        why = "is not to know who calls" if is_hidden else "knows no from-change (RFC 4916)"
        raise NotSupportedError(f"the far end {why}", call_id=call.id)
    shown = own if is_hidden else known
    identity = dataclasses.replace(
        before,
        uri=shown.uri,
        display_name=shown.display_name,
        headers=_renamed(before.headers, known.address),
    )
    return Introduction(shown.address if is_told else "", identity)


def _can_introduce(call: CallCore) -> bool:
    session = call._session
    is_early = session is not None and session.early_tag is not None
    return call._phase is Phase.CONNECTED or is_early


def introduce(call: CallCore, introduction: Introduction) -> None:
    """Send the UPDATE or re-INVITE that says so."""
    session = call._session
    assert session is not None, "a call in a dialog has its session"
    headers = introduction.identity.headers
    tag = session.early_tag
    if tag is not None or session.can_update:
        outputs = session.modify(
            headers=headers, method="UPDATE", to_tag=tag or "", party=introduction.party
        )
    else:
        outputs = session.modify(call._leg.offer(), headers=headers, party=introduction.party)
    call._carry_out(outputs)


def adopt(call: CallCore, introduction: Introduction) -> None:
    """Be who the far end has been told is here: it has agreed."""
    if call._route is not None and call._session is not None:
        call._route = dataclasses.replace(call._route, identity=introduction.identity)
        call._session.use(introduction.identity)


def _renamed(headers: Headers, party: str) -> Headers:
    """Return what a trusted peer is told, of another party."""
    return tuple(
        (name, party if name in (ASSERTED, PREFERRED) else value) for name, value in headers
    )
