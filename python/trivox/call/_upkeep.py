"""What keeps a call's session alive and up to date while the program does other things."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from trivox.call._endings import lose
from trivox.call._far_changes import take_reinvite
from trivox.call._negotiated import take_late_answer
from trivox.call._party import note_party, remember_headers
from trivox.call.states import Trigger
from trivox.sip import events as facts

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call._core import CallCore

_SESSION: Final = "session"


def keep_deadline(call: CallCore) -> None:
    """Wake the session when it asks for it: a back-off, a session timer."""
    deadline = call._session.next_deadline() if call._session is not None else None
    if deadline == call._session_deadline or call.end is not None:
        return
    call._session_deadline = deadline
    if deadline is None:
        call._withdraw(_SESSION)
    else:
        call._after(_SESSION, deadline - call._now(), partial(_session_due, call))


def _session_due(call: CallCore) -> None:
    assert call._session is not None, "it asked for it"
    call._session_deadline = None
    call._carry_out(call._session.handle_timeout(call._now()))


def take_upkeep(call: CallCore, fact: facts.SessionFact) -> None:
    """Take what the session tells of its own life."""
    match fact:
        case facts.UpdateReceived(tx, message, body):
            _take_update(call, tx, message, body)
        case facts.RefreshDue() | facts.ModificationDue():
            _refresh_session(call)
        case facts.ModificationAnswered(_, body, _):
            take_late_answer(call, body)
        case facts.AcceptSent():
            call._step(Trigger.ACCEPTED)
        case facts.ProgressAcknowledged(_, body):
            take_late_answer(call, body)
        case facts.ProgressTimedOut():
            lose(call, "the caller acknowledged no provisional response", Trigger.LOST)
        case facts.SessionExpired():
            lose(call, "the far end did not refresh the session", Trigger.EXPIRED)


def _take_update(call: CallCore, tx: int, message: Message, body: bytes) -> None:
    """Answer an UPDATE: with an offer as a re-INVITE, without one at once (RFC 3311 §5.2)."""
    if message.body:
        take_reinvite(call, tx, message, body)
    else:
        remember_headers(call, message)
        note_party(call, message)
        call._respond(tx, 200)


def _refresh_session(call: CallCore) -> None:
    """Keep the session alive by a re-INVITE that changes nothing (RFC 4028 §7.4)."""
    assert call._session is not None, "its own session asked for it"
    if not call._session.is_modifying:
        call._carry_out(call._session.modify(call._leg.offer()))
