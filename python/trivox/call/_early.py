"""What an incoming call says before it is answered: progress, and early media."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.call._describing import gather_early, local_description, refuse_media
from trivox.call._endings import checkpoint_or_leave
from trivox.call._negotiated import note_negotiated
from trivox.call._publishing import add_remote_stream
from trivox.call._trickle import own_packages, repeat_answer
from trivox.call._values import CallValues
from trivox.call._wishes import add_now
from trivox.call.events import EarlyMediaStarted, Originator
from trivox.call.header_rules import HeaderArguments, checked_headers
from trivox.call.messages import reason_of
from trivox.call.states import CallDirection, Phase
from trivox.call.streams import checked_streams
from trivox.errors import EngineError, InvalidArgumentsError, MediaNegotiationError, StreamError
from trivox.sip.bodies import SDP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox.call._core import CallCore
    from trivox.call.streams import LocalStream

_PROVISIONAL: Final = range(101, 200)
_EARLY: Final = 183


async def progress(
    call: CallCore,
    code: int,
    streams: Iterable[LocalStream],
    headers: HeaderArguments,
    *,
    reliable: bool | None,
) -> None:
    """Tell the caller how it goes: see `Call.progress`."""
    if code not in _PROVISIONAL:
        raise InvalidArgumentsError(f"{code!r} is no provisional status: use 180 or 183")
    pairs = checked_headers(headers)
    call._refuse_direction(CallDirection.INCOMING, "progress()")
    call._refuse_ended()
    call._refuse_phase("progress() comes before answer()", Phase.IN_CREATED)
    call._refuse_reconnecting("progress()")
    sending = checked_streams(streams)
    if call._remote_offer and (sending or code == _EARLY):
        await gather_early(call)
    body = _description(call, code, sending)
    assert call._session is not None, "an incoming call is born with its session"
    packages = (*own_packages(call), *pairs)
    outputs = call._session.provisional(
        code, reason_of(code), packages, body, SDP, is_reliable=reliable
    )
    call._carry_out(outputs)
    if body:
        _begin(call)
        repeat_answer(call, outputs)
    if call.timings.progressed is None:
        call.timings.progressed = call._now()
    await checkpoint_or_leave(call)


def _description(call: CallCore, code: int, streams: tuple[LocalStream, ...]) -> bytes:
    """Return the answer a provisional response carries; empty for one without media."""
    if streams:
        if not call._remote_offer:
            raise MediaNegotiationError(
                "the INVITE brought no offer: streams are sent once the call is answered"
            )
        add_now(call, streams)
    if not call._remote_offer or not (streams or code == _EARLY or call._leg.is_open):
        return b""
    try:
        return local_description(call)
    except (StreamError, EngineError) as error:
        refuse_media(call, error)
        raise


def _begin(call: CallCore) -> None:
    """Let media flow before the call is answered."""
    if not CallValues.has_early_media.of(call):
        note_negotiated(call)
        call._tell(has_early_media=True)
        add_remote_stream(call)
        call._emit(EarlyMediaStarted, Originator.LOCAL, stream=call._remote_stream)
        call._leg.begin_flow()
