"""How a call ends, or fails to begin: the cause that is kept, and the last message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from trivox.call.events import CallEnd, EndReason, Originator
from trivox.call.farewell import Farewell
from trivox.call.messages import headers_of, reason_of
from trivox.call.states import LEAVING, Phase, Trigger
from trivox.sip.reason import read_causes_untrusted

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call._core import CallCore
    from trivox.sip.outputs import Headers

# Python 3.11 takes longer to find a member of an enum than all else in a step.
_REMOTE_ENDED: Final = EndReason.REMOTE_ENDED
_REMOTE: Final = Originator.REMOTE
_CONNECTED: Final = Phase.CONNECTED


def leave(
    call: CallCore,
    why: EndReason,
    farewell: Farewell,
    originator: Originator = Originator.LOCAL,
    trigger: Trigger = Trigger.HANGUP,
) -> None:
    """End the call from here, if it is not ending; an unanswered one with that status."""
    if call._state_now().is_terminal or call._phase in LEAVING:
        return
    is_unanswered = call._phase in (Phase.IN_CREATED, Phase.IN_ANSWERING)
    call._farewell = farewell
    call._cause = CallEnd(
        reason=why,
        originator=originator,
        sip_code=farewell.status if is_unanswered else 0,
        sip_reason=reason_of(farewell.status) if is_unanswered else "",
    )
    call._step(trigger)


def refuse(call: CallCore, status: int, headers: Headers = (), *, is_untaken: bool = False) -> None:
    """End the call for the client: nobody took it, its handler left or failed, or it closes."""
    if call.end is not None:
        return
    leave(
        call,
        EndReason.LOCAL_ENDED,
        Farewell(status, headers),
        Originator.SYSTEM if is_untaken else Originator.LOCAL,
        Trigger.UNTAKEN if is_untaken else Trigger.HANGUP,
    )


async def checkpoint_or_leave(call: CallCore) -> None:
    """Let others run; a call whose program is cancelled there is refused with 480."""
    try:
        await trio.lowlevel.checkpoint()
    except BaseException:
        refuse(call, 480)
        raise


def expire(call: CallCore) -> None:
    """End a call that has lasted for `max_duration`."""
    if call._phase is not Phase.CONNECTED:
        return
    call._cause = CallEnd(
        reason=EndReason.LOCAL_ENDED, originator=Originator.SYSTEM, sip_reason="max_duration"
    )
    call._step(Trigger.EXPIRED)


def ring_no_longer(call: CallCore) -> None:
    """Give up an attempt that nobody answers."""
    if call._phase is Phase.OUT_INVITING:
        call._cause = CallEnd(
            reason=EndReason.FAILED,
            originator=Originator.SYSTEM,
            sip_code=408,
            sip_reason="no answer within ring_timeout",
        )
        call._step(Trigger.RING_TIMEOUT)


def fail_setup(call: CallCore, error: Exception) -> None:
    """Fail an attempt that has not come as far as its INVITE."""
    call._cause = CallEnd(
        reason=EndReason.FAILED,
        originator=Originator.SYSTEM,
        sip_code=503,
        sip_reason=str(error),
        error=error,
    )
    call._step(Trigger.SETUP_FAILED)


def fail_connection(call: CallCore) -> None:
    """Fail an attempt whose INVITE could not be sent (RFC 3261 §8.1.3.1)."""
    error = None if call._route is None else call._host.failure_of(call._route.flow)
    if call._phase not in LEAVING:
        call._cause = CallEnd(
            reason=EndReason.FAILED,
            originator=Originator.SYSTEM,
            sip_code=503,
            sip_reason=str(error or "connection failed"),
            error=error,
        )
    call._step(Trigger.REFUSED)


def fail(
    call: CallCore,
    status: int,
    reason: str,
    message: Message | None,
    originator: Originator,
    trigger: Trigger,
) -> None:
    """End an attempt that came to nothing."""
    if call._phase not in LEAVING:
        call._cause = CallEnd(
            reason=EndReason.FAILED,
            originator=originator,
            sip_code=status,
            sip_reason=reason,
            headers=headers_of(message),
        )
    call._step(trigger)


def fail_media(call: CallCore, text: str) -> None:
    """End the call because its media cannot be."""
    if call._phase is Phase.CONNECTED:
        lose(call, text, Trigger.MEDIA_FAILED)
        return
    call._farewell.status = 500  # for an early dialog, which is refused
    fail(call, 0, text, None, Originator.SYSTEM, Trigger.MEDIA_FAILED)


def lose(call: CallCore, text: str, trigger: Trigger) -> None:
    """End an established call that was lost; an unestablished one fails."""
    if call._phase is Phase.CONNECTED:
        reason = EndReason.CONNECTION_LOST
    elif call._phase in LEAVING:
        call._step(trigger)
        return
    else:
        reason = EndReason.FAILED
    call._cause = CallEnd(reason=reason, originator=Originator.SYSTEM, sip_reason=text)
    call._step(trigger)


def end_remotely(
    call: CallCore, why: EndReason, status: int, message: Message | None, trigger: Trigger
) -> None:
    """End the call because the far end does, or takes its INVITE back."""
    if why is _REMOTE_ENDED and call._phase is _CONNECTED and call._transfers is not None:
        why = call._transfers.take_left()
    if call._phase not in LEAVING:
        status, text = _told(message, status)
        call._cause = CallEnd(
            reason=why,
            originator=_REMOTE,
            sip_code=status,
            sip_reason=text,
            headers=headers_of(message),
            at=call._now(),
        )
    call._step(trigger)


def end_signalling(call: CallCore) -> None:
    """Send CANCEL, BYE or the rejection, or leave it with the session until it may go."""
    session = call._session
    if session is None:
        return
    farewell = call._farewell
    headers = farewell.headers
    if farewell.reason:
        headers = (("Reason", farewell.reason), *headers)
    if session.is_over:  # nobody will tell that it ended
        call._step(Trigger.FINISHED)
    call._carry_out(session.end(headers, status=farewell.status, reason=reason_of(farewell.status)))


def _told(message: Message | None, status: int) -> tuple[int, str]:
    """Return the status and the words of a Reason; the status that is known otherwise goes first."""
    if message is None or message.header("Reason") is None:
        return status, ""
    causes = read_causes_untrusted(message.headers("Reason"))
    numbers = (cause.cause for cause in causes if cause.protocol.upper() == "SIP")
    return status or next(numbers, 0), next((each.text for each in causes if each.text), "")
