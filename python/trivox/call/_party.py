"""Who the far end is, as its messages say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.call.messages import headers_of
from trivox.call.origin import value_of_party
from trivox.call.states import CallDirection, Phase

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call._core import CallCore


def remember_headers(call: CallCore, message: Message) -> None:
    """Keep the headers, and who sent them: the far end may be another by now (RFC 4916)."""
    call.remote_headers = headers_of(message)
    is_known = call._phase is Phase.CONNECTED or call.direction is CallDirection.INCOMING
    if message.is_request and is_known:
        learn_party(call, message, message.dialog()[3])
        call._tell("remote_display_name", "remote_sip_uri")


def learn_party(call: CallCore, message: Message, value: str) -> None:
    """Note who the far end says it is, or who is vouched for by whom we trust."""
    if call._redirections is not None:
        value = call._redirections.party_of(message, value)
    is_trusted = call._route is not None and call._route.identity.is_trusted
    call._party_untrusted = value_of_party(message, value) if is_trusted else value


def note_party(call: CallCore, message: Message) -> None:
    """Learn who is there now from a re-INVITE or UPDATE (RFC 4916 §4.5)."""
    dialog = call._session.dialog if call._session is not None else None
    value = message.header("From") or ""
    before = call._party_untrusted
    learn_party(call, message, value)
    if call._party_untrusted == value and (dialog is None or not dialog.is_new_party):
        call._party_untrusted = before  # nobody vouches for another, and From is as it was
    if call._party_untrusted != before and call._watchables:
        call._tell("remote_display_name", "remote_sip_uri")
