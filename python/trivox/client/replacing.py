"""New calls that name another: Replaces (RFC 3891) and Join (RFC 3911)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.call.conference import Conference
from trivox.call.states import CallDirection, CallState, Phase
from trivox.errors import ParseError
from trivox.sip.replaces import dialog_named_untrusted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trivox._native import Message
    from trivox.call.call import Call
    from trivox.sip.replaces import DialogName

_ENDED = (CallState.DISCONNECTING, CallState.DISCONNECTED, CallState.FAILED)
_ANSWERED = frozenset({Phase.IN_ANSWERED, Phase.ESTABLISHING, Phase.CONNECTED})


def named_call(
    request: Message, calls: Callable[[str], Iterable[Call]]
) -> tuple[str, Call] | tuple[int, str] | None:
    """Return which call an INVITE names, and by which header; None for an ordinary one.

    Or how it is to be refused. Whether it is wanted is for whoever takes the new call: it is
    offered as any other, and only its answer ends the old one, or mixes them.

    Args:
        request: The INVITE.
        calls: Returns those that live by their Call-ID.
    """
    try:
        named = dialog_named_untrusted(request)
    except ParseError:
        return 400, "Bad Request"
    if named is None:
        return None
    header, name = named
    call = next((call for call in calls(name.call_id) if _is_named(call, name)), None)
    if call is None:
        return 481, "Call/Transaction Does Not Exist"
    refusal = (
        _judge_join(call) if header == "Join" else _judge(call, is_early_only=name.is_early_only)
    )
    return refusal or (header, call)


def _judge_join(call: Call) -> tuple[int, str] | None:
    """Return the refusal of RFC 3911 §4 for a call that nobody can be mixed with."""
    if call._state_now() in _ENDED:
        return 603, "Decline"
    has_no_media = call.direction is CallDirection.INCOMING and call._phase not in _ANSWERED
    return (488, "Not Acceptable Here") if has_no_media or is_bridged(call) else None


def _is_named(call: Call, name: DialogName) -> bool:
    return call.sip_call_id == name.call_id and any(map(name.is_of, call._dialogs))


def _judge(call: Call, *, is_early_only: bool) -> tuple[int, str] | None:
    """Return the refusal of RFC 3891 §3 for a call that cannot be replaced."""
    if call._state_now() in _ENDED:
        return 603, "Decline"
    if call._phase in _ANSWERED:
        return (486, "Busy Here") if is_early_only else None
    if call.direction is CallDirection.INCOMING:
        # What we have not answered ourselves is not for others to take.
        return 481, "Call/Transaction Does Not Exist"
    return None


def is_bridged(call: Call) -> bool:
    """Whether a call is in a bridge, which is for two."""
    return call._leg.joint is not None and not isinstance(call._leg.joint, Conference)
