"""What keeps a call's session alive and up to date while the program does other things."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Final

from trivox.call._far_changes import take_reinvite
from trivox.call._machine import CallMachine
from trivox.call.messages import headers_of
from trivox.call.states import CallDirection, Phase, Trigger
from trivox.sip import events as facts

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.sip.invite_session import InviteSession
    from trivox.sip.outputs import Headers

_SESSION: Final = "session"


class CallUpkeep(CallMachine):
    """Wakes the session when it asks for it, and answers what the far end only refreshes."""

    _session: InviteSession | None
    _session_deadline: float | None

    @abstractmethod
    def _carry_out(self, outputs: tuple[facts.SessionOutput, ...]) -> list[int]: ...
    @abstractmethod
    def _take_late_answer(self, body: bytes) -> bool: ...
    @abstractmethod
    def _learn_party(self, message: Message, value: str) -> None: ...
    @abstractmethod
    def _respond(
        self,
        tx: int,
        status: int,
        *,
        headers: Headers = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> None: ...

    def _keep_deadline(self) -> None:
        """Wake the session when it asks for it: a back-off, a session timer."""
        deadline = self._session.next_deadline() if self._session is not None else None
        if deadline == self._session_deadline or self.end is not None:
            return
        self._session_deadline = deadline
        if deadline is None:
            self._withdraw(_SESSION)
        else:
            self._after(_SESSION, deadline - self._now(), self._session_due)

    def _session_due(self) -> None:
        assert self._session is not None, "it asked for it"
        self._session_deadline = None
        self._carry_out(self._session.handle_timeout(self._now()))

    def _take_upkeep(self, fact: facts.SessionFact) -> None:
        match fact:
            case facts.UpdateReceived(tx, message, body):
                self._take_update(tx, message, body)
            case facts.RefreshDue() | facts.ModificationDue():
                self._refresh_session()
            case facts.ModificationAnswered(_, body, _):
                self._take_late_answer(body)
            case facts.AcceptSent():
                self._step(Trigger.ACCEPTED)
            case facts.ProgressAcknowledged(_, body):
                self._take_late_answer(body)
            case facts.ProgressTimedOut():
                self._lose("the caller acknowledged no provisional response", Trigger.LOST)
            case facts.SessionExpired():
                self._lose("the far end did not refresh the session", Trigger.EXPIRED)

    def _remember_headers(self, message: Message) -> None:
        """Keep the headers, and who sent them: the far end may be another by now (RFC 4916)."""
        self.remote_headers = headers_of(message)
        is_known = self._phase is Phase.CONNECTED or self.direction is CallDirection.INCOMING
        if message.is_request and is_known:
            self._learn_party(message, message.dialog()[3])
            self._tell("remote_display_name", "remote_sip_uri")

    def _note_party(self, message: Message) -> None:
        """Learn who is there now from a re-INVITE or UPDATE (RFC 4916 §4.5)."""
        dialog = self._session.dialog if self._session is not None else None
        value = message.header("From") or ""
        before = self._party_untrusted
        self._learn_party(message, value)
        if self._party_untrusted == value and (dialog is None or not dialog.is_new_party):
            self._party_untrusted = before  # nobody vouches for another, and From is as it was
        if self._party_untrusted != before and self._watchables:
            self._tell("remote_display_name", "remote_sip_uri")

    def _take_update(self, tx: int, message: Message, body: bytes) -> None:
        """Answer an UPDATE: with an offer as a re-INVITE, without one at once (RFC 3311 §5.2)."""
        if message.body:
            take_reinvite(self._face, tx, message, body)
        else:
            self._remember_headers(message)
            self._note_party(message)
            self._respond(tx, 200)

    def _refresh_session(self) -> None:
        """Keep the session alive by a re-INVITE that changes nothing (RFC 4028 §7.4)."""
        assert self._session is not None, "its own session asked for it"
        if not self._session.is_modifying:
            self._carry_out(self._session.modify(self._leg.offer()))
