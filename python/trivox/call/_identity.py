"""Whom the far end talks to, as this end tells it: connected identity, sent (RFC 4916)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from trivox.call._transfer import CallTransfer
from trivox.call.argument_rules import checked_uri
from trivox.call.header_rules import checked_text
from trivox.call.states import Phase
from trivox.call.wish import Introduce, Introduction
from trivox.errors import NotSupportedError, RequiredParameterError
from trivox.sip.identity import LocalIdentity
from trivox.sip.party import ASSERTED, PREFERRED, hides

if TYPE_CHECKING:
    from trivox.sip.outputs import Headers


class CallIdentity(CallTransfer):
    """What a call says of who is here."""

    async def change_identity(
        self, display_name: str | None = None, *, uri: str | None = None
    ) -> None:
        """Tell the far end who it talks to now, after a transfer for instance (RFC 4916).

        Sent by UPDATE where the far end takes it, else by a re-INVITE that changes no media; before
        the call is connected by UPDATE alone. A far end that knows `from-change` is told in From, a
        trusted one in P-Asserted-Identity too. Cancelling it unsends nothing.

        Args:
            display_name: The new name; None: as before, "" for none.
            uri: The new SIP URI; None: as before.

        Raises:
            RequiredParameterError: Neither is given.
            InvalidUriError, InvalidHeaderError: One is of no use.
            NotSupportedError: The far end knows no `from-change` and is not trusted, or the call
                withholds its identity from it (`CallSettings.privacy`).
            CallWrongStateError: There is no dialog yet that takes an UPDATE.
            StreamUpdateFailedError: The far end refused; it is told nobody else.
            CallEndedError, CallReconnectingError: The call is not in a state for it.
        """
        if display_name is None and uri is None:
            raise RequiredParameterError("change_identity() takes a display_name, a uri, or both")
        name = None if display_name is None else checked_text(display_name, "display_name")
        if uri is not None:
            checked_uri(uri, "uri")
        self._refuse_ended()
        self._refuse_reconnecting("change_identity()")
        introduction = self._introduction(name, uri)
        await self._renegotiation().ask(Introduce(introduction)).wait()

    def _introduction(self, name: str | None, uri: str | None) -> Introduction:
        session, route = self._session, self._route
        if session is None or route is None or not self._can_introduce:
            raise self._wrong_state(
                "change_identity() needs a connected call, or an early dialog that takes UPDATE"
            )
        before = route.identity
        own = LocalIdentity(before.uri, "", before.display_name)
        known = LocalIdentity(
            before.uri if uri is None else uri,
            "",
            before.display_name if name is None else name,
        )
        is_hidden = hides(self.settings.privacy)
        is_told = session.can_rename and not is_hidden
        if not is_told and not before.is_trusted:
            why = "is not to know who calls" if is_hidden else "knows no from-change (RFC 4916)"
            raise NotSupportedError(f"the far end {why}", call_id=self.id)
        shown = own if is_hidden else known
        identity = dataclasses.replace(
            before,
            uri=shown.uri,
            display_name=shown.display_name,
            headers=_renamed(before.headers, known.address),
        )
        return Introduction(shown.address if is_told else "", identity)

    @property
    def _can_introduce(self) -> bool:
        session = self._session
        is_early = session is not None and session.early_tag is not None
        return self._phase is Phase.CONNECTED or is_early

    def _introduce(self, introduction: Introduction) -> None:
        """Send the UPDATE or re-INVITE that says so."""
        session = self._session
        assert session is not None, "a call in a dialog has its session"
        headers = introduction.identity.headers
        tag = session.early_tag
        if tag is not None or session.can_update:
            outputs = session.modify(
                headers=headers, method="UPDATE", to_tag=tag or "", party=introduction.party
            )
        else:
            outputs = session.modify(self._leg.offer(), headers=headers, party=introduction.party)
        self._carry_out(outputs)

    def _take_modified(self, body: bytes) -> None:
        assert self._changes is not None, "one of its changes was answered"
        introduction = self._changes.introduction
        if introduction is not None and self._route is not None and self._session is not None:
            self._route = dataclasses.replace(self._route, identity=introduction.identity)
            self._session.use(introduction.identity)
        super()._take_modified(body)


def _renamed(headers: Headers, party: str) -> Headers:
    """Return what a trusted peer is told, of another party."""
    return tuple(
        (name, party if name in (ASSERTED, PREFERRED) else value) for name, value in headers
    )
